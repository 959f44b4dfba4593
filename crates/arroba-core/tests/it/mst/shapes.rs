//! Shapes that implementations get wrong, and shapes that no tree has.

use std::collections::{BTreeMap, HashMap};

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Entry, Key, KeyEdit, Loader, MstError, NodeData, Tree, diff};
use bytes::Bytes;

use super::mine::mine;
use super::table::NodeTable;

const EMPTY: &str = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm";

/// Keys by height, as published.
const LOW: &str = "asdf";
const TWO: &str = "88bfafc7";
const FOUR: &str = "2a92d355";
const SIX: &str = "884976f5";
const EIGHT: &str = "app.bsky.feed.post/9adeb165882c";

fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

fn value() -> Link {
    Cid::for_cbor(b"value").into()
}

fn put(text: &str) -> KeyEdit {
    KeyEdit { key: key(text), value: Some(value()) }
}

fn delete(text: &str) -> KeyEdit {
    KeyEdit { key: key(text), value: None }
}

fn built(keys: &[&str]) -> Cid {
    NodeTable::build(&keys.iter().map(|text| (key(text), value())).collect()).root().0
}

fn after(tree: &Tree, edits: &[KeyEdit]) -> Tree {
    tree.edit(edits).unwrap().tree
}

#[test]
fn a_key_far_above_the_root_lifts_it() {
    let low = after(&Tree::empty(), &[put(LOW), put("~")]);
    let tall = after(&low, &[put(SIX)]);
    assert_eq!((tall.height(), tall.root_cid()), (6, built(&[LOW, SIX, "~"])));
    // On its left nothing, on its right five nodes without keys and one with two.
    assert_eq!(tall.nodes().count(), 7);
    assert_eq!(after(&tall, &[delete(SIX)]).root_cid(), low.root_cid());
}

#[test]
fn a_root_without_keys_is_trimmed_at_every_level() {
    let keys = [LOW, TWO, EIGHT];
    let mut tree = after(&Tree::empty(), &keys.map(put));
    assert_eq!(tree.height(), 8);
    tree = after(&tree, &[delete(EIGHT)]);
    assert_eq!((tree.height(), tree.root_cid()), (2, built(&[LOW, TWO])));
    tree = after(&tree, &[delete(TWO)]);
    assert_eq!((tree.height(), tree.root_cid()), (0, built(&[LOW])));
    tree = after(&tree, &[delete(LOW)]);
    assert_eq!((tree.height(), tree.root_cid().to_string()), (0, EMPTY.to_owned()));
    tree = after(&tree, &[put(LOW), put(EIGHT)]);
    assert_eq!(tree.root_cid(), built(&[LOW, EIGHT]));
    assert_eq!(after(&tree, &[delete(LOW), delete(EIGHT)]).root_cid().to_string(), EMPTY);
}

#[test]
fn a_lone_low_key_under_a_tall_root_hangs_by_a_chain() {
    let tree = after(&Tree::empty(), &[put(FOUR)]);
    let with = after(&tree, &[put(LOW)]);
    assert_eq!(with.nodes().count(), 5);
    let without = with.edit(&[delete(LOW)]).unwrap();
    assert_eq!((without.tree.root_cid(), without.removes.len()), (tree.root_cid(), 4));
}

/// Only what stands left of the least key of a subtree knows where the subtree begins.
#[test]
fn nodes_that_keep_their_bytes_still_move() {
    let low = mine(0, 200, "a/");
    let (middle, high) = (&mine(1, 40, "a/")[20], &mine(3, 9, "a/")[0]);
    let mut entries: BTreeMap<Key, Link> = low.iter().map(|key| (key.clone(), value())).collect();
    entries.retain(|key, _| key > middle || key < high);
    entries.insert(high.clone(), value());
    let mut table = NodeTable::build(&entries);
    let before: HashMap<Cid, _> = table.rows.iter().map(|(at, (cid, _))| (*cid, at.clone())).collect();
    let (_, edited) = table.edit(&[KeyEdit { key: middle.clone(), value: Some(value()) }]).unwrap();
    let moved = |put: &&arroba_core::mst::NodePut| before.get(&put.cid).is_some_and(|at| *at != put.position);
    assert!(edited.puts.iter().any(|put| moved(&put)), "this is the case to be tested");
    entries.insert(middle.clone(), value());
    assert_eq!(table, NodeTable::build(&entries));
}

#[test]
fn diffs_of_trees_with_nothing_in_common() {
    let some = after(&Tree::empty(), &[put(LOW), put(TWO), put(SIX)]);
    let other = after(&Tree::empty(), &[put(FOUR), put(EIGHT), put("~")]);
    for (old, new) in [(&some, &other), (&some, &Tree::empty()), (&Tree::empty(), &some)] {
        let found = diff(old, new).unwrap();
        assert_eq!(found.created.len(), new.nodes().count());
        assert_eq!(found.deleted.len(), old.nodes().count());
        assert_eq!(found.ops.len(), old.entries().count() + new.entries().count());
        let back: Vec<_> = found.ops.into_iter().map(|op| KeyEdit { key: op.key, value: op.new }).collect();
        assert_eq!(old.edit(&back).unwrap().tree.root_cid(), new.root_cid());
    }
    assert_eq!(diff(&some, &some).unwrap(), arroba_core::mst::Diff::default());
    // What both share may be unloaded.
    let stub = Tree::from_root(some.root_cid(), some.height());
    assert_eq!(diff(&stub, &some).unwrap(), arroba_core::mst::Diff::default());
    assert!(matches!(diff(&stub, &other), Err(MstError::Missing(_))));
}

/// The blocks of hand-made nodes; the last is the root.
fn load(nodes: &[NodeData]) -> Result<Tree, MstError> {
    let blocks: HashMap<Cid, Bytes> = nodes
        .iter()
        .map(|node| Bytes::from(node.encode()))
        .map(|bytes| (Cid::for_cbor(&bytes), bytes))
        .collect();
    Tree::from_blocks(cid(nodes.last().unwrap()), |cid| blocks.get(cid).cloned())
}

fn cid(node: &NodeData) -> Cid {
    Cid::for_cbor(&node.encode())
}

fn node(height: u8, left: Option<&NodeData>, entries: &[(&Key, Option<&NodeData>)]) -> NodeData {
    let entry = |(key, right): &(&Key, Option<&NodeData>)| Entry {
        key: (*key).clone(),
        value: value(),
        right: right.map(cid),
    };
    NodeData { height, left: left.map(cid), entries: entries.iter().map(entry).collect() }
}

#[test]
fn no_subtree_stands_twice_or_out_of_place() {
    let low = mine(0, 20, "a/");
    let high = mine(1, 20, "a/");
    let top = &mine(2, 20, "a/")[10];
    let leaf = node(0, None, &[(&low[9], None)]);
    let (before, behind) =
        (high.iter().find(|key| **key > low[9]).unwrap(), high.iter().rfind(|key| **key < low[9]).unwrap());
    assert!(load(&[leaf.clone(), node(1, Some(&leaf), &[(before, None)])]).is_ok());
    assert!(load(&[leaf.clone(), node(1, None, &[(behind, Some(&leaf))])]).is_ok());
    let order = Err(MstError::Order(low[9].clone()));
    for wrong in [
        node(1, Some(&leaf), &[(behind, None)]),
        node(1, None, &[(before, Some(&leaf))]),
        node(1, Some(&leaf), &[(before, Some(&leaf))]),
        node(1, Some(&leaf), &[(behind, Some(&leaf))]),
    ] {
        assert_eq!(load(&[leaf.clone(), wrong]).map(drop), order);
    }
    // A level too high or too low.
    let hung = load(&[leaf.clone(), node(2, Some(&leaf), &[(top, None)])]);
    assert!(matches!(hung.map(drop), Err(MstError::KeyHeight { .. })));
    // Nodes without keys must lead somewhere, and no root is one.
    let chain = node(1, Some(&leaf), &[]);
    assert_eq!(load(&[leaf.clone(), chain]).map(drop), Err(MstError::EmptyNode));
    let nothing = NodeData::empty();
    let over = load(&[nothing.clone(), node(1, None, &[(before, Some(&nothing))])]);
    assert_eq!(over.map(drop), Err(MstError::EmptyNode));
    let gone = load(&[node(1, Some(&leaf), &[(before, None)])]).unwrap();
    assert!(matches!(gone.value(&low[9]), Err(MstError::Missing(_))));
    assert!(load(&[leaf]).unwrap().value(&low[9]).unwrap().is_some());
}

/// Thirty levels of nodes, each with the same child on both sides: read as a tree it would have 2^30 nodes.
#[test]
fn a_doubled_subtree_is_refused_at_once() {
    let low = mine(0, 1, "m/");
    let mut nodes = vec![node(0, None, &[(&low[0], None)])];
    for height in 1..=4 {
        let child = nodes.last().unwrap().clone();
        let key = mine(height, 1, "n/").remove(0);
        nodes.push(node(height, Some(&child), &[(&key, Some(&child))]));
    }
    let mut asked = 0;
    let blocks: HashMap<Cid, Bytes> =
        nodes.iter().map(|node| (cid(node), Bytes::from(node.encode()))).collect();
    let result = Tree::from_blocks(cid(nodes.last().unwrap()), |cid| {
        asked += 1;
        blocks.get(cid).cloned()
    });
    assert!(matches!(result.map(drop), Err(MstError::Order(_))));
    assert!(asked <= 4, "{asked}");
}

#[test]
fn proofs_of_presence_and_absence_come_from_what_a_read_loads() {
    let keys: Vec<Key> = (0..3000).map(|i| key(&format!("a/{i:04}"))).collect();
    let entries: BTreeMap<Key, Link> = keys.iter().step_by(2).map(|key| (key.clone(), value())).collect();
    let table = NodeTable::build(&entries);
    let whole = table.load(Loader::for_all());
    for (index, key) in keys.iter().enumerate().step_by(7) {
        let part = table.load(Loader::for_read([key.clone()]));
        assert_eq!(part.value(key).unwrap().is_some(), index % 2 == 0);
        let proof = part.proof(key).unwrap();
        assert_eq!(proof, whole.proof(key).unwrap());
        let proof: HashMap<Cid, Bytes> = proof.into_iter().collect();
        let alone = Tree::from_blocks(whole.root_cid(), |cid| proof.get(cid).cloned()).unwrap();
        assert_eq!(alone.value(key).unwrap(), entries.get(key));
    }
}
