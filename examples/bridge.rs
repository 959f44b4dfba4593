//! A bridge: a server of your own that hosts repos and writes to them.
//!
//! `cargo run --example bridge -- sqlite 1000` makes a thousand repos in `data/bridge.sqlite` (`memory` keeps them in memory), writes to
//! all of them, and serves them. Then
//! `curl --json '{"to": "user7", "text": "hi"}' http://localhost:8080/inbox`,
//! `curl 'http://localhost:8080/xrpc/com.atproto.sync.listRepos'`, or with `REPO_TOKEN=towel` in the bridge's environment
//! `curl -H 'Authorization: Bearer towel' --json '{"repo": "user7.bridge.example.com", "collection": "app.bsky.feed.post", "record":
//! {"text": "hi", "createdAt": "2026-01-01T00:00:00.000Z"}}' http://localhost:8080/xrpc/com.atproto.repo.createRecord`.

use std::path::Path;
use std::sync::Arc;

use arroba::auth::StaticToken;
use arroba::core::nsid;
use arroba::core::syntax::{Handle, Nsid};
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::methods::{Call, MethodError};
use arroba::store::{BlobIndex, Memory, RepoStore, Sqlite};
use arroba::{Batch, HostError, NewRepo, Repo, RepoHost, Secrets, Write};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

const POST: Nsid = nsid!("app.bsky.feed.post");
const DOMAIN: &str = "bridge.example.com";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().unwrap_or_else(|| "sqlite".to_owned());
    let repos = arguments.next().map_or(Ok(1), |count| count.parse())?;
    let host = open(&store, Path::new("data")).await?;
    fill(&host, repos).await?;
    let app = routes(&host, StaticToken::from_env()?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("{repos} repos on http://localhost:8080");
    axum::serve(listener, app).with_graceful_shutdown(arroba::stop_signal()).await?;
    host.close().await;
    Ok(())
}

/// A host that keeps its repos in the store of this name.
pub(crate) async fn open(store: &str, directory: &Path) -> arroba::Result<RepoHost> {
    match store {
        "memory" => host(Secrets::generate()?, Memory::default()).await,
        _ => {
            std::fs::create_dir_all(directory)?;
            let secrets = Secrets::load_or_create(directory.join("secrets.toml"))?;
            host(secrets, Sqlite::open(directory.join("bridge.sqlite")).await?).await
        }
    }
}

async fn host(secrets: Secrets, store: impl RepoStore + BlobIndex) -> arroba::Result<RepoHost> {
    let host = RepoHost::builder(DOMAIN, secrets, store)
        // Identities of this process alone. Without this line they go to the public directory.
        .directory(Arc::new(Directory::new(Clock::system())));
    Ok(host.build().await?)
}

/// Makes so many repos, where they are not there yet, and writes to all of them at once.
pub(crate) async fn fill(host: &RepoHost, count: usize) -> Result<Vec<Repo>, HostError> {
    let repos: Vec<Repo> = futures::stream::iter(0..count)
        .map(|n| user(host, format!("user{n}")))
        .buffered(16)
        .try_collect()
        .await?;
    for some in repos.chunks(200) {
        let hello =
            || Write::create(POST, json!({ "text": "hello from the bridge", "createdAt": host.now() }));
        for result in
            host.commit_many(some.iter().map(|repo| Batch::new(repo.did().clone(), [hello()]))).await
        {
            result?;
        }
    }
    Ok(repos)
}

async fn user(host: &RepoHost, name: String) -> Result<Repo, HostError> {
    // Names of the other network are no handles yet: one that cannot be a part of a handle is refused.
    let handle = Handle::parse(&format!("{name}.{DOMAIN}")).map_err(|_| HostError::NoHandle)?;
    match host.repo_of(&handle).await? {
        Some(repo) => Ok(repo),
        None => host.create_repo(NewRepo::plc(handle)).await,
    }
}

/// Routes of the bridge's own, a method of its own, and everything that the network asks of a host.
pub(crate) fn routes(host: &RepoHost, token: StaticToken) -> Result<Router, MethodError> {
    let ours = host.clone();
    let atproto =
        host.routes().authenticator(token).method(nsid!("com.example.bridge.count"), move |_: Call| {
            let host = ours.clone();
            async move { Ok(json!({ "repos": host.repo_stream().count().await })) }
        });
    Ok(Router::new().route("/inbox", post(inbox)).with_state(host.clone()).merge(atproto.router()?))
}

/// Something arrives from the other network and becomes a post.
async fn inbox(
    State(host): State<RepoHost>,
    Json(message): Json<Value>,
) -> Result<String, (StatusCode, String)> {
    let refused = |error: HostError| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n"));
    let repo = user(&host, message["to"].as_str().unwrap_or("user0").to_owned()).await.map_err(refused)?;
    let text = message["text"].as_str().unwrap_or_default();
    let post = Write::create(POST, json!({ "text": text, "createdAt": host.now() }));
    let outcome = repo.commit([post]).await.map_err(refused)?;
    Ok(format!("{:?}\n", outcome.commit))
}
