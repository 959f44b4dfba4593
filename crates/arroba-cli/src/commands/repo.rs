//! `arroba repo`. Every source is read as one CAR stream and goes through the same verifier, so nothing is shown that does not hash
//! to what names it.

mod export;
mod list;
mod record;
mod source;
mod tree;
mod verify;

use crate::cli::Repo;
use std::process::ExitCode;

pub(crate) async fn run(command: Repo) -> anyhow::Result<ExitCode> {
    match command {
        Repo::Verify { source, key, json } => verify::run(&source, key.as_deref(), json).await?,
        Repo::Ls { source, collection, json } => list::run(&source, collection.as_deref(), json).await?,
        Repo::Get { source, path } => record::run(&source, &path).await?,
        Repo::Export { source, file } => export::run(&source, &file).await?,
        Repo::Import { did, file, config } => super::import::run(&did, &file, config.as_deref()).await?,
        Repo::Tree { source, format } => tree::run(&source, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}
