//! `arroba repo verify`.

use super::source::Opened;
use crate::{cli::Source, output};
use anyhow::Context;
use arroba_core::crypto::PublicKey;
use serde_json::json;

pub(super) async fn run(source: &Source, key: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let key = key.map(PublicKey::from_did_key).transpose().context("the key")?;
    let signature = if key.is_some() { "checked" } else { "not checked (pass --key)" };
    let signed = key.is_some();
    let whole = Opened::open(source)
        .await?
        .each(key, false, |_| Ok(()))
        .await
        .context("the repository is not sound")?;
    let commit = &whole.commit;
    if as_json {
        return output::json(
            &json!({ "did": commit.did, "rev": commit.rev, "commit": whole.commit_cid, "data": commit.data,
            "nodes": whole.nodes, "records": whole.records, "signatureChecked": signed }),
        );
    }
    output::line(format!(
        "sound\ndid        {}\nrev        {}\ncommit     {}\ntree       {}\nnodes      {}\nrecords    {}\nsignature  {signature}",
        commit.did, commit.rev, whole.commit_cid, commit.data, whole.nodes, whole.records
    ))
}
