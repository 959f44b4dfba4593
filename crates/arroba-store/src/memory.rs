//! The store in memory, for tests and examples: ordered maps under one lock.
//!
//! It is the slow obvious twin of the other backends: whatever they do cleverly, it does by looking at everything.

mod apply;
mod blobs;
mod remote_blobs;
mod stage;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use arroba_core::{
    data::Cid,
    mst::{Loader, Position},
    syntax::{Did, Handle, Nsid, RecordPath, Tid},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use crate::{
    backlinks::Backlinks,
    blob_index::BlobRow,
    change::{Applied, Change},
    error::{ApplyError, StoreError},
    log::{EventPage, Retention, StoredEvent, Swept},
    query::{Block, BlockQuery, BlockStream, Order, RecordPage, RecordQuery, RecordRange, RecordRow},
    repo::{Counts, Head, Loaded, RepoCursor, RepoEntry, RepoPage, RepoRow, RepoStatus, Subject},
    repo_store::{RepoStore, Stage},
};

/// A store that is gone with its last clone. Nothing it answers is durable, all else is as the contracts say.
#[derive(Clone, Debug)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    tail: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct State {
    start_seq: u64,
    first_seq: u64,
    next_seq: u64,
    /// Each with the number of its repository.
    events: VecDeque<(u64, StoredEvent)>,
    repos: BTreeMap<u64, Repo>,
    next_repo: u64,
    dids: HashMap<Did, u64>,
    /// Objects, when they were queued, and whether they are still to be reported.
    garbage: BTreeMap<String, (u64, bool)>,
    remote: remote_blobs::RemoteRows,
}

#[derive(Debug)]
struct Repo {
    /// Its `status` and `rev` are put together when it is read.
    row: RepoRow,
    live: Option<Live>,
    blobs: BTreeMap<Cid, BlobRow>,
    hidden: HashMap<Subject, String>,
    /// Events below these numbers are hidden.
    deleted_before: u64,
    takedown_before: u64,
}

#[derive(Clone, Debug)]
struct Live {
    head: Head,
    /// Of the tree's root node.
    height: u8,
    tree: Rows,
}

/// Records, nodes and blob references, each with the rev that wrote it, and backlinks.
#[derive(Clone, Debug, Default)]
struct Rows {
    records: BTreeMap<RecordPath, (Tid, Cid, Bytes)>,
    nodes: BTreeMap<Position, (Tid, Cid, Bytes)>,
    refs: BTreeMap<(Cid, RecordPath), Tid>,
    links: BTreeSet<(RecordPath, String)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty store that numbers from the current time in microseconds.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seq = u64::try_from(now.as_micros()).unwrap_or(1 << 33).clamp((1 << 32) + 1, 1 << 52);
        Self::with_start_seq(seq)
    }

    /// An empty store with this first sequence number.
    pub fn with_start_seq(seq: u64) -> Self {
        let seq = seq.max(1);
        let state = State {
            start_seq: seq,
            first_seq: seq,
            next_seq: seq,
            events: VecDeque::new(),
            repos: BTreeMap::new(),
            next_repo: 1,
            dids: HashMap::new(),
            garbage: BTreeMap::new(),
            remote: remote_blobs::RemoteRows::default(),
        };
        let tail = watch::Sender::new(seq - 1);
        Self { state: Arc::new(Mutex::new(state)), tail: Arc::new(tail) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn repo(&self, did: &Did) -> Option<&Repo> {
        self.repos.get(self.dids.get(did)?)
    }

    fn live(&self, did: &Did) -> Option<(&Repo, &Live)> {
        let repo = self.repo(did)?;
        Some((repo, repo.live.as_ref()?))
    }

    fn by_handle(&self, handle: &Handle) -> Option<(u64, &Repo)> {
        let found = self.repos.iter().find(|(_, repo)| repo.row.handle.as_ref() == Some(handle));
        found.map(|(id, repo)| (*id, repo))
    }

    fn newest(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }
}

impl Repo {
    fn row(&self) -> RepoRow {
        let status = if self.row.takedown.is_some() { RepoStatus::Takendown } else { self.row.underlying };
        RepoRow { status, rev: self.rev(), ..self.row.clone() }
    }

    fn rev(&self) -> Option<Tid> {
        self.live.as_ref().map(|live| live.head.rev).max(self.row.rev)
    }

    fn hides(&self, seq: u64) -> bool {
        seq < self.deleted_before.max(self.takedown_before)
    }
}

impl Live {
    /// Nodes and records by where they stand: the streamable order.
    fn blocks(&self, newer_than: Option<Tid>) -> Vec<Block> {
        let newer = |rev: &Tid| newer_than.is_none_or(|since| *rev > since);
        let mut blocks = vec![Block { cid: self.head.cid, data: self.head.block.clone() }];
        let mut push = |(rev, cid, data): &(Tid, Cid, Bytes)| {
            if newer(rev) {
                blocks.push(Block { cid: *cid, data: data.clone() });
            }
        };
        let mut nodes = self.tree.nodes.iter().peekable();
        for (path, record) in &self.tree.records {
            let key = path.to_bytes();
            while let Some((_, node)) =
                nodes.next_if(|(position, _)| position.after.as_bytes() < key.as_slice())
            {
                push(node);
            }
            push(record);
        }
        nodes.for_each(|(_, node)| push(node));
        blocks
    }
}

#[async_trait]
impl RepoStore for Memory {
    async fn repo(&self, did: &Did) -> Result<Option<RepoRow>, StoreError> {
        Ok(self.lock().repo(did).map(Repo::row))
    }

    async fn by_handle(&self, handle: &Handle) -> Result<Option<RepoRow>, StoreError> {
        Ok(self.lock().by_handle(handle).map(|(_, repo)| repo.row()))
    }

    async fn repos(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        let after = after.map_or(Ok(0), RepoCursor::number)?;
        let state = self.lock();
        let mut rest = state.repos.range(after.saturating_add(1)..);
        let mut last = after;
        let repos: Vec<RepoEntry> = rest
            .by_ref()
            .take(limit)
            .map(|(number, repo)| {
                last = *number;
                RepoEntry { repo: repo.row(), head: repo.live.as_ref().map(|live| live.head.clone()) }
            })
            .collect();
        let next = rest.next().map(|_| RepoCursor::new(last.to_string()));
        Ok(RepoPage { repos, next })
    }

    async fn load(&self, did: &Did, mut loader: Loader) -> Result<Option<Loaded>, StoreError> {
        let damaged = |error| StoreError::corrupt_by(format!("tree of {did}"), error);
        let state = self.lock();
        let Some(repo) = state.repo(did) else { return Ok(None) };
        loader.start(repo.live.as_ref().map(|live| (live.head.data, live.height)));
        while let Some(request) = loader.wants().first().cloned() {
            let node = repo.live.as_ref().and_then(|live| live.tree.nodes.get(&request.position));
            let (_, _, bytes) =
                node.ok_or_else(|| StoreError::corrupt(format!("tree of {did} lacks a node")))?;
            loader.supply(&request, bytes.clone()).map_err(damaged)?;
        }
        let tree = loader.finish().map_err(damaged)?;
        Ok(Some(Loaded { repo: repo.row(), head: repo.live.as_ref().map(|live| live.head.clone()), tree }))
    }

    async fn records(&self, did: &Did, query: RecordQuery) -> Result<Option<RecordPage>, StoreError> {
        let state = self.lock();
        let Some((repo, live)) = state.live(did) else { return Ok(None) };
        let hidden = |path: &RecordPath| {
            query.visible_only && repo.hidden.contains_key(&Subject::Record(path.clone()))
        };
        let mut rows: Vec<_> = live.tree.records.iter().filter(|(path, _)| !hidden(path)).collect();
        let limit = match &query.range {
            RecordRange::One(wanted) => {
                rows.retain(|(path, _)| *path == wanted);
                1
            }
            RecordRange::These(wanted) => {
                rows.retain(|(path, _)| wanted.contains(path));
                wanted.len()
            }
            RecordRange::Collection { collection, after, limit, order } => {
                rows.retain(|(path, _)| path.collection == *collection);
                match order {
                    Order::Ascending => {
                        rows.retain(|(path, _)| after.as_ref().is_none_or(|rkey| path.rkey > *rkey))
                    }
                    Order::Descending => {
                        rows.retain(|(path, _)| after.as_ref().is_none_or(|rkey| path.rkey < *rkey));
                        rows.reverse();
                    }
                }
                *limit
            }
            RecordRange::All { after, limit } => {
                rows.retain(|(path, _)| after.as_ref().is_none_or(|after| *path > after));
                *limit
            }
        };
        let more = rows.len() > limit;
        rows.truncate(limit);
        let records = rows
            .into_iter()
            .map(|(path, (rev, cid, value))| RecordRow {
                path: path.clone(),
                cid: *cid,
                rev: *rev,
                value: value.clone(),
            })
            .collect();
        let page = RecordPage { repo: repo.row(), head: live.head.clone(), records, more };
        Ok(Some(page.bounded(&query.range)))
    }

    async fn collections(&self, did: &Did) -> Result<Option<Vec<Nsid>>, StoreError> {
        let state = self.lock();
        let Some((_, live)) = state.live(did) else { return Ok(None) };
        let mut collections: Vec<_> = live.tree.records.keys().map(|path| path.collection.clone()).collect();
        collections.dedup();
        Ok(Some(collections))
    }

    async fn backlinks(
        &self,
        did: &Did,
        collection: &Nsid,
        target: &str,
        limit: usize,
    ) -> Result<Backlinks, StoreError> {
        let state = self.lock();
        let links = state.live(did).into_iter().flat_map(|(_, live)| &live.tree.links);
        let found = links.filter(|(path, link)| path.collection == *collection && link == target);
        Ok(Backlinks::Found(found.take(limit).map(|(path, _)| path.clone()).collect()))
    }

    async fn counts(&self, did: &Did) -> Result<Option<Counts>, StoreError> {
        let state = self.lock();
        let Some((repo, live)) = state.live(did) else { return Ok(None) };
        let mut expected: Vec<_> = live.tree.refs.keys().map(|(cid, _)| cid).collect();
        expected.dedup();
        let stored =
            expected.iter().filter(|cid| repo.blobs.contains_key(cid) || state.is_remote(did, cid)).count();
        Ok(Some(Counts {
            blocks: (live.tree.records.len() + live.tree.nodes.len() + 1) as u64,
            records: live.tree.records.len() as u64,
            blobs_expected: expected.len() as u64,
            blobs_stored: stored as u64,
        }))
    }

    async fn hidden(&self, did: &Did, subject: &Subject) -> Result<Option<String>, StoreError> {
        Ok(self.lock().repo(did).and_then(|repo| repo.hidden.get(subject).cloned()))
    }

    async fn blocks(&self, did: &Did, query: BlockQuery) -> Result<Option<BlockStream>, StoreError> {
        let state = self.lock();
        let Some((repo, live)) = state.live(did) else { return Ok(None) };
        let mut missing = Vec::new();
        let blocks = match query {
            BlockQuery::All => live.blocks(None),
            BlockQuery::Since(rev) => live.blocks(Some(rev)),
            BlockQuery::These(cids) => {
                let all: BTreeMap<Cid, Bytes> =
                    live.blocks(None).into_iter().map(|block| (block.cid, block.data)).collect();
                let wanted: BTreeSet<Cid> = cids.into_iter().collect();
                let (found, lost): (Vec<Cid>, Vec<Cid>) =
                    wanted.into_iter().partition(|cid| all.contains_key(cid));
                missing = lost;
                let block = |cid: Cid| Some(Block { cid, data: all.get(&cid)?.clone() });
                found.into_iter().filter_map(block).collect()
            }
        };
        let batches = stream::iter([Ok(blocks)]).boxed();
        Ok(Some(BlockStream::new(repo.row(), live.head.clone(), missing, batches)))
    }

    async fn apply(&self, changes: Vec<Change>) -> Vec<Result<Applied, ApplyError>> {
        let mut state = self.lock();
        let answers = changes.into_iter().map(|change| state.apply(change)).collect();
        self.tail.send_replace(state.newest());
        answers
    }

    async fn stage(&self, did: &Did) -> Result<Box<dyn Stage>, ApplyError> {
        Ok(Box::new(stage::MemoryStage::begin(self.clone(), did)?))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<EventPage, StoreError> {
        let state = self.lock();
        let visible = |(repo, event): &&(u64, StoredEvent)| {
            event.seq > after && !state.repos.get(repo).is_some_and(|repo| repo.hides(event.seq))
        };
        let mut rest = state.events.iter().filter(visible);
        let events: Vec<StoredEvent> = rest.by_ref().take(limit).map(|(_, event)| event.clone()).collect();
        let next = match events.last() {
            _ if rest.next().is_none() => after.max(state.newest()),
            Some(last) => last.seq,
            None => after,
        };
        Ok(EventPage {
            events,
            next,
            oldest: state.first_seq,
            newest: state.newest(),
            start: state.start_seq,
        })
    }

    fn tail(&self) -> watch::Receiver<u64> {
        self.tail.subscribe()
    }

    async fn sweep(&self, retention: Retention) -> Result<Swept, StoreError> {
        let mut state = self.lock();
        let mut swept = Swept::default();
        let size = |(_, event): &(u64, StoredEvent)| event.frame.len() as u64;
        let mut bytes: u64 = state.events.iter().map(size).sum();
        while let Some(oldest) = state.events.front()
            && (retention.events_before.is_some_and(|before| oldest.1.time < before)
                || retention.event_bytes.is_some_and(|bound| bytes > bound))
        {
            bytes = bytes.saturating_sub(size(oldest));
            state.first_seq = oldest.1.seq.saturating_add(1);
            state.events.pop_front();
            swept.events += 1;
        }
        swept.blobs = state.sweep_uploads(retention);
        Ok(swept)
    }
}
