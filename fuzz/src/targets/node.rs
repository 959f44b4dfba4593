//! Tree nodes.

use arroba_core::mst::{Expect, NodeData};

use crate::repository;

/// A node that is accepted, as a root or as a child, is the only encoding of itself.
pub fn target(data: &[u8]) {
    for expect in [
        Expect::root(None),
        Expect::root(Some(1)),
        Expect::child(0, b"app.bsky", Some(b"com.example.thingz")),
        Expect::child(1, b"", None),
        Expect::child(40, b"", None),
    ] {
        if let Ok(node) = NodeData::decode(data, expect) {
            assert_eq!(node.encode(), data);
            assert!(node.entries.is_sorted_by(|a, b| a.key < b.key));
            assert!(node.entries.iter().all(|entry| entry.key.height() == node.height));
        }
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![NodeData::empty().encode()];
    for [_, commit] in [repository::commits(1), repository::commits(30)] {
        seeds.extend(commit.tree.nodes().flatten().map(|node| node.bytes.to_vec()));
    }
    seeds
}
