//! `arroba repo import`.

use crate::{configuration, output};
use anyhow::Context;
use arroba::Pds;
use arroba_core::syntax::Did;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use indicatif::ProgressBar;
use std::{io, path::Path};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

pub(crate) async fn run(did: &str, file: &Path, config: Option<&Path>) -> anyhow::Result<()> {
    let did = Did::parse(did).context("the DID")?;
    let car = File::open(file).await.with_context(|| format!("opening {}", file.display()))?;
    let bar = output::bytes_bar(car.metadata().await?.len(), "importing");
    let config = configuration::load(config)?.config;
    let pds = Pds::from_config(&config).await.context("opening the store")?.build().await?;
    let imported = pds.host().import(&did, counted(car, bar.clone())).await;
    pds.close().await?;
    bar.finish_and_clear();
    match imported.with_context(|| format!("importing {} into {did}", file.display()))? {
        Some(commit) => {
            output::line(format!("imported; the new commit is {} at rev {}", commit.cid, commit.rev))
        }
        None => output::line("the repository holds just that already"),
    }
}

fn counted(car: File, bar: ProgressBar) -> impl Stream<Item = io::Result<Bytes>> + Send {
    ReaderStream::with_capacity(car, 64 << 10).inspect(move |piece| {
        if let Ok(piece) = piece {
            bar.inc(piece.len() as u64);
        }
    })
}
