//! `arroba account`: through the server's own methods, so that one process alone writes the store.

use crate::{api::Api, cli::Account, commands::connection::Connection, output};
use anyhow::{Context, bail};
use rand::TryRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

pub(crate) async fn run(command: Account) -> anyhow::Result<ExitCode> {
    match command {
        Account::Create { handle, email, password, admin } => {
            let connection = Connection::open(&admin).await?;
            let outcome = create(connection.api(), &handle, &email, password, admin.json).await;
            connection.close().await?;
            outcome?;
        }
        Account::List { admin } => {
            let connection = Connection::open(&admin).await?;
            let outcome = list(connection.api(), admin.json).await;
            connection.close().await?;
            outcome?;
        }
        Account::Delete { account, yes, admin } => {
            let connection = Connection::open(&admin).await?;
            let outcome = delete(connection.api(), &account, yes, admin.json).await;
            connection.close().await?;
            outcome?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(
    api: &Api,
    handle: &str,
    email: &str,
    password: Option<String>,
    as_json: bool,
) -> anyhow::Result<()> {
    let generated = password.is_none();
    let password = match password {
        Some(password) => password,
        None => random_password()?,
    };
    let mut input = json!({ "handle": handle, "email": email, "password": password });
    let server: Value = api.query("com.atproto.server.describeServer", &[]).await?;
    if server["inviteCodeRequired"] == true {
        let invite =
            api.call_as_admin("com.atproto.server.createInviteCode", &json!({ "useCount": 1 })).await?;
        input["inviteCode"] = invite.map(|i| i["code"].clone()).context("the server gave no invite code")?;
    }
    let account: Value = api.call("com.atproto.server.createAccount", &input).await?;
    let did = account["did"].as_str().context("the server named no DID")?;
    let handle = account["handle"].as_str().unwrap_or(handle);
    if as_json {
        let mut result = json!({ "did": did, "handle": handle });
        if generated {
            result["password"] = password.into();
        }
        output::json(&result)
    } else {
        output::line(format!("did       {did}\nhandle    {handle}"))?;
        if generated {
            output::line(format!("password  {password}   (not stored in the clear; note it now)"))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    did: String,
    #[serde(default)]
    active: Option<bool>,
    status: Option<String>,
    rev: String,
}

#[derive(Deserialize)]
struct ListedPage {
    cursor: Option<String>,
    repos: Vec<Listed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    did: String,
    handle: Option<String>,
    email: Option<String>,
    status: String,
    rev: String,
}

async fn list(api: &Api, as_json: bool) -> anyhow::Result<()> {
    let bar = output::counter("accounts");
    let mut cursor: Option<String> = None;
    loop {
        let mut params = vec![("limit", "500")];
        if let Some(cursor) = &cursor {
            params.push(("cursor", cursor));
        }
        let page: ListedPage = api.query("com.atproto.sync.listRepos", &params).await?;
        for listed in page.repos {
            let row = describe(api, listed).await?;
            bar.inc(1);
            bar.suspend(|| print_row(&row, as_json))?;
        }
        match page.cursor {
            Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
            _ => break,
        }
    }
    bar.finish_and_clear();
    Ok(())
}

async fn describe(api: &Api, listed: Listed) -> anyhow::Result<Row> {
    let status = listed
        .status
        .unwrap_or_else(|| if listed.active == Some(false) { "inactive" } else { "active" }.into());
    // A deleted account is still listed with its status, and has no more to tell.
    let info: Option<Value> = if status == "deleted" {
        None
    } else {
        Some(api.query("com.atproto.admin.getAccountInfo", &[("did", &listed.did)]).await?)
    };
    let text = |key: &str| info.as_ref().and_then(|i| i[key].as_str()).map(str::to_owned);
    Ok(Row { handle: text("handle"), email: text("email"), did: listed.did, status, rev: listed.rev })
}

fn print_row(row: &Row, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(row);
    }
    let show = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    output::line(format!("{}  {:<11}  {}  {}", row.did, row.status, show(&row.handle), show(&row.email)))
}

async fn delete(api: &Api, account: &str, yes: bool, as_json: bool) -> anyhow::Result<()> {
    let did = if account.starts_with("did:") {
        account.to_owned()
    } else {
        let found: Value = api.query("com.atproto.identity.resolveHandle", &[("handle", account)]).await?;
        found["did"].as_str().context("the server named no DID")?.to_owned()
    };
    if !yes {
        confirm(&format!("Delete {account} ({did}) with all its records and blobs? Type yes: "))?;
    }
    api.call_as_admin("com.atproto.admin.deleteAccount", &json!({ "did": did })).await?;
    if as_json { output::json(&json!({ "deleted": did })) } else { output::line(format!("deleted {did}")) }
}

fn confirm(question: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to ask; pass --yes");
    }
    let mut err = io::stderr().lock();
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing was deleted");
    }
    Ok(())
}

/// 24 characters of 5 random bits each.
pub(crate) fn random_password() -> anyhow::Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; 24];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).context("the system gave no randomness")?;
    Ok(bytes.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let (a, b) = (random_password().unwrap(), random_password().unwrap());
        assert_eq!(a.len(), 24);
        assert_ne!(a, b);
    }
}
