//! Comparing two trees by one walk through both, in pre-order, that skips what they share.

use super::diff::EntryChange;
use super::error::MstError;
use super::key::Key;
use super::node::{Child, Node, Slot};
use super::position::{NodePut, Position};
use super::tree::Tree;
use crate::data::Cid;

/// A difference between two trees.
pub(super) enum Change {
    /// The new tree has a node at a position where the old one has none, or another.
    Put(NodePut),
    /// The old tree has a node at a position where the new one has none.
    Remove(Cid, Position),
    /// A key maps to something else.
    Entry(EntryChange),
    /// The old tree has another node at the position of the put that follows.
    Replace(Cid),
}

/// Reports every difference between two trees, in pre-order. `None` is a tree without even a root.
///
/// Subtrees are compared by position, then by CID: the same subtree at the same position is skipped. If it
/// has moved, only its left spine stands elsewhere, and that is all that is opened.
///
/// # Errors
/// [`MstError::Missing`] if a node that differs, or has moved, is not loaded.
pub(super) fn compare(
    old: Option<&Tree>,
    new: &Tree,
    mut report: impl FnMut(Change),
) -> Result<(), MstError> {
    let start = Key::start();
    let mut old = old.map_or_else(Walk::nowhere, |tree| Walk::new(tree, &start));
    let mut new = Walk::new(new, &start);
    loop {
        match (old.item, new.item) {
            (None, None) => return Ok(()),
            (Some(a), Some(b)) => match a.order(&b) {
                std::cmp::Ordering::Less => old.leave(a, &mut report)?,
                std::cmp::Ordering::Greater => new.arrive(b, &mut report)?,
                std::cmp::Ordering::Equal => match (a.what, b.what) {
                    (What::Child(x), What::Child(y)) if x.cid() == y.cid() => {
                        old.skip();
                        new.skip();
                    }
                    (What::Child(x), What::Child(_)) => {
                        if let Some(cid) = x.cid() {
                            report(Change::Replace(*cid));
                        }
                        old.enter(a)?;
                        new.arrive(b, &mut report)?;
                    }
                    (What::Entry(x), What::Entry(y)) => {
                        if x.value != y.value {
                            report(Change::Entry(EntryChange {
                                key: y.key.clone(),
                                old: Some(x.value.clone()),
                                new: Some(y.value.clone()),
                            }));
                        }
                        old.skip();
                        new.skip();
                    }
                    // Unreachable: an entry and a node never have the same rank.
                    (What::Entry(_), What::Child(_)) => old.leave(a, &mut report)?,
                    (What::Child(_), What::Entry(_)) => new.arrive(b, &mut report)?,
                },
            },
            (Some(a), None) => old.leave(a, &mut report)?,
            (None, Some(b)) => new.arrive(b, &mut report)?,
        }
    }
}

/// A place in a tree: an entry, or a subtree after a key.
#[derive(Clone, Copy)]
struct Item<'a> {
    /// The entry's key, or the greatest key before the subtree.
    key: &'a Key,
    /// 0 for the entry itself, then the subtrees behind it from the highest down.
    rank: u16,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Entry(&'a Slot),
    Child(&'a Child),
}

impl<'a> Item<'a> {
    fn child(child: &'a Child, after: &'a Key, height: u8) -> Self {
        Self { key: after, rank: 256 - u16::from(height), what: What::Child(child) }
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.key.order(other.key).then(self.rank.cmp(&other.rank))
    }

    fn height(&self) -> u8 {
        u8::try_from(256 - self.rank).unwrap_or(0)
    }

    fn position(&self) -> Position {
        Position { after: self.key.clone(), height: self.height() }
    }
}

/// A walk through one tree, an item at a time; the walker decides what to enter.
struct Walk<'a> {
    item: Option<Item<'a>>,
    stack: Vec<Open<'a>>,
}

/// A node that was entered, and which of its items is next: slots are even, entries odd.
struct Open<'a> {
    node: &'a Node,
    after: &'a Key,
    next: usize,
}

impl<'a> Walk<'a> {
    const fn nowhere() -> Self {
        Self { item: None, stack: Vec::new() }
    }

    fn new(tree: &'a Tree, start: &'a Key) -> Self {
        Self { item: Some(Item::child(&tree.root, start, tree.height)), stack: Vec::with_capacity(16) }
    }

    /// Goes on behind the current item.
    fn skip(&mut self) {
        self.item = None;
        while let Some(open) = self.stack.last_mut() {
            let index = open.next / 2;
            let entry = open.next % 2 == 1;
            if entry {
                let Some(slot) = open.node.entries.get(index) else {
                    self.stack.pop();
                    continue;
                };
                open.next += 1;
                self.item = Some(Item { key: &slot.key, rank: 0, what: What::Entry(slot) });
                return;
            }
            open.next += 1;
            let child = open.node.slot(index);
            if !child.is_absent() {
                self.item = Some(Item::child(child, open.node.after(index, open.after), open.node.below()));
                return;
            }
        }
    }

    /// Goes on inside of the current item, or behind it if it is an entry.
    fn enter(&mut self, item: Item<'a>) -> Result<(), MstError> {
        if let What::Child(child) = item.what
            && let Some(node) = child.node(item.key, item.height())?
        {
            self.stack.push(Open { node, after: item.key, next: 0 });
        }
        self.skip();
        Ok(())
    }

    /// Reports an item that only the old tree has.
    fn leave(&mut self, item: Item<'a>, report: &mut impl FnMut(Change)) -> Result<(), MstError> {
        match item.what {
            What::Entry(slot) => report(Change::Entry(EntryChange {
                key: slot.key.clone(),
                old: Some(slot.value.clone()),
                new: None,
            })),
            What::Child(child) => {
                if let Some(cid) = child.cid() {
                    report(Change::Remove(*cid, item.position()));
                }
            }
        }
        self.enter(item)
    }

    /// Reports an item that only the new tree has.
    fn arrive(&mut self, item: Item<'a>, report: &mut impl FnMut(Change)) -> Result<(), MstError> {
        match item.what {
            What::Entry(slot) => report(Change::Entry(EntryChange {
                key: slot.key.clone(),
                old: None,
                new: Some(slot.value.clone()),
            })),
            What::Child(child) => {
                let node = child.node(item.key, item.height())?;
                if let Some(block) = node.and_then(|node| node.block.as_ref()) {
                    report(Change::Put(NodePut {
                        position: item.position(),
                        cid: block.cid,
                        bytes: block.bytes.clone(),
                    }));
                }
            }
        }
        self.enter(item)
    }
}
