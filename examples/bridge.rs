//! A bridge: a server of your own that hosts repos and writes to them.
//!
//! `cargo run --example bridge`, then
//! `curl --json '{"text": "hi"}' http://localhost:8080/inbox` and
//! `curl 'http://localhost:8080/xrpc/com.atproto.sync.listRepos'`.

use std::sync::Arc;

use arroba::core::nsid;
use arroba::core::syntax::Nsid;
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::store::Sqlite;
use arroba::{NewRepo, Repo, RepoHost, Secrets, Write};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

const POST: Nsid = nsid!("app.bsky.feed.post");

#[tokio::main]
async fn main() -> arroba::Result {
    std::fs::create_dir_all("data")?;
    let secrets = Secrets::load_or_create("data/secrets.toml")?;
    let store = Sqlite::open("data/bridge.sqlite").await?;
    let host = RepoHost::builder("bridge.example.com", secrets, store)
        // Identities of this process alone. Without this line they go to the public directory.
        .directory(Arc::new(Directory::new(Clock::system())))
        .build()
        .await?;
    let alice = match host.repo_of(&"alice.bridge.example.com".parse().expect("a handle")).await? {
        Some(alice) => alice,
        None => host.create_repo(NewRepo::plc("alice.bridge.example.com".parse().expect("a handle"))).await?,
    };
    let app =
        Router::new().route("/inbox", post(inbox)).with_state((host.clone(), alice)).merge(host.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://localhost:8080");
    axum::serve(listener, app).await?;
    Ok(())
}

/// Something arrives from the other network and becomes a post.
async fn inbox(
    State((host, alice)): State<(RepoHost, Repo)>,
    Json(message): Json<Value>,
) -> Result<String, (StatusCode, String)> {
    let text = message["text"].as_str().unwrap_or_default();
    let post = Write::create(POST, json!({ "text": text, "createdAt": host.now() }));
    match alice.commit([post]).await {
        Ok(outcome) => Ok(format!("{:?}\n", outcome.commit)),
        Err(error) => Err((StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n"))),
    }
}
