//! Splitting a subtree around a key, and merging two that touch.
//!
//! Both recurse once per level, and levels are bounded by [`MAX_HEIGHT`](super::MAX_HEIGHT).

use std::sync::Arc;

use super::error::MstError;
use super::key::Key;
use super::node::{Child, Node, missing};

/// Which side of a key a whole subtree lies on.
enum Side {
    Before,
    After,
}

/// Splits a subtree into what is before `key` and what is after it. Neither half has nodes without use, and
/// a subtree that lies on one side whole stays as it is, block and all.
///
/// `after` and `height` say where the subtree stands.
pub(super) fn split(child: Child, key: &Key, after: &Key, height: u8) -> Result<(Child, Child), MstError> {
    let node = match child {
        Child::Absent => return Ok((Child::Absent, Child::Absent)),
        Child::Stub(cid) => return Err(missing(cid, after, height)),
        Child::Loaded(node) => node,
    };
    match side(&node, key, after)? {
        Some(Side::Before) => return Ok((Child::Loaded(node), Child::Absent)),
        Some(Side::After) => return Ok((Child::Absent, Child::Loaded(node))),
        None => {}
    }
    let mut left = owned(node);
    let (Ok(index) | Err(index)) = left.search(key.as_bytes());
    let after = left.after(index, after).clone();
    let below = left.below();
    let (inner_left, inner_right) = split(std::mem::take(left.slot_mut(index)), key, &after, below)?;
    let mut right = Node::new(left.height, inner_right, left.entries.split_off(index));
    right.was_wide = left.was_wide;
    *left.slot_mut(index) = inner_left;
    let half = |node: Node| if node.is_void() { Child::Absent } else { Child::Loaded(Arc::new(node)) };
    Ok((half(left), half(right)))
}

/// The side of `key` that the whole subtree of `node` lies on, if it does.
fn side<'a>(mut node: &'a Node, key: &Key, mut after: &'a Key) -> Result<Option<Side>, MstError> {
    let (mut before, mut behind) = (true, true);
    loop {
        let (Ok(index) | Err(index)) = node.search(key.as_bytes());
        before &= index == node.last();
        behind &= index == 0;
        if !before && !behind {
            return Ok(None);
        }
        after = node.after(index, after);
        match node.slot(index).node(after, node.below())? {
            Some(child) => node = child,
            None => return Ok(Some(if before { Side::Before } else { Side::After })),
        }
    }
}

/// Merges two subtrees at `height` between which no key is left. `after` and `middle` are the greatest keys
/// before the one and before the other.
pub(super) fn merge(
    left: Child,
    right: Child,
    after: &Key,
    middle: &Key,
    height: u8,
) -> Result<Child, MstError> {
    let (left, right) = match (left, right) {
        (Child::Absent, only) | (only, Child::Absent) => return Ok(only),
        (Child::Stub(cid), _) => return Err(missing(cid, after, height)),
        (_, Child::Stub(cid)) => return Err(missing(cid, middle, height)),
        (Child::Loaded(left), Child::Loaded(right)) => (left, right),
    };
    let (mut left, mut right) = (owned(left), owned(right));
    let last = left.last();
    let after = left.after(last, after).clone();
    let below = left.below();
    let outer = std::mem::take(left.slot_mut(last));
    let inner = std::mem::take(&mut right.left);
    *left.slot_mut(last) = merge(outer, inner, &after, middle, below)?;
    left.entries.append(&mut right.entries);
    left.was_wide = left.was_wide.max(right.was_wide);
    Ok(Child::Loaded(Arc::new(left)))
}

/// The node itself where nobody shares it, else a copy, to be changed.
fn owned(node: Arc<Node>) -> Node {
    let mut node = Arc::unwrap_or_clone(node);
    node.block = None;
    node
}
