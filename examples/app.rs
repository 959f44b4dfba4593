//! A server of one repo, with routes of its own, a token, and an app view behind it.
//!
//! `REPO_TOKEN=secret APPVIEW_HOST=api.bsky.app cargo run --example app`, then
//! `curl http://localhost:8080/`,
//! `curl -H 'Authorization: Bearer secret' http://localhost:8080/xrpc/app.bsky.feed.getTimeline`, and
//! `curl -i -X OPTIONS -H 'Origin: https://a.test' -H 'Access-Control-Request-Method: GET' \
//!    http://localhost:8080/xrpc/app.bsky.feed.getTimeline` as a browser asks first.

use std::env;
use std::error::Error;
use std::sync::Arc;

use arroba::auth::{Authenticator, Caller};
use arroba::core::syntax::Did;
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::proxy::{Proxy, ProxyService};
use arroba::store::Memory;
use arroba::{NewRepo, Repo, RepoHost, Secrets};
use async_trait::async_trait;
use axum::Router;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::get;

/// What the server is told.
pub(crate) struct Settings {
    /// Whoever shows it speaks for the repo.
    pub(crate) token: String,
    /// Who answers `app.bsky.*`.
    pub(crate) app_view: ProxyService,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app_view = env::var("APPVIEW_HOST").unwrap_or_else(|_| "api.bsky.app".to_owned());
    let settings = Settings {
        token: env::var("REPO_TOKEN")?,
        app_view: ProxyService::app_view(
            format!("https://{app_view}").parse()?,
            &format!("did:web:{app_view}").parse()?,
        ),
    };
    let host = RepoHost::builder("app.example.com", Secrets::generate()?, Memory::new())
        // Identities of this process alone. Without this line they go to the public directory.
        .directory(Arc::new(Directory::new(Clock::system())))
        .build()
        .await?;
    let app = app(&host, settings).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://localhost:8080");
    axum::serve(listener, app).await?;
    Ok(())
}

/// The routes: our own, the repo's, and everything of `app.bsky` from the app view. Preflights of browsers are answered
/// on all of the last two.
pub(crate) async fn app(host: &RepoHost, settings: Settings) -> Result<Router, Box<dyn Error>> {
    let handle = format!("alice.{}", host.hostname()).parse()?;
    let repo = host.create_repo(NewRepo::plc(handle)).await?;
    let proxy = Proxy::builder().proxy("app.bsky", settings.app_view).build(host)?;
    let owner = Owner { token: settings.token, did: repo.did().clone() };
    let own = Router::new().route("/", get(about)).with_state(repo);
    Ok(own.merge(host.routes().authenticator(owner).proxy(proxy).router()?))
}

/// A page of our own.
async fn about(axum::extract::State(repo): axum::extract::State<Repo>) -> String {
    format!("This is the server of {}.\n", repo.did())
}

/// Knows one token, which speaks for one repo.
struct Owner {
    token: String,
    did: Did,
}

#[async_trait]
impl Authenticator for Owner {
    async fn caller(&self, request: &Parts) -> arroba::xrpc::Result<Option<Caller>> {
        let shown = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let owner = shown.and_then(|shown| shown.strip_prefix("Bearer ")) == Some(&*self.token);
        Ok(owner.then(|| Caller::owner(self.did.clone())))
    }
}
