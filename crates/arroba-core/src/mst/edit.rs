//! Changing a tree.
//!
//! An editor works on copies that it alone holds: the first edit below a node copies it, later ones change
//! the copy in place. Nodes are encoded once, at the end, so a batch costs each touched node one hash.
//!
//! Recursion is one call per level, and levels are bounded by [`MAX_HEIGHT`].

use std::sync::Arc;

use bytes::Bytes;

use super::compare::{Change, compare};
use super::error::MstError;
use super::key::Key;
use super::node::{Block, Child, Node, Slot, missing};
use super::position::{NodePut, Position};
use super::proof::cover;
use super::route::Purpose;
use super::split::{merge, split};
use super::tree::{Tree, Way, find};
use super::{EntryChange, MAX_GROWN_WIDTH, MAX_HEIGHT, MAX_WIDTH};
use crate::data::{Cid, Link};

/// One edit of a batch: what a key shall map to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEdit {
    /// The key.
    pub key: Key,
    /// Its value; `None` for no entry.
    pub value: Option<Link>,
}

/// What a batch of edits did to a tree.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The new tree. It shares with the old one whatever did not change.
    pub tree: Tree,
    /// The nodes to write, in pre-order: new ones, and those whose bytes are the same at another position.
    pub puts: Vec<NodePut>,
    /// The positions at which no node stands any longer, in pre-order.
    pub removes: Vec<Position>,
    /// The nodes of the new tree that let anyone with the operations undo them: for every changed key the
    /// path to it (or to the bottom of its gap) and to its neighbours on both sides, in pre-order.
    pub proof: Vec<(Cid, Bytes)>,
    /// What changed, in the order of the keys. Edits without effect are not in it.
    pub ops: Vec<EntryChange>,
}

impl Tree {
    /// Applies a batch of edits, one for a key. The order of the batch does not matter.
    ///
    /// The row changes of the result are the difference of two position maps: applying `removes` and `puts`
    /// to a table of this tree's nodes gives the table of the new tree's.
    ///
    /// # Errors
    /// [`MstError::Missing`] if a node that is needed is not loaded (a [`Loader::for_edit`] of all the keys
    /// loads enough); [`MstError::TooWide`] if a node would grow beyond [`MAX_GROWN_WIDTH`];
    /// [`MstError::TooTall`] for a key above [`MAX_HEIGHT`].
    ///
    /// [`Loader::for_edit`]: super::Loader::for_edit
    pub fn edit(&self, batch: &[KeyEdit]) -> Result<Edited, MstError> {
        self.apply(batch, Some(self))
    }

    /// Makes a new tree of a batch, perhaps an empty one. As an edit of the empty tree, but with its root among
    /// the nodes to write, since no table has it yet.
    ///
    /// # Errors
    /// As [`Tree::edit`].
    pub fn create(batch: &[KeyEdit]) -> Result<Edited, MstError> {
        Self::empty().apply(batch, None)
    }

    fn apply(&self, batch: &[KeyEdit], rows: Option<&Self>) -> Result<Edited, MstError> {
        let mut editor = Editor::new(self);
        for edit in batch {
            match &edit.value {
                Some(value) => editor.put(&edit.key, value)?,
                None => editor.delete(&edit.key)?,
            };
        }
        let mut keys: Vec<Key> = batch.iter().map(|edit| edit.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let tree = editor.finish()?;
        let (mut puts, mut removes, mut ops) = (Vec::new(), Vec::new(), Vec::new());
        compare(rows, &tree, |change| match change {
            Change::Put(put) => puts.push(put),
            Change::Remove(_, position) => removes.push(position),
            Change::Replace(_) => {}
            Change::Entry(change) => ops.push(change),
        })?;
        keys.retain(|key| ops.binary_search_by(|op| op.key.cmp(key)).is_ok());
        let proof = cover(&tree, &keys, Purpose::Edit)?;
        Ok(Edited { tree, puts, removes, proof, ops })
    }
}

/// A tree under change, for many edits in a row.
#[derive(Debug)]
pub struct Editor {
    root: Child,
    height: u8,
    failed: bool,
}

impl Editor {
    /// Starts to edit `tree`, which stays as it is.
    pub fn new(tree: &Tree) -> Self {
        Self { root: tree.root.clone(), height: tree.height, failed: false }
    }

    /// Makes `key` map to `value`. Returns what it mapped to before.
    ///
    /// # Errors
    /// As [`Tree::edit`]. After an error this editor refuses everything.
    pub fn put(&mut self, key: &Key, value: &Link) -> Result<Option<Link>, MstError> {
        self.attempt(|editor| editor.try_put(key, value))
    }

    /// Removes the entry of `key`. Returns what it mapped to before.
    ///
    /// # Errors
    /// As [`Tree::edit`]. After an error this editor refuses everything.
    pub fn delete(&mut self, key: &Key) -> Result<Option<Link>, MstError> {
        self.attempt(|editor| editor.try_delete(key))
    }

    /// Encodes what changed. The tree returned shares all else with the one it came from.
    ///
    /// # Errors
    /// [`MstError::TooWide`] if a node grew beyond its limit.
    pub fn finish(mut self) -> Result<Tree, MstError> {
        if self.failed {
            return Err(MstError::Abandoned);
        }
        if let Child::Loaded(root) = &mut self.root {
            seal(root)?;
        }
        Ok(Tree { root: self.root, height: self.height })
    }

    fn attempt<T>(&mut self, edit: impl FnOnce(&mut Self) -> Result<T, MstError>) -> Result<T, MstError> {
        if self.failed {
            return Err(MstError::Abandoned);
        }
        let result = edit(self);
        self.failed = result.is_err();
        result
    }

    fn try_put(&mut self, key: &Key, value: &Link) -> Result<Option<Link>, MstError> {
        let height = key.height();
        if height > MAX_HEIGHT {
            return Err(MstError::TooTall(height));
        }
        let found = find(&self.root, self.height, key, height)?;
        if found.value == Some(value) {
            return Ok(found.value.cloned());
        }
        let (old, after, way) = (found.value.cloned(), found.after.clone(), found.way);
        let root = match &mut self.root {
            Child::Loaded(root) => root,
            Child::Stub(cid) => return Err(missing(*cid, &Key::start(), self.height)),
            Child::Absent => return Err(MstError::Abandoned),
        };
        let entry = |right| Slot { key: key.clone(), value: value.clone(), right };
        if root.is_void() {
            self.root = Child::Loaded(Arc::new(Node::new(height, Child::Absent, vec![entry(Child::Absent)])));
            self.height = height;
        } else if height > self.height {
            let whole = std::mem::take(&mut self.root);
            let (left, right) = split(whole, key, &Key::start(), self.height)?;
            let left = lift(left, self.height, height - 1);
            let right = lift(right, self.height, height - 1);
            self.root = Child::Loaded(Arc::new(Node::new(height, left, vec![entry(right)])));
            self.height = height;
        } else {
            insert(root, entry(Child::Absent), height, &way, &after)?;
        }
        Ok(old)
    }

    fn try_delete(&mut self, key: &Key) -> Result<Option<Link>, MstError> {
        let height = key.height();
        let Some(old) = find(&self.root, self.height, key, height)?.value.cloned() else {
            return Ok(None);
        };
        if let Child::Loaded(root) = &mut self.root {
            remove(root, key, &Key::start())?;
        }
        self.trim()?;
        Ok(Some(old))
    }

    /// Drops roots that hold only a child.
    fn trim(&mut self) -> Result<(), MstError> {
        loop {
            let root = self.root.node(&Key::start(), self.height)?;
            let Some(root) = root else { return Err(MstError::Abandoned) };
            if !root.entries.is_empty() {
                return Ok(());
            }
            let left = root.left.clone();
            if left.is_absent() {
                let empty = Tree::empty();
                (self.root, self.height) = (empty.root, empty.height);
                return Ok(());
            }
            (self.root, self.height) = (left, self.height.saturating_sub(1));
        }
    }
}

/// The node to change in place: a copy if others share it.
fn open(node: &mut Arc<Node>) -> &mut Node {
    let node = Arc::make_mut(node);
    node.block = None;
    node
}

/// Puts an entry of the given height at or below `root`, along the way that a lookup went. `after` is the
/// greatest lesser key among those at least as high.
fn insert(root: &mut Arc<Node>, mut entry: Slot, height: u8, way: &Way, after: &Key) -> Result<(), MstError> {
    let mut node = open(root);
    let mut way = way.slots();
    loop {
        let Some(index) = way.next() else { return Err(MstError::Abandoned) };
        let below = node.below();
        if node.height == height {
            if let Some(same) = node.entries.get_mut(index)
                && same.key == entry.key
            {
                same.value = entry.value;
                return Ok(());
            }
            let whole = std::mem::take(node.slot_mut(index));
            let (left, right) = split(whole, &entry.key, after, below)?;
            *node.slot_mut(index) = left;
            entry.right = right;
            node.entries.insert(index, entry);
            return Ok(());
        }
        match node.slot_mut(index) {
            Child::Loaded(child) => node = open(child),
            absent @ Child::Absent => {
                let leaf = Child::Loaded(Arc::new(Node::new(height, Child::Absent, vec![entry])));
                *absent = lift(leaf, height, below);
                return Ok(());
            }
            Child::Stub(cid) => return Err(missing(*cid, after, below)),
        }
    }
}

/// Removes an entry that exists at or below `node`; leaves nodes without use only on the way to it.
fn remove(node: &mut Arc<Node>, key: &Key, after: &Key) -> Result<(), MstError> {
    let node = open(node);
    let below = node.below();
    match node.search(key.as_bytes()) {
        Ok(entry) => {
            let removed = node.entries.remove(entry);
            let after = node.after(entry, after).clone();
            let left = std::mem::take(node.slot_mut(entry));
            *node.slot_mut(entry) = merge(left, removed.right, &after, &removed.key, below)?;
        }
        Err(index) => {
            let after = node.after(index, after).clone();
            let slot = node.slot_mut(index);
            if let Child::Loaded(child) = slot {
                remove(child, key, &after)?;
                if child.is_void() {
                    *slot = Child::Absent;
                }
            }
        }
    }
    Ok(())
}

/// Raises a subtree from one height to another by nodes without keys.
fn lift(mut child: Child, from: u8, to: u8) -> Child {
    if !child.is_absent() {
        for height in from + 1..=to {
            child = Child::Loaded(Arc::new(Node::new(height, child, Vec::new())));
        }
    }
    child
}

/// Encodes every node that has no block, children first.
fn seal(node: &mut Arc<Node>) -> Result<(), MstError> {
    if node.block.is_some() {
        return Ok(());
    }
    let node = Arc::make_mut(node);
    for index in 0..=node.last() {
        if let Child::Loaded(child) = node.slot_mut(index) {
            seal(child)?;
        }
    }
    let width = node.entries.len();
    if width > MAX_WIDTH.min(node.was_wide.max(MAX_GROWN_WIDTH)) {
        return Err(MstError::TooWide { width, limit: MAX_GROWN_WIDTH });
    }
    let bytes = node.encode();
    node.was_wide = width;
    node.block = Some(Block { cid: Cid::for_cbor(&bytes), bytes: bytes.into() });
    Ok(())
}
