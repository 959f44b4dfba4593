//! Slow and obvious forms of the clever algorithms, over a whole node table.

use std::collections::{BTreeMap, BTreeSet};

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{EntryChange, Expect, Key, NodeData};

use super::table::NodeTable;

/// The CIDs on the way from the root to the node that holds `key`.
fn path(table: &NodeTable, key: &Key) -> BTreeSet<Cid> {
    let blocks: BTreeMap<Cid, &[u8]> = table.rows.values().map(|(cid, bytes)| (*cid, &bytes[..])).collect();
    let (mut cid, mut height) = table.root();
    let mut path = BTreeSet::from([cid]);
    let mut expect = Expect::root(None);
    loop {
        let node = NodeData::decode(blocks[&cid], expect).unwrap();
        if node.entries.iter().any(|entry| entry.key == *key) {
            return path;
        }
        let before = node.entries.iter().rev().find(|entry| entry.key < *key);
        cid = before.map_or(node.left, |entry| entry.right).expect("the key is in the tree");
        path.insert(cid);
        height -= 1;
        expect = Expect::child(height, b"", None);
    }
}

/// The covering proof of changed keys: the root, and the paths to each key that is there and to the keys on both sides.
pub(crate) fn proof(table: &NodeTable, entries: &BTreeMap<Key, Link>, changed: &[Key]) -> BTreeSet<Cid> {
    let mut proof = BTreeSet::from([table.root().0]);
    for key in changed {
        let before = entries.range(..key.clone()).next_back();
        let from = entries.range(key.clone()..);
        let behind = from.take(if entries.contains_key(key) { 2 } else { 1 });
        for (key, _) in before.into_iter().chain(behind) {
            proof.extend(path(table, key));
        }
    }
    proof
}

/// The entries that differ, by asking each map for each key.
pub(crate) fn ops(old: &BTreeMap<Key, Link>, new: &BTreeMap<Key, Link>) -> Vec<EntryChange> {
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .map(|key| EntryChange { key: key.clone(), old: old.get(key).cloned(), new: new.get(key).cloned() })
        .filter(|change| change.old != change.new)
        .collect()
}

/// The CIDs that the first table has and the second has not.
pub(crate) fn only_in(first: &NodeTable, second: &NodeTable) -> BTreeSet<Cid> {
    let cids = |table: &NodeTable| -> BTreeSet<Cid> { table.rows.values().map(|(cid, _)| *cid).collect() };
    cids(first).difference(&cids(second)).copied().collect()
}
