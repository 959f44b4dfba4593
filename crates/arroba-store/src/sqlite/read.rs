//! Reading rows of one repository inside a snapshot.

use std::collections::BTreeSet;

use arroba_core::{
    mst::{Loader, NodeRequest},
    syntax::{Did, Nsid, RecordPath},
};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    apply::{depth, subject_text},
    cache::NodeCache,
    rows::{self, Found, Live, bytes, cid},
};
use crate::{
    error::StoreError,
    query::{Order, RecordPage, RecordQuery, RecordRange, RecordRow},
    repo::{Counts, Loaded, Subject},
};

pub(super) fn load(
    connection: &Connection,
    nodes: &NodeCache,
    did: &Did,
    mut loader: Loader,
) -> Result<Option<Loaded>, StoreError> {
    let Some(found) = rows::by_did(connection, did)? else { return Ok(None) };
    let damaged = |error| StoreError::corrupt_by(format!("tree of {did}"), error);
    match &found.live {
        None => loader.start(None),
        Some(live) => {
            loader.start(Some((live.head.data, live.height)));
            while let Some(request) = loader.wants().first().cloned() {
                let bytes = match nodes.find(&request.cid) {
                    Some(bytes) => bytes,
                    None => {
                        let bytes = node(connection, live.tree, &request, did)?;
                        nodes.put(request.cid, bytes.clone());
                        bytes
                    }
                };
                loader.supply(&request, bytes).map_err(damaged)?;
            }
        }
    }
    let tree = loader.finish().map_err(damaged)?;
    Ok(Some(Loaded { repo: found.repo, head: found.live.map(|live| live.head), tree }))
}

/// The same without the database, if all nodes that the loader asks for are hot.
pub(super) fn load_hot(
    nodes: &NodeCache,
    found: Found,
    mut loader: Loader,
) -> Result<Option<Loaded>, StoreError> {
    let Found { repo, live: Some(Live { head, height, .. }), .. } = found else { return Ok(None) };
    let damaged = |error| StoreError::corrupt_by(format!("tree of {}", repo.did), error);
    loader.start(Some((head.data, height)));
    while let Some(request) = loader.wants().first().cloned() {
        let Some(bytes) = nodes.find(&request.cid) else { return Ok(None) };
        loader.supply(&request, bytes).map_err(damaged)?;
    }
    let tree = loader.finish().map_err(damaged)?;
    Ok(Some(Loaded { repo, head: Some(head), tree }))
}

/// The node at the place where it must stand; whether it is the right one, the loader finds out by its hash.
fn node(connection: &Connection, tree: i64, request: &NodeRequest, did: &Did) -> Result<Bytes, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM node WHERE tree = ?1 AND after = ?2 AND depth = ?3")?;
    let position = &request.position;
    let found = statement
        .query_row((tree, position.after.as_bytes(), depth(position)), |row| Ok(bytes(row, 0)))
        .optional()?;
    found.unwrap_or_else(|| Err(StoreError::corrupt(format!("tree of {did} lacks node {}", request.cid))))
}

pub(super) fn records(
    connection: &Connection,
    did: &Did,
    query: &RecordQuery,
) -> Result<Option<RecordPage>, StoreError> {
    let Some(found) = rows::by_did(connection, did)? else { return Ok(None) };
    let Some(live) = found.live else { return Ok(None) };
    let (records, more) = select(connection, found.id, &live, query)?;
    Ok(Some(RecordPage { repo: found.repo, head: live.head, records, more }))
}

macro_rules! record_query {
    ($($rest:literal),+) => {
        concat!(
            "SELECT path, rev, cid, value FROM record WHERE tree = ?1 AND (?2 OR NOT EXISTS \
             (SELECT 1 FROM hidden h WHERE h.repo = ?3 AND h.subject = CAST(path AS TEXT))) AND ",
            $($rest),+
        )
    };
}

fn select(
    connection: &Connection,
    repo: i64,
    live: &Live,
    query: &RecordQuery,
) -> Result<(Vec<RecordRow>, bool), StoreError> {
    let all = !query.visible_only;
    let tree = live.tree;
    let (mut statement, low, high, limit) = match &query.range {
        RecordRange::These(paths) => return these(connection, repo, live, query, paths),
        RecordRange::One(path) => (
            connection.prepare_cached(record_query!("path = ?4 AND ?5 = x'' LIMIT ?6"))?,
            path.to_bytes(),
            Vec::new(),
            1,
        ),
        RecordRange::Collection { collection, after, limit, order } => {
            let bound = |rkey: &str, end: &str| format!("{collection}{end}{rkey}").into_bytes();
            let after = after.as_ref().map(|rkey| rkey.as_str());
            // '0' follows '/', so these are the bounds of "collection/".
            match order {
                Order::Ascending => (
                    connection
                        .prepare_cached(record_query!("path > ?4 AND path < ?5 ORDER BY path LIMIT ?6"))?,
                    bound(after.unwrap_or_default(), "/"),
                    bound("", "0"),
                    *limit,
                ),
                Order::Descending => (
                    connection.prepare_cached(record_query!(
                        "path > ?4 AND path < ?5 ORDER BY path DESC LIMIT ?6"
                    ))?,
                    bound("", "/"),
                    after.map_or_else(|| bound("", "0"), |rkey| bound(rkey, "/")),
                    *limit,
                ),
            }
        }
        RecordRange::All { after, limit } => (
            connection.prepare_cached(record_query!("path > ?4 AND ?5 = x'' ORDER BY path LIMIT ?6"))?,
            after.as_ref().map(|path| path.to_bytes()).unwrap_or_default(),
            Vec::new(),
            *limit,
        ),
    };
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = statement.query(params![tree, all, repo, low, high, one_more])?;
    let max_bytes = match query.range {
        RecordRange::Collection { .. } => RecordPage::MAX_BYTES,
        _ => usize::MAX,
    };
    let mut records = Vec::with_capacity(limit.min(128));
    let mut read_bytes = 0_usize;
    while let Some(row) = rows.next()? {
        if records.len() == limit || read_bytes >= max_bytes {
            return Ok((records, true));
        }
        let record = record(row, live)?;
        read_bytes = read_bytes.saturating_add(record.value.len());
        records.push(record);
    }
    Ok((records, false))
}

fn these(
    connection: &Connection,
    repo: i64,
    live: &Live,
    query: &RecordQuery,
    paths: &[RecordPath],
) -> Result<(Vec<RecordRow>, bool), StoreError> {
    let paths: BTreeSet<&RecordPath> = paths.iter().collect();
    let mut records = Vec::with_capacity(paths.len());
    for path in paths {
        let range = RecordRange::One(path.clone());
        let one = RecordQuery { range, visible_only: query.visible_only };
        records.extend(select(connection, repo, live, &one)?.0);
    }
    Ok((records, false))
}

fn record(row: &Row<'_>, live: &Live) -> Result<RecordRow, StoreError> {
    Ok(RecordRow {
        path: rows::path(row, 0)?,
        rev: live.rev(row.get(1)?),
        cid: cid(row, 2)?,
        value: bytes(row, 3)?,
    })
}

/// Skips from collection to collection, so the cost is their number, not that of the records.
pub(super) fn collections(connection: &Connection, did: &Did) -> Result<Option<Vec<Nsid>>, StoreError> {
    let Some(live) = rows::by_did(connection, did)?.and_then(|found| found.live) else { return Ok(None) };
    let mut statement = connection
        .prepare_cached("SELECT path FROM record WHERE tree = ?1 AND path >= ?2 ORDER BY path LIMIT 1")?;
    let mut collections = Vec::new();
    let mut from = Vec::new();
    loop {
        let next =
            statement.query_row((live.tree, &from), |row| Ok(rows::path(row, 0))).optional()?.transpose()?;
        let Some(path) = next else { return Ok(Some(collections)) };
        from = format!("{}0", path.collection).into_bytes();
        collections.push(path.collection);
    }
}

pub(super) fn counts(connection: &Connection, did: &Did) -> Result<Option<Counts>, StoreError> {
    let Some(found) = rows::by_did(connection, did)? else { return Ok(None) };
    let Some(live) = found.live else { return Ok(None) };
    let count = |statement: &str, values: &[i64]| -> Result<u64, StoreError> {
        let mut statement = connection.prepare_cached(statement)?;
        Ok(statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
    };
    let nodes = count("SELECT count(*) FROM node WHERE tree = ?1", &[live.tree])?;
    let records = live.records;
    Ok(Some(Counts {
        blocks: records.saturating_add(nodes).saturating_add(1),
        records,
        blobs_expected: count("SELECT count(DISTINCT cid) FROM blob_ref WHERE tree = ?1", &[live.tree])?,
        blobs_stored: count(
            "SELECT count(DISTINCT f.cid) FROM blob_ref f WHERE f.tree = ?2 AND (EXISTS \
             (SELECT 1 FROM blob b WHERE b.repo = ?1 AND b.cid = f.cid) OR EXISTS \
             (SELECT 1 FROM remote_blob m JOIN remote_use u ON u.blob = m.id WHERE m.cid = f.cid AND u.repo = ?1))",
            &[found.id, live.tree],
        )?,
    }))
}

pub(super) fn hidden(
    connection: &Connection,
    did: &Did,
    subject: &Subject,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT h.reference FROM hidden h JOIN repo r ON r.id = h.repo WHERE r.did = ?1 AND h.subject = ?2",
    )?;
    Ok(statement.query_row((did.as_str(), subject_text(subject)), |row| row.get(0)).optional()?)
}
