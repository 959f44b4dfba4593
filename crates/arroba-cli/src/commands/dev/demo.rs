//! The account that is ready, and what is said about it.

use crate::{api::Api, commands::account::random_password, output};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DemoAccount {
    did: String,
    handle: String,
    password: String,
}

/// The account of the last run, or a new one.
pub(super) async fn account(api: &Api, last: Option<DemoAccount>) -> anyhow::Result<DemoAccount> {
    if let Some(account) = last {
        return Ok(account);
    }
    let (handle, password) = ("alice.test", random_password()?);
    let input = json!({ "handle": handle, "email": "alice@example.com", "password": password });
    let made: Value = api.call("com.atproto.server.createAccount", &input).await?;
    let did = made["did"].as_str().context("the server named no DID")?.to_owned();
    Ok(DemoAccount { did, handle: handle.into(), password })
}

pub(super) fn greet(url: &str, plc_url: &str, data: &str, account: &DemoAccount) -> anyhow::Result<()> {
    let DemoAccount { did, handle, password } = account;
    let login = json!({ "identifier": handle, "password": password });
    output::line(format!(
        "server         {url}
PLC directory  {plc_url}
data           {data}
handle         {handle}
password       {password}
DID            {did}
admin          user admin, password {}

Log in:
  curl -s {url}/xrpc/com.atproto.server.createSession -H 'content-type: application/json' -d '{login}'

Look at the repository:
  curl -s '{url}/xrpc/com.atproto.repo.describeRepo?repo={handle}'

Follow the event stream: arroba firehose tail {url} --cursor 0 --verify --plc {plc_url}
Ctrl-C stops.",
        super::ADMIN_PASSWORD
    ))
}
