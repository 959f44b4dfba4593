//! Rows to values and back.

use arroba_core::{
    data::Cid,
    syntax::{Did, Handle, RecordPath, Tid},
};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, types::ValueRef};

use crate::{
    error::StoreError,
    repo::{Head, RepoRow, RepoStatus},
    seal::{SealedKey, SealedKeys},
};

/// A repository as the tables have it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) repo: RepoRow,
    pub(super) live: Option<Live>,
}

/// The head of a repository, with its tree.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) tree: i64,
    /// What a row with rev 0 stands for.
    pub(super) base: Tid,
    pub(super) head: Head,
    /// Of the tree's root node.
    pub(super) height: u8,
    /// How many there are.
    pub(super) records: u64,
}

impl Live {
    /// The rev of a row of the tree.
    pub(super) fn rev(&self, stored: u64) -> Tid {
        Tid::from_u64(stored).max(self.base)
    }
}

macro_rules! repo_columns {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.did, r.handle, r.status, r.takedown, r.sealed_key, r.created, r.last_rev, h.tree, h.base, \
             h.rev, h.cid, h.block, h.root, h.height, h.records, r.sealed_rotation_key FROM repo r LEFT JOIN head h ON h.repo = r.id ",
            $rest
        )
    };
}

pub(super) fn by_did(connection: &Connection, did: &Did) -> Result<Option<Found>, StoreError> {
    let mut statement = connection.prepare_cached(repo_columns!("WHERE r.did = ?1"))?;
    statement.query_row([did.as_str()], |row| Ok(found(row))).optional()?.transpose()
}

pub(super) fn by_handle(connection: &Connection, handle: &Handle) -> Result<Option<Found>, StoreError> {
    let mut statement = connection.prepare_cached(repo_columns!("WHERE r.handle = ?1"))?;
    statement.query_row([handle.as_str()], |row| Ok(found(row))).optional()?.transpose()
}

/// Repositories with numbers above `after`, in their order.
pub(super) fn behind(connection: &Connection, after: i64, limit: usize) -> Result<Vec<Found>, StoreError> {
    let mut statement = connection.prepare_cached(repo_columns!("WHERE r.id > ?1 ORDER BY r.id LIMIT ?2"))?;
    let rows = statement.query_map((after, limit), |row| Ok(found(row)))?;
    rows.map(|row| row?).collect()
}

/// Those of them whose creation was not finished: by an index that has no others.
pub(super) fn unfinished_behind(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let mut statement = connection.prepare_cached(UNFINISHED)?;
    let rows = statement.query_map((after, limit), |row| Ok(found(row)))?;
    rows.map(|row| row?).collect()
}

/// The status is written out, because the index is partial.
const UNFINISHED: &str = repo_columns!("WHERE r.id > ?1 AND r.status = 0 ORDER BY r.id LIMIT ?2");

fn found(row: &Row<'_>) -> Result<Found, StoreError> {
    let did: Did = parsed(row, 1, Did::parse)?;
    let handle = match row.get_ref(2)? {
        ValueRef::Null => None,
        _ => Some(parsed(row, 2, Handle::parse)?),
    };
    let underlying = status_of(row.get(3)?)?;
    let takedown: Option<String> = row.get(4)?;
    let live = match row.get_ref(8)? {
        ValueRef::Null => None,
        _ => Some(Live {
            tree: row.get(8)?,
            base: tid(row, 9)?,
            head: Head {
                rev: tid(row, 10)?,
                cid: cid(row, 11)?,
                block: bytes(row, 12)?,
                data: cid(row, 13)?,
            },
            height: row.get(14)?,
            records: row.get(15)?,
        }),
    };
    let last_rev = match row.get_ref(7)? {
        ValueRef::Null => None,
        _ => Some(tid(row, 7)?),
    };
    let rotation = match row.get_ref(16)? {
        ValueRef::Null => None,
        _ => Some(SealedKey::from_bytes(bytes(row, 16)?)),
    };
    Ok(Found {
        id: row.get(0)?,
        repo: RepoRow {
            did,
            handle,
            status: if takedown.is_some() { RepoStatus::Takendown } else { underlying },
            underlying,
            takedown,
            keys: SealedKeys { signing: SealedKey::from_bytes(bytes(row, 5)?), rotation },
            created: row.get(6)?,
            rev: live.as_ref().map(|live| live.head.rev).max(last_rev),
        },
        live,
    })
}

pub(super) fn status_code(status: RepoStatus) -> Option<i64> {
    match status {
        RepoStatus::Creating => Some(0),
        RepoStatus::Active => Some(1),
        RepoStatus::Deactivated => Some(2),
        RepoStatus::Suspended => Some(3),
        RepoStatus::Deleted => Some(4),
        // A takedown is kept apart from what it covers.
        RepoStatus::Takendown => None,
    }
}

fn status_of(code: i64) -> Result<RepoStatus, StoreError> {
    Ok(match code {
        0 => RepoStatus::Creating,
        1 => RepoStatus::Active,
        2 => RepoStatus::Deactivated,
        3 => RepoStatus::Suspended,
        4 => RepoStatus::Deleted,
        _ => return Err(StoreError::corrupt(format!("repository status {code}"))),
    })
}

pub(super) fn cid(row: &Row<'_>, column: usize) -> Result<Cid, StoreError> {
    let value = row.get_ref(column)?;
    let bytes = value.as_blob().map_err(|error| StoreError::corrupt_by("CID column", error))?;
    Cid::from_bytes(bytes).map_err(|error| StoreError::corrupt_by("CID column", error))
}

pub(super) fn bytes(row: &Row<'_>, column: usize) -> Result<Bytes, StoreError> {
    let value = row.get_ref(column)?;
    value
        .as_blob()
        .map(Bytes::copy_from_slice)
        .map_err(|error| StoreError::corrupt_by("column of bytes", error))
}

pub(super) fn tid(row: &Row<'_>, column: usize) -> Result<Tid, StoreError> {
    Ok(Tid::from_u64(row.get::<_, u64>(column)?))
}

/// A record's path, stored as its key.
pub(super) fn path(row: &Row<'_>, column: usize) -> Result<RecordPath, StoreError> {
    let value = row.get_ref(column)?;
    let bytes = value.as_blob().map_err(|error| StoreError::corrupt_by("path column", error))?;
    let text = std::str::from_utf8(bytes).map_err(|error| StoreError::corrupt_by("path column", error))?;
    RecordPath::parse(text).map_err(|error| StoreError::corrupt_by("path column", error))
}

pub(super) fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, StoreError> {
    let value = row.get_ref(column)?;
    let text = value.as_str().map_err(|error| StoreError::corrupt_by("text column", error))?;
    parse(text).map_err(|error| StoreError::corrupt_by("text column", error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::schema, *};

    #[test]
    fn unfinished_creations_are_found_without_the_others() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, Path::new(""), || 1).unwrap();
        let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
            INSERT INTO repo (did, status, sealed_key, created) \
            SELECT 'did:web:a' || i || '.test', iif(i % 1000 = 0, 0, 1), x'00', i FROM n";
        connection.execute(insert, []).unwrap();
        let mut seen = Vec::new();
        loop {
            let page = unfinished_behind(&connection, seen.last().copied().unwrap_or(0), 3).unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.iter().all(|found| found.repo.status == RepoStatus::Creating));
            seen.extend(page.iter().map(|found| found.id));
        }
        assert_eq!(seen, (1..=10).map(|number| number * 1_000).collect::<Vec<_>>());
        assert_eq!(status_code(RepoStatus::Creating), Some(0), "as the query and the index say");
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {UNFINISHED}")).unwrap();
        let steps = plan.query_map((0, 10), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(
            steps[0].contains("SEARCH r USING INDEX repo_creating") && steps.len() == 2,
            "one search, and no sorting: {steps:?}"
        );
    }
}
