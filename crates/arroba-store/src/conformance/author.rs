//! An account that writes, and a model of what the store must hold of it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use arroba_core::{
    crypto::{Curve, PrivateKey},
    data::{BlobRef, Cid, Value, cbor},
    event::{self, AccountEvent, AccountStatus, EventDraft, IdentityEvent, SyncEvent},
    mst::{Builder, Key, Loader, NodePut},
    repo::{self, CommitParams, SignedCommit, Staged, Write},
    syntax::{Datetime, Did, Handle, RecordPath, Tid},
};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::{
    Applied, ApplyError, Block, BlockQuery, Change, ChangeKind, CommitChange, Loaded, RecordQuery,
    RepoStatus, RepoStore, Reservation,
    seal::{SealedKey, SealedKeys},
};

/// Microseconds; every use is later than the one before.
static CLOCK: AtomicU64 = AtomicU64::new(1_700_000_000_000_000);

pub(super) fn now() -> u64 {
    CLOCK.fetch_add(1_000, Ordering::Relaxed)
}

/// An account with a key, which makes changes as a host would.
#[derive(Debug)]
pub struct Author {
    /// Its DID.
    pub did: Did,
    /// Its handle.
    pub handle: Handle,
    key: PrivateKey,
}

impl Author {
    /// The account with this number.
    pub fn new(number: u32) -> Self {
        let mut secret = [1; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        Self {
            did: format!("did:web:author{number}.test").parse().unwrap(),
            handle: format!("author{number}.test").parse().unwrap(),
            key: PrivateKey::from_bytes(Curve::K256, &secret).unwrap(),
        }
    }

    /// Some bytes in the place of sealed keys.
    pub fn sealed_keys(&self) -> SealedKeys {
        let rotation = SealedKey::from_bytes(self.handle.as_str().as_bytes());
        SealedKeys {
            rotation: Some(rotation),
            ..SealedKeys::signing(SealedKey::from_bytes(self.did.as_str().as_bytes()))
        }
    }

    /// Signs a staged commit as the successor of what was loaded, as the one at `index` of `events` events.
    pub async fn sign<S: RepoStore + ?Sized>(
        &self,
        store: &S,
        staged: Staged,
        loaded: Option<&Loaded>,
        (index, events): (usize, usize),
    ) -> (SignedCommit, Reservation) {
        let time = now();
        let head = loaded.and_then(|loaded| loaded.head.as_ref());
        let last = loaded.and_then(|loaded| loaded.repo.rev);
        let reservation = store.reserve(&self.did, events, last).await.unwrap();
        let params = CommitParams {
            did: self.did.clone(),
            rev: reservation.rev(index).unwrap_or_else(|| Tid::next_after(time, 0, last)),
            since: head.map(|head| head.rev),
            prev_data: head.map(|head| head.data),
            prev_commit: head.map(|head| head.cid).filter(|_| store.links_commits()),
            time: Datetime::from_unix_micros(time),
        };
        (staged.sign(params, &self.key).unwrap(), reservation)
    }

    /// The change that creates the repository with these records, active, with the events of a new account.
    pub async fn creation<S: RepoStore + ?Sized>(
        &self,
        store: &S,
        writes: Vec<Write>,
        loaded: Option<&Loaded>,
    ) -> Change {
        let staged = repo::create(writes).unwrap();
        let (signed, reservation) = self.sign(store, staged, loaded, (2, 4)).await;
        let events = vec![self.identity(), self.account(None), signed.event.clone(), self.sync(&signed)];
        let commit =
            Box::new(CommitChange { expect: None, signed, blobs: Vec::new(), backlinks: Vec::new() });
        let kind = ChangeKind::Create {
            handle: Some(self.handle.clone()),
            keys: self.sealed_keys(),
            status: RepoStatus::Active,
            commit,
        };
        let time = micros(&events, 2);
        Change { reservation, time, ..self.change(kind, events) }
    }

    /// A change with the current time.
    pub fn change(&self, kind: ChangeKind, events: Vec<EventDraft>) -> Change {
        Change { did: self.did.clone(), time: now(), kind, events, reservation: Reservation::none() }
    }

    /// The `#identity` of the account.
    pub fn identity(&self) -> EventDraft {
        event::identity(&IdentityEvent {
            did: self.did.clone(),
            handle: Some(self.handle.clone()),
            time: Datetime::from_unix_micros(now()),
        })
    }

    /// An `#account`, active without a status.
    pub fn account(&self, status: Option<AccountStatus>) -> EventDraft {
        event::account(&AccountEvent {
            did: self.did.clone(),
            active: status.is_none(),
            status,
            time: Datetime::from_unix_micros(now()),
        })
    }

    /// The `#sync` of a commit.
    pub fn sync(&self, signed: &SignedCommit) -> EventDraft {
        event::sync(&SyncEvent {
            did: self.did.clone(),
            rev: signed.rev,
            blocks: signed.commit_bytes.clone(),
            time: Datetime::from_unix_micros(now()),
        })
    }

    /// Loads what the writes need, edits and signs: a commit on the current head.
    pub async fn commit_change<S: RepoStore + ?Sized>(
        &self,
        store: &S,
        writes: Vec<Write>,
        blobs: Vec<(RecordPath, BlobRef)>,
    ) -> Change {
        let loader = Loader::for_edit(repo::edit_keys(&writes));
        let loaded = store.load(&self.did, loader).await.unwrap().expect("the repository exists");
        let staged = repo::edit(&loaded.tree, writes).unwrap();
        let signed = self.sign(store, staged, Some(&loaded), (0, 1)).await;
        self.commit_of(signed, &loaded, blobs)
    }

    /// A commit of its own event.
    pub fn commit_of(
        &self,
        (signed, reservation): (SignedCommit, Reservation),
        loaded: &Loaded,
        blobs: Vec<(RecordPath, BlobRef)>,
    ) -> Change {
        let events = vec![signed.event.clone()];
        let expect = loaded.head.as_ref().map(|head| head.cid);
        let kind =
            ChangeKind::Commit(Box::new(CommitChange { expect, signed, blobs, backlinks: Vec::new() }));
        let time = micros(&events, 0);
        Change { reservation, time, ..self.change(kind, events) }
    }

    /// Creates the repository.
    pub async fn create<S: RepoStore + ?Sized>(&self, store: &S, writes: Vec<Write>) -> Applied {
        let change = self.creation(store, writes, None).await;
        apply(store, change).await.unwrap()
    }

    /// Commits writes.
    pub async fn commit<S: RepoStore + ?Sized>(&self, store: &S, writes: Vec<Write>) -> Applied {
        let change = self.commit_change(store, writes, Vec::new()).await;
        apply(store, change).await.unwrap()
    }
}

/// When the event at this place was made: the time of the whole change, because not every store keeps both.
fn micros(events: &[EventDraft], index: usize) -> u64 {
    u64::try_from(events[index].time().unix_micros()).unwrap()
}

pub(super) async fn apply<S: RepoStore + ?Sized>(store: &S, change: Change) -> Result<Applied, ApplyError> {
    let mut answers = store.apply(vec![change]).await;
    assert_eq!(answers.len(), 1, "one answer for one change");
    answers.remove(0)
}

/// What a repository must hold.
pub(super) type Model = BTreeMap<RecordPath, Bytes>;

pub(super) fn path(text: &str) -> RecordPath {
    text.parse().unwrap()
}

/// A small record.
pub(super) fn record(text: &str) -> Bytes {
    let map = [("$type", Value::Text("test.record".into())), ("text", Value::Text(text.to_owned().into()))];
    cbor::encode(&Value::Map(map.into_iter().collect())).into()
}

pub(super) fn create(text: &str) -> Write {
    Write::create(path(text), record(text))
}

/// The tree that a build from the records gives, in pre-order.
pub(super) fn nodes_of(model: &Model) -> Vec<NodePut> {
    let mut builder = Builder::new();
    for (path, value) in model {
        builder.push(Key::new(&path.to_bytes()).unwrap(), Cid::for_cbor(value).into()).unwrap();
    }
    let mut nodes = builder.finish();
    nodes.sort_by(|a, b| a.position.cmp(&b.position));
    nodes
}

pub(super) async fn export<S: RepoStore + ?Sized>(store: &S, did: &Did, query: BlockQuery) -> Vec<Block> {
    store.blocks(did, query).await.unwrap().expect("the repository has a head").try_collect().await.unwrap()
}

/// Compares everything that can be read of a repository with the model (rule 4).
pub(super) async fn agrees<S: RepoStore + ?Sized>(store: &S, did: &Did, model: &Model) {
    let nodes = nodes_of(model);
    let loaded = store.load(did, Loader::for_all()).await.unwrap().expect("the repository exists");
    let head = loaded.head.expect("the repository has a head");
    let root = nodes.first().expect("every tree has a root");
    assert_eq!(head.data, root.cid, "rule 4: the root is that of a build");
    assert_eq!(loaded.tree.height(), root.position.height, "rule 4: the tree has the height of a build");
    assert_eq!(loaded.tree.root_cid(), root.cid, "rule 4: the loaded tree is that of a build");
    let listed: Vec<_> = loaded.tree.nodes().map(|node| node.unwrap().cid).collect();
    assert_eq!(listed, nodes.iter().map(|node| node.cid).collect::<Vec<_>>(), "rule 4: all nodes load");

    // The twin of a streamed export: nodes and records, merged by where they stand.
    let mut expected = vec![Block { cid: head.cid, data: head.block.clone() }];
    let mut waiting = nodes.iter().peekable();
    for (path, value) in model {
        let key = path.to_bytes();
        while let Some(node) = waiting.next_if(|node| node.position.after.as_bytes() < key.as_slice()) {
            expected.push(Block { cid: node.cid, data: node.bytes.clone() });
        }
        expected.push(Block { cid: Cid::for_cbor(value), data: value.clone() });
    }
    expected.extend(waiting.map(|node| Block { cid: node.cid, data: node.bytes.clone() }));
    assert_eq!(
        export(store, did, BlockQuery::All).await,
        expected,
        "rule 4: an export is the tree in pre-order"
    );

    let mut read = Model::new();
    let mut after = None;
    loop {
        let page = store.records(did, RecordQuery::all(after, 7)).await.unwrap().unwrap();
        after = page.records.last().map(|record| record.path.clone());
        for record in page.records {
            assert_eq!(record.cid, Cid::for_cbor(&record.value));
            assert!(record.rev <= head.rev);
            read.insert(record.path, record.value);
        }
        if !page.more {
            break;
        }
    }
    assert_eq!(&read, model, "rule 4: the records are those written");

    let collections: Vec<_> = store.collections(did).await.unwrap().unwrap();
    let mut expected: Vec<_> = model.keys().map(|path| path.collection.clone()).collect();
    expected.dedup();
    assert_eq!(collections, expected, "the collections are those with records, in the order of paths");
    let counts = store.counts(did).await.unwrap().unwrap();
    assert_eq!((counts.records, counts.blocks), (model.len() as u64, (model.len() + nodes.len() + 1) as u64));
}
