//! Nodes in memory.

use std::sync::Arc;

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node_data::{self, Decoded, Expect, NodeData};
use super::position::{NodeRequest, Position};
use crate::data::{Cid, Link};

/// What hangs in a slot of a node.
#[derive(Clone, Debug, Default)]
pub(super) enum Child {
    /// Nothing: no keys in this range.
    #[default]
    Absent,
    /// A node that is not loaded.
    Stub(Cid),
    /// A node in memory.
    Loaded(Arc<Node>),
}

/// A node in memory, shared between trees until one of them changes it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) height: u8,
    /// The width, in entries, of the widest block this node was made from: it may be that wide again.
    pub(super) was_wide: usize,
    pub(super) left: Child,
    pub(super) entries: Vec<Slot>,
    /// The encoded node; `None` while an edit is under way in it or below it.
    pub(super) block: Option<Block>,
}

/// An entry and the child behind it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) value: Link,
    pub(super) right: Child,
}

/// An encoded node.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) cid: Cid,
    pub(super) bytes: Bytes,
}

impl Child {
    /// The CID of what hangs here; `None` for nothing, or for a node under edit.
    pub(super) fn cid(&self) -> Option<&Cid> {
        match self {
            Self::Absent => None,
            Self::Stub(cid) => Some(cid),
            Self::Loaded(node) => node.block.as_ref().map(|block| &block.cid),
        }
    }

    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The node here, if there is one.
    ///
    /// # Errors
    /// [`MstError::Missing`] if it is not loaded; `after` and `height` say where it stands.
    pub(super) fn node(&self, after: &Key, height: u8) -> Result<Option<&Arc<Node>>, MstError> {
        match self {
            Self::Absent => Ok(None),
            Self::Stub(cid) => Err(missing(*cid, after, height)),
            Self::Loaded(node) => Ok(Some(node)),
        }
    }
}

/// The error for a node that is not loaded.
pub(super) fn missing(cid: Cid, after: &Key, height: u8) -> MstError {
    MstError::Missing(NodeRequest { cid, position: Position { after: after.clone(), height } })
}

impl Node {
    /// A node of these parts, to be encoded later.
    pub(super) const fn new(height: u8, left: Child, entries: Vec<Slot>) -> Self {
        Self { height, was_wide: 0, left, entries, block: None }
    }

    /// Decodes a node that was asked for, after checking its hash. All children are stubs.
    pub(super) fn decode(cid: Cid, bytes: Bytes, expect: Expect<'_>) -> Result<Self, MstError> {
        if !cid.matches(&bytes) {
            return Err(MstError::Hash(cid));
        }
        let stub = |cid: Option<Cid>| cid.map_or(Child::Absent, Child::Stub);
        let slot = |key, value, right| Slot { key, value, right: stub(right) };
        let Decoded { height, left, entries } = node_data::decode(&bytes, expect, slot)?;
        let block = Some(Block { cid, bytes });
        Ok(Self { height, was_wide: entries.len(), left: stub(left), entries, block })
    }

    /// The node of the empty tree.
    pub(super) fn empty() -> Self {
        let bytes = Bytes::from(NodeData::empty().encode());
        let block = Some(Block { cid: Cid::for_cbor(&bytes), bytes });
        Self { block, ..Self::new(0, Child::Absent, Vec::new()) }
    }

    /// Where `key` is among the entries, or the slot whose range it falls into.
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|slot| slot.key.as_bytes().cmp(key))
    }

    /// The child in a slot: 0 is before the first entry, `i` behind entry `i - 1`.
    pub(super) fn slot(&self, index: usize) -> &Child {
        match index.checked_sub(1) {
            None => &self.left,
            Some(entry) => &self.entries[entry].right,
        }
    }

    pub(super) fn slot_mut(&mut self, index: usize) -> &mut Child {
        match index.checked_sub(1) {
            None => &mut self.left,
            Some(entry) => &mut self.entries[entry].right,
        }
    }

    /// The greatest key before a slot's subtree, if `after` is that of the node itself.
    pub(super) fn after<'a>(&'a self, index: usize, after: &'a Key) -> &'a Key {
        match index.checked_sub(1) {
            None => after,
            Some(entry) => &self.entries[entry].key,
        }
    }

    /// The number of slots less one.
    pub(super) const fn last(&self) -> usize {
        self.entries.len()
    }

    /// The height of the node's children; 0 where there can be none.
    pub(super) const fn below(&self) -> u8 {
        self.height.saturating_sub(1)
    }

    /// Whether the node holds nothing at all.
    pub(super) const fn is_void(&self) -> bool {
        self.entries.is_empty() && self.left.is_absent()
    }

    /// Encodes the node; its children must have CIDs.
    pub(super) fn encode(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|slot| (&slot.key, &slot.value, slot.right.cid()));
        node_data::encode(self.left.cid(), self.entries.len(), entries)
    }
}
