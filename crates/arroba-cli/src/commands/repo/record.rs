//! `arroba repo get`.

use super::source::Opened;
use crate::{cli::Source, output};
use anyhow::Context;
use arroba_core::{data::json, repo::verify::Found, syntax::RecordPath};

pub(super) async fn run(source: &Source, path: &str) -> anyhow::Result<()> {
    let wanted = RecordPath::parse(path).context("the path")?;
    let mut value = None;
    let opened = Opened::open(source).await?;
    opened
        .each(None, true, |found| {
            if let Found::Record { path, block: Some(block), .. } = found
                && path == wanted
            {
                value = Some(block);
            }
            Ok(())
        })
        .await?;
    let value = value.with_context(|| format!("there is no record {wanted}"))?;
    let mut text = Vec::new();
    json::from_cbor(&value, &mut text)?;
    let pretty: serde_json::Value = serde_json::from_slice(&text)?;
    output::line(serde_json::to_string_pretty(&pretty)?)
}
