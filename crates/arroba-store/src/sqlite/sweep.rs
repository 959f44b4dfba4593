//! Clearing what nobody reads any more, in steps so small that writers hardly notice.

use rusqlite::{Connection, OptionalExtension};

use super::{apply::run, refs, remote_blobs, writer::Scope};
use crate::{
    error::StoreError,
    log::{Retention, Swept},
};

/// Rows cleared in one step.
const STEP: usize = 500;

/// What an opened file may hold from a process that died: imports on their way, uploads on their way.
pub(super) fn after_crash(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE tree SET state = 2 WHERE state = 1 AND state <> 0", [])?;
    connection.execute("UPDATE garbage SET pending = 0 WHERE pending = 1", [])?;
    Ok(())
}

/// One step of each kind of clearing.
pub(super) fn step(scope: &mut Scope<'_>, retention: Retention) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    trees(scope.connection, &mut swept)?;
    events(scope, retention, &mut swept)?;
    uploads(scope.connection, retention, &mut swept)?;
    Ok(swept)
}

// The index on trees that are not live is used where the query repeats its condition word for word.
fn trees(connection: &Connection, swept: &mut Swept) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT t.id, t.repo, h.repo IS NULL AND r.status = 4 FROM tree t LEFT JOIN head h ON h.repo = t.repo \
         LEFT JOIN repo r ON r.id = t.repo WHERE t.state = 2 AND t.state <> 0 LIMIT 1",
    )?;
    let dropped: Option<(i64, i64, Option<bool>)> =
        select.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((tree, repo, deleted)) = dropped else { return Ok(()) };
    swept.more = true;
    for statement in [
        "DELETE FROM node WHERE tree = ?1 AND (after, depth) IN \
         (SELECT after, depth FROM node WHERE tree = ?1 ORDER BY after, depth LIMIT ?2)",
        "DELETE FROM record WHERE tree = ?1 AND path IN (SELECT path FROM record WHERE tree = ?1 ORDER BY path LIMIT ?2)",
        "DELETE FROM blob_ref WHERE tree = ?1 AND (cid, path) IN \
         (SELECT cid, path FROM blob_ref WHERE tree = ?1 ORDER BY cid, path LIMIT ?2)",
        "DELETE FROM backlink WHERE tree = ?1 AND (target, path) IN \
         (SELECT target, path FROM backlink WHERE tree = ?1 ORDER BY target, path LIMIT ?2)",
    ] {
        let cleared = connection.prepare_cached(statement)?.execute((tree, STEP))? as u64;
        swept.rows = swept.rows.saturating_add(cleared);
        if cleared > 0 {
            return Ok(());
        }
    }
    if deleted == Some(true) {
        let cleared = refs::drop_blobs(connection, repo, Some(STEP), 0)?;
        swept.blobs = swept.blobs.saturating_add(cleared);
        if cleared > 0 {
            return Ok(());
        }
        let ended = remote_blobs::end_uses(connection, repo, Some(STEP))?;
        swept.rows = swept.rows.saturating_add(ended);
        if ended > 0 {
            return Ok(());
        }
        run(connection, "DELETE FROM hidden WHERE repo = ?1", [repo])?;
    }
    run(connection, "DELETE FROM tree WHERE id = ?1", [tree])
}

fn events(scope: &mut Scope<'_>, retention: Retention, swept: &mut Swept) -> Result<(), StoreError> {
    let connection = scope.connection;
    let before = retention.events_before.unwrap_or(0);
    let bytes = retention.event_bytes.unwrap_or(u64::MAX);
    let mut select =
        connection.prepare_cached("SELECT seq, time, length(body) FROM event ORDER BY seq LIMIT ?1")?;
    let mut rows = select.query([STEP])?;
    let mut last = None;
    let mut count = 0_usize;
    while let Some(row) = rows.next()? {
        let (seq, time, size): (u64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if time >= before && scope.log.bytes <= bytes {
            break;
        }
        last = Some(seq);
        count = count.saturating_add(1);
        scope.log.bytes = scope.log.bytes.saturating_sub(size);
    }
    drop(rows);
    let Some(last) = last else { return Ok(()) };
    run(connection, "DELETE FROM event WHERE seq <= ?1", [last])?;
    scope.log.first_seq = last.saturating_add(1);
    run(connection, "DELETE FROM purge WHERE deleted <= ?1 AND takedown <= ?1", [scope.log.first_seq])?;
    swept.events = count as u64;
    swept.more |= count == STEP;
    Ok(())
}

fn uploads(connection: &Connection, retention: Retention, swept: &mut Swept) -> Result<(), StoreError> {
    if let Some(before) = retention.pending_uploads_before {
        run(connection, "UPDATE garbage SET pending = 0 WHERE pending = 1 AND queued < ?1", [before])?;
    }
    let Some(before) = retention.temporary_blobs_before else { return Ok(()) };
    let mut select = connection.prepare_cached(
        "SELECT repo, cid, object FROM blob WHERE temporary = 1 AND uploaded < ?1 ORDER BY uploaded LIMIT ?2",
    )?;
    let old: Vec<(i64, Vec<u8>, String)> = select
        .query_map((before, STEP), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (repo, cid, object) in &old {
        run(
            connection,
            "INSERT OR REPLACE INTO garbage (object, queued, pending) VALUES (?1, ?2, 0)",
            (object, before),
        )?;
        run(connection, "DELETE FROM blob WHERE repo = ?1 AND cid = ?2", (repo, cid))?;
    }
    swept.blobs = swept.blobs.saturating_add(old.len() as u64);
    swept.more |= old.len() == STEP;
    Ok(())
}
