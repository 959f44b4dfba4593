//! Imports: a second tree beside the live one, swapped in at the end.

use arroba_core::{
    data::Cid,
    mst::{NodePut, Position},
    syntax::{Did, RecordPath},
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::{
    SMALL, Sqlite,
    apply::{depth, drop_tree, emit, expected_head, put_head, put_nodes, run},
    backlinks, change_weight, refs,
    rows::{self, cid},
    writer::Scope,
};
use crate::{
    change::{Applied, Change, ChangeKind},
    error::{ApplyError, StoreError},
    repo::RepoStatus,
    repo_store::{Stage, StagedRecord},
};

/// Marks the rows of an import that takes its rev from the head.
const LATER: u64 = 0;

#[derive(Debug)]
pub(super) struct SqliteStage {
    store: Sqlite,
    did: Did,
    tree: i64,
    records: u64,
    /// Whether the tree still is ours to give up.
    open: bool,
}

impl SqliteStage {
    pub(super) async fn begin(store: Sqlite, did: &Did) -> Result<Self, ApplyError> {
        let whose = did.clone();
        let tree = store
            .write(move |connection| {
                let found = rows::by_did(connection, &whose)?.ok_or(ApplyError::NotFound)?;
                takes_imports(found.repo.status)?;
                run(
                    connection,
                    "INSERT INTO tree (repo, state, linked_to) VALUES (?1, 1, NULL)",
                    [found.id],
                )?;
                Ok::<_, ApplyError>(connection.last_insert_rowid())
            })
            .await?;
        Ok(Self { store, did: did.clone(), tree, records: 0, open: true })
    }
}

fn takes_imports(status: RepoStatus) -> Result<(), ApplyError> {
    match status {
        RepoStatus::Active | RepoStatus::Deactivated => Ok(()),
        status => Err(ApplyError::Inactive(status)),
    }
}

#[async_trait]
impl Stage for SqliteStage {
    async fn put_records(&mut self, records: Vec<StagedRecord>) -> Result<(), StoreError> {
        let tree = self.tree;
        let weight = records.iter().map(|record| record.value.len().saturating_add(SMALL)).sum();
        let added =
            self.store.weighed(weight, move |scope| put_records(scope.connection, tree, &records)).await?;
        self.records = self.records.saturating_add(added);
        Ok(())
    }

    async fn entries(
        &mut self,
        after: Option<RecordPath>,
        limit: usize,
    ) -> Result<Vec<(RecordPath, Cid)>, StoreError> {
        let tree = self.tree;
        self.store
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT path, cid FROM record WHERE tree = ?1 AND path > ?2 ORDER BY path LIMIT ?3",
                )?;
                let after = after.map(|path| path.to_bytes()).unwrap_or_default();
                let rows = statement.query_map((tree, after, limit), |row| {
                    Ok(rows::path(row, 0).and_then(|path| Ok((path, cid(row, 1)?))))
                })?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn put_nodes(&mut self, nodes: Vec<NodePut>) -> Result<(), StoreError> {
        let tree = self.tree;
        let weight = nodes.iter().map(|node| node.bytes.len().saturating_add(SMALL)).sum();
        self.store.weighed(weight, move |scope| put_nodes(scope.connection, tree, LATER, &nodes)).await
    }

    async fn finish(mut self: Box<Self>, change: Change) -> Result<Applied, ApplyError> {
        if change.did != self.did {
            return Err(ApplyError::Malformed("an import of another account"));
        }
        let (tree, records) = (self.tree, self.records);
        let weight = change_weight(&change);
        let applied = self.store.weighed(weight, move |scope| finish(scope, tree, records, change)).await?;
        self.open = false;
        Ok(applied)
    }
}

impl Drop for SqliteStage {
    fn drop(&mut self) {
        if self.open {
            let tree = self.tree;
            // If the queue does not take it, the next opening finds the tree.
            let dropped = self.store.inner.writer.enqueue(SMALL, move |scope| {
                run(scope.connection, "UPDATE tree SET state = 2 WHERE id = ?1 AND state = 1", [tree])
            });
            if let Err(error) = dropped {
                tracing::debug!(%error, "an import is given up when the store is next opened");
            }
        }
    }
}

/// Returns how many of the paths are new.
fn put_records(connection: &Connection, tree: i64, records: &[StagedRecord]) -> Result<u64, StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO record (tree, path, rev, cid, value) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    let mut added = 0_u64;
    for record in records {
        let path = record.path.to_bytes();
        let (cid, value) = (&record.cid.as_bytes()[..], &record.value[..]);
        if insert.execute((tree, &path, LATER, cid, value))? == 0 {
            run(
                connection,
                "UPDATE record SET cid = ?3, value = ?4 WHERE tree = ?1 AND path = ?2",
                (tree, &path, cid, value),
            )?;
            run(connection, "DELETE FROM blob_ref WHERE tree = ?1 AND path = ?2", (tree, &path))?;
            backlinks::end(connection, tree, &path)?;
        } else {
            added = added.saturating_add(1);
        }
        for blob in &record.blobs {
            run(
                connection,
                "INSERT OR REPLACE INTO blob_ref (tree, cid, path, rev) VALUES (?1, ?2, ?3, ?4)",
                (tree, &blob.as_bytes()[..], &path, LATER),
            )?;
        }
        for target in &record.backlinks {
            backlinks::put(connection, tree, &path, target)?;
        }
    }
    Ok(added)
}

fn finish(scope: &mut Scope<'_>, tree: i64, records: u64, change: Change) -> Result<Applied, ApplyError> {
    let connection = scope.connection;
    let Change { did, time, kind, events, reservation: _ } = change;
    let ChangeKind::Commit(commit) = kind else {
        return Err(ApplyError::Malformed("an import ends with a commit"));
    };
    let found = rows::by_did(connection, &did)?.ok_or(ApplyError::NotFound)?;
    takes_imports(found.repo.status)?;
    let live = expected_head(found.live, &commit)?;
    let signed = &commit.signed;
    let root = Position::root(signed.root_height);
    let mut statement = connection
        .prepare_cached(
            "SELECT n.cid FROM node n JOIN tree t ON t.id = n.tree \
             WHERE t.id = ?1 AND t.state = 1 AND n.after = x'' AND n.depth = ?2",
        )
        .map_err(StoreError::from)?;
    let staged = statement
        .query_row((tree, depth(&root)), |row| Ok(cid(row, 0)))
        .optional()
        .map_err(StoreError::from)?
        .transpose()?;
    if staged != Some(signed.data) {
        return Err(ApplyError::Malformed("the commit names another root than was staged"));
    }
    run(connection, "UPDATE tree SET state = 0 WHERE id = ?1", [tree])?;
    drop_tree(connection, live.tree)?;
    put_head(connection, found.id, tree, signed.rev, signed, records)?;
    refs::settle(connection, found.id, tree, time)?;
    let seqs = emit(scope, found.id, &did, time, &events)?;
    scope.fresh.repos.push((did, None));
    Ok(Applied { seqs })
}
