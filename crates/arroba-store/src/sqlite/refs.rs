//! Which records use which blobs, and what that does to the blobs.

use std::collections::BTreeSet;

use arroba_core::{
    data::{BlobRef, Cid},
    repo::Action,
};
use rusqlite::{Connection, OptionalExtension};

use super::{apply::run, remote_blobs};
use crate::{
    change::CommitChange,
    error::{ApplyError, StoreError},
};

/// Brings the references of the records that a commit touches up to date. Blobs that gain their first reference become
/// permanent; of those that lose the last one, the row goes and the object becomes garbage.
pub(super) fn update(
    connection: &Connection,
    repo: i64,
    tree: i64,
    commit: &CommitChange,
    time: u64,
) -> Result<(), ApplyError> {
    let mut loosened = BTreeSet::new();
    for (change, op) in commit.signed.records.iter().zip(&commit.signed.ops) {
        // A record that was not there referred to nothing.
        if op.action != Action::Create {
            loosen(connection, tree, &change.path().to_bytes(), &mut loosened)?;
        }
    }
    let rev = commit.signed.rev.to_u64();
    for (path, blob) in &commit.blobs {
        hold(connection, repo, blob)?;
        loosened.remove(&blob.cid);
        let values = (tree, &blob.cid.as_bytes()[..], path.to_bytes(), rev);
        run(
            connection,
            "INSERT OR REPLACE INTO blob_ref (tree, cid, path, rev) VALUES (?1, ?2, ?3, ?4)",
            values,
        )?;
    }
    for cid in loosened {
        if !is_referenced(connection, tree, &cid)? {
            discard(connection, repo, &cid, time)?;
        }
    }
    Ok(())
}

/// Ends the references of one record.
fn loosen(
    connection: &Connection,
    tree: i64,
    path: &[u8],
    loosened: &mut BTreeSet<Cid>,
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached("SELECT cid FROM blob_ref WHERE tree = ?1 AND path = ?2")?;
    let mut rows = select.query((tree, path))?;
    let mut any = false;
    while let Some(row) = rows.next()? {
        loosened.insert(super::rows::cid(row, 0)?);
        any = true;
    }
    if any {
        run(connection, "DELETE FROM blob_ref WHERE tree = ?1 AND path = ?2", (tree, path))?;
    }
    Ok(())
}

/// Checks that a blob may be referred to, and makes it permanent.
fn hold(connection: &Connection, repo: i64, blob: &BlobRef) -> Result<(), ApplyError> {
    let key = (repo, &blob.cid.as_bytes()[..]);
    let mut select = connection
        .prepare_cached("SELECT mime, size, temporary FROM blob WHERE repo = ?1 AND cid = ?2")
        .map_err(StoreError::from)?;
    let row = select
        .query_row(key, |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?, row.get::<_, bool>(2)?)))
        .optional()
        .map_err(StoreError::from)?;
    if takedown(connection, repo, &blob.cid)?.is_some() {
        return Err(ApplyError::MissingBlob(blob.cid));
    }
    let Some((mime_type, size, temporary)) = row else {
        let elsewhere = remote_blobs::serves(connection, repo, blob)?;
        return if elsewhere { Ok(()) } else { Err(ApplyError::MissingBlob(blob.cid)) };
    };
    if temporary {
        // One that is permanent was compared when it became so, or came with an import, where nobody could.
        if mime_type != blob.mime_type || size != blob.size {
            return Err(ApplyError::BlobMismatch { cid: blob.cid, mime_type, size });
        }
        run(connection, "UPDATE blob SET temporary = 0 WHERE repo = ?1 AND cid = ?2", key)?;
    }
    Ok(())
}

/// The moderator's reference, if the blob is taken down.
pub(super) fn takedown(connection: &Connection, repo: i64, cid: &Cid) -> Result<Option<String>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT reference FROM hidden WHERE repo = ?1 AND subject = ?2")?;
    Ok(select.query_row((repo, cid.to_string()), |row| row.get(0)).optional()?)
}

pub(super) fn is_referenced(connection: &Connection, tree: i64, cid: &Cid) -> Result<bool, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT 1 FROM blob_ref WHERE tree = ?1 AND cid = ?2 LIMIT 1")?;
    Ok(select.exists((tree, &cid.as_bytes()[..]))?)
}

/// Drops a blob's row and queues its object.
fn discard(connection: &Connection, repo: i64, cid: &Cid, time: u64) -> Result<(), StoreError> {
    let key = &cid.as_bytes()[..];
    run(
        connection,
        "INSERT OR REPLACE INTO garbage (object, queued, pending) \
         SELECT object, ?3, 0 FROM blob WHERE repo = ?1 AND cid = ?2",
        (repo, key, time),
    )?;
    run(connection, "DELETE FROM blob WHERE repo = ?1 AND cid = ?2", (repo, key))
}

/// Drops blobs of a repository and queues their objects, at most `limit`; returns how many.
pub(super) fn drop_blobs(
    connection: &Connection,
    repo: i64,
    limit: Option<usize>,
    time: u64,
) -> Result<u64, StoreError> {
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    run(
        connection,
        "INSERT OR REPLACE INTO garbage (object, queued, pending) \
         SELECT object, ?2, 0 FROM blob WHERE repo = ?1 ORDER BY cid LIMIT ?3",
        (repo, time, limit),
    )?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM blob WHERE repo = ?1 AND cid IN (SELECT cid FROM blob WHERE repo = ?1 ORDER BY cid LIMIT ?2)",
    )?;
    Ok(delete.execute((repo, limit))? as u64)
}

/// After an import has replaced the tree: blobs that it refers to are permanent, others that were are gone.
pub(super) fn settle(connection: &Connection, repo: i64, tree: i64, time: u64) -> Result<(), StoreError> {
    run(
        connection,
        "UPDATE blob SET temporary = 0 WHERE repo = ?1 AND temporary = 1 \
         AND EXISTS (SELECT 1 FROM blob_ref f WHERE f.tree = ?2 AND f.cid = blob.cid)",
        (repo, tree),
    )?;
    run(
        connection,
        "INSERT OR REPLACE INTO garbage (object, queued, pending) \
         SELECT object, ?3, 0 FROM blob WHERE repo = ?1 AND temporary = 0 \
         AND NOT EXISTS (SELECT 1 FROM blob_ref f WHERE f.tree = ?2 AND f.cid = blob.cid)",
        (repo, tree, time),
    )?;
    run(
        connection,
        "DELETE FROM blob WHERE repo = ?1 AND temporary = 0 \
         AND NOT EXISTS (SELECT 1 FROM blob_ref f WHERE f.tree = ?2 AND f.cid = blob.cid)",
        (repo, tree),
    )
}
