//! The index of backlinks.
//!
//! Trees that are older than the index are filled piece by piece, in the order of paths: `tree.linked_to` says how far. Changes
//! write the rows of their own records wherever these stand, so what is behind that mark needs no second look, and a tree whose
//! mark has reached the end has all rows.

use arroba_core::{
    repo::Action,
    syntax::{Did, Nsid, RecordPath},
};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::{
    apply::run,
    rows::{self, Live},
};
use crate::{
    backlinks::{BacklinkPiece, Backlinks},
    change::CommitChange,
    error::StoreError,
};

const FIND: &str = "SELECT path FROM backlink WHERE tree = ?1 AND target = ?2 AND path > ?3 AND path < ?4 \
     ORDER BY path LIMIT ?5";

/// What stands for a target. Two that look alike take 2^64 tries to find, and touch nobody's records but their finder's.
fn digest(target: &str) -> [u8; 16] {
    let mut short = [0; 16];
    for (byte, hashed) in short.iter_mut().zip(Sha256::digest(target)) {
        *byte = hashed;
    }
    short
}

pub(super) fn find(
    connection: &Connection,
    did: &Did,
    collection: &Nsid,
    target: &str,
    limit: usize,
) -> Result<Backlinks, StoreError> {
    let Some(live) = rows::by_did(connection, did)?.and_then(|found| found.live) else {
        return Ok(Backlinks::Found(Vec::new()));
    };
    if let Some(after) = linked_to(connection, &live)? {
        return Ok(Backlinks::Incomplete { after: place(&after)? });
    }
    let mut statement = connection.prepare_cached(FIND)?;
    // '0' follows '/'.
    let bounds = (format!("{collection}/").into_bytes(), format!("{collection}0").into_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map((live.tree, digest(target), bounds.0, bounds.1, limit), |row| Ok(rows::path(row, 0)))?;
    Ok(Backlinks::Found(rows.map(|row| row?).collect::<Result<_, StoreError>>()?))
}

/// Where the filled part of a tree ends; nothing if it is complete.
fn linked_to(connection: &Connection, live: &Live) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT linked_to FROM tree WHERE id = ?1")?;
    Ok(statement.query_row([live.tree], |row| row.get(0))?)
}

fn place(after: &[u8]) -> Result<Option<RecordPath>, StoreError> {
    if after.is_empty() {
        return Ok(None);
    }
    let text =
        std::str::from_utf8(after).map_err(|error| StoreError::corrupt_by("place of backlinks", error))?;
    RecordPath::parse(text).map(Some).map_err(|error| StoreError::corrupt_by("place of backlinks", error))
}

/// Puts in a piece of what was there before the index, if it joins what is filled.
pub(super) fn fill(connection: &Connection, did: &Did, piece: &BacklinkPiece) -> Result<(), StoreError> {
    let Some(live) = rows::by_did(connection, did)?.and_then(|found| found.live) else { return Ok(()) };
    let after = piece.after.as_ref().map(RecordPath::to_bytes).unwrap_or_default();
    if linked_to(connection, &live)? != Some(after) {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO backlink (tree, target, path) \
         SELECT tree, ?4, path FROM record WHERE tree = ?1 AND path = ?2 AND cid = ?3",
    )?;
    for (path, cid, target) in &piece.links {
        insert.execute((live.tree, path.to_bytes(), &cid.as_bytes()[..], digest(target)))?;
    }
    let up_to = piece.up_to.as_ref().map(RecordPath::to_bytes);
    run(connection, "UPDATE tree SET linked_to = ?2 WHERE id = ?1", (live.tree, up_to))
}

/// Brings the backlinks of the records that a commit touches up to date.
pub(super) fn update(connection: &Connection, tree: i64, commit: &CommitChange) -> Result<(), StoreError> {
    for (change, op) in commit.signed.records.iter().zip(&commit.signed.ops) {
        // A record that was not there had none.
        if op.action != Action::Create {
            end(connection, tree, &change.path().to_bytes())?;
        }
    }
    for (path, target) in &commit.backlinks {
        put(connection, tree, &path.to_bytes(), target)?;
    }
    Ok(())
}

pub(super) fn put(connection: &Connection, tree: i64, path: &[u8], target: &str) -> Result<(), StoreError> {
    run(
        connection,
        "INSERT OR IGNORE INTO backlink (tree, target, path) VALUES (?1, ?2, ?3)",
        (tree, digest(target), path),
    )
}

/// Ends the backlinks of one record.
pub(super) fn end(connection: &Connection, tree: i64, path: &[u8]) -> Result<(), StoreError> {
    run(connection, "DELETE FROM backlink WHERE tree = ?1 AND path = ?2", (tree, path))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::sqlite::{Sqlite, SqliteOptions};

    /// Steps of SQLite's machine for one question in an account with so many links, most to other targets.
    async fn steps(links: u32) -> i32 {
        let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
        let steps = store.write(move |connection| {
            for number in 0..links {
                put(connection, 1, format!("a.b.c/{number}").as_bytes(), &format!("did:web:{number}.test"))?;
            }
            put(connection, 1, b"a.b.c/again", "did:web:7.test")?;
            let mut statement = connection.prepare(FIND)?;
            let values = (1, digest("did:web:7.test"), b"a.b.c/", b"a.b.c0", 100);
            let found: Vec<Vec<u8>> =
                statement.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
            assert_eq!(found, [&b"a.b.c/7"[..], b"a.b.c/again"]);
            assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
            Ok::<_, StoreError>(statement.get_status(StatementStatus::VmStep))
        });
        steps.await.unwrap()
    }

    #[tokio::test]
    async fn a_question_costs_the_same_in_a_large_collection() {
        let (few, many) = (steps(10).await, steps(20_000).await);
        assert!(few > 0 && few == many, "{few} steps among 10 records, {many} among 20,000");
    }

    #[tokio::test]
    async fn every_statement_goes_by_an_index() {
        let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
        let plan = |statement: String| {
            store.read(move |connection| {
                let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}"))?;
                let rows = explain.raw_query();
                let plan: Vec<String> = rows.mapped(|row| row.get(3)).collect::<Result<_, _>>()?;
                Ok::<_, StoreError>(plan.join("; "))
            })
        };
        let find = plan(FIND.to_owned()).await.unwrap();
        assert_eq!(find, "SEARCH backlink USING PRIMARY KEY (tree=? AND target=? AND path>? AND path<?)");
        let end = plan("DELETE FROM backlink WHERE tree = ?1 AND path = ?2".to_owned()).await.unwrap();
        assert!(
            end.starts_with("SEARCH backlink USING") && end.contains("backlink_path (tree=? AND path=?)"),
            "{end}"
        );
    }
}
