//! A tree of which only some nodes are known, as a flat sequence.
//!
//! The shape of a tree follows from its keys. So a partial tree is nothing but its known keys in order, with
//! *stubs* between them: subtrees of which only CID and height are known. A stub at height `s` is exactly all
//! that stands between two keys of greater height (or the ends). Whether a change keeps that true can be told
//! from the neighbours alone, and the root follows by building the tree anew.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::car::Car;
use crate::data::{Cid, Link};
use crate::mst::{Entry, Expect, Key, MstError, NodeData};

/// A subtree that is not known.
#[derive(Clone, Copy, Debug)]
struct Stub {
    cid: Cid,
    height: u8,
}

/// A known key.
#[derive(Clone, Debug)]
struct Leaf {
    value: Link,
    height: u8,
    /// What lies behind it, before the next known key.
    after: Option<Stub>,
}

/// See [the module](self).
#[derive(Debug)]
pub(super) struct PartialTree {
    first: Option<Stub>,
    leaves: BTreeMap<Key, Leaf>,
}

/// Why a partial tree cannot do something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A node would have to be known that is not.
    Unknown,
    /// The key is not there, or is there already.
    Presence,
}

impl PartialTree {
    /// All that `car` knows of the tree whose root is the block `root`.
    ///
    /// Keys are checked against the bounds that their ancestors set, so no node with keys can be in two places,
    /// and a node without keys has but one child: the work is linear in the size of the blocks.
    pub(super) fn load(root: &[u8], car: &Car) -> Result<Self, MstError> {
        let mut tree = Self { first: None, leaves: BTreeMap::new() };
        let node = NodeData::decode(root, Expect::root(None))?;
        tree.add(node, &Key::start(), None, car)?;
        Ok(tree)
    }

    /// Adds a node that stands after `after` and before `before`. Recursion ends with the height, at most
    /// [`MAX_HEIGHT`](crate::mst::MAX_HEIGHT).
    fn add(&mut self, node: NodeData, after: &Key, before: Option<&Key>, car: &Car) -> Result<(), MstError> {
        let below = node.height.checked_sub(1);
        let mut keys: Vec<Key> = node.entries.iter().map(|entry| entry.key.clone()).collect();
        let last = keys.len();
        let mut children = vec![node.left];
        for Entry { key, value, right } in node.entries {
            self.leaves.insert(key, Leaf { value, height: node.height, after: None });
            children.push(right);
        }
        keys.insert(0, after.clone());
        for (i, child) in children.into_iter().enumerate() {
            let Some(cid) = child else { continue };
            let height = below.ok_or(MstError::BelowBottom)?;
            let (after, before) = (&keys[i], if i == last { before } else { keys.get(i + 1) });
            match car.blocks.get(&cid) {
                Some(block) => {
                    let expect = Expect::child(height, after.as_bytes(), before.map(Key::as_bytes));
                    self.add(NodeData::decode(block, expect)?, after, before, car)?;
                }
                None => *self.stub_after(after) = Some(Stub { cid, height }),
            }
        }
        Ok(())
    }

    /// Where the stub behind a known key, or at the very beginning, stands.
    fn stub_after(&mut self, key: &Key) -> &mut Option<Stub> {
        match self.leaves.get_mut(key) {
            Some(leaf) => &mut leaf.after,
            None => &mut self.first,
        }
    }

    fn stub(&self, before: Option<(&Key, &Leaf)>) -> Option<Stub> {
        before.map_or(self.first, |(_, leaf)| leaf.after)
    }

    fn previous(&self, key: &Key) -> Option<(&Key, &Leaf)> {
        self.leaves.range::<Key, _>((Bound::Unbounded, Bound::Excluded(key))).next_back()
    }

    fn next(&self, key: &Key) -> Option<(&Key, &Leaf)> {
        self.leaves.range::<Key, _>((Bound::Excluded(key), Bound::Unbounded)).next()
    }

    /// What the key maps to.
    pub(super) fn value(&self, key: &Key) -> Result<Option<&Link>, Refusal> {
        match self.leaves.get(key) {
            Some(leaf) => Ok(Some(&leaf.value)),
            None if self.stub(self.previous(key)).is_some() => Err(Refusal::Unknown),
            None => Ok(None),
        }
    }

    /// Maps a key that is there to another value, and gives the former.
    pub(super) fn replace(&mut self, key: &Key, value: Link) -> Result<Link, Refusal> {
        self.value(key)?;
        let leaf = self.leaves.get_mut(key).ok_or(Refusal::Presence)?;
        Ok(std::mem::replace(&mut leaf.value, value))
    }

    /// Adds a key that is not there. It must not fall into a stub.
    pub(super) fn insert(&mut self, key: Key, value: Link) -> Result<(), Refusal> {
        if self.value(&key)?.is_some() {
            return Err(Refusal::Presence);
        }
        let height = key.height();
        // Stubs further left and right end at the neighbouring keys, but only if those are higher.
        self.leaves.insert(key, Leaf { value, height, after: None });
        Ok(())
    }

    /// Removes a key that is there, and gives its value. What it kept apart must not have to be merged unseen.
    pub(super) fn remove(&mut self, key: &Key) -> Result<Link, Refusal> {
        let before = self.previous(key);
        let next = self.next(key);
        let left = self.stub(before);
        let Some(leaf) = self.leaves.get(key) else {
            return Err(if left.is_some() { Refusal::Unknown } else { Refusal::Presence });
        };
        let stub = match (left, leaf.after) {
            (Some(_), Some(_)) => return Err(Refusal::Unknown),
            (stub, None) | (None, stub) => stub,
        };
        if let Some(stub) = stub {
            let reaches = |neighbour: Option<(&Key, &Leaf)>| {
                neighbour.is_some_and(|(_, leaf)| leaf.height <= stub.height)
            };
            if reaches(before) || reaches(next) {
                return Err(Refusal::Unknown);
            }
        }
        let before = before.map(|(key, _)| key.clone());
        match before {
            Some(before) => *self.stub_after(&before) = stub,
            None => self.first = stub,
        }
        self.leaves.remove(key).map(|leaf| leaf.value).ok_or(Refusal::Presence)
    }

    /// The root of the tree.
    pub(super) fn root(&self) -> Result<Cid, Refusal> {
        let leaves: Vec<(&Key, &Leaf)> = self.leaves.iter().collect();
        match (leaves.iter().map(|(_, leaf)| leaf.height).max(), self.first) {
            (Some(height), first) => build(&leaves, first, height)?.ok_or(Refusal::Unknown),
            (None, Some(stub)) => Ok(stub.cid),
            (None, None) => Ok(Cid::for_cbor(&NodeData::empty().encode())),
        }
    }
}

/// Builds the node at `height` of these keys behind a stub; `None` if there is nothing.
fn build(leaves: &[(&Key, &Leaf)], first: Option<Stub>, height: u8) -> Result<Option<Cid>, Refusal> {
    if leaves.is_empty() {
        match first {
            None => return Ok(None),
            Some(stub) if stub.height == height => return Ok(Some(stub.cid)),
            Some(_) => {}
        }
    } else if first.is_some_and(|stub| stub.height >= height) {
        return Err(Refusal::Unknown);
    }
    let child = |leaves: &[(&Key, &Leaf)], first: Option<Stub>| match height.checked_sub(1) {
        Some(below) => build(leaves, first, below),
        None if leaves.is_empty() && first.is_none() => Ok(None),
        None => Err(Refusal::Unknown),
    };
    let stands = |(_, leaf): &(&Key, &Leaf)| leaf.height >= height;
    let end = leaves.iter().position(stands).unwrap_or(leaves.len());
    let left = child(&leaves[..end], first)?;
    let mut entries = Vec::new();
    let mut rest = &leaves[end..];
    while let [(key, leaf), following @ ..] = rest {
        let end = following.iter().position(stands).unwrap_or(following.len());
        let right = child(&following[..end], leaf.after)?;
        entries.push(Entry { key: (*key).clone(), value: leaf.value.clone(), right });
        rest = &following[end..];
    }
    Ok(Some(Cid::for_cbor(&NodeData { height, left, entries }.encode())))
}

#[cfg(test)]
mod tests;
