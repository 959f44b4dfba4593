//! `arroba repo ls`.

use super::source::Opened;
use crate::{cli::Source, output};
use anyhow::Context;
use arroba_core::{repo::verify::Found, syntax::Nsid};
use serde_json::json;

pub(super) async fn run(source: &Source, collection: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let collection = collection.map(Nsid::parse).transpose().context("the collection")?;
    let mut records = Vec::new();
    let opened = Opened::open(source).await?;
    opened
        .each(None, false, |found| {
            if let Found::Record { path, cid, .. } = found
                && collection.as_ref().is_none_or(|c| *c == path.collection)
            {
                records.push((path.to_string(), cid));
            }
            Ok(())
        })
        .await?;
    // A file may hold its blocks in any order; the list is in the tree's.
    records.sort_unstable();
    for (path, cid) in records {
        if as_json {
            output::json(&json!({ "path": path, "cid": cid }))?;
        } else {
            output::line(format!("{path}  {cid}"))?;
        }
    }
    Ok(())
}
