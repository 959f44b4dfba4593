//! Where a node stands in its tree.

use bytes::Bytes;

use super::key::Key;
use crate::data::Cid;

/// Where a node stands in its tree: after which key, and how high.
///
/// A tree has at most one node at a position, and the parent's entry gives the child's position exactly.
/// Ordered by (`after`, descending height), positions are the tree's pre-order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The greatest key before the node's subtree; [`Key::start`] if there is none.
    pub after: Key,
    /// The node's height.
    pub height: u8,
}

impl Position {
    /// The position of the root of a tree.
    pub fn root(height: u8) -> Self {
        Self { after: Key::start(), height }
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.after.order(&other.after).then(other.height.cmp(&self.height))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A node that is needed: its CID and where it stands, so that a store may look it up by either.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeRequest {
    /// The node's CID, as its parent (or the commit) names it.
    pub cid: Cid,
    /// Where it stands.
    pub position: Position,
}

/// A node to be written at a position, in place of whatever stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePut {
    /// Where it stands.
    pub position: Position,
    /// The CID of `bytes`.
    pub cid: Cid,
    /// The encoded node.
    pub bytes: Bytes,
}
