//! Verification: sound events, proofs and repositories pass, in every order; tampered and hostile ones do not.

use std::collections::{BTreeMap, HashMap};

use arroba_core::car::{self, Limits, Writer};
use arroba_core::crypto::{Curve, PrivateKey, PublicKey, Signature, SignatureError, Signer};
use arroba_core::data::{Cid, Value, cbor};
use arroba_core::event::{self, Action, CommitEvent, Frame, RepoOp, SyncEvent};
use arroba_core::mst;
use arroba_core::repo::verify::{self, CarLimits, CarVerifier, Found, Order, VerifyError};
use arroba_core::repo::{self, Commit, CommitParams, SignedCommit, Write};
use arroba_core::syntax::{Datetime, Did, RecordPath, Tid};
use bytes::Bytes;
use proptest::prelude::*;

use super::fixtures;

const ORDERS: [Order; 3] = [Order::Relay, Order::Reversed, Order::Given];

fn key() -> PrivateKey {
    PrivateKey::from_bytes(Curve::K256, &[5; 32]).unwrap()
}

fn public() -> PublicKey {
    key().public_key()
}

fn did() -> Did {
    Did::literal("did:plc:yk4dd2qkboz2yv6tpubpc6co")
}

fn time() -> Datetime {
    Datetime::from_unix_millis(1_700_000_000_000)
}

fn path(text: &str) -> RecordPath {
    RecordPath::parse(text).unwrap()
}

fn record(number: u32) -> Bytes {
    let map = [("n", Value::Int(number.into()))].into_iter().collect::<arroba_core::data::Map<'_>>();
    cbor::encode(&Value::Map(map)).into()
}

fn params(before: Option<&SignedCommit>) -> CommitParams {
    CommitParams {
        did: did(),
        rev: Tid::next_after(1_700_000_000_000_000, 3, before.map(|commit| commit.rev)),
        since: before.map(|commit| commit.rev),
        prev_data: before.map(|commit| commit.data),
        prev_commit: None,
        time: time(),
    }
}

fn sign(staged: repo::Staged, before: Option<&SignedCommit>) -> SignedCommit {
    staged.sign(params(before), &key()).unwrap()
}

fn event_of(commit: &SignedCommit) -> CommitEvent {
    let Frame::Commit(_, event) = Frame::decode(&commit.event.fill(7)).unwrap() else { unreachable!() };
    event
}

/// A repository of these records, and the first commit.
fn repository(records: &BTreeMap<String, u32>) -> SignedCommit {
    let writes: Vec<_> = records.iter().map(|(at, n)| Write::create(path(at), record(*n))).collect();
    let mut last: Option<SignedCommit> = None;
    for batch in writes.chunks(200) {
        let staged = match &last {
            None => repo::create(batch.to_vec()).unwrap(),
            Some(last) => repo::edit(&last.tree, batch.to_vec()).unwrap(),
        };
        last = Some(sign(staged, last.as_ref()));
    }
    last.unwrap_or_else(|| sign(repo::create(Vec::new()).unwrap(), None))
}

fn name(number: u32) -> String {
    let collection =
        ["a.b.c", "app.bsky.feed.like", "app.bsky.feed.post", "com.example.zebra"][number as usize % 4];
    format!("{collection}/k{:05}", number.wrapping_mul(7919) % 100_000)
}

/// Which record changes, and to what.
fn changes() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop_oneof![1usize..4, 4usize..40, 150usize..200]
        .prop_flat_map(|length| prop::collection::vec((0u32..800, any::<u32>()), length))
}

/// Applies a batch to a model and makes the writes for it.
fn batch(model: &mut BTreeMap<String, u32>, changes: &[(u32, u32)]) -> Vec<Write> {
    let mut writes = BTreeMap::new();
    for (which, value) in changes {
        let name = name(*which);
        if writes.contains_key(&name) {
            continue;
        }
        let write = match (model.get(&name), value % 3) {
            (Some(_), 0) => {
                model.remove(&name);
                Write::delete(path(&name))
            }
            (Some(old), _) if old == value => continue,
            (Some(_), _) => {
                model.insert(name.clone(), *value);
                Write::update(path(&name), record(*value))
            }
            (None, _) => {
                model.insert(name.clone(), *value);
                Write::create(path(&name), record(*value))
            }
        };
        writes.insert(name, write);
    }
    writes.into_values().collect()
}

/// The tree of these entries by the definition alone, all its nodes, encoded as plain values.
fn slow_tree(entries: &BTreeMap<Vec<u8>, Cid>) -> (Cid, HashMap<Cid, Vec<u8>>) {
    fn node(entries: &[(&Vec<u8>, &Cid)], height: u8, out: &mut HashMap<Cid, Vec<u8>>) -> Option<Cid> {
        if entries.is_empty() {
            return None;
        }
        let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::from);
        let mut parts = entries.split(|(key, _)| mst::height_of(key) == height);
        let below = |part: &[(&Vec<u8>, &Cid)], out: &mut HashMap<Cid, Vec<u8>>| {
            height.checked_sub(1).and_then(|height| node(part, height, out))
        };
        let left = below(parts.next().unwrap(), out);
        let mut list = Vec::new();
        let mut previous: &[u8] = b"";
        for (key, value) in entries.iter().filter(|(key, _)| mst::height_of(key) == height) {
            let shared = previous.iter().zip(key.iter()).take_while(|(a, b)| a == b).count();
            let right = below(parts.next().unwrap(), out);
            let entry: arroba_core::data::Map<'_> = [
                ("k", Value::Bytes(key[shared..].to_vec().into())),
                ("p", Value::Int(shared as i64)),
                ("t", link(right)),
                ("v", Value::from(**value)),
            ]
            .into_iter()
            .collect();
            list.push(Value::Map(entry));
            previous = key;
        }
        Some(put(&Value::Map([("e", Value::List(list)), ("l", link(left))].into_iter().collect()), out))
    }
    let mut out = HashMap::new();
    let entries: Vec<_> = entries.iter().collect();
    let height = entries.iter().map(|(key, _)| mst::height_of(key)).max().unwrap_or(0);
    let empty = || [("e", Value::List(vec![])), ("l", Value::Null)].into_iter().collect();
    let root = node(&entries, height, &mut out).unwrap_or_else(|| put(&Value::Map(empty()), &mut out));
    (root, out)
}

fn put(node: &Value<'_>, out: &mut HashMap<Cid, Vec<u8>>) -> Cid {
    let bytes = cbor::encode(node);
    let cid = Cid::for_cbor(&bytes);
    out.insert(cid, bytes);
    cid
}

fn tree_of(model: &BTreeMap<String, u32>) -> (Cid, HashMap<Cid, Vec<u8>>) {
    slow_tree(&model.iter().map(|(at, n)| (at.clone().into_bytes(), Cid::for_cbor(&record(*n)))).collect())
}

proptest! {
    #![proptest_config(fixtures::cases(48))]

    /// From the bytes of the frame alone, in all orders, for 1 to 200 operations over four collections.
    #[test]
    fn every_edit_inverts_in_every_order(
        size in prop_oneof![Just(0usize), 1usize..8, 8usize..600],
        batches in prop::collection::vec(changes(), 1..4),
        seed in any::<u32>(),
    ) {
        let mut model: BTreeMap<_, _> =
            (0..size as u32).map(|i| (name(i.wrapping_mul(3).wrapping_add(seed) % 800), i)).collect();
        let mut last = repository(&model);
        for changes in batches {
            let writes = batch(&mut model, &changes);
            let staged = repo::edit(&last.tree, writes).unwrap();
            let next = sign(staged, Some(&last));
            prop_assert_eq!(next.data, tree_of(&model).0);
            let frame = next.event.fill(1 << 33);
            for order in ORDERS {
                let verified = verify::frame(&frame, &did(), &public(), order);
                prop_assert!(verified.is_ok(), "{:?}: {:?}", order, verified);
                let verified = verified.unwrap();
                prop_assert_eq!(verified.prev_data, last.data);
                prop_assert_eq!(verified.commit.data, next.data);
                prop_assert_eq!(verified.seq, Some(1 << 33));
            }
            last = next;
        }
    }
}

#[test]
fn first_and_empty_commits_pass() {
    let first = repository(&BTreeMap::new());
    verify::frame(&first.event.fill(1), &did(), &public(), Order::Relay).unwrap();
    let full = repository(&(0..50).map(|i| (name(i), i)).collect());
    verify::frame(&full.event.fill(1), &did(), &public(), Order::Relay).unwrap();
    let again = sign(repo::resign(&full.tree).unwrap(), Some(&full));
    let verified = verify::frame(&again.event.fill(2), &did(), &public(), Order::Relay).unwrap();
    assert_eq!(verified.prev_data, full.data);
}

/// A commit of one creation, one update and one deletion in a repository of 300 records.
fn sample() -> (SignedCommit, SignedCommit) {
    let model: BTreeMap<_, _> = (0..300).map(|i| (name(i), i)).collect();
    let before = repository(&model);
    let writes = vec![
        Write::create(path("app.bsky.feed.post/new"), record(9000)),
        Write::update(path(&name(3)), record(9001)),
        Write::delete(path(&name(10))),
    ];
    let after = sign(repo::edit(&before.tree, writes).unwrap(), Some(&before));
    (before, after)
}

fn check(event: &CommitEvent) -> VerifyError {
    let errors: Vec<_> = ORDERS
        .into_iter()
        .map(|order| verify::commit(event.clone(), &did(), &public(), order).expect_err("tampered"))
        .collect();
    errors[0].clone()
}

#[test]
fn tampered_events_fail() {
    let (_, after) = sample();
    let good = event_of(&after);
    for order in ORDERS {
        verify::commit(good.clone(), &did(), &public(), order).unwrap();
    }
    let with = |change: &dyn Fn(&mut CommitEvent)| {
        let mut event = good.clone();
        change(&mut event);
        check(&event)
    };
    let other = Cid::for_cbor(b"other");
    let index = |action| good.ops.iter().position(|op| op.action == action).unwrap();
    let (create, update, delete) = (index(Action::Create), index(Action::Update), index(Action::Delete));
    assert!(matches!(with(&|e| e.prev_data = Some(other)), VerifyError::PrevData { .. }));
    assert!(matches!(with(&|e| e.prev_data = None), VerifyError::PrevData { said: None, .. }));
    assert!(matches!(with(&|e| e.commit = other), VerifyError::Root));
    assert!(matches!(with(&|e| e.rev = Tid::from_u64(u64::MAX)), VerifyError::Rev));
    assert!(matches!(with(&|e| e.since = Some(e.rev)), VerifyError::Since));
    assert!(matches!(with(&|e| e.repo = Did::literal("did:plc:other")), VerifyError::Account(_)));
    assert!(matches!(with(&|e| e.ops.push(e.ops[0].clone())), VerifyError::DuplicateOp(_)));
    for i in 0..good.ops.len() {
        assert!(matches!(with(&|e| drop(e.ops.remove(i))), VerifyError::PrevData { .. }));
    }
    assert!(matches!(with(&|e| e.ops.clear()), VerifyError::PrevData { .. }));
    assert!(matches!(with(&|e| e.ops[update].prev = Some(other)), VerifyError::PrevData { .. }));
    assert!(matches!(with(&|e| e.ops[delete].prev = Some(other)), VerifyError::PrevData { .. }));
    assert!(matches!(with(&|e| e.ops[update].prev = None), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[update].prev = e.ops[update].cid), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[delete].prev = None), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[delete].cid = Some(other)), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[create].prev = Some(other)), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[create].cid = None), VerifyError::Op(_)));
    assert!(matches!(with(&|e| e.ops[create].cid = Some(other)), VerifyError::MissingBlock(_)));
    assert!(matches!(with(&|e| e.ops[create].cid = e.ops[update].cid), VerifyError::OpMismatch(_)));
    assert!(matches!(with(&|e| e.ops[create].action = Action::Delete), VerifyError::Op(_)));
    let absent =
        RepoOp { action: Action::Create, path: path("a.b.c/none"), cid: good.ops[create].cid, prev: None };
    assert!(matches!(
        with(&|e| e.ops.push(absent.clone())),
        VerifyError::OpMismatch(_) | VerifyError::Insufficient(_)
    ));
    let many = (0..201).map(|i| RepoOp { path: path(&format!("a.b.c/{i}")), ..absent.clone() });
    assert!(matches!(with(&|e| e.ops = many.clone().collect()), VerifyError::TooManyOps));
    let stranger = PrivateKey::from_bytes(Curve::K256, &[6; 32]).unwrap().public_key();
    assert!(matches!(
        verify::commit(good.clone(), &did(), &stranger, Order::Relay),
        Err(VerifyError::Signature(_))
    ));
    assert!(matches!(
        verify::commit(good, &Did::literal("did:plc:other"), &public(), Order::Relay),
        Err(VerifyError::Account(_))
    ));
    let not_a_commit = event::info("OutdatedCursor", None);
    assert_eq!(verify::frame(&not_a_commit, &did(), &public(), Order::Relay), Err(VerifyError::NotACommit));
}

/// The file without one of its blocks.
fn without(file: &[u8], missing: &Cid) -> Bytes {
    let car = car::read_all(file, &Limits::SLICE).unwrap();
    let mut writer = Writer::new(&car.roots);
    for (cid, data) in car.blocks.iter().filter(|(cid, _)| *cid != missing) {
        writer.block(cid, data);
    }
    writer.finish()
}

#[test]
fn without_any_block_an_event_fails_or_is_as_sound() {
    let (before, after) = sample();
    let good = event_of(&after);
    let car = car::read_all(&good.blocks, &Limits::SLICE).unwrap();
    let mut refused = 0;
    for cid in car.blocks.keys() {
        let event = CommitEvent { blocks: without(&good.blocks, cid), ..good.clone() };
        for order in ORDERS {
            match verify::commit(event.clone(), &did(), &public(), order) {
                Ok(verified) => assert_eq!(verified.prev_data, before.data),
                Err(
                    VerifyError::MissingBlock(_)
                    | VerifyError::Insufficient(_)
                    | VerifyError::OpMismatch(_)
                    | VerifyError::PrevData { .. },
                ) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(refused >= 3 * 6, "{refused}");
}

#[test]
fn a_commit_of_another_owner_or_version_fails() {
    let (_, after) = sample();
    let good = event_of(&after);
    let car = car::read_all(&good.blocks, &Limits::SLICE).unwrap();
    let replaced = |commit: &Commit| {
        let block = commit.encode();
        let cid = Cid::for_cbor(&block);
        let mut writer = Writer::new(&[cid]);
        writer.block(&cid, &block);
        for (cid, data) in &car.blocks {
            writer.block(cid, data);
        }
        check(&CommitEvent { commit: cid, blocks: writer.finish(), rev: commit.rev, ..good.clone() })
    };
    let commit = Commit::decode(&car.blocks[&good.commit]).unwrap();
    let other = Commit::sign(Did::literal("did:plc:other"), commit.data, commit.rev, None, &key());
    assert!(matches!(replaced(&other), VerifyError::Owner(_)));
    assert!(matches!(replaced(&Commit { version: 2, ..commit.clone() }), VerifyError::CommitVersion(2)));
    let later = Commit { rev: Tid::from_u64(commit.rev.to_u64() + 1), ..commit };
    assert!(matches!(replaced(&later), VerifyError::Signature(_)));
}

#[test]
fn records_of_an_event_must_be_records() {
    for bad in [&[0x01][..], &[0xa1, 0x61, b'a', 0xfb, 0, 0, 0, 0, 0, 0, 0, 0], &[0x80], b""] {
        let write = Write::create(path("a.b.c/x"), Bytes::copy_from_slice(bad));
        let commit = sign(repo::create(vec![write]).unwrap(), None);
        assert!(matches!(check(&event_of(&commit)), VerifyError::Record(_)));
    }
}

#[test]
fn sync_events() {
    let commit = repository(&(0..20).map(|i| (name(i), i)).collect());
    let mut writer = Writer::new(&[commit.commit_cid]);
    writer.block(&commit.commit_cid, &commit.commit_bytes);
    let event = SyncEvent { did: did(), rev: commit.rev, blocks: writer.finish(), time: time() };
    let (cid, verified) = verify::sync(&event, &did(), &public()).unwrap();
    assert_eq!((cid, verified.data), (commit.commit_cid, commit.data));
    let other = SyncEvent { rev: Tid::from_u64(1), ..event.clone() };
    assert_eq!(verify::sync(&other, &did(), &public()), Err(VerifyError::Rev));
    let other = SyncEvent { blocks: Writer::new(&[]).finish(), ..event.clone() };
    assert_eq!(verify::sync(&other, &did(), &public()), Err(VerifyError::Root));
    let other = SyncEvent { did: Did::literal("did:plc:other"), ..event };
    assert!(matches!(verify::sync(&other, &did(), &public()), Err(VerifyError::Account(_))));
}

/// The commit and these blocks as a file, in the given order.
fn file(commit: &SignedCommit, blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(&[commit.commit_cid]);
    writer.block(&commit.commit_cid, &commit.commit_bytes);
    for (cid, data) in blocks {
        writer.block(cid, data);
    }
    writer.finish().to_vec()
}

#[test]
fn record_proofs() {
    let model: BTreeMap<_, _> = (0..200).map(|i| (name(i), i)).collect();
    let commit = repository(&model);
    let nodes = tree_of(&model).1;
    for i in 0..220 {
        let at = path(&name(i));
        let tree_key = mst::Key::new(&at.to_bytes()).unwrap();
        let mut blocks: Vec<_> = commit
            .tree
            .proof(&tree_key)
            .unwrap()
            .into_iter()
            .map(|(cid, data)| (cid, data.to_vec()))
            .collect();
        for (cid, data) in &blocks {
            assert_eq!(&nodes[cid], data);
        }
        let depth = blocks.len();
        if i < 200 {
            blocks.push((Cid::for_cbor(&record(i)), record(i).to_vec()));
        }
        let proof = verify::record_proof(&file(&commit, &blocks), &did(), &public(), &at).unwrap();
        let expected = (i < 200).then(|| (Cid::for_cbor(&record(i)), record(i)));
        assert_eq!((proof.record, proof.commit_cid), (expected, commit.commit_cid));
        for missing in 0..blocks.len() {
            let mut fewer = blocks.clone();
            let (cid, _) = fewer.remove(missing);
            assert_eq!(
                verify::record_proof(&file(&commit, &fewer), &did(), &public(), &at),
                Err(VerifyError::MissingBlock(cid)),
                "{missing} of {depth}"
            );
        }
    }
    let stranger = PrivateKey::from_bytes(Curve::P256, &[6; 32]).unwrap().public_key();
    let proof = verify::record_proof(&file(&commit, &[]), &did(), &stranger, &path("a.b.c/x"));
    assert!(matches!(proof, Err(VerifyError::Signature(_))));
}

/// All blocks of a repository but the commit: nodes, then records.
fn all_blocks(model: &BTreeMap<String, u32>) -> Vec<(Cid, Vec<u8>)> {
    let mut nodes: Vec<_> = tree_of(model).1.into_iter().collect();
    nodes.sort();
    let records: BTreeMap<_, _> =
        model.values().map(|n| (Cid::for_cbor(&record(*n)), record(*n).to_vec())).collect();
    nodes.into_iter().chain(records).collect()
}

fn verify_car(file: &[u8], limits: CarLimits) -> Result<verify::VerifiedCar, VerifyError> {
    verify::car(file, &did(), &public(), limits)
}

const HOLDING: CarLimits = CarLimits {
    file: Limits::REPOSITORY,
    max_records: 100_000,
    max_held_bytes: 1 << 20,
    hold_records: true,
    check_records: true,
};

proptest! {
    #![proptest_config(fixtures::cases(48))]

    #[test]
    fn whole_repositories_in_any_order(
        size in prop_oneof![0usize..4, 4usize..300],
        shuffle in any::<u64>(),
        step in 1usize..3000,
        hold in any::<bool>(),
        distinct in 1u32..400,
    ) {
        let model: BTreeMap<_, _> = (0..size as u32).map(|i| (name(i), i % distinct)).collect();
        let commit = repository(&model);
        let mut blocks = all_blocks(&model);
        for data in [&b"unrelated"[..], b"\xa2\x61\x65\x80", b""] {
            blocks.push((Cid::for_raw(data), data.to_vec()));
        }
        blocks.sort_by_key(|(cid, _)| cid.digest()[0] as u64 ^ (shuffle >> (cid.digest()[1] % 56)));
        let duplicate = blocks[blocks.len() / 2].clone();
        blocks.push(duplicate);
        let file = file(&commit, &blocks);
        let limits = CarLimits { hold_records: hold, ..CarLimits::default() };
        let mut verifier = CarVerifier::new(did(), Some(public()), limits);
        let (mut records, mut nodes) = (BTreeMap::new(), Vec::new());
        for piece in file.chunks(step) {
            verifier.push(piece);
            for found in verifier.by_ref() {
                match found.unwrap() {
                    Found::Commit { cid, .. } => prop_assert_eq!(cid, commit.commit_cid),
                    Found::Node { position, cid, block } => {
                        prop_assert_eq!(cid, Cid::for_cbor(&block));
                        nodes.push((position, cid));
                    }
                    Found::Record { path, cid, block } => {
                        prop_assert!(!hold || block.is_some() || distinct < size as u32);
                        prop_assert!(block.is_none_or(|block| Cid::for_cbor(&block) == cid));
                        prop_assert!(records.insert(path.to_string(), cid).is_none());
                    }
                }
            }
        }
        let verified = verifier.finish().unwrap();
        let expected: BTreeMap<_, _> =
            model.iter().map(|(at, n)| (at.clone(), Cid::for_cbor(&record(*n)))).collect();
        prop_assert_eq!(&records, &expected);
        prop_assert_eq!(verified.records, expected.len() as u64);
        prop_assert_eq!(verified.nodes, nodes.len() as u64);
        let mut places: Vec<_> = commit.tree.nodes().map(|node| {
            let node = node.unwrap();
            (node.position, node.cid)
        }).collect();
        places.sort();
        nodes.sort();
        prop_assert_eq!(nodes, places);
    }
}

#[test]
fn a_repository_lacking_any_block_fails() {
    let model: BTreeMap<_, _> = (0..60).map(|i| (name(i), i)).collect();
    let commit = repository(&model);
    let blocks = all_blocks(&model);
    verify_car(&file(&commit, &blocks), CarLimits::default()).unwrap();
    for missing in 0..blocks.len() {
        let mut fewer = blocks.clone();
        fewer.remove(missing);
        for limits in [CarLimits::default(), HOLDING] {
            let result = verify_car(&file(&commit, &fewer), limits);
            assert!(matches!(result, Err(VerifyError::MissingBlock(_))), "{result:?}");
        }
    }
    let stranger = PrivateKey::from_bytes(Curve::K256, &[6; 32]).unwrap().public_key();
    let result = verify::car(&file(&commit, &blocks), &did(), &stranger, CarLimits::default());
    assert!(matches!(result, Err(VerifyError::Signature(_))));
    let result =
        verify::car(&file(&commit, &blocks), &Did::literal("did:plc:other"), &public(), CarLimits::default());
    assert!(matches!(result, Err(VerifyError::Owner(_))));
    let result = verify_car(&Writer::new(&[]).finish(), CarLimits::default());
    assert_eq!(result, Err(VerifyError::Root));
    let result = verify_car(&file(&commit, &blocks)[..5000], CarLimits::default());
    assert!(matches!(result, Err(VerifyError::Car(car::CarError::Truncated))));
}

#[test]
fn limits_hold() {
    let model: BTreeMap<_, _> = (0..60).map(|i| (name(i), i)).collect();
    let commit = repository(&model);
    let blocks = all_blocks(&model);
    let good = file(&commit, &blocks);
    let fewer = CarLimits { max_records: 59, ..CarLimits::default() };
    assert_eq!(verify_car(&good, fewer), Err(VerifyError::TooManyRecords(59)));
    verify_car(&good, CarLimits { max_records: 60, ..fewer }).unwrap();
    let reversed: Vec<_> = blocks.into_iter().rev().collect();
    let reversed = file(&commit, &reversed);
    let little = CarLimits { max_held_bytes: 2000, hold_records: true, ..CarLimits::default() };
    assert_eq!(verify_car(&reversed, little), Err(VerifyError::Scattered(2000)));
    // All nodes first: the names of all records wait.
    let little = CarLimits { max_held_bytes: 59 * 200, ..CarLimits::default() };
    assert_eq!(verify_car(&good, little), Err(VerifyError::Scattered(59 * 200)));
    // Each record before its node: nothing waits but nodes.
    verify_car(&reversed, CarLimits { max_held_bytes: 20_000, ..CarLimits::default() }).unwrap();
    verify_car(&reversed, HOLDING).unwrap();
}

/// A signed repository around these blocks with this root.
fn forged(root: Cid, blocks: &HashMap<Cid, Vec<u8>>) -> Vec<u8> {
    let commit = Commit::sign(did(), root, Tid::from_micros(1_700_000_000_000_000, 1), None, &key());
    let block = commit.encode();
    let cid = Cid::for_cbor(&block);
    let mut writer = Writer::new(&[cid]);
    writer.block(&cid, &block);
    let value = record(1);
    writer.block(&Cid::for_cbor(&value), &value);
    for (cid, data) in blocks {
        writer.block(cid, data);
    }
    writer.finish().to_vec()
}

/// An entry of a node, as it is written.
fn entry(suffix: &[u8], shared: i64, right: Option<Cid>) -> Value<'static> {
    let fields = [
        ("k", Value::Bytes(suffix.to_vec().into())),
        ("p", Value::Int(shared)),
        ("t", right.map_or(Value::Null, Value::from)),
        ("v", Value::from(Cid::for_cbor(&record(1)))),
    ];
    Value::Map(fields.into_iter().collect())
}

fn node(left: Option<Cid>, entries: Vec<Value<'static>>) -> Value<'static> {
    Value::Map(
        [("e", Value::List(entries)), ("l", left.map_or(Value::Null, Value::from))].into_iter().collect(),
    )
}

/// A key of this height with this beginning.
fn mined(start: &str, height: u8) -> Vec<u8> {
    (0..).map(|i| format!("{start}{i:05}").into_bytes()).find(|key| mst::height_of(key) == height).unwrap()
}

#[test]
fn hostile_trees_fail() {
    let (a, b, c) = (mined("a.b.c/a", 0), mined("a.b.c/b", 0), mined("a.b.c/c", 0));
    let high = mined("a.b.c/b", 1);
    let whole = |key: &[u8]| entry(key, 0, None);
    let after = |key: &[u8], previous: &[u8]| {
        let shared = previous.iter().zip(key).take_while(|(a, b)| a == b).count();
        entry(&key[shared..], shared as i64, None)
    };
    let mut blocks = HashMap::new();
    let fails = |what: &str, root: Value<'static>, blocks: &mut HashMap<Cid, Vec<u8>>| {
        let root = put(&root, blocks);
        for limits in [CarLimits::default(), HOLDING] {
            let result = verify_car(&forged(root, blocks), limits);
            assert!(
                matches!(
                    result,
                    Err(VerifyError::Mst(_)
                        | VerifyError::Path { .. }
                        | VerifyError::Repeated(_)
                        | VerifyError::Value(_))
                ),
                "{what}: {result:?}"
            );
        }
    };
    let low = put(&node(None, vec![whole(&a)]), &mut blocks);
    let other = put(&node(None, vec![whole(&c)]), &mut blocks);
    let root = put(&node(Some(low), vec![entry(&high, 0, Some(other))]), &mut blocks);
    verify_car(&forged(root, &blocks), CarLimits::default()).unwrap();

    fails("wrong order", node(None, vec![whole(&b), after(&a, &b)]), &mut blocks);
    fails("duplicate key", node(None, vec![whole(&a), entry(b"", a.len() as i64, None)]), &mut blocks);
    fails("prefix not maximal", node(None, vec![whole(&a), entry(&b[1..], 1, None)]), &mut blocks);
    fails("prefix beyond the key", node(None, vec![whole(&a), entry(&b, 99, None)]), &mut blocks);
    fails("prefix of the first", node(None, vec![entry(&a, 1, None)]), &mut blocks);
    fails("negative prefix", node(None, vec![entry(&a, -1, None)]), &mut blocks);
    fails("mixed heights", node(None, vec![whole(&a), after(&high, &a)]), &mut blocks);
    fails("child of height 0", node(Some(low), vec![whole(&b)]), &mut blocks);
    fails("left out of bounds", node(Some(other), vec![whole(&high)]), &mut blocks);
    fails("right out of bounds", node(None, vec![entry(&high, 0, Some(low))]), &mut blocks);
    fails("one subtree twice", node(Some(low), vec![entry(&high, 0, Some(low))]), &mut blocks);
    fails("root with only a child", node(Some(low), vec![]), &mut blocks);
    let empty = put(&node(None, vec![]), &mut blocks);
    fails("empty child", node(Some(empty), vec![whole(&high)]), &mut blocks);
    fails("raw child", node(Some(Cid::for_raw(b"unrelated")), vec![whole(&high)]), &mut blocks);
    let tall = mined("a.b.c/b", 2);
    fails("skipped height", node(Some(low), vec![whole(&tall)]), &mut blocks);
    fails("no path", node(None, vec![whole(&mined("nonsense", 0))]), &mut blocks);
    fails("no rkey", node(None, vec![whole(&mined("a.b.c/x/", 0))]), &mut blocks);
    fails("upper-case authority", node(None, vec![whole(&mined("A.b.c/x", 0))]), &mut blocks);
    fails("empty key", node(None, vec![whole(b"")]), &mut blocks);
    let long = [b"a.b.c/".to_vec(), vec![b'x'; 1100]].concat();
    fails("long key", node(None, vec![whole(&long)]), &mut blocks);
    let fields = |key: &str, value: Value<'static>| {
        let Value::Map(mut map) = entry(&a, 0, None) else { unreachable!() };
        map.insert(key.to_owned(), value);
        node(None, vec![Value::Map(map)])
    };
    fails("surplus field", fields("x", Value::Null), &mut blocks);
    fails("value that is no link", fields("v", Value::Null), &mut blocks);
    fails("key that is text", fields("k", Value::from("a.b.c/x")), &mut blocks);

    let (mut wide, mut previous) = (Vec::new(), Vec::new());
    for key in (0..).map(|i| format!("a.b.c/w{i:06}").into_bytes()).filter(|key| mst::height_of(key) == 0) {
        wide.push(after(&key, &previous));
        previous = key;
        if wide.len() > 1000 {
            break;
        }
    }
    fails("too wide", node(None, wide), &mut blocks);
}

/// One subtree under every level of a tree, twice: a walk without bounds would take 2^levels steps.
#[test]
fn doubling_is_refused_at_once() {
    let mut blocks = HashMap::new();
    let mut below = put(&node(None, vec![entry(&mined("a.b.c/m", 0), 0, None)]), &mut blocks);
    for height in 1..6 {
        let key = mined("a.b.c/m", height);
        below = put(&node(Some(below), vec![entry(&key, 0, Some(below))]), &mut blocks);
    }
    let result = verify_car(&forged(below, &blocks), CarLimits::default());
    assert!(matches!(result, Err(VerifyError::Mst(_) | VerifyError::Repeated(_))), "{result:?}");
}

#[test]
fn malformed_records_fail_unless_only_hashed() {
    for bad in [&[0x01][..], &[0xa1, 0x61, b'a', 0xf9, 0x3c, 0], b"\xa2\x61\x65\xff"] {
        let write = Write::create(path("a.b.c/x"), Bytes::copy_from_slice(bad));
        let commit = sign(repo::create(vec![write]).unwrap(), None);
        let node = commit.tree.root_bytes().unwrap().to_vec();
        let mut blocks = vec![(commit.data, node), (Cid::for_cbor(bad), bad.to_vec())];
        for _ in 0..2 {
            let file = file(&commit, &blocks);
            for hold_records in [false, true] {
                let limits = CarLimits { hold_records, ..CarLimits::default() };
                assert!(matches!(verify_car(&file, limits), Err(VerifyError::Record(_))));
                verify_car(&file, CarLimits { check_records: false, ..limits }).unwrap();
            }
            blocks.reverse();
        }
    }
}

/// Real events of others, signed anew because their keys are not at hand.
#[test]
fn real_events() {
    let mut assertions = 0;
    for number in ["4621317030", "4621317332", "4621332152", "4623075231"] {
        let name = format!("indigo/firehose/firehose_commit_{number}.json");
        let Some(json) = fixtures::read(&name) else { return };
        let value = arroba_core::data::json::from_slice(&json).unwrap();
        let text = |key: &str| value.get(key).and_then(Value::as_text).unwrap();
        let ops = value.get("ops").and_then(Value::as_list).unwrap();
        let ops: Vec<_> = ops
            .iter()
            .map(|op| RepoOp {
                action: Action::Create,
                path: path(op.get("path").and_then(Value::as_text).unwrap()),
                cid: op.get("cid").and_then(Value::as_link).and_then(arroba_core::data::Link::cid),
                prev: None,
            })
            .collect();
        let car =
            car::read_all(value.get("blocks").and_then(Value::as_bytes).unwrap(), &Limits::SLICE).unwrap();
        let theirs = Commit::decode(&car.blocks[&car.roots[0]]).unwrap();
        assert_eq!(theirs.did.as_str(), text("repo"));
        let ours = Commit::sign(theirs.did.clone(), theirs.data, theirs.rev, theirs.prev, &key());
        let (block, count) = (ours.encode(), ops.len());
        let cid = Cid::for_cbor(&block);
        let mut writer = Writer::new(&[cid]);
        writer.block(&cid, &block);
        for (cid, data) in &car.blocks {
            writer.block(cid, data);
        }
        let mut event = CommitEvent {
            repo: theirs.did.clone(),
            rev: theirs.rev,
            since: value.get("since").and_then(Value::as_text).map(|since| Tid::parse(since).unwrap()),
            commit: cid,
            blocks: writer.finish(),
            ops,
            prev_data: None,
            time: Datetime::parse(text("time")).unwrap(),
        };
        let verify =
            |event: &CommitEvent| verify::commit(event.clone(), &theirs.did, &public(), Order::Relay);
        match verify(&event) {
            // A first commit.
            Ok(_) => assert_eq!(count, 1),
            // They say nothing of the tree before; what undoing gives must then be accepted as that.
            Err(VerifyError::PrevData { said: None, found }) => {
                event.prev_data = Some(found);
                for order in ORDERS {
                    verify::commit(event.clone(), &theirs.did, &public(), order).unwrap();
                    assertions += 1;
                }
            }
            // They come from before events had to carry the blocks for undoing.
            Err(VerifyError::Insufficient(_)) => {}
            Err(other) => panic!("{number}: {other}"),
        }
        assertions += 2;
    }
    println!("vectors: firehose events: {assertions} assertions");
    assert!(assertions >= 8);
}

#[test]
fn real_repositories() {
    let Some(document) = fixtures::json("indigo/repos/fakermaker.didDoc.json") else { return };
    let Some(file) = fixtures::read("indigo/repos/fakermaker.repo.car") else { return };
    let owner = Did::parse(document["id"].as_str().unwrap()).unwrap();
    let key = document["verificationMethod"][0]["publicKeyMultibase"].as_str().unwrap();
    let key = PublicKey::from_legacy_multibase(Curve::P256, key).unwrap();
    // Its commit is of version 2, without a rev: the signature is theirs, then the tree is put under a new commit.
    let theirs = car::read_all(&file, &Limits::REPOSITORY).unwrap();
    let Ok(Value::Map(mut old)) = cbor::decode(&theirs.blocks[&theirs.roots[0]]) else { unreachable!() };
    assert!(Commit::decode(&theirs.blocks[&theirs.roots[0]]).is_err());
    let sig = old.remove("sig").unwrap();
    let sig = Signature::from_slice(sig.as_bytes().unwrap()).unwrap();
    let data = old.get("data").and_then(Value::as_link).and_then(arroba_core::data::Link::cid).unwrap();
    let unsigned = cbor::encode(&Value::Map(old));
    assert_eq!(key.verify(&unsigned, &sig), Err(SignatureError::HighS));
    key.verify(&unsigned, &sig.to_low_s(Curve::P256)).unwrap();
    let ours = Commit::sign(owner.clone(), data, Tid::from_u64(1 << 40), None, &self::key()).encode();
    let cid = Cid::for_cbor(&ours);
    let mut writer = Writer::new(&[cid]);
    writer.block(&cid, &ours);
    for (cid, data) in &theirs.blocks {
        writer.block(cid, data);
    }
    let file = writer.finish();
    let verified = verify::car(&file, &owner, &public(), CarLimits::default()).unwrap();
    let held =
        verify::car(&file, &owner, &public(), CarLimits { hold_records: true, ..CarLimits::default() });
    assert_eq!(held.unwrap(), verified);
    assert!(verified.records > 100);
    let Some(file) = fixtures::read("arroba/snarfed2.car") else { return };
    let car = car::read_all(&file, &Limits::REPOSITORY).unwrap();
    let commit = Commit::decode(&car.blocks[&car.roots[0]]).unwrap();
    let mut verifier = CarVerifier::new(commit.did, None, CarLimits::default());
    verifier.push(&file);
    let snarfed = verifier.finish().unwrap();
    println!("vectors: repositories: {} assertions", verified.records + snarfed.records);
    assert!(snarfed.records > 1);
}

#[test]
fn odd_roots() {
    let model: BTreeMap<_, _> = (0..10).map(|i| (name(i), i)).collect();
    let commit = repository(&model);
    let with_roots = |roots: &[Cid], with_commit: bool| {
        let mut writer = Writer::new(roots);
        for (cid, data) in all_blocks(&model) {
            writer.block(&cid, &data);
        }
        if with_commit {
            writer.block(&commit.commit_cid, &commit.commit_bytes);
        }
        verify_car(&writer.finish(), CarLimits::default())
    };
    let other = Cid::for_cbor(b"other");
    assert_eq!(with_roots(&[commit.commit_cid, other], true).unwrap().records, 10);
    assert_eq!(with_roots(&[commit.commit_cid], true), with_roots(&[commit.commit_cid, other], true));
    assert_eq!(with_roots(&[other, commit.commit_cid], true), Err(VerifyError::MissingBlock(other)));
    assert_eq!(with_roots(&[commit.commit_cid], false), Err(VerifyError::MissingBlock(commit.commit_cid)));
    assert!(matches!(with_roots(&[commit.data], true), Err(VerifyError::Commit(_))));
    let empty = repository(&BTreeMap::new());
    let root = mst::NodeData::empty().encode();
    let cid = Cid::parse("bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm").unwrap();
    assert_eq!(empty.data, cid);
    let verified = verify_car(&file(&empty, &[(cid, root)]), CarLimits::default()).unwrap();
    assert_eq!((verified.records, verified.nodes), (0, 1));
}
