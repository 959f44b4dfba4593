//! `arroba repo export`.

use super::source::Opened;
use crate::{cli::Source, output};
use anyhow::Context;
use futures::StreamExt;
use std::path::Path;
use tokio::{
    fs::{self, OpenOptions},
    io::AsyncWriteExt,
};

pub(super) async fn run(source: &Source, file: &Path) -> anyhow::Result<()> {
    let opened = Opened::open(source).await?;
    let written = write(opened, file).await;
    if written.is_err() {
        // Half a repository must not look like one. The file is ours: it was created just now.
        let _ = fs::remove_file(file).await;
    }
    output::line(format!("{} bytes written to {}", written?, file.display()))
}

async fn write(mut opened: Opened, path: &Path) -> anyhow::Result<u64> {
    let name = || path.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).await.with_context(name)?;
    let mut bytes = 0;
    while let Some(piece) = opened.pieces.next().await {
        let piece = piece?;
        file.write_all(&piece).await.with_context(name)?;
        bytes += piece.len() as u64;
        opened.bar.inc(piece.len() as u64);
    }
    file.sync_all().await.with_context(name)?;
    opened.bar.finish_and_clear();
    Ok(bytes)
}
