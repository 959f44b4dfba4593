//! The examples, run.

#[path = "../../../../examples/bridge.rs"]
#[expect(dead_code, reason = "the test calls what main calls")]
mod bridge;
#[path = "../../../../examples/serve.rs"]
#[expect(dead_code, reason = "the test calls what main calls")]
mod serve;

use arroba::auth::StaticToken;
use arroba::core::car::{self, Limits};
use axum::body::{Body, to_bytes};
use http::{Request, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How many repos the bridge makes; more by `ARROBA_BRIDGE_REPOS`.
fn repos() -> usize {
    std::env::var("ARROBA_BRIDGE_REPOS").map_or(30, |count| count.parse().unwrap())
}

async fn get(app: &axum::Router, uri: &str) -> Vec<u8> {
    let response = app.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200, "{uri}");
    to_bytes(response.into_body(), 10 << 20).await.unwrap().to_vec()
}

async fn bridge_works(store: &str) {
    let directory = tempfile::tempdir().unwrap();
    let host = bridge::open(store, directory.path()).await.unwrap();
    let made = bridge::fill(&host, repos()).await.unwrap();
    assert_eq!(made.len(), repos());
    let again = bridge::fill(&host, 2).await.unwrap();
    assert_eq!(again[1].did(), made[1].did(), "what is there is not made anew");
    let app = bridge::routes(&host, StaticToken::new("towel")).unwrap();
    let count: Value = serde_json::from_slice(&get(&app, "/xrpc/com.example.bridge.count").await).unwrap();
    assert_eq!(count["repos"], repos());
    for repo in &made {
        let file = get(&app, &format!("/xrpc/com.atproto.sync.getRepo?did={}", repo.did())).await;
        let blocks = car::read_all(&file, &Limits::REPOSITORY).unwrap().blocks.len();
        // The commit, a tree node and a post at least.
        assert!(blocks >= 3, "{blocks}");
    }
    let send = async |uri: &str, body: Value| {
        let request = Request::post(uri).header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, "Bearer towel");
        app.clone()
            .oneshot(request.body(Body::from(body.to_string())).unwrap())
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(send("/inbox", json!({"to": "user1", "text": "hi"})).await, 200);
    assert_eq!(send("/inbox", json!({"to": "no handle", "text": "hi"})).await, 422);
    let post = json!({"repo": "user0.bridge.example.com", "collection": "app.bsky.feed.post",
        "record": {"text": "hi", "createdAt": host.now()}});
    assert_eq!(send("/xrpc/com.atproto.repo.createRecord", post).await, 200);
    assert_eq!(made[0].contents(100).await.unwrap().values().next().unwrap().len(), 3);
    host.close().await;
}

#[tokio::test]
async fn the_bridge_in_memory() {
    bridge_works("memory").await;
}

#[tokio::test]
async fn the_bridge_on_sqlite() {
    bridge_works("sqlite").await;
}

#[tokio::test]
async fn the_server() {
    let directory = tempfile::tempdir().unwrap();
    let pds = serve::server(directory.path()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/xrpc/_health", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(pds.serve_on(listener, stop.clone().cancelled_owned()));
    assert_eq!(reqwest::get(url).await.unwrap().status(), 200);
    stop.cancel();
    serving.await.unwrap().unwrap();
}
