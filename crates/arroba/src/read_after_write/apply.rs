//! From a service's answer to one that knows what was just written.

use arroba_core::syntax::Tid;
use arroba_lexicons::QueryPairs;
use arroba_store::{RepoRow, StoreError};
use arroba_xrpc::{Answer, ReadAnswer, Result};
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{LocalWrites, MAX_BYTES, Patch, embedded, load, thread};
use crate::proxy::Call;

const REPO_REV: HeaderName = HeaderName::from_static("atproto-repo-rev");
const UPSTREAM_LAG: HeaderName = HeaderName::from_static("atproto-upstream-lag");

/// Patches an answer if there is anything to patch; everything that is not as expected passes as it came.
///
/// # Errors
/// 502 or 504 for an answer that breaks off while it is read.
pub(crate) async fn apply(
    call: &Call<'_>,
    patch: &Patch,
    params: QueryPairs,
    answer: Answer,
) -> Result<Answer> {
    let Some(known) = answer.repo_rev().and_then(|rev| Tid::parse(rev).ok()) else { return Ok(answer) };
    let threads = call.method().as_str() == thread::METHOD && !patch.own;
    if !answer.status().is_success() && !threads {
        return Ok(answer);
    }
    let row = match load::ahead(call.host(), call.did(), known).await {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(answer),
        Err(error) => return Ok(unpatched(answer, &error)),
    };
    let (text, answer) = match answer.read_json(MAX_BYTES).await? {
        ReadAnswer::Json(text, answer) => (text, answer),
        ReadAnswer::Other(answer) => return Ok(answer),
    };
    // Parsed JSON is many times as large as its text, and the text is someone else's: when too many are looked into
    // already, this one goes as it came.
    let Some(_place) = call.place_to_patch() else { return Ok(answer) };
    let Ok(mut json) = serde_json::from_slice::<Value>(&text) else { return Ok(answer) };
    let local = match gather(call, patch, params, known, row, &json).await {
        Ok(local) => local,
        Err(error) => return Ok(unpatched(answer, &error)),
    };
    if local.is_empty() {
        return Ok(answer);
    }
    if answer.status().is_success() {
        return Ok(match (patch.change)(&mut json, &local) {
            true => patched(answer, &json, &local),
            false => answer,
        });
    }
    match thread::unknown(call, &json, &local).await {
        Some(thread) => Ok(patched(answer, &thread, &local)),
        None => Ok(answer),
    }
}

async fn gather(
    call: &Call<'_>,
    patch: &Patch,
    params: QueryPairs,
    since: Tid,
    row: RepoRow,
    answer: &Value,
) -> Result<LocalWrites, StoreError> {
    let host = call.host();
    let mut local = LocalWrites::new(call.did().clone(), host.now())
        .with_handle(row.handle)
        .with_params(params)
        .with_pictures(call.pictures().map(str::to_owned), host.public_url());
    load::new_records(host, &mut local, since, patch.own).await?;
    load::gone(host, &mut local, answer).await?;
    if patch.own || patch.posts {
        load::profile(host, &mut local).await?;
    }
    if patch.posts {
        embedded::fill_in(call, &mut local).await;
    }
    Ok(local)
}

/// The service's revision is not that of the patched answer, so it does not go with it.
fn patched(answer: Answer, json: &Value, local: &LocalWrites) -> Answer {
    let mut answer = answer.with_json(json);
    answer.headers_mut().remove(REPO_REV);
    if let Some(lag) = local.lag_millis() {
        answer.headers_mut().insert(UPSTREAM_LAG, HeaderValue::from(lag));
    }
    answer
}

/// The answer is good without what was just written.
fn unpatched(answer: Answer, error: &StoreError) -> Answer {
    tracing::warn!(%error, "an answer goes without the newest writes");
    answer
}
