//! `arroba key`.

use crate::{
    cli::{CurveName, Key},
    output,
};
use anyhow::Context;
use arroba_core::crypto::{Curve, PrivateKey, Signer};
use rand::TryRng;
use std::process::ExitCode;

pub(crate) fn run(command: &Key) -> anyhow::Result<ExitCode> {
    let Key::New { curve, json } = command;
    let curve = match curve {
        CurveName::K256 => Curve::K256,
        CurveName::P256 => Curve::P256,
    };
    let key = PrivateKey::generate(curve, |bytes| {
        rand::rngs::SysRng.try_fill_bytes(bytes).context("the system gave no randomness")
    })?;
    let (private, public) = (key.to_hex(), key.public_key().to_did_key());
    if *json {
        output::json(&serde_json::json!({ "privateKeyHex": private.as_str(), "didKey": public }))?;
    } else {
        output::line(format!("private key (hex)  {}\npublic key         {public}", private.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}
