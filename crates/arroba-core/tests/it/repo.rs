//! Edits of repositories: net operations, limits, events.

mod commits;

use arroba_core::crypto::{Curve, PrivateKey, Signer};
use arroba_core::data::{Cid, Value, cbor};
use arroba_core::event::{CommitEvent, Frame};
use arroba_core::mst::{Key, Tree};
use arroba_core::repo::verify::{self, Order};
use arroba_core::repo::{
    self, Action, Commit, CommitParams, EditError, RecordChange, RepoOp, SignedCommit, Staged, Write,
};
use arroba_core::syntax::{Datetime, Did, RecordPath, Tid};
use arroba_core::{car, mst};
use bytes::Bytes;

fn path(text: &str) -> RecordPath {
    RecordPath::parse(text).unwrap()
}

fn record(text: &str) -> Bytes {
    let mut map = arroba_core::data::Map::new();
    map.insert("text", Value::from(text.to_owned()));
    cbor::encode(&Value::Map(map)).into()
}

fn key() -> PrivateKey {
    PrivateKey::from_bytes(Curve::K256, &[9; 32]).unwrap()
}

fn did() -> Did {
    Did::parse("did:plc:yk4dd2qkboz2yv6tpubpc6co").unwrap()
}

fn params(before: Option<&SignedCommit>) -> CommitParams {
    CommitParams {
        did: did(),
        rev: Tid::next_after(1_700_000_000_000_000, 3, before.map(|commit| commit.rev)),
        since: before.map(|commit| commit.rev),
        prev_data: before.map(|commit| commit.data),
        prev_commit: None,
        time: Datetime::from_unix_millis(1_700_000_000_000),
    }
}

fn sign(staged: Staged, before: Option<&SignedCommit>) -> SignedCommit {
    let copy = staged.clone();
    let signed = staged.sign(params(before), &key()).unwrap();
    let again = copy.event(signed.commit_cid, &signed.commit_bytes, params(before)).unwrap();
    assert_eq!(again, signed.event, "the event of a commit that is signed is made again");
    signed
}

fn event(commit: &SignedCommit) -> CommitEvent {
    match Frame::decode(&commit.event.fill(7)).unwrap() {
        Frame::Commit(7, event) => event,
        other => panic!("{other:?}"),
    }
}

fn with(records: &[(&str, &str)]) -> SignedCommit {
    let writes = records.iter().map(|(at, text)| Write::create(path(at), record(text))).collect();
    sign(repo::create(writes).unwrap(), None)
}

#[test]
fn the_first_commit_is_an_empty_tree() {
    let first = sign(repo::create(Vec::new()).unwrap(), None);
    assert_eq!(first.data, Tree::empty().root_cid());
    assert_eq!(first.root_height, 0);
    assert_eq!(first.node_puts.len(), 1);
    assert_eq!(first.node_puts[0].cid, first.data);
    let event = event(&first);
    assert_eq!((event.since, event.prev_data, event.ops.len()), (None, None, 0));
    let blocks = car::read_all(&event.blocks, &car::Limits::SLICE).unwrap();
    assert_eq!(blocks.roots, [first.commit_cid]);
    let commit = Commit::decode(&blocks.blocks[&first.commit_cid]).unwrap();
    commit.verify(&key().public_key()).unwrap();
    assert_eq!((commit.data, commit.rev, commit.did, commit.prev), (first.data, first.rev, did(), None));
}

#[test]
fn a_batch_is_merged_to_its_net_effect() {
    let before = with(&[("a.b.c/1", "one"), ("a.b.c/2", "two"), ("a.b.c/3", "three")]);
    let cid = |text: &str| Cid::for_cbor(&record(text));
    let staged = repo::edit(
        &before.tree,
        vec![
            Write::create(path("z.b.c/new"), record("x")),
            Write::update(path("a.b.c/1"), record("other")),
            Write::update(path("a.b.c/1"), record("one")),
            Write::create(path("a.b.c/gone"), record("x")),
            Write::delete(path("a.b.c/gone")),
            Write::delete(path("a.b.c/2")),
            Write::create(path("a.b.c/2"), record("two again")),
            Write::put(path("a.b.c/put"), record("put")),
            Write::put(path("a.b.c/put"), record("put twice")),
            Write::delete(path("a.b.c/3")),
        ],
    )
    .unwrap();
    let op = |action, at: &str, now: Option<&str>, prev: Option<&str>| RepoOp {
        action,
        path: path(at),
        cid: now.map(cid),
        prev: prev.map(cid),
    };
    let expected = [
        op(Action::Update, "a.b.c/2", Some("two again"), Some("two")),
        op(Action::Delete, "a.b.c/3", None, Some("three")),
        op(Action::Create, "a.b.c/put", Some("put twice"), None),
        op(Action::Create, "z.b.c/new", Some("x"), None),
    ];
    assert_eq!(staged.ops(), expected);
    let commit = sign(staged, Some(&before));
    assert_eq!(event(&commit).ops, expected);
    assert_eq!(event(&commit).prev_data, Some(before.data));
    assert_eq!(event(&commit).since, Some(before.rev));
    assert!(commit.rev > before.rev);
    let blocks = car::read_all(&event(&commit).blocks, &car::Limits::SLICE).unwrap();
    for (change, op) in commit.records.iter().zip(&commit.ops) {
        assert_eq!(change.path(), &op.path);
        match change {
            RecordChange::Put { cid, bytes, .. } => {
                assert_eq!(Some(*cid), op.cid);
                assert_eq!(blocks.blocks.get(cid), Some(bytes));
            }
            RecordChange::Delete { prev, .. } => {
                assert_eq!(prev.cid(), op.prev);
                assert!(!blocks.blocks.contains_key(&cid("three")));
            }
        }
    }
    for put in &commit.node_puts {
        assert_eq!(blocks.blocks.get(&put.cid), Some(&put.bytes));
    }
    assert!(event(&commit).blocks.starts_with(&header(commit.commit_cid)), "the commit comes first");
}

/// The beginning of a CAR file whose root is its first block.
fn header(root: Cid) -> Vec<u8> {
    let header = car::Writer::new(&[root]).finish();
    [&header[..], &[0xe0, 0x01], root.as_bytes()].concat()
}

#[test]
fn what_changes_nothing_is_nothing() {
    let before = with(&[("a.b.c/1", "one")]);
    for writes in [
        vec![],
        vec![Write::put(path("a.b.c/1"), record("one"))],
        vec![Write::update(path("a.b.c/1"), record("one"))],
        vec![Write::create(path("a.b.c/2"), record("x")), Write::delete(path("a.b.c/2"))],
        vec![Write::delete(path("a.b.c/1")), Write::create(path("a.b.c/1"), record("one"))],
    ] {
        let staged = repo::edit(&before.tree, writes).unwrap();
        assert!(staged.is_empty());
        let commit = sign(staged, Some(&before));
        assert_eq!((commit.data, commit.node_puts.len(), commit.node_removes.len()), (before.data, 0, 0));
    }
}

#[test]
fn writes_that_do_not_fit_are_refused() {
    let tree = with(&[("a.b.c/1", "one")]).tree;
    let (one, two) = (path("a.b.c/1"), path("a.b.c/2"));
    let create = |at: &RecordPath| Write::create(at.clone(), record("x"));
    let exists = |at: &RecordPath| EditError::RecordExists(at.clone());
    let missing = |at: &RecordPath| EditError::RecordMissing(at.clone());
    for (writes, error) in [
        (vec![create(&one)], exists(&one)),
        (vec![create(&two), create(&two)], exists(&two)),
        (vec![Write::put(two.clone(), record("x")), create(&two)], exists(&two)),
        (vec![Write::update(two.clone(), record("x"))], missing(&two)),
        (vec![Write::delete(two.clone())], missing(&two)),
        (vec![Write::delete(one.clone()), Write::delete(one.clone())], missing(&one)),
        (vec![Write::delete(one.clone()), Write::update(one.clone(), record("x"))], missing(&one)),
    ] {
        assert_eq!(repo::edit(&tree, writes).unwrap_err(), error);
    }
    let stub = Tree::from_root(tree.root_cid(), tree.height());
    let error = repo::edit(&stub, vec![Write::delete(one)]).unwrap_err();
    assert!(matches!(error, EditError::Tree(mst::MstError::Missing(_))));
}

#[test]
fn limits_hold_at_their_edges() {
    let tree = Tree::empty();
    let many = |count: usize, size: usize| -> Vec<Write> {
        (0..count)
            .map(|i| Write::create(path(&format!("a.b.c/{i}")), vec![u8::try_from(i).unwrap(); size].into()))
            .collect()
    };
    assert_eq!(repo::edit(&tree, many(200, 9)).unwrap().ops().len(), 200);
    assert_eq!(repo::edit(&tree, many(201, 9)).unwrap_err(), EditError::TooManyOps(201));
    let mut net = many(201, 9);
    net.push(Write::delete(path("a.b.c/0")));
    assert_eq!(repo::edit(&tree, net).unwrap().ops().len(), 200);

    assert!(repo::edit(&tree, many(1, 1_000_000)).is_ok());
    let error = repo::edit(&tree, many(1, 1_000_001)).unwrap_err();
    assert_eq!(error, EditError::RecordTooLarge { path: path("a.b.c/0"), bytes: 1_000_001 });

    // Two records whose blocks fill an event to the byte.
    let two = |spare: usize| {
        let mut writes = many(2, 900_000);
        writes.push(Write::create(path("a.b.c/9"), vec![b'y'; spare].into()));
        repo::edit(&tree, writes).unwrap().sign(params(None), &key())
    };
    let rest = 2_000_000 - event(&two(100_000).unwrap()).blocks.len();
    assert_eq!(event(&two(100_000 + rest).unwrap()).blocks.len(), 2_000_000);
    assert_eq!(two(100_001 + rest).unwrap_err(), EditError::TooLarge(2_000_001));
}

#[test]
fn resigning_changes_only_the_commit() {
    let before = with(&[("a.b.c/1", "one"), ("a.b.c/2", "two")]);
    let other = PrivateKey::from_bytes(Curve::P256, &[5; 32]).unwrap();
    let after = repo::resign(&before.tree).unwrap().sign(params(Some(&before)), &other).unwrap();
    assert_eq!((after.data, after.root_height), (before.data, before.root_height));
    assert!(after.node_puts.is_empty() && after.records.is_empty());
    Commit::decode(&after.commit_bytes).unwrap().verify(&other.public_key()).unwrap();
    let event = event(&after);
    assert_eq!((event.ops.len(), event.prev_data), (0, Some(before.data)));
    let blocks = car::read_all(&event.blocks, &car::Limits::SLICE).unwrap();
    assert!(blocks.blocks.contains_key(&after.data));
    let stub = Tree::from_root(before.data, before.root_height);
    assert!(repo::resign(&stub).is_err());
}

#[test]
fn equal_records_at_two_paths_are_independent() {
    let before = with(&[("a.b.c/1", "same"), ("x.b.c/1", "same")]);
    let staged = repo::edit(&before.tree, vec![Write::delete(path("a.b.c/1"))]).unwrap();
    let after = sign(staged, Some(&before));
    let key = Key::try_from("x.b.c/1").unwrap();
    assert_eq!(after.tree.value(&key).unwrap().unwrap().cid(), Some(Cid::for_cbor(&record("same"))));
}

#[test]
fn equal_records_travel_once() {
    let commit = with(&[("a.b.c/1", "same"), ("x.b.c/1", "same"), ("x.b.c/2", "other")]);
    let file = event(&commit).blocks;
    let blocks = car::read_all(&file, &car::Limits::SLICE).unwrap().blocks;
    let sections: usize = blocks.values().map(|block| car::section_length(block.len())).sum();
    assert_eq!(file.len(), car::header_length(1) + sections);
    assert_eq!(commit.records.len(), 3);
}

/// A reader of the frame alone need not have seen the older record of the same bytes.
#[test]
fn a_record_that_is_there_already_travels_again() {
    let before = with(&[("a.b.c/1", "same"), ("a.b.c/2", "other")]);
    for write in [
        Write::create(path("x.b.c/1"), record("same")),
        Write::update(path("a.b.c/2"), record("same")),
        Write::create(path("a.b.c/10"), record("same")),
    ] {
        let after = sign(repo::edit(&before.tree, vec![write]).unwrap(), Some(&before));
        let blocks = car::read_all(&event(&after).blocks, &car::Limits::SLICE).unwrap().blocks;
        assert!(blocks.contains_key(&Cid::for_cbor(&record("same"))), "{:?}", after.ops);
        for order in [Order::Relay, Order::Reversed, Order::Given] {
            verify::frame(&after.event.fill(7), &did(), &key().public_key(), order).unwrap();
        }
    }
}
