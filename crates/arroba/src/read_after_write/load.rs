//! The caller's newest records, out of the store.

use std::collections::BTreeSet;

use arroba_core::data::json;
use arroba_core::syntax::{AtUri, Did, Nsid, RecordPath, Tid};
use arroba_store::{Order, RecordQuery, RecordRow, RepoRow, StoreError};
use serde_json::Value;

use super::local::{LIKE, POST, PROFILE, REPOST};
use super::{LocalRecord, LocalWrites, MAX_RECORDS};
use crate::host::RepoHost;

/// Records are read in pages, from the newest key on, until a page has nothing new.
const PAGE: usize = 25;
/// The most collections that are looked into for a patch of a builder's.
const MAX_COLLECTIONS: usize = 32;

/// Fills in what was written since `since` in the collections of `app.bsky` that are patched, or in all.
pub(super) async fn new_records(
    host: &RepoHost,
    local: &mut LocalWrites,
    since: Tid,
    all: bool,
) -> Result<(), StoreError> {
    let did = local.did().clone();
    let mut collections = vec![PROFILE, POST, LIKE, REPOST];
    if all {
        let others = host.store().collections(&did).await?.unwrap_or_default();
        let others = others.into_iter().filter(|other| !collections.contains(other));
        let others: Vec<Nsid> = others.take(MAX_COLLECTIONS).collect();
        collections.extend(others);
    }
    let mut left = MAX_RECORDS;
    for collection in collections {
        newest_of(host, local, &did, collection, since, &mut left).await?;
    }
    Ok(())
}

/// Keys are times as a rule, so the newest records come first; one whose key is none is found on the first page only.
async fn newest_of(
    host: &RepoHost,
    local: &mut LocalWrites,
    did: &Did,
    collection: Nsid,
    since: Tid,
    left: &mut usize,
) -> Result<(), StoreError> {
    let mut after = None;
    while *left > 0 {
        let query = RecordQuery::collection(collection.clone(), after, PAGE, Order::Descending);
        let Some(page) = host.store().records(did, query).await? else { return Ok(()) };
        after = page.records.last().map(|record| record.path.rkey.clone());
        let mut found = false;
        for row in page.records.iter().filter(|row| row.rev > since).take(*left) {
            let Some(value) = value(row) else { continue };
            local.write(&row.path, row.cid, row.rev, value);
            *left -= 1;
            found = true;
        }
        if !found || !page.more {
            return Ok(());
        }
    }
    Ok(())
}

/// Fills in the profile, whatever its age.
pub(super) async fn profile(host: &RepoHost, local: &mut LocalWrites) -> Result<(), StoreError> {
    let path = RecordPath::new(PROFILE, arroba_core::syntax::RecordKey::literal("self"));
    let Some(row) = record(host, local.did(), path).await? else { return Ok(()) };
    if let Some(value) = value(&row) {
        let uri = AtUri::record(local.did(), &row.path);
        local.profile = Some(LocalRecord { uri, cid: row.cid, rev: row.rev, value });
    }
    Ok(())
}

/// Finds out which records of the caller's that the answer names are no more.
pub(super) async fn gone(host: &RepoHost, local: &mut LocalWrites, answer: &Value) -> Result<(), StoreError> {
    let did = local.did().clone();
    let prefix = format!("at://{did}/");
    let mut named = BTreeSet::new();
    collect(answer, &prefix, &mut named);
    let known = local.records.values().flatten().map(|record| record.uri.as_str());
    let known: BTreeSet<&str> = known.collect();
    let named: Vec<RecordPath> = named
        .into_iter()
        .filter(|uri| !known.contains(uri))
        .filter_map(|uri| AtUri::parse(uri).ok()?.path())
        .take(MAX_RECORDS)
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    // All at once: one after the other would be as many ways to a store that is far.
    let page = host.store().records(&did, RecordQuery::these(named.clone())).await?;
    let there: BTreeSet<RecordPath> =
        page.into_iter().flat_map(|page| page.records).map(|record| record.path).collect();
    for path in named.iter().filter(|path| !there.contains(path)) {
        local.delete(&AtUri::record(&did, path));
    }
    Ok(())
}

/// The addresses under `prefix` where answers have those of posts, likes and reposts.
fn collect<'a>(value: &'a Value, prefix: &str, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if matches!(name.as_str(), "uri" | "like" | "repost") => {
                        if text.starts_with(prefix) {
                            found.insert(text);
                        }
                    }
                    value => collect(value, prefix, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, prefix, found)),
        _ => {}
    }
}

async fn record(host: &RepoHost, did: &Did, path: RecordPath) -> Result<Option<RecordRow>, StoreError> {
    let page = host.store().records(did, RecordQuery::one(path)).await?;
    Ok(page.and_then(|page| page.records.into_iter().next()))
}

/// The newest revision of a repo, if it is newer than what a service knows.
pub(super) async fn ahead(host: &RepoHost, did: &Did, known: Tid) -> Result<Option<RepoRow>, StoreError> {
    let row = host.store().repo(did).await?;
    Ok(row.filter(|row| row.rev.is_some_and(|rev| rev > known)))
}

/// A record as JSON. Whatever is stored is DAG-CBOR, and all DAG-CBOR has a JSON form.
fn value(row: &RecordRow) -> Option<Value> {
    let mut text = Vec::with_capacity(row.value.len().saturating_mul(2));
    json::from_cbor(&row.value, &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
