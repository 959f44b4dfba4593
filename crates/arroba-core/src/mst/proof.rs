//! The nodes that prove something about keys.

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node::Child;
use super::route::{Purpose, Want, route};
use super::tree::Tree;
use crate::data::Cid;

/// The nodes of `tree` that `purpose` needs for these sorted keys, in pre-order, each once.
pub(super) fn cover(tree: &Tree, keys: &[Key], purpose: Purpose) -> Result<Vec<(Cid, Bytes)>, MstError> {
    let mut nodes = Vec::with_capacity(16);
    let mut routes = Vec::with_capacity(4);
    let start = Key::start();
    let mut stack = vec![(&tree.root, &start, tree.height, Want::keys(keys.len()))];
    while let Some((child, after, height, want)) = stack.pop() {
        let Some(node) = child.node(after, height)? else { continue };
        if let Some(block) = &node.block {
            nodes.push((block.cid, block.bytes.clone()));
        }
        let search = |key: &Key| node.search(key.as_bytes());
        route(node.last(), search, keys, &want, purpose, &mut routes);
        for (slot, want) in routes.drain(..).rev() {
            let child: &Child = node.slot(slot);
            stack.push((child, node.after(slot, after), node.below(), want));
        }
    }
    Ok(nodes)
}
