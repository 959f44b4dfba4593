//! What is known of a subtree before it is read, and what is in it.

use arroba_core::{
    data::{Cid, Link},
    mst::{Entry, Expect, Key, NodeData},
    syntax::Did,
};

use crate::error::StoreError;

/// A subtree, as its parent or the commit names it.
#[derive(Clone, Debug)]
pub(super) struct Subtree {
    /// The CID of its root.
    pub(super) cid: Cid,
    /// Nothing for the root of the whole tree.
    height: Option<u8>,
    /// All its keys are greater; the start of all keys for the first subtree.
    pub(super) after: Key,
    /// All its keys are less; nothing for the last subtree.
    pub(super) before: Option<Key>,
}

/// A part of a node.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// An entry: a record's key and CID.
    Entry(Key, Cid),
    /// What is between two entries. It has an entry at least, if perhaps further below.
    Subtree(Subtree),
}

/// A node that was read.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its height.
    pub(super) height: u8,
    /// Its parts in the order of their keys.
    pub(super) parts: Vec<Part>,
}

impl Subtree {
    /// The whole tree.
    pub(super) fn root(cid: Cid) -> Self {
        Self { cid, height: None, after: Key::start(), before: None }
    }

    /// Decodes its root. The caller knows that the bytes have the CID.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they are no node that may stand there.
    pub(super) fn open(&self, did: &Did, bytes: &[u8]) -> Result<Opened, StoreError> {
        let expect = match self.height {
            None => Expect::root(None),
            Some(height) => {
                let before = self.before.as_ref().map(Key::as_bytes);
                Expect::child(height, self.after.as_bytes(), before)
            }
        };
        let node = NodeData::decode(bytes, expect)
            .map_err(|error| StoreError::corrupt_by(format!("tree node {} of {did}", self.cid), error))?;
        let NodeData { height, left, entries } = node;
        // Decoding refuses children at height 0.
        let below = height.saturating_sub(1);
        let child = |cid, after, before| Part::Subtree(Self { cid, height: Some(below), after, before });
        let mut parts = Vec::with_capacity(entries.len() * 2 + 1);
        let mut entries = entries.into_iter().peekable();
        let next = |entry: Option<&Entry>| entry.map_or_else(|| self.before.clone(), |e| Some(e.key.clone()));
        if let Some(cid) = left {
            parts.push(child(cid, self.after.clone(), next(entries.peek())));
        }
        while let Some(Entry { key, value, right }) = entries.next() {
            let Link::Cid(cid) = value else {
                let what = format!("record {key} of {did} has a CID that no block has");
                return Err(StoreError::corrupt(what));
            };
            let right = right.map(|cid| child(cid, key.clone(), next(entries.peek())));
            parts.push(Part::Entry(key, cid));
            parts.extend(right);
        }
        Ok(Opened { height, parts })
    }
}

/// The error for a block that is not stored.
pub(super) fn missing(what: &str, did: &Did, cid: &Cid) -> StoreError {
    StoreError::corrupt(format!("{what} {cid} of {did} is missing"))
}
