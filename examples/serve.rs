//! A Personal Data Server in a few lines.
//!
//! `cargo run --example serve`, then `curl http://localhost:3000/xrpc/_health`.

use std::path::Path;

use arroba::{Pds, Secrets, blobs::Blobs, store::Sqlite};

#[tokio::main]
async fn main() -> arroba::Result {
    server(Path::new("data")).await?.serve("0.0.0.0:3000").await
}

pub(crate) async fn server(data: &Path) -> arroba::Result<Pds> {
    std::fs::create_dir_all(data)?;
    let secrets = Secrets::load_or_create(data.join("secrets.toml"))?;
    let store = Sqlite::open(data.join("pds.sqlite")).await?;
    Pds::builder("pds.example.com", secrets, store)
        .blobs(Blobs::dir(data.join("blobs"))?)
        .crawlers(["https://bsky.network"])
        .build()
        .await
}
