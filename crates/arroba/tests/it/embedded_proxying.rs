//! A host in somebody else's server that forwards: the example, and callers with scopes.

use std::net::SocketAddr;

use arroba::auth::{Authenticator, Caller};
use arroba::core::crypto::jwt::{ServiceClaims, Token};
use arroba::core::scopes::{Permission, Scopes};
use arroba::core::syntax::{Did, Nsid};
use arroba::proxy::Proxy;
use arroba::store::Memory;
use async_trait::async_trait;
use axum::Router;
use http::request::Parts;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::app_view::AppView;
use super::fixture::World;

#[expect(dead_code, reason = "the example's main and its own settings are for running it")]
#[path = "../../../../examples/app.rs"]
mod app;

const TIMELINE: &str = "app.bsky.feed.getTimeline";

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let json: Value = response.json().await.unwrap();
    (status, json["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_example_serves_its_repo_and_forwards_the_rest() {
    let world = World::<Memory>::new().await;
    let view = AppView::start().await;
    let settings = app::Settings { token: "secret".to_owned(), app_view: view.service() };
    let address = serve(app::app(&world.host, settings).await.unwrap()).await;
    let ask = |method: Method, path: &str| Client::new().request(method, format!("http://{address}{path}"));
    let send = async |request: RequestBuilder| request.send().await.unwrap();

    let about = send(ask(Method::GET, "/")).await.text().await.unwrap();
    let did = about.trim_end().trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
    assert!(did.starts_with("did:plc:"), "{about}");

    let timeline = format!("/xrpc/{TIMELINE}");
    let preflight = ask(Method::OPTIONS, &timeline)
        .header("origin", "https://app.test")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let preflight = send(preflight).await;
    assert_eq!(
        (preflight.status().as_u16(), &preflight.headers()["access-control-allow-origin"]),
        (200, &"*".parse().unwrap())
    );
    assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization");
    assert!(view.seen(TIMELINE).is_empty(), "a preflight is answered here");

    assert_eq!(error(send(ask(Method::GET, &timeline)).await).await, (401, "AuthMissing".to_owned()));
    let wrong = send(ask(Method::GET, &timeline).bearer_auth("wrong")).await;
    assert_eq!(error(wrong).await, (401, "AuthenticationRequired".to_owned()));

    let record =
        json!({"$type": "app.bsky.feed.post", "text": "hi", "createdAt": "2025-12-31T00:00:00.000Z"});
    let input = json!({"repo": did, "collection": "app.bsky.feed.post", "record": record});
    let create = ask(Method::POST, "/xrpc/com.atproto.repo.createRecord").bearer_auth("secret").json(&input);
    let made: Value = send(create).await.json().await.unwrap();

    view.tell(TIMELINE, 200, Some("2222222222222"), json!({"feed": []}));
    let answer =
        send(ask(Method::GET, &timeline).bearer_auth("secret").header("origin", "https://app.test")).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["feed"][0]["post"]["uri"], made["uri"]);
    let seen = view.seen(TIMELINE).remove(0);
    let token = seen.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let token = Token::decode(token).unwrap();
    let did = Did::parse(&did).unwrap();
    token.verify(&world.key(&did).await).unwrap();
    let claims: ServiceClaims = token.claims().unwrap();
    assert_eq!(
        (claims.iss.as_str(), claims.aud.as_str(), claims.lxm.as_deref()),
        (did.as_str(), view.did.as_str(), Some(TIMELINE))
    );
}

/// Whoever calls is one account with some scopes, or the operator.
struct Scoped {
    caller: Caller,
}

#[async_trait]
impl Authenticator for Scoped {
    async fn caller(&self, _: &Parts) -> arroba::xrpc::Result<Option<Caller>> {
        Ok(Some(self.caller.clone()))
    }
}

#[tokio::test]
async fn scopes_say_which_methods_of_which_services_may_be_called() {
    let world = World::<Memory>::new().await;
    let alice = world.account("alice").await;
    let view = AppView::start().await;
    view.tell(TIMELINE, 200, None, json!({"feed": []}));
    view.tell("app.bsky.feed.getLikes", 200, None, json!({}));
    let timeline: Nsid = TIMELINE.parse().unwrap();
    let scope = Permission::rpc(timeline, view.service().service().clone()).scope().to_string();
    let owner = Caller::owner(alice.did().clone());
    let ask = async |caller: Caller, method: &str| {
        let proxy = Proxy::builder().proxy("app.bsky", view.service()).build(&world.host).unwrap();
        let router = world.host.routes().authenticator(Scoped { caller }).proxy(proxy).router().unwrap();
        reqwest::get(format!("http://{}/xrpc/{method}", serve(router).await)).await.unwrap()
    };
    let narrow = owner.clone().scopes(Scopes::parse(&format!("atproto {scope}")));
    assert_eq!(ask(narrow.clone(), TIMELINE).await.status(), 200);
    let refused = ask(narrow, "app.bsky.feed.getLikes").await;
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains("insufficient_scope"));
    assert_eq!(error(refused).await, (403, "insufficient_scope".to_owned()));
    assert_eq!(error(ask(owner.clone().scopes(Scopes::parse("atproto")), TIMELINE).await).await.0, 403);
    assert_eq!(ask(owner, "app.bsky.feed.getLikes").await.status(), 200);
    assert_eq!(error(ask(Caller::everything(), TIMELINE).await).await, (401, "AuthMissing".to_owned()));
    let stranger = Caller::owner(Did::parse("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").unwrap());
    assert_eq!(error(ask(stranger, TIMELINE).await).await, (400, "RepoNotFound".to_owned()));
}
