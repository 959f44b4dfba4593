//! `arroba identity`.

use crate::{cli::Identity, output, resolver::resolver};
use anyhow::Context;
use arroba_core::syntax::AtIdentifier;
use arroba_identity::HandleStatus;
use arroba_net::Guard;
use serde_json::json;
use std::process::ExitCode;

pub(crate) async fn run(command: &Identity) -> anyhow::Result<ExitCode> {
    let Identity::Resolve { identifier, plc, json: as_json, allow_loopback } = command;
    let guard = if *allow_loopback { Guard::AllowLoopback } else { Guard::Public };
    let identifier = AtIdentifier::parse(identifier).context("neither a DID nor a handle")?;
    let found = resolver(plc, guard)?
        .resolve_identity(&identifier)
        .await
        .with_context(|| format!("resolving {identifier}"))?;
    let (handle, status) = match &found.handle {
        HandleStatus::Verified(handle) => (Some(handle), "verified"),
        HandleStatus::Unknown(handle) => (Some(handle), "claimed, could not be checked now"),
        _ => (None, "invalid"),
    };
    let key = found.document.signing_key().map(|key| key.to_did_key());
    let pds = found.document.pds().map(|url| url.origin().ascii_serialization());
    if *as_json {
        output::json(
            &json!({ "did": found.did, "handle": handle, "handleStatus": status, "signingKey": key, "pds": pds,
            "didDoc": found.document.json() }),
        )?;
    } else {
        let show = |text: Option<String>| text.unwrap_or_else(|| "none".into());
        let handle = handle.map_or("none", |h| h.as_str());
        output::line(format!(
            "did      {}\nhandle   {handle} ({status})\nkey      {}\npds      {}",
            found.did,
            show(key),
            show(pds)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
