//! Merkle search trees: inserting, building, editing, proving.

use arroba_bench::{Nodes, keys, shuffled, value};
use arroba_core::crypto::{Curve, PrivateKey};
use arroba_core::data::Link;
use arroba_core::mst::{Builder, Editor, Entry, Expect, Key, KeyEdit, Loader, NodeData, Tree};
use arroba_core::repo::{self, CommitParams, Write};
use arroba_core::syntax::{Datetime, Did, RecordPath, Tid};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn entries(keys: Vec<Key>) -> Vec<(Key, Link)> {
    keys.into_iter().map(|key| (key.clone(), value(&key))).collect()
}

/// One by one, then all nodes encoded and hashed.
fn insert(entries: &[(Key, Link)]) -> Tree {
    let mut editor = Editor::new(&Tree::empty());
    for (key, value) in entries {
        editor.put(key, value).expect("the tree is whole");
    }
    editor.finish().expect("no node is too wide")
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn insert_ascending(bencher: Bencher<'_, '_>, size: usize) {
    let entries = entries(keys(size));
    bencher.bench_local(|| insert(black_box(&entries)));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn insert_shuffled(bencher: Bencher<'_, '_>, size: usize) {
    let entries = entries(shuffled(keys(size)));
    bencher.bench_local(|| insert(black_box(&entries)));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn build(bencher: Bencher<'_, '_>, size: usize) {
    let entries = entries(keys(size));
    bencher.bench_local(|| {
        let mut builder = Builder::new();
        let mut bytes = 0;
        for (key, value) in black_box(&entries) {
            builder.push(key.clone(), value.clone()).expect("keys are sorted");
            bytes += builder.drain().map(|put| put.bytes.len()).sum::<usize>();
        }
        bytes + builder.finish().iter().map(|put| put.bytes.len()).sum::<usize>()
    });
}

/// Keys that stand beside existing ones all over the tree.
fn new_keys(keys: &[Key]) -> Vec<Key> {
    let step = (keys.len() / 500).max(1);
    let beside = |key: &Key| Key::new(&[key.as_bytes(), b"x"].concat()).expect("short enough");
    shuffled(keys.iter().step_by(step).map(beside).collect())
}

/// Loads the nodes, edits, and collects rows and proof; nothing is signed.
#[divan::bench(args = SIZES, sample_count = 200, sample_size = 20)]
fn edit_one(bencher: Bencher<'_, '_>, size: usize) {
    let keys = keys(size);
    let nodes = Nodes::build(&keys);
    let mut new = new_keys(&keys).into_iter().cycle();
    bencher.with_inputs(|| new.next().expect("endless")).bench_local_values(|key| {
        let tree = nodes.load(Loader::for_edit([key.clone()])).expect("the table is whole");
        let value = Some(value(&key));
        tree.edit(&[KeyEdit { key, value }]).expect("enough is loaded")
    });
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 20)]
fn load_for_one(bencher: Bencher<'_, '_>, size: usize) {
    let keys = keys(size);
    let nodes = Nodes::build(&keys);
    let mut new = new_keys(&keys).into_iter().cycle();
    bencher
        .with_inputs(|| new.next().expect("endless"))
        .bench_local_values(|key| nodes.load(Loader::for_edit([key])).expect("the table is whole"));
}

/// A newest post, as most writes are: the right edge of its collection.
#[divan::bench(args = [1, 20, 200], sample_count = 100)]
fn edit_batch_at_100k(bencher: Bencher<'_, '_>, writes: usize) {
    let keys = keys(100_000);
    let nodes = Nodes::build(&keys);
    let batch: Vec<KeyEdit> = (0..writes)
        .map(|index| {
            let rkey = Tid::from_micros(1_800_000_000_000_000 + index as u64, 7);
            let key = Key::try_from(format!("app.bsky.feed.post/{rkey}").as_str()).expect("a path is a key");
            KeyEdit { value: Some(value(&key)), key }
        })
        .collect();
    bencher.bench_local(|| {
        let loader = Loader::for_edit(batch.iter().map(|edit| edit.key.clone()));
        nodes.load(loader).expect("the table is whole").edit(&batch).expect("enough is loaded")
    });
}

/// The whole of a commit but its storage: load, edit, sign, event.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 20)]
fn commit_one(bencher: Bencher<'_, '_>, size: usize) {
    let nodes = Nodes::build(&keys(size));
    let signer = PrivateKey::from_bytes(Curve::K256, &[7; 32]).expect("a valid key");
    let did = Did::parse("did:plc:ewvi7nxzyoun6zhxrhs64oiz").expect("a valid DID");
    let time = Datetime::from_unix_millis(1_800_000_000_000);
    let mut micros = 1_800_000_000_000_000;
    bencher.bench_local(|| {
        micros += 1;
        let rev = Tid::from_micros(micros, 7);
        let path = RecordPath::parse(&format!("app.bsky.feed.post/{rev}")).expect("a valid path");
        let writes = vec![Write::create(path, arroba_bench::post().into())];
        let tree = nodes.load(Loader::for_edit(repo::edit_keys(&writes))).expect("the table is whole");
        let params = CommitParams {
            did: did.clone(),
            rev,
            since: Some(rev),
            prev_data: Some(tree.root_cid()),
            prev_commit: None,
            time: time.clone(),
        };
        let staged = repo::edit(&tree, writes).expect("the record is new");
        staged.sign(params, &signer).expect("it is small")
    });
}

#[divan::bench(args = [4, 20])]
fn node_decode(bencher: Bencher<'_, '_>, entries: usize) {
    let bytes = node(entries).encode();
    bencher.bench_local(|| NodeData::decode(black_box(&bytes), Expect::root(Some(0))));
}

#[divan::bench(args = [4, 20])]
fn node_encode(bencher: Bencher<'_, '_>, entries: usize) {
    let node = node(entries);
    bencher.bench_local(|| black_box(&node).encode());
}

fn node(entries: usize) -> NodeData {
    let keys = keys(1000).into_iter().filter(|key| key.height() == 0).take(entries);
    let entries = keys.map(|key| Entry { value: value(&key), key, right: None }).collect();
    NodeData { height: 0, left: None, entries }
}
