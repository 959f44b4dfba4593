//! The log against the emulator: two programs on one database, one that writes and one that reads.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeMap, sync::Arc};

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
        testing::{Emulator, entity_from_json},
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
            let page = self.log.page(&Below::default(), cursor, limit).await.unwrap();
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

/// Commits of all sorts in two repositories, with events between them; gives what the writer made.
async fn history(program: &Program) -> Vec<StoredEvent> {
    let mut repos = [Repo::new(1), Repo::new(2)];
    let mut model: [BTreeMap<RecordPath, u64>; 2] = Default::default();
    let mut random = 42_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for round in 0..24 {
        let index = usize::try_from(next(2)).unwrap();
        let (repo, model) = (&mut repos[index], &mut model[index]);
        if round % 8 == 7 && repo.head.is_some() {
            repo.commit(program, None).await;
            continue;
        }
        let mut writes = Vec::new();
        for number in 0..=next(9) {
            let path = path(&format!("com.example.note/key{}", next(400)));
            let text = format!("{round} {number}");
            if model.contains_key(&path) && next(3) == 0 {
                model.remove(&path);
                writes.push(Write::delete(path));
            } else if model.insert(path.clone(), round).is_some() {
                writes.push(Write::update(path, record(&text)));
            } else {
                writes.push(Write::create(path, record(&text)));
            }
        }
        repo.commit(program, Some(writes)).await;
    }
    let [first, second] = repos;
    let mut told = [first.told, second.told].concat();
    let reservation = program.sequences.reserve(&did(3), 2, None).await.unwrap();
    assert!(program.announce(&did(3), &reservation).await);
    told.extend(reservation.seqs().unwrap().map(|seq| stored(seq, TIME + seq * 1_000, &account(&did(3)))));
    told.sort_by_key(|event| event.seq);
    told
}

#[tokio::test]
async fn the_event_of_a_commit_is_the_same_bytes_on_every_node() {
    let Some(emulator) = Emulator::shared().await else { return };
    for numbers in [exclusive(LONG), beside_python()] {
        let client = emulator.client().await;
        let writer = Program::start(&client, numbers.clone(), LogOptions::default()).await;
        assert_eq!(*writer.log.tail().borrow(), 0);
        let told = history(&writer).await;
        assert!(told.iter().filter(|event| event.kind == EventKind::Commit).count() > 20);
        let newest = told.last().unwrap().seq;
        assert_eq!(*writer.log.tail().borrow(), newest, "what we write can be read at once");
        assert_eq!(writer.all(0, 1_000).await, told);
        // Another program has nothing but what is stored; one that keeps no events reads all of them every time.
        for ring_bytes in [32 << 20, 0] {
            let options = LogOptions { ring_bytes, ..LogOptions::default() };
            let reader = Program::start(&client, numbers.clone(), options).await;
            assert_eq!(*reader.log.tail().borrow(), newest);
            for limit in [1, 7, 1_000] {
                assert_eq!(reader.all(0, limit).await, told, "rule 6");
            }
            for cut in [0, 5, told.len() - 1] {
                assert_eq!(reader.all(told[cut].seq, 4).await, told[cut + 1..]);
            }
        }
        let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap().public_key();
        for event in told.iter().filter(|event| event.kind == EventKind::Commit) {
            verify::frame(&event.frame, &event.did, &key, verify::Order::Relay).unwrap();
        }
    }
}

#[tokio::test]
async fn rebuilding_costs_one_lookup_a_level_for_many_commits_together() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..30 {
        repo.commit(
            &writer,
            Some(vec![Write::create(path(&format!("com.example.note/{number}")), record("x"))]),
        )
        .await;
    }
    let height = u64::from(repo.tree.height());
    let reader =
        Program::start(&client, exclusive(LONG), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    let before = client.counts();
    let page = reader.log.page(&Below::default(), 20, 10).await.unwrap();
    assert_eq!(page.events, repo.told[20..]);
    let counts = client.counts() - before;
    assert_eq!(counts.queries, 1);
    assert!(counts.lookups <= height + 3, "{counts:?}");
}

/// A block as the Python library would have stored it.
async fn put(client: &Client, block: &AtpBlock) {
    client.put(vec![upsert(block.to_entity(client.database()).unwrap())]).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_told_as_a_commit_is_told_as_a_sync() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..3 {
        repo.commit(&writer, Some(vec![Write::create(path(&format!("a.b.c/{number}")), record("x"))])).await;
    }
    // The second commit's operations are lost, and the third's are wrong.
    for seq in [2, 3] {
        let read = read::read(&client, seq - 1, Some(seq), 1).await.unwrap();
        let stored = &read.numbers[0].commits[0];
        let wrong = repo::RepoOp { path: path("a.b.c/9"), ..stored.ops[0].clone() };
        let ops = if seq == 3 { vec![wrong] } else { Vec::new() };
        let created = Some(stored.created);
        let encoded = stored.block.clone();
        put(&client, &AtpBlock { cid: stored.cid, repo: Some(did(1)), encoded, seq, ops, created }).await;
    }
    let reader = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let events = reader.all(0, 10).await;
    assert_eq!(events[0], repo.told[0]);
    for (event, told) in events[1..].iter().zip(&repo.told[1..]) {
        let Frame::Commit(_, commit) = Frame::decode(&told.frame).unwrap() else { panic!("{told:?}") };
        let Frame::Sync(seq, sync) = Frame::decode(&event.frame).unwrap() else { panic!("{event:?}") };
        let frame = verify::sync(&sync, &event.did, &repo.key.public_key());
        assert_eq!((seq, sync.rev, sync.did, sync.time), (told.seq, commit.rev, commit.repo, commit.time));
        assert!(frame.is_ok(), "{frame:?}");
    }
}

#[tokio::test]
async fn a_number_that_is_reserved_holds_up_readers_until_it_is_used() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let reader = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let slow = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let fast = writer.sequences.reserve(&did(2), 2, None).await.unwrap();
    assert!(writer.announce(&did(2), &fast).await);
    for program in [&writer, &reader] {
        assert!(program.seqs().await.is_empty(), "rule 5: the first may still come");
    }
    assert!(writer.announce(&did(1), &slow).await);
    assert_eq!(*writer.log.tail().borrow(), 3, "at once where it was written");
    for program in [&writer, &reader] {
        assert_eq!(program.seqs().await, [1, 2, 3]);
    }
    let third = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    third.log.close().await;
    third.sequences.close().await;
    assert_eq!(third.seqs().await, [1, 2, 3], "what was closed can be read, without a task");
    // A number that is given back and that nobody takes is passed as soon as a reader comes to it.
    let unused = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let used = writer.sequences.reserve(&did(2), 1, None).await.unwrap();
    assert!(writer.announce(&did(2), &used).await);
    drop(unused);
    let mut tail = writer.log.tail();
    writer.log.poke();
    tokio::time::timeout(Duration::from_secs(60), tail.wait_for(|tail| *tail == 5)).await.unwrap().unwrap();
    assert_eq!(writer.seqs().await, [1, 2, 3, 5]);
    assert_eq!(reader.seqs().await, [1, 2, 3, 5]);
}

#[tokio::test]
async fn a_killed_writer_holds_up_readers_for_the_lease_only_and_cannot_come_back() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let lease = Duration::from_millis(50);
    let writer = Program::start(&client, exclusive(lease), LogOptions::default()).await;
    let reader = Program::start(&client, exclusive(lease), LogOptions::default()).await;
    let killed = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let next = writer.sequences.reserve(&did(2), 1, None).await.unwrap();
    assert!(writer.announce(&did(2), &next).await);
    let mut tail = reader.log.tail();
    tokio::time::timeout(Duration::from_secs(60), tail.wait_for(|tail| *tail == 2)).await.unwrap().unwrap();
    assert_eq!(reader.seqs().await, [2]);
    assert!(!writer.announce(&did(1), &killed).await, "the number is not its own any more");
    assert_eq!(reader.seqs().await, [2], "rule 5");
    assert_eq!(writer.seqs().await, [2]);
}

#[tokio::test]
async fn beside_python_a_missing_number_is_waited_for_in_the_neighbourhood_of_the_newest() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    // Another program, which keeps what it reserves.
    let other = Sequences::start(client.clone(), beside_python());
    let now = || (SequenceOptions::default().clock)();
    let announce = async |seq: u64, created: u64| {
        put(&client, &event_block(&account(&did(1)), seq, created).unwrap()).await
    };
    let kept = other.reserve(&did(1), 2, None).await.unwrap();
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    announce(2, now()).await;
    assert!(reader.seqs().await.is_empty(), "the first may still come");
    announce(1, now()).await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // One is left out; what was made long ago does not wait for it.
    let more = other.reserve(&did(1), 4, None).await.unwrap();
    announce(4, now() - 121_000_000).await;
    assert_eq!(reader.seqs().await, [1, 2, 4]);
    announce(3, now()).await;
    assert_eq!(reader.seqs().await, [1, 2, 4], "rule 5: it comes too late");
    // Many were given out behind it.
    let far =
        [other.reserve(&did(1), 150, None).await.unwrap(), other.reserve(&did(1), 160, None).await.unwrap()];
    announce(8, now()).await;
    assert_eq!(reader.seqs().await, [1, 2, 4, 8]);
    for reservation in far.iter().chain([&kept, &more]) {
        reservation.settle();
    }
}

#[tokio::test]
async fn beside_python_a_commit_that_the_head_has_not_reached_is_not_told_yet() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, beside_python(), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..3 {
        repo.commit(&writer, Some(vec![Write::create(path(&format!("a.b.c/{number}")), record("x"))])).await;
    }
    // As while the Python library is between its two transactions.
    let head = |head: Cid| AtpRepo {
        did: did(1),
        handles: Vec::new(),
        head,
        encrypted_signing_key: vec![1],
        encrypted_rotation_key: None,
        status: Some(StoredStatus::Deactivated),
        created: None,
        updated: None,
    };
    let last = repo.head.as_ref().unwrap();
    let set = async |to: Cid| {
        client.put(vec![upsert(head(to).to_entity(client.database()).unwrap())]).await.unwrap()
    };
    set(last.1.prev.unwrap()).await;
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // It was interrupted and tried again under the same number: two commits, one of which the head names.
    let twin = Commit::sign(did(1), last.1.data, last.1.rev, None, &repo.key);
    let encoded = Bytes::from(twin.encode());
    let cid = Cid::for_cbor(&encoded);
    put(&client, &AtpBlock { cid, repo: Some(did(1)), encoded, seq: 3, ops: Vec::new(), created: Some(1) })
        .await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // A read that has the twin alone, and then the head that names the other: it is neither told nor given up.
    let mut half = read::read(&client, 2, None, 10).await.unwrap();
    for number in &mut half.numbers {
        number.commits.retain(|commit| commit.cid == cid);
    }
    set(last.0).await;
    let (made, open) = reader.log.0.follower.made(half, true).await.unwrap();
    assert!(made.is_empty() && open.contains(&3), "{made:?}");
    assert_eq!(reader.all(0, 10).await, repo.told);
    repo.commit(&writer, None).await;
    let later =
        Program::start(&client, beside_python(), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    assert_eq!(later.all(0, 10).await, repo.told, "the same one when the head is further");
}

#[tokio::test]
async fn hidden_events_are_left_out_and_do_not_stop_a_reader() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    for number in [1, 2, 1, 2] {
        let reservation = writer.sequences.reserve(&did(number), 1, None).await.unwrap();
        assert!(writer.announce(&did(number), &reservation).await);
    }
    let below = Below(HashMap::from([(did(1), 3)]));
    let page = writer.log.page(&below, 0, 1).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.newest), (0, 1, 4));
    let page = writer.log.page(&below, 0, 10).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((page.start, page.oldest, page.lost_after(0)), (1, 1, false));
    let page = writer.log.page(&below, 9, 10).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.newest), (0, 9, 4));
    assert_eq!(writer.log.page(&below, 0, 0).await.unwrap().next, 0);
}

#[tokio::test]
async fn forged_and_damaged_events_are_left_out() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let block = |encoded: Vec<u8>, seq| {
        let encoded = Bytes::from(encoded);
        let cid = Cid::for_cbor(&encoded);
        AtpBlock { cid, repo: Some(did(1)), encoded, seq, ops: Vec::new(), created: Some(TIME) }
    };
    // A record that says that it is an event of somebody else.
    let forged = event_block(&account(&did(2)), 1, TIME).unwrap();
    put(&client, &AtpBlock { repo: Some(did(1)), ..forged }).await;
    let map = |entries: Vec<(&str, Value<'_>)>| {
        let entries = entries.into_iter().map(|(key, value)| (std::borrow::Cow::from(key.to_owned()), value));
        cbor::encode(&Value::Map(entries.collect()))
    };
    let text = |text: &str| Value::Text(text.to_owned().into());
    let event = |kind: &str| {
        vec![
            ("$type", text(&format!("com.atproto.sync.subscribeRepos#{kind}"))),
            ("did", text("did:web:author1.test")),
            ("time", text("2026-01-02T03:04:05.678901+00:00")),
        ]
    };
    put(&client, &block(map(event("unheard")), 2)).await;
    put(&client, &block(map(event("account")), 3)).await;
    put(&client, &block(map(event("tombstone")), 4)).await;
    let handle = [("handle", text("author1.test")), ("more", Value::Null)];
    put(&client, &block(map(event("identity").into_iter().chain(handle).collect()), 5)).await;
    put(&client, &AtpBlock { encoded: Bytes::from_static(&[0xa0]), ..block(map(event("identity")), 6) })
        .await;
    let nsid = AtpSequence::SUBSCRIBE_REPOS.to_owned();
    let counter = AtpSequence { nsid, next: 7, created: None, updated: None };
    client.put(vec![upsert(counter.to_entity(client.database()).unwrap())]).await.unwrap();
    let reader =
        Program::start(&client, exclusive(LONG), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    let events = reader.all(0, 10).await;
    let time = Datetime::parse("2026-01-02T03:04:05.678901+00:00").unwrap();
    let account = AccountEvent {
        did: did(1),
        active: false,
        status: Some(event::AccountStatus::Deleted),
        time: time.clone(),
    };
    let identity = IdentityEvent { did: did(1), handle: Some("author1.test".parse().unwrap()), time };
    let frames: Vec<_> = events.iter().map(|event| Frame::decode(&event.frame).unwrap()).collect();
    assert_eq!(frames, [Frame::Account(4, account), Frame::Identity(5, identity)]);
}

#[tokio::test]
async fn what_the_python_library_stored_is_told() {
    let Some(emulator) = Emulator::shared().await else { return };
    let root = std::env::var_os("ARROBA_FIXTURES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        std::path::PathBuf::from,
    );
    let Ok(json) = std::fs::read(root.join("arroba/datastore-entities.json")) else {
        assert!(std::env::var_os("CI").is_none(), "no fixtures");
        eprintln!("SKIPPED: no fixtures");
        return;
    };
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let client = emulator.client().await;
    let database = client.database();
    let mut mutations = Vec::new();
    for json in json["entities"].as_array().unwrap() {
        let entity = entity_from_json(json).unwrap();
        mutations.push(upsert(match entity.key.as_ref().unwrap().path[0].kind.as_str() {
            AtpRepo::KIND => AtpRepo::from_entity(entity).unwrap().to_entity(database).unwrap(),
            AtpBlock::KIND => AtpBlock::from_entity(entity).unwrap().to_entity(database).unwrap(),
            AtpSequence::KIND => AtpSequence::from_entity(entity).unwrap().to_entity(database).unwrap(),
            _ => continue,
        }));
    }
    client.put(mutations).await.unwrap();
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    let events = reader.all(0, 100).await;
    let kinds: Vec<_> = events.iter().map(|event| (event.seq, event.kind.as_str())).collect();
    let expected =
        ["#commit", "#identity", "#account", "#sync", "#commit", "#commit", "#commit", "#identity"];
    let expected = expected.into_iter().chain(["#account", "#sync", "#account"]);
    assert_eq!(kinds, (1..).zip(expected).collect::<Vec<_>>());
    let Frame::Commit(6, commit) = Frame::decode(&events[5].frame).unwrap() else {
        panic!("{:?}", events[5])
    };
    let Frame::Commit(5, before) = Frame::decode(&events[4].frame).unwrap() else {
        panic!("{:?}", events[4])
    };
    assert_eq!((commit.since, commit.rev), (Some(before.rev), Tid::from_micros(6, 0)));
    assert!(commit.prev_data.is_some() && commit.ops.len() == 3 && before.ops.len() == 10);
    assert_eq!(commit.time.as_str(), "2026-11-23T01:42:32.794Z");
    let keys = json["encrypted_property_key_base64"].as_str().unwrap();
    let keys = EncryptedPropertyKeys::parse(keys).unwrap();
    for event in events.iter().filter(|event| event.kind == EventKind::Commit) {
        let key = AtpRepo::key(database, &event.did);
        let found = client.lookup(vec![key], Reads::Strong).await.unwrap().found.remove(0);
        let repo = AtpRepo::from_entity(found.entity.unwrap()).unwrap();
        let key = keys.decrypt_private_key(&repo.encrypted_signing_key).unwrap().public_key();
        verify::frame(&event.frame, &event.did, &key, verify::Order::Relay).unwrap();
    }
}

/// Prints how long it takes from the answer to a write until another program can read the event, with a writer that is killed after it
/// has reserved a number, once in every fifty writes.
#[tokio::test]
#[ignore = "a measurement: run it by name, with --nocapture"]
async fn time_from_commit_to_event() {
    let Some(emulator) = Emulator::shared().await else { return };
    let connection = emulator.connection(emulator.database()).await;
    let client = Client::new(Arc::new(connection), ClientOptions::default());
    let numbers = || SequenceOptions::new(Numbering::exclusive());
    let writer = Program::start(&client, numbers(), LogOptions::default()).await;
    let reader = Program::start(&client, numbers(), LogOptions::default()).await;
    let mut tail = reader.log.tail();
    let mut waits = Vec::new();
    let mut killed = Vec::new();
    for round in 0..500 {
        if round % 50 == 49 {
            killed.push(writer.sequences.reserve(&did(9), 1, None).await.unwrap());
        }
        let reservation = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
        let seq = reservation.seqs().unwrap().start;
        if !writer.announce(&did(1), &reservation).await {
            continue;
        }
        let answered = std::time::Instant::now();
        tail.wait_for(|tail| *tail >= seq).await.unwrap();
        waits.push(answered.elapsed());
    }
    killed.iter().for_each(Reservation::settle);
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100];
    println!(
        "{} events, {} writers killed: median {:?}, p90 {:?}, p99 {:?}, longest {:?}",
        waits.len(),
        killed.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}
