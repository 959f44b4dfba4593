//! The log against the emulator: two programs on one database, one that writes and one that reads.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod heads;
mod holes;
mod of;
mod reading;
mod rebuilding;

use std::sync::Arc;

use arroba_core::{
    crypto::{Curve, PrivateKey, Signer},
    data::{Cid, Value, cbor},
    event::{self, AccountEvent, EventKind, Frame, IdentityEvent},
    mst::Tree,
    repo::{self, Commit, CommitParams, RecordChange, Write, verify},
    syntax::{Datetime, RecordPath, Tid},
};
use bytes::Bytes;

use super::{
    super::{
        Begin, ClientOptions, EncryptedPropertyKeys, Numbering, SequenceOptions,
        entity::{AtpBlock, AtpRepo, AtpSequence, StoredStatus},
        event::event_block,
        testing::{Emulator, Index, Strict, StrictOptions, entity_from_json},
        upsert,
    },
    *,
};
use crate::reservation::Reservation;

/// Nothing is hidden, but what is in the map.
#[derive(Default)]
struct Below(HashMap<Did, u64>);

#[async_trait]
impl Hiding for Below {
    async fn hidden_below(&self, _: Vec<Did>) -> Result<HashMap<Did, u64>, StoreError> {
        Ok(self.0.clone())
    }
}

const LONG: Duration = Duration::from_secs(3_600);

fn exclusive(lease: Duration) -> SequenceOptions {
    let mut options = SequenceOptions::new(Numbering::Exclusive { lease });
    options.patience = LONG;
    options
}

fn beside_python() -> SequenceOptions {
    let mut options = SequenceOptions::new(Numbering::Datastore);
    options.patience = LONG;
    options
}

/// A program: numbers and a log of its own.
struct Program {
    client: Client,
    sequences: Sequences,
    log: EventLog,
}

impl Program {
    async fn start(client: &Client, numbers: SequenceOptions, options: LogOptions) -> Self {
        let sequences = Sequences::start(client.clone(), numbers);
        let blocks = Blocks::new(client.clone(), 8 << 20);
        let log = EventLog::open(blocks, sequences.clone(), options).await.unwrap();
        Self { client: client.clone(), sequences, log }
    }

    async fn all(&self, after: u64, limit: usize) -> Vec<StoredEvent> {
        self.log.poke();
        let mut events = Vec::new();
        let mut cursor = after;
        loop {
            let page = self.log.page(&Below::default(), None, cursor, limit).await.unwrap();
            assert!(page.next >= cursor && page.events.len() <= limit);
            assert!(page.events.iter().all(|event| event.seq > cursor && event.seq <= page.next));
            cursor = page.next;
            events.extend(page.events);
            if cursor >= page.newest {
                return events;
            }
        }
    }

    async fn seqs(&self) -> Vec<u64> {
        self.all(0, 100).await.into_iter().map(|event| event.seq).collect()
    }

    /// Writes with the fence of these numbers, as a store does; whether the numbers were still ours.
    async fn write(&self, reservation: &Reservation, blocks: &[AtpBlock], head: Option<&AtpRepo>) -> bool {
        let database = self.client.database();
        let fence = self.sequences.fence(reservation.seqs().unwrap());
        let mut keys: Vec<_> = blocks.iter().map(|block| AtpBlock::key(database, &block.cid)).collect();
        keys.extend(fence.keys().iter().cloned());
        let (transaction, lookup) = self.client.begin(keys, Begin::ReadWrite).await.unwrap();
        reservation.settle();
        let Ok(mut mutations) = fence.mutations(&lookup.missing) else {
            self.client.rollback(&transaction).await.unwrap();
            return false;
        };
        let is_new =
            |key: &super::super::api::Key| lookup.missing.iter().any(|missing| missing.path == key.path);
        let new = blocks.iter().filter(|block| is_new(&AtpBlock::key(database, &block.cid)));
        mutations.extend(new.map(|block| upsert(block.to_entity(database).unwrap())));
        mutations.extend(head.map(|head| upsert(head.to_entity(database).unwrap())));
        self.client.commit(mutations, &transaction).await.unwrap();
        true
    }

    /// Announces something with these numbers.
    async fn announce(&self, did: &Did, reservation: &Reservation) -> bool {
        let seqs = reservation.seqs().unwrap();
        let draft = account(did);
        let blocks: Vec<_> =
            seqs.clone().map(|seq| event_block(&draft, seq, TIME + seq * 1_000).unwrap()).collect();
        let written = self.write(reservation, &blocks, None).await;
        if written {
            for seq in seqs {
                self.log.wrote(seq, TIME + seq * 1_000, std::slice::from_ref(&draft));
            }
        }
        written
    }
}

/// Microseconds; recent enough for nothing to depend on it.
const TIME: u64 = 1_700_000_000_000_000;

fn account(did: &Did) -> EventDraft {
    let time = Datetime::from_unix_micros(TIME);
    event::account(&AccountEvent { did: did.clone(), active: true, status: None, time })
}

fn did(number: u32) -> Did {
    format!("did:web:author{number}.test").parse().unwrap()
}

fn path(text: &str) -> RecordPath {
    text.parse().unwrap()
}

fn record(text: &str) -> Bytes {
    let map = [("$type", Value::Text("test.record".into())), ("text", Value::Text(text.to_owned().into()))];
    cbor::encode(&Value::Map(map.into_iter().collect())).into()
}

/// A repository, whole in memory.
struct Repo {
    did: Did,
    key: PrivateKey,
    head: Option<(Cid, Commit)>,
    tree: Tree,
    told: Vec<StoredEvent>,
}

impl Repo {
    fn new(number: u32) -> Self {
        let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
        Self { did: did(number), key, head: None, tree: Tree::empty(), told: Vec::new() }
    }

    /// Commits, and remembers the event as the writer made it; nothing for `writes` is a commit that changes nothing.
    async fn commit(&mut self, program: &Program, writes: Option<Vec<Write>>) {
        let staged = match (&self.head, writes) {
            (None, writes) => repo::create(writes.unwrap_or_default()),
            (Some(_), None) => repo::resign(&self.tree),
            (Some(_), Some(writes)) => match repo::edit(&self.tree, writes) {
                // Nobody commits nothing.
                Ok(staged) if staged.is_empty() => return,
                staged => staged,
            },
        };
        let before = self.head.as_ref().map(|(_, commit)| commit);
        let above = before.map(|commit| commit.rev);
        let reservation = program.sequences.reserve(&self.did, 1, above).await.unwrap();
        let seq = reservation.seqs().unwrap().start;
        let created = TIME + seq * 1_000_000 + 123_000;
        let params = CommitParams {
            did: self.did.clone(),
            rev: reservation.rev(0).unwrap(),
            since: above,
            prev_data: before.map(|commit| commit.data),
            prev_commit: self.head.as_ref().map(|(cid, _)| *cid),
            time: Datetime::from_unix_micros(created),
        };
        let signed = staged.unwrap().sign(params, &self.key).unwrap();
        let block = |cid: Cid, encoded: Bytes, ops: Vec<repo::RepoOp>| AtpBlock {
            cid,
            repo: Some(self.did.clone()),
            encoded,
            seq,
            ops,
            created: Some(created),
        };
        let mut blocks = vec![block(signed.commit_cid, signed.commit_bytes.clone(), signed.ops.clone())];
        blocks.extend(signed.node_puts.iter().map(|put| block(put.cid, put.bytes.clone(), Vec::new())));
        for change in &signed.records {
            if let RecordChange::Put { cid, bytes, .. } = change {
                blocks.push(block(*cid, bytes.clone(), Vec::new()));
            }
        }
        let head = AtpRepo {
            did: self.did.clone(),
            handles: Vec::new(),
            head: signed.commit_cid,
            encrypted_signing_key: vec![1],
            encrypted_rotation_key: None,
            status: None,
            created: None,
            updated: None,
        };
        assert!(program.write(&reservation, &blocks, Some(&head)).await);
        program.log.wrote(seq, created, std::slice::from_ref(&signed.event));
        self.told.push(stored(seq, created, &signed.event));
        self.head = Some((signed.commit_cid, Commit::decode(&signed.commit_bytes).unwrap()));
        self.tree = signed.tree;
    }
}

/// A block as the Python library would have stored it.
async fn put(client: &Client, block: &AtpBlock) {
    client.put(vec![upsert(block.to_entity(client.database()).unwrap())]).await.unwrap();
}
