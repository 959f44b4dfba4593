//! Relays that are told, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::post;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::server::Server;

/// A relay that notes who asks it, and bans everybody if told to.
struct Relay {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
    called: Arc<Notify>,
}

impl Relay {
    async fn start(bans: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, called) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let (notes, bell) = (Arc::clone(&asked), Arc::clone(&called));
        let crawl = move |Json(input): Json<Value>| {
            notes.lock().unwrap().push(input);
            bell.notify_one();
            let banned = (StatusCode::BAD_REQUEST, Json(json!({"error": "HostBanned", "message": "no"})));
            async move { if bans { banned.into_response() } else { StatusCode::OK.into_response() } }
        };
        let router = Router::new().route("/xrpc/com.atproto.sync.requestCrawl", post(crawl));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, called }
    }

    async fn called(&self) {
        tokio::time::timeout(Duration::from_secs(20), self.called.notified())
            .await
            .expect("the relay is asked");
    }
}

#[tokio::test]
async fn relays_are_told_once_while_events_follow_each_other() {
    let relay = Relay::start(false).await;
    let url = relay.url.clone();
    let server = Server::with(|builder| builder.crawlers([url])).await;
    relay.called().await;
    let alice = server.create("alice").await;
    for n in 0..5 {
        server.post(&alice.access, "com.atproto.repo.createRecord", alice.post(&n.to_string())).await.ok();
    }
    let name = server.host.hostname().to_owned();
    assert!(name.starts_with("localhost:"), "{name}");
    assert_eq!(*relay.asked.lock().unwrap(), [json!({"hostname": name})], "once an interval");
    server.stop().await;
}

#[tokio::test]
async fn an_operator_may_ask_now_but_not_all_the_time() {
    let (good, bad) = (Relay::start(false).await, Relay::start(true).await);
    // Nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let relays = [good.url.clone(), bad.url.clone(), format!("http://{nobody}")];
    let server = Server::with(|builder| builder.crawlers(relays)).await;
    good.called().await;
    let crawled = server.host.request_crawl().await.unwrap();
    let results: Vec<bool> = crawled.iter().map(|crawled| crawled.result.is_ok()).collect();
    assert_eq!(results, [true, false, false]);
    assert!(crawled[1].result.as_ref().is_err_and(|error| error.is("HostBanned")));
    good.called().await;
    let wait = server.host.request_crawl().await.unwrap_err().wait;
    assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_relay_that_does_not_answer_delays_no_write() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let server = Server::with(|builder| builder.crawlers([url])).await;
    let held = silent.accept().await.unwrap();
    let alice = server.create("alice").await;
    server.post(&alice.access, "com.atproto.repo.createRecord", alice.post("x")).await.ok();
    drop(held);
    server.stop().await;
}
