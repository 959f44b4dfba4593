//! Walking a tree in order.

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node::Node;
use super::position::Position;
use super::tree::Tree;
use crate::data::{Cid, Link};

/// What a walk meets, in the order of a streamable export: a node before what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step<'a> {
    Node(NodeVisit),
    Entry(&'a Key, &'a Link),
}

/// A node met on a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVisit {
    /// Where it stands.
    pub position: Position,
    /// Its CID.
    pub cid: Cid,
    /// Its block.
    pub bytes: Bytes,
}

struct Walk<'a> {
    tree: Option<&'a Tree>,
    stack: Vec<(&'a Node, Key, usize)>,
}

impl<'a> Walk<'a> {
    fn enter(&mut self, node: &'a Node, after: Key) -> Step<'a> {
        let block = node.block.as_ref().expect("the nodes of a tree have blocks");
        let position = Position { after: after.clone(), height: node.height };
        let visit = NodeVisit { position, cid: block.cid, bytes: block.bytes.clone() };
        self.stack.push((node, after, 0));
        Step::Node(visit)
    }

    fn step(&mut self) -> Result<Option<Step<'a>>, MstError> {
        if let Some(tree) = self.tree.take() {
            let start = Key::start();
            return Ok(tree.root.node(&start, tree.height)?.map(|root| self.enter(root, start)));
        }
        while let Some((node, after, next)) = self.stack.last_mut() {
            let (index, entry) = (*next / 2, *next % 2 == 1);
            *next += 1;
            if entry {
                match node.entries.get(index) {
                    Some(slot) => return Ok(Some(Step::Entry(&slot.key, &slot.value))),
                    None => {
                        self.stack.pop();
                        continue;
                    }
                }
            }
            let node: &'a Node = node;
            let after = node.after(index, after).clone();
            if let Some(child) = node.slot(index).node(&after, node.below())? {
                return Ok(Some(self.enter(child, after)));
            }
        }
        Ok(None)
    }
}

/// The nodes of a tree in pre-order. Ends after an error.
#[expect(missing_debug_implementations, reason = "a borrowing iterator shows nothing of use")]
pub struct Nodes<'a>(Walk<'a>);

/// The entries of a tree in the order of their keys. Ends after an error.
#[expect(missing_debug_implementations, reason = "a borrowing iterator shows nothing of use")]
pub struct Entries<'a>(Walk<'a>);

impl Tree {
    const fn walk(&self) -> Walk<'_> {
        Walk { tree: Some(self), stack: Vec::new() }
    }

    /// All nodes in pre-order, which is the order of their positions. Yields [`MstError::Missing`] where one
    /// is not loaded.
    pub const fn nodes(&self) -> Nodes<'_> {
        Nodes(self.walk())
    }

    /// The entries whose keys are `from` or greater, in order: a page of a listing, or all with a prefix (stop where it
    /// ends).
    ///
    /// # Errors
    /// [`MstError::Missing`] if the way to `from` is not loaded. The iterator yields it where a later node is not.
    pub fn entries_from(&self, from: &Key) -> Result<Entries<'_>, MstError> {
        let mut stack = Vec::new();
        let (mut child, mut after, mut height) = (&self.root, Key::start(), self.height);
        while let Some(node) = child.node(&after, height)? {
            let found = node.search(from.as_bytes());
            let (Ok(index) | Err(index)) = found;
            // Behind the slot before the entry: what is in it is less than `from`, or on the stack above.
            stack.push((&**node, after.clone(), 2 * index + 1));
            if found.is_ok() {
                break;
            }
            after = node.after(index, &after).clone();
            child = node.slot(index);
            height = node.below();
        }
        Ok(Entries(Walk { tree: None, stack }))
    }

    /// All entries in order. Yields [`MstError::Missing`] where a node is not loaded.
    pub const fn entries(&self) -> Entries<'_> {
        Entries(self.walk())
    }
}

impl Iterator for Nodes<'_> {
    type Item = Result<NodeVisit, MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.step() {
                Ok(Some(Step::Node(visit))) => return Some(Ok(visit)),
                Ok(Some(Step::Entry(..))) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.0.stack.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a Key, &'a Link), MstError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.step() {
                Ok(Some(Step::Entry(key, value))) => return Some(Ok((key, value))),
                Ok(Some(Step::Node(_))) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.0.stack.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mst::KeyEdit;

    #[test]
    fn a_listing_may_start_anywhere() {
        let key = |n: u32| Key::try_from(format!("com.example.record/{n:04}").as_str()).unwrap();
        let edits: Vec<_> = (0..400)
            .step_by(2)
            .map(|n| KeyEdit { key: key(n), value: Some(Cid::for_cbor(&n.to_be_bytes()).into()) })
            .collect();
        let tree = Tree::empty().edit(&edits).unwrap().tree;
        let all: Vec<_> = tree.entries().map(|entry| entry.unwrap().0.clone()).collect();
        for from in (0..=401).map(key).chain([
            Key::start(),
            Key::try_from("a/b").unwrap(),
            Key::try_from("z/z").unwrap(),
        ]) {
            let found: Vec<_> =
                tree.entries_from(&from).unwrap().map(|entry| entry.unwrap().0.clone()).collect();
            let expected: Vec<_> = all.iter().filter(|key| **key >= from).cloned().collect();
            assert_eq!(found, expected, "{from}");
        }
        assert_eq!(Tree::empty().entries_from(&Key::start()).unwrap().count(), 0);
    }
}
