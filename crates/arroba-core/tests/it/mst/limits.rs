//! Limits on width against mined keys, and what a loader accepts.

use std::collections::BTreeMap;

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Builder, Editor, Key, KeyEdit, Loader, MAX_GROWN_WIDTH, MstError, Position, Tree};

use super::mine::mine;
use super::table::NodeTable;

fn value() -> Link {
    Cid::for_cbor(b"value").into()
}

fn put(key: &Key) -> KeyEdit {
    KeyEdit { key: key.clone(), value: Some(value()) }
}

fn delete(key: &Key) -> KeyEdit {
    KeyEdit { key: key.clone(), value: None }
}

fn table(keys: &[Key]) -> NodeTable {
    NodeTable::build(&keys.iter().map(|key| (key.clone(), value())).collect())
}

const GROWN: MstError = MstError::TooWide { width: MAX_GROWN_WIDTH + 1, limit: MAX_GROWN_WIDTH };

#[test]
fn a_write_does_not_grow_a_node_too_wide() {
    let keys = mine(0, MAX_GROWN_WIDTH + 1, "a/");
    let batch: Vec<_> = keys.iter().map(put).collect();
    assert_eq!(Tree::empty().edit(&batch).unwrap_err(), GROWN);
    let full = Tree::empty().edit(&batch[1..]).unwrap().tree;
    assert_eq!(full.edit(&batch[..1]).unwrap_err(), GROWN);
    // One goes, one comes, in either order.
    for batch in [[put(&keys[0]), delete(&keys[9])], [delete(&keys[9]), put(&keys[0])]] {
        assert!(full.edit(&batch).is_ok());
    }
    // Above, a key splits it, and then there is room.
    let above = mine(1, 200, "a/").into_iter().find(|key| *key > keys[50] && *key < keys[200]).unwrap();
    assert!(full.edit(&[put(&above), put(&keys[0])]).is_ok());
}

#[test]
fn wide_nodes_of_others_may_be_edited_and_shrunk() {
    let keys = mine(0, 901, "a/");
    let mut table = table(&keys[1..]);
    assert_eq!(table.rows.len(), 1);
    let error = table.edit(&[put(&keys[0])]).unwrap_err();
    assert_eq!(error, MstError::TooWide { width: 901, limit: MAX_GROWN_WIDTH });
    let update = KeyEdit { key: keys[5].clone(), value: Some(Cid::for_cbor(b"other").into()) };
    table.edit(&[update]).unwrap();
    table.edit(&[delete(&keys[5])]).unwrap();
    assert!(table.edit(&[put(&keys[5])]).is_err(), "it has shrunk");
    let above = mine(1, 200, "a/").into_iter().find(|key| *key > keys[400] && *key < keys[600]).unwrap();
    table.edit(&[put(&above)]).unwrap();
    assert_eq!(table.rows.len(), 3);
    // Together the halves would be a node wider than either.
    let error = table.edit(&[delete(&above)]).unwrap_err();
    assert_eq!(error, MstError::TooWide { width: 899, limit: MAX_GROWN_WIDTH });
}

/// A node that many keys leave while it is merged is no wider than it was.
#[test]
fn a_merge_may_be_as_wide_as_the_wider_half() {
    let low = mine(0, 900, "a/");
    let above = mine(1, 100, "a/").into_iter().find(|key| *key > low[50]).unwrap();
    let (left, right): (Vec<_>, Vec<_>) = low.iter().cloned().partition(|key| *key < above);
    assert!(left.len() > 50 && left.len() < 256 && right.len() > 600);
    let keys: BTreeMap<Key, Link> = low.iter().chain([&above]).map(|key| (key.clone(), value())).collect();
    for (from, to, fits) in [(1, 0, true), (0, 0, false)] {
        let mut table = NodeTable::build(&keys);
        // All of the left half but one, and the key between, go; of the right half one goes or none.
        let gone = left[1..].iter().chain([&above]).chain(&right[to..from]);
        let batch: Vec<_> = gone.map(delete).collect();
        match table.edit(&batch) {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert!(!fits);
                assert_eq!(error, MstError::TooWide { width: right.len() + 1, limit: MAX_GROWN_WIDTH });
            }
        }
    }
}

#[test]
fn a_build_is_as_wide_as_readers_accept() {
    let keys = mine(0, 1001, "a/");
    let mut builder = Builder::new();
    for key in &keys[..1000] {
        builder.push(key.clone(), value()).unwrap();
    }
    let error = builder.push(keys[1000].clone(), value()).unwrap_err();
    assert_eq!(error, MstError::TooWide { width: 1001, limit: 1000 });
    let mut builder = Builder::new();
    builder.push(keys[1].clone(), value()).unwrap();
    for key in &keys[..2] {
        assert_eq!(builder.push(key.clone(), value()), Err(MstError::Order(key.clone())));
    }
}

#[test]
fn an_editor_that_failed_stays_failed() {
    let keys: Vec<Key> = mine(0, 40, "a/").into_iter().chain(mine(1, 10, "a/")).collect();
    let keys: Vec<Key> = BTreeMap::from_iter(keys.into_iter().map(|key| (key, ()))).into_keys().collect();
    let tree = table(&keys).load(Loader::for_edit([]));
    let mut editor = Editor::new(&tree);
    let low = keys.iter().find(|key| key.height() == 0).unwrap();
    assert!(matches!(editor.delete(low), Err(MstError::Missing(_))));
    assert_eq!(editor.put(low, &value()), Err(MstError::Abandoned));
    assert_eq!(editor.finish().unwrap_err(), MstError::Abandoned);
}

#[test]
fn a_loader_takes_only_what_it_asked_for() {
    let keys: Vec<Key> = (0..2000).map(|i| Key::try_from(format!("a/{i:06}").as_str()).unwrap()).collect();
    let table = table(&keys);
    let (root, height) = table.root();
    let mut loader = Loader::for_edit([keys[1000].clone(), keys[3].clone()]);
    assert!(loader.wants().is_empty());
    loader.start(Some((root, height)));
    let request = loader.wants()[0].clone();
    assert_eq!((request.cid, &request.position), (root, &Position::root(height)));
    assert_eq!(loader.clone().finish().unwrap_err(), MstError::Missing(request.clone()));
    let bytes = &table.rows[&request.position].1;
    let wrong = bytes.slice(1..);
    assert_eq!(loader.clone().supply(&request, wrong), Err(MstError::Hash(root)));
    loader.supply(&request, bytes.clone()).unwrap();
    assert_eq!(loader.supply(&request, bytes.clone()), Err(MstError::Unwanted(root)));
    // The last first: any order will do.
    while let Some(request) = loader.wants().last().cloned() {
        loader.supply(&request, table.rows[&request.position].1.clone()).unwrap();
    }
    let tree = loader.finish().unwrap();
    assert_eq!(tree.root_cid(), root);
    assert!(tree.edit(&[delete(&keys[1000]), delete(&keys[3])]).is_ok());
    assert!(matches!(tree.edit(&[delete(&keys[500])]), Err(MstError::Missing(_))));
    // A root of another height, or a child in a root's place, is no root.
    let mut loader = Loader::for_all();
    loader.start(Some((root, height + 1)));
    let request = loader.wants()[0].clone();
    assert!(loader.supply(&request, bytes.clone()).is_err());
}

#[test]
fn no_tree_is_the_empty_tree() {
    let mut loader = Loader::for_edit([Key::try_from("a/b").unwrap()]);
    loader.start(None);
    assert!(loader.wants().is_empty());
    assert_eq!(loader.finish().unwrap().root_cid(), Tree::empty().root_cid());
}

/// An edit reads and writes a number of nodes that grows with the height, not with the tree.
#[test]
fn an_edit_touches_few_nodes() {
    let keys: Vec<Key> = (0..100_000u32)
        .map(|i| Key::try_from(format!("app.bsky.feed.post/{i:013}").as_str()).unwrap())
        .collect();
    let table = table(&keys);
    let (_, height) = table.root();
    let levels = usize::from(height) + 1;
    let (mut read, mut written, edits) = (0, 0, 200);
    for i in 0..edits {
        let at = i * 499;
        let new = Key::try_from(format!("app.bsky.feed.post/{at:013}x").as_str()).unwrap();
        let (old, edit) = if i % 2 == 0 { (keys[at].clone(), None) } else { (new, Some(value())) };
        let (tree, loaded) = table.load_counting(Loader::for_edit([old.clone()]));
        let edited = tree.edit(&[KeyEdit { key: old, value: edit }]).unwrap();
        let nodes = edited.proof.len();
        let rows = edited.puts.len() + edited.removes.len();
        assert!(nodes <= 3 * levels && rows <= 3 * levels && loaded <= 3 * levels, "{nodes} {rows} {loaded}");
        read += nodes;
        written += rows;
    }
    println!(
        "100,000 records, {levels} levels: {:.1} nodes proven and {:.1} rows written an edit",
        read as f64 / edits as f64,
        written as f64 / edits as f64
    );
}
