//! A Personal Data Server in a few lines.
//!
//! `cargo run --example serve`, then `curl http://localhost:3000/xrpc/_health`.

use arroba::{Pds, Secrets, blobs::Blobs, store::Sqlite};

#[tokio::main]
async fn main() -> arroba::Result {
    std::fs::create_dir_all("data")?;
    let secrets = Secrets::load_or_create("data/secrets.toml")?;
    let store = Sqlite::open("data/pds.sqlite").await?;
    Pds::builder("pds.example.com", secrets, store)
        .blobs(Blobs::dir("data/blobs")?)
        .crawlers(["https://bsky.network"])
        .serve("0.0.0.0:3000")
        .await
}
