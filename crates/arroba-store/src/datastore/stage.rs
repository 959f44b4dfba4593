//! Imports: blocks by CID, which nothing reaches until the head says so.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arroba_core::{
    data::Cid,
    mst::NodePut,
    syntax::{Did, RecordPath},
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Begin, DatastoreError,
    blobs::{self, StagedRefs},
    entity::AtpBlock,
    rows,
    store::Datastore,
    upsert,
};
use crate::{
    change::{Applied, Change, ChangeKind},
    error::{ApplyError, StoreError},
    repo::RepoStatus,
    repo_store::{Stage, StagedRecord},
};

/// How many blocks one transaction stores.
const BATCH: usize = 400;

/// How many bytes of blocks one transaction stores.
const BATCH_BYTES: usize = 4 << 20;

/// How often a transaction is begun for one batch.
const ATTEMPTS: usize = 8;

/// An import on its way. What it has stored when it is given up stays, unreachable: blocks are never deleted here, because another
/// repository may share them.
pub(super) struct DatastoreStage {
    store: Datastore,
    did: Did,
    /// Of every record; they are small against the records, and the Python library keeps them in memory too.
    entries: BTreeMap<RecordPath, Cid>,
    nodes: HashSet<Cid>,
    /// Of the records that have some.
    blobs: BTreeMap<RecordPath, BTreeSet<Cid>>,
    /// The same, written down, once all records are there.
    references: Option<StagedRefs>,
    waiting: Vec<AtpBlock>,
    waiting_bytes: usize,
}

impl DatastoreStage {
    pub(super) async fn begin(store: Datastore, did: &Did) -> Result<Self, ApplyError> {
        let row = store.find(did).await?.row(None).ok_or(ApplyError::NotFound)?;
        takes_imports(row.status)?;
        let (entries, nodes, waiting) = (BTreeMap::new(), HashSet::new(), Vec::new());
        let (blobs, references) = (BTreeMap::new(), None);
        Ok(Self { store, did: did.clone(), entries, nodes, blobs, references, waiting, waiting_bytes: 0 })
    }

    /// Writes down which blobs the records refer to, unless that was done.
    async fn write_references(&mut self) -> Result<StagedRefs, StoreError> {
        if let Some(written) = &self.references {
            return Ok(written.clone());
        }
        let written = blobs::stage(self.store.client(), &self.did, now_micros(), &self.blobs).await?;
        self.references = Some(written.clone());
        Ok(written)
    }

    /// What was written down is of no use any more.
    async fn drop_references(&mut self) {
        if let Some(written) = self.references.take() {
            blobs::unstage(self.store.client(), &self.did, &written).await;
        }
    }

    async fn put(&mut self, cid: Cid, encoded: Bytes) -> Result<(), StoreError> {
        self.waiting_bytes = self.waiting_bytes.saturating_add(encoded.len());
        self.waiting.push(AtpBlock {
            cid,
            repo: Some(self.did.clone()),
            encoded,
            // No event, as in an import by the Python library.
            seq: 0,
            ops: Vec::new(),
            created: Some(now_micros()),
        });
        if self.waiting.len() >= BATCH || self.waiting_bytes >= BATCH_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Stores what waits. Blocks that exist keep their first writer.
    async fn flush(&mut self) -> Result<(), StoreError> {
        self.waiting_bytes = 0;
        let mut batch = std::mem::take(&mut self.waiting);
        batch.sort_by_key(|block| block.cid);
        batch.dedup_by_key(|block| block.cid);
        for _ in 0..ATTEMPTS {
            if self.try_flush(&batch).await? {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("others write to the same blocks"))
    }

    /// Whether it was not disturbed.
    async fn try_flush(&self, batch: &[AtpBlock]) -> Result<bool, StoreError> {
        let client = self.store.client();
        let keys: Vec<_> = batch.iter().map(|block| AtpBlock::key(client.database(), &block.cid)).collect();
        let (transaction, lookup) = client.begin(keys, Begin::ReadWrite).await?;
        let missing: HashSet<_> = lookup.missing.iter().filter_map(rows::name).collect();
        let new = batch.iter().filter(|block| missing.contains(block.cid.to_string().as_str()));
        let entities = new.map(|block| block.to_entity(client.database()).map(upsert));
        let mutations = entities.collect::<Result<_, _>>().map_err(StoreError::backend)?;
        match client.commit(mutations, &transaction).await {
            Ok(_) => Ok(true),
            // Storing them once more does no harm.
            Err(DatastoreError::Conflict { .. } | DatastoreError::UnknownOutcome { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Stage for DatastoreStage {
    async fn put_records(&mut self, records: Vec<StagedRecord>) -> Result<(), StoreError> {
        self.drop_references().await;
        for record in records {
            self.put(record.cid, record.value).await?;
            // A path that comes twice keeps the last.
            self.blobs.remove(&record.path);
            if !record.blobs.is_empty() {
                self.blobs.insert(record.path.clone(), record.blobs.into_iter().collect());
            }
            self.entries.insert(record.path, record.cid);
        }
        Ok(())
    }

    async fn entries(
        &mut self,
        after: Option<RecordPath>,
        limit: usize,
    ) -> Result<Vec<(RecordPath, Cid)>, StoreError> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.entries.range((from, Bound::Unbounded)).take(limit);
        Ok(range.map(|(path, cid)| (path.clone(), *cid)).collect())
    }

    async fn put_nodes(&mut self, nodes: Vec<NodePut>) -> Result<(), StoreError> {
        // Before the commit has its number, which does not wait for long.
        self.write_references().await?;
        for node in nodes {
            self.nodes.insert(node.cid);
            self.put(node.cid, node.bytes).await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, mut change: Change) -> Result<Applied, ApplyError> {
        if change.did != self.did {
            return Err(ApplyError::Malformed("an import of another account"));
        }
        let ChangeKind::Commit(commit) = &mut change.kind else {
            return Err(ApplyError::Malformed("an import ends with a commit"));
        };
        if !self.nodes.contains(&commit.signed.data) {
            return Err(ApplyError::Malformed("the commit names another root than was staged"));
        }
        self.flush().await?;
        let references = self.write_references().await?;
        commit.signed.records.clear();
        commit.signed.node_puts.clear();
        commit.signed.node_removes.clear();
        commit.signed.ops.clear();
        let made = self.store.apply_import(change, references).await;
        // Where nobody knows, they may hold.
        if !matches!(made, Ok(_) | Err(ApplyError::Store(StoreError::Unsure(_)))) {
            self.drop_references().await;
        }
        made
    }
}

/// Whether a repository of this status can be replaced by an import.
pub(super) fn takes_imports(status: RepoStatus) -> Result<(), ApplyError> {
    match status {
        RepoStatus::Active | RepoStatus::Deactivated => Ok(()),
        status => Err(ApplyError::Inactive(status)),
    }
}

fn now_micros() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(0)
}
