//! The store itself: what it is made of, and the contract on top of its parts.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use arroba_core::{
    data::Cid,
    mst::Loader,
    syntax::{Did, Handle, Nsid, RecordPath, Tid},
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use moka::sync::Cache;
use tokio::sync::watch;

use super::{
    Client, Reads, Select,
    api::{Key, property_filter::Operator, value::ValueType},
    blobs,
    blocks::{Blocks, StoredBlock},
    entity::{ArrobaHidden, AtpRepo},
    log::{EventLog, Hiding, LogOptions},
    read,
    rows::{self, Found},
    sequences::{Numbering, SequenceOptions, Sequences},
    stage::DatastoreStage,
};
use crate::{
    change::{Applied, Change},
    error::{ApplyError, StoreError},
    log::{EventPage, Retention, Swept},
    query::{BlockQuery, BlockStream, RecordPage, RecordQuery},
    repo::{Counts, Head, Loaded, RepoCursor, RepoPage, RepoRow, Subject},
    repo_store::{RepoStore, Stage},
    reservation::Reservation,
};

/// How many repositories are written to at once by one call of [`RepoStore::apply`].
const REPOS_AT_ONCE: usize = 16;

/// Trees whose sizes are remembered: some 100 bytes each.
const SIZES: u64 = 10_000;

/// Repositories in Google Cloud Datastore, as the Python library stores them: a project that it wrote opens here and the other way
/// round, and both can serve it at once. Cheap to clone; clones are the same store.
///
/// Seqs begin at 1 and may have holes. Events are rebuilt from the blocks, so retention forgets none. Blocks are shared between
/// repositories and never deleted: deleting a repository, a record or an import means that nothing leads to its blocks any more.
/// The encrypted keys of a deleted repository stay in its row, because the Python library cannot read a row without them.
/// Blobs that live elsewhere ([`RemoteBlobIndex`](crate::RemoteBlobIndex)) are those of the Python library.
#[derive(Clone)]
pub struct Datastore {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    blocks: Blocks,
    /// How large trees are, by their roots: it never changes, and finding out reads every node.
    sizes: Cache<Cid, read::Size>,
    sequences: Sequences,
    log: EventLog,
}

/// How the store works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DatastoreOptions {
    /// Where sequence numbers come from, and who else gives them out.
    pub sequences: SequenceOptions,
    /// How many bytes of tree nodes and commits are kept in memory; 64 MiB.
    pub block_cache: u64,
    /// How the event log is followed.
    pub log: LogOptions,
}

impl DatastoreOptions {
    /// These numbers, and for the rest what suits most.
    pub fn new(numbering: Numbering) -> Self {
        Self { sequences: SequenceOptions::new(numbering), block_cache: 64 << 20, log: LogOptions::default() }
    }
}

impl Datastore {
    /// Opens the database of `client`. Nothing has to exist there.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub async fn open(client: Client, options: DatastoreOptions) -> Result<Self, StoreError> {
        let blocks = Blocks::new(client.clone(), options.block_cache);
        let sequences = Sequences::start(client.clone(), options.sequences);
        let log = EventLog::open(blocks.clone(), sequences.clone(), options.log).await?;
        let sizes = Cache::new(SIZES);
        Ok(Self { inner: Arc::new(Inner { client, blocks, sizes, sequences, log }) })
    }

    /// The client: its counters tell how many calls were made.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(super) fn blocks(&self) -> &Blocks {
        &self.inner.blocks
    }

    pub(super) fn log(&self) -> &EventLog {
        &self.inner.log
    }

    pub(super) fn sequences(&self) -> &Sequences {
        &self.inner.sequences
    }

    /// Ends the store's tasks, and settles the numbers that were reserved and not used. What is in the database stays as it is.
    pub async fn close(&self) {
        self.inner.log.close().await;
        self.inner.sequences.close().await;
    }

    /// Both rows of a repository.
    pub(super) async fn find(&self, did: &Did) -> Result<Found, StoreError> {
        let found = Found::read(std::slice::from_ref(did), self.client()).await?;
        found.into_iter().next().ok_or_else(|| StoreError::corrupt("no answer for a repository"))
    }

    /// A repository with its head.
    async fn standing(&self, did: &Did) -> Result<Option<(RepoRow, Option<Head>, Found)>, StoreError> {
        let found = self.find(did).await?;
        self.keep_tip(&found);
        let standing = rows::with_heads(vec![found], self.blocks()).await?.into_iter().next();
        Ok(standing.and_then(|(found, head)| {
            let row = found.row(head.as_ref().map(|head| head.rev))?;
            Some((row, head, found))
        }))
    }

    /// Takes commit and root from our row, if they are the current ones.
    fn keep_tip(&self, found: &Found) {
        let tip = found.side.as_ref().and_then(|side| side.tip.as_ref());
        let Some((tip, head)) = tip.zip(found.head()).filter(|(tip, head)| head.matches(&tip.commit)) else {
            return;
        };
        for (cid, bytes) in [(head, &tip.commit), (Cid::for_cbor(&tip.root), &tip.root)] {
            // The number of a tree node or a commit is asked of nobody here.
            self.blocks()
                .put(cid, StoredBlock { bytes: bytes.clone(), seq: 0, repo: Some(found.did.clone()) });
        }
    }

    /// The same, of one that has a head.
    async fn live(&self, did: &Did) -> Result<Option<(RepoRow, Head, Found)>, StoreError> {
        let standing = self.standing(did).await?;
        Ok(standing.and_then(|(row, head, found)| Some((row, head?, found))))
    }

    /// Keys of everything of a repository that is taken down.
    pub(super) async fn hidden_keys(&self, did: &Did) -> Result<Vec<Key>, StoreError> {
        let hidden = self.hidden_subjects(did).await?;
        let database = self.client().database();
        Ok(hidden.iter().filter_map(|hidden| hidden.to_entity(database).key).collect())
    }

    async fn hidden_subjects(&self, did: &Did) -> Result<Vec<ArrobaHidden>, StoreError> {
        let repo = ValueType::KeyValue(AtpRepo::key(self.client().database(), did));
        let query = Select::from(ArrobaHidden::KIND).and(ArrobaHidden::REPO, Operator::Equal, repo);
        let results = self.client().query(query.into(), Reads::Strong).await?.results;
        let entities = results.into_iter().filter_map(|result| result.entity).map(ArrobaHidden::from_entity);
        entities.collect::<Result<_, _>>().map_err(|error| StoreError::corrupt_by("hidden subject", error))
    }

    /// Records that are taken down; without a call where there are none.
    async fn hidden_paths(&self, found: &Found) -> Result<BTreeSet<RecordPath>, StoreError> {
        if found.side.as_ref().is_none_or(|side| side.hidden == 0) {
            return Ok(BTreeSet::new());
        }
        let hidden = self.hidden_subjects(&found.did).await?;
        Ok(hidden.iter().filter_map(|hidden| RecordPath::parse(&hidden.subject).ok()).collect())
    }
}

#[async_trait]
impl Hiding for Datastore {
    async fn hidden_below(&self, dids: Vec<Did>) -> Result<HashMap<Did, u64>, StoreError> {
        let found = Found::read(&dids, self.client()).await?;
        let bounds = found.into_iter().filter_map(|found| {
            let side = found.side?;
            Some((found.did, side.deleted_before.max(side.takedown_before)))
        });
        Ok(bounds.filter(|(_, below)| *below > 0).collect())
    }
}

#[async_trait]
impl RepoStore for Datastore {
    async fn repo(&self, did: &Did) -> Result<Option<RepoRow>, StoreError> {
        Ok(self.standing(did).await?.map(|(row, ..)| row))
    }

    async fn by_handle(&self, handle: &Handle) -> Result<Option<RepoRow>, StoreError> {
        let Some(found) = self.found_by_handle(handle).await? else { return Ok(None) };
        let with_head = rows::with_heads(vec![found], self.blocks()).await?.into_iter().next();
        Ok(with_head.and_then(|(found, head)| found.row(head.map(|head| head.rev))))
    }

    async fn repos(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        self.list(after, limit).await
    }

    async fn unfinished(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        self.list_unfinished(after, limit).await
    }

    async fn load(&self, did: &Did, loader: Loader) -> Result<Option<Loaded>, StoreError> {
        let Some((repo, head, _)) = self.standing(did).await? else { return Ok(None) };
        let root = head.as_ref().map(|head| head.data);
        let tree = read::load(self.blocks(), did, root, loader).await?;
        Ok(Some(Loaded { repo, head, tree }))
    }

    async fn records(&self, did: &Did, query: RecordQuery) -> Result<Option<RecordPage>, StoreError> {
        let Some((repo, head, found)) = self.live(did).await? else { return Ok(None) };
        let hidden = if query.visible_only { self.hidden_paths(&found).await? } else { BTreeSet::new() };
        let (records, more) = read::records(self.blocks(), did, &head, &query.range, &hidden).await?;
        Ok(Some(RecordPage { repo, head, records, more }.bounded(&query.range)))
    }

    async fn collections(&self, did: &Did) -> Result<Option<Vec<Nsid>>, StoreError> {
        let Some((_, head, _)) = self.live(did).await? else { return Ok(None) };
        read::collections(self.blocks(), did, head.data).await.map(Some)
    }

    async fn counts(&self, did: &Did) -> Result<Option<Counts>, StoreError> {
        let Some((_, head, _)) = self.live(did).await? else { return Ok(None) };
        let sizes = &self.inner.sizes;
        let size = match sizes.get(&head.data) {
            Some(size) => size,
            None => {
                let size = read::size(self.blocks(), did, head.data).await?;
                sizes.insert(head.data, size);
                size
            }
        };
        let (blobs_expected, blobs_stored) = blobs::counts(self.client(), did).await?;
        let blocks = size.nodes + size.records + 1;
        Ok(Some(Counts { blocks, records: size.records, blobs_expected, blobs_stored }))
    }

    async fn hidden(&self, did: &Did, subject: &Subject) -> Result<Option<String>, StoreError> {
        let key = ArrobaHidden::key(self.client().database(), did, subject);
        let lookup = self.client().lookup(vec![key], Reads::Strong).await?;
        let entity = lookup.found.into_iter().find_map(|result| result.entity);
        let hidden = entity.map(ArrobaHidden::from_entity).transpose();
        let hidden = hidden.map_err(|error| StoreError::corrupt_by("hidden subject", error))?;
        Ok(hidden.map(|hidden| hidden.reference))
    }

    async fn blocks(&self, did: &Did, query: BlockQuery) -> Result<Option<BlockStream>, StoreError> {
        let Some((repo, head, _)) = self.live(did).await? else { return Ok(None) };
        read::blocks(self.blocks(), repo, head, query).await.map(Some)
    }

    async fn reserve(&self, did: &Did, events: usize, above: Option<Tid>) -> Result<Reservation, StoreError> {
        self.inner.sequences.reserve(did, events, above).await
    }

    fn links_commits(&self) -> bool {
        true
    }

    async fn apply(&self, changes: Vec<Change>) -> Vec<Result<Applied, ApplyError>> {
        let mut answers: Vec<Option<Result<Applied, ApplyError>>> = Vec::new();
        let mut repos: Vec<(Did, Vec<(usize, Change)>)> = Vec::new();
        for (index, change) in changes.into_iter().enumerate() {
            answers.push(None);
            match repos.iter_mut().find(|(did, _)| *did == change.did) {
                Some((_, changes)) => changes.push((index, change)),
                None => repos.push((change.did.clone(), vec![(index, change)])),
            }
        }
        // Those of one repository one after the other.
        let each = repos.into_iter().map(|(_, changes)| async {
            let mut made = Vec::with_capacity(changes.len());
            for (index, change) in changes {
                made.push((index, self.apply_one(change).await));
            }
            made
        });
        let mut made = stream::iter(each).buffer_unordered(REPOS_AT_ONCE);
        while let Some(answered) = made.next().await {
            for (index, answer) in answered {
                if let Some(slot) = answers.get_mut(index) {
                    *slot = Some(answer);
                }
            }
        }
        drop(made);
        let lost = || Err(ApplyError::Malformed("no answer for a change"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
    }

    async fn stage(&self, did: &Did) -> Result<Box<dyn Stage>, ApplyError> {
        Ok(Box::new(DatastoreStage::begin(self.clone(), did).await?))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<EventPage, StoreError> {
        self.log().page(self, None, after, limit).await
    }

    async fn repo_events(&self, did: &Did, after: u64, limit: usize) -> Result<EventPage, StoreError> {
        self.log().page(self, Some(did), after, limit).await
    }

    fn tail(&self) -> watch::Receiver<u64> {
        self.log().tail()
    }

    async fn newest_given(&self) -> Result<u64, StoreError> {
        Ok(self.sequences().last().await?.max(*self.tail().borrow()))
    }

    async fn sweep(&self, retention: Retention) -> Result<Swept, StoreError> {
        blobs::sweep(self.client(), retention).await
    }
}

impl fmt::Debug for Datastore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Datastore").field("client", self.client()).finish_non_exhaustive()
    }
}
