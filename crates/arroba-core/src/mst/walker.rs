//! Walking a tree step by step, deciding at each node whether to look into it.

use std::sync::Arc;

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node::{Child, Node};
use super::node_data::Expect;
use super::position::{NodeRequest, Position};
use super::tree::Tree;
use crate::data::Link;

/// What a [`Walker`] stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkItem {
    /// A node: its CID and where it stands. It need not be loaded.
    Node(NodeRequest),
    /// An entry.
    Entry {
        /// The key.
        key: Key,
        /// What it maps to.
        value: Link,
    },
}

/// A walk through a tree in pre-order that its owner directs: into a node, or over it.
///
/// It begins at the root. A node that is not loaded can be stepped over; to step into it, give its bytes to
/// [`supply`](Self::supply) first. So a walk through the smallest part of a tree reads no more than that part, and holds no more than
/// one path.
///
/// # Examples
/// ```
/// use arroba_core::data::Cid;
/// use arroba_core::mst::{Key, KeyEdit, Tree, WalkItem, Walker};
///
/// let key = Key::try_from("com.example.record/3jqfcqzm3fo2j")?;
/// let tree = Tree::empty().edit(&[KeyEdit { key: key.clone(), value: Some(Cid::for_cbor(&[0xa0]).into()) }])?.tree;
/// let mut walker = Walker::new(&tree);
/// assert!(matches!(walker.item(), Some(WalkItem::Node(_))));
/// walker.step_into()?;
/// assert!(matches!(walker.item(), Some(WalkItem::Entry { key: found, .. }) if found == key));
/// walker.step_over();
/// assert!(walker.item().is_none());
/// # Ok::<(), arroba_core::mst::MstError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Walker {
    current: Option<Current>,
    root_height: u8,
    stack: Vec<Level>,
}

#[derive(Clone, Debug)]
enum Current {
    Node { child: Child, request: NodeRequest, before: Option<Key> },
    Entry(Key, Link),
}

/// A node that was stepped into, and which of its items is next: slots are even, entries odd.
#[derive(Clone, Debug)]
struct Level {
    node: Arc<Node>,
    after: Key,
    before: Option<Key>,
    next: usize,
}

impl Walker {
    /// A walk that stands at the root of `tree`.
    pub fn new(tree: &Tree) -> Self {
        let request = NodeRequest { cid: tree.root_cid(), position: Position::root(tree.height) };
        let current = Current::Node { child: tree.root.clone(), request, before: None };
        Self { current: Some(current), root_height: tree.height, stack: Vec::new() }
    }

    /// Where the walk stands; `None` when it is over.
    pub fn item(&self) -> Option<WalkItem> {
        Some(match self.current.as_ref()? {
            Current::Node { request, .. } => WalkItem::Node(request.clone()),
            Current::Entry(key, value) => WalkItem::Entry { key: key.clone(), value: value.clone() },
        })
    }

    /// The height of the node that holds the item; one above the root's for the root itself.
    pub fn layer(&self) -> u8 {
        self.stack.last().map_or_else(|| self.root_height.saturating_add(1), |level| level.node.height)
    }

    /// Goes on behind the item. What is in a node is skipped.
    pub fn step_over(&mut self) {
        self.current = None;
        while let Some(level) = self.stack.last_mut() {
            let (index, entry) = (level.next / 2, level.next % 2 == 1);
            level.next += 1;
            if entry {
                match level.node.entries.get(index) {
                    Some(slot) => {
                        self.current = Some(Current::Entry(slot.key.clone(), slot.value.clone()));
                        return;
                    }
                    None => {
                        self.stack.pop();
                        continue;
                    }
                }
            }
            let child = level.node.slot(index);
            if let Some(cid) = child.cid() {
                let after = level.node.after(index, &level.after).clone();
                let before = level
                    .node
                    .entries
                    .get(index)
                    .map_or_else(|| level.before.clone(), |slot| Some(slot.key.clone()));
                let request =
                    NodeRequest { cid: *cid, position: Position { after, height: level.node.below() } };
                self.current = Some(Current::Node { child: child.clone(), request, before });
                return;
            }
        }
    }

    /// Goes to the first item in the node where the walk stands. Does nothing when the walk is over.
    ///
    /// # Errors
    /// [`MstError::Missing`] if the node is not loaded, [`MstError::NoNode`] at an entry; the walk stays where it is.
    pub fn step_into(&mut self) -> Result<(), MstError> {
        match &self.current {
            None => Ok(()),
            Some(Current::Entry(key, _)) => Err(MstError::NoNode(key.clone())),
            Some(Current::Node { child, request, before }) => {
                let node = child.node(&request.position.after, request.position.height)?;
                if let Some(node) = node {
                    self.stack.push(Level {
                        node: Arc::clone(node),
                        after: request.position.after.clone(),
                        before: before.clone(),
                        next: 0,
                    });
                }
                self.step_over();
                Ok(())
            }
        }
    }

    /// Goes to the next item of the whole tree: into a node, over an entry.
    ///
    /// # Errors
    /// [`MstError::Missing`] as [`step_into`](Self::step_into).
    pub fn advance(&mut self) -> Result<(), MstError> {
        match self.current {
            Some(Current::Node { .. }) => self.step_into(),
            Some(Current::Entry(..)) | None => {
                self.step_over();
                Ok(())
            }
        }
    }

    /// Takes the bytes of the node where the walk stands, after checking them.
    ///
    /// # Errors
    /// [`MstError::Hash`] if they do not have its CID; any other error if they are no node that may stand there.
    pub fn supply(&mut self, bytes: Bytes) -> Result<(), MstError> {
        let is_root = self.stack.is_empty();
        match &mut self.current {
            Some(Current::Node { child, request, before }) => {
                let position = &request.position;
                let expect = if is_root {
                    Expect::root(Some(position.height))
                } else {
                    Expect::child(
                        position.height,
                        position.after.as_bytes(),
                        before.as_ref().map(Key::as_bytes),
                    )
                };
                *child = Child::Loaded(Arc::new(Node::decode(request.cid, bytes, expect)?));
                Ok(())
            }
            Some(Current::Entry(key, _)) => Err(MstError::NoNode(key.clone())),
            None => Err(MstError::NoNode(Key::start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::data::Cid;
    use crate::mst::KeyEdit;

    fn tree(count: u32) -> Tree {
        let edits: Vec<_> = (0..count)
            .map(|n| KeyEdit {
                key: Key::try_from(format!("com.example.record/{n:06}").as_str()).unwrap(),
                value: Some(Cid::for_cbor(&n.to_be_bytes()).into()),
            })
            .collect();
        Tree::empty().edit(&edits).unwrap().tree
    }

    #[test]
    fn advancing_meets_what_the_iterators_meet() {
        let tree = tree(500);
        let (mut nodes, mut entries) = (Vec::new(), Vec::new());
        let mut walker = Walker::new(&tree);
        while let Some(item) = walker.item() {
            match item {
                WalkItem::Node(request) => nodes.push(request),
                WalkItem::Entry { key, value } => {
                    assert_eq!(key.height(), walker.layer());
                    entries.push((key, value));
                }
            }
            walker.advance().unwrap();
        }
        let expected: Vec<_> = tree.nodes().map(Result::unwrap).map(|n| (n.position, n.cid)).collect();
        assert_eq!(nodes.into_iter().map(|n| (n.position, n.cid)).collect::<Vec<_>>(), expected);
        let expected: Vec<_> =
            tree.entries().map(Result::unwrap).map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(entries, expected);
    }

    #[test]
    fn stepping_over_skips_a_subtree() {
        let tree = tree(500);
        let mut walker = Walker::new(&tree);
        walker.step_into().unwrap();
        let mut keys = 0;
        while let Some(item) = walker.item() {
            if let WalkItem::Entry { key, .. } = item {
                assert_eq!(key.height(), tree.height());
                keys += 1;
            }
            walker.step_over();
        }
        assert!(keys > 0 && keys < 20, "{keys}");
        walker.step_over();
        walker.step_into().unwrap();
        assert!(walker.item().is_none());
    }

    #[test]
    fn a_tree_that_is_not_loaded_is_walked_with_the_bytes_of_its_nodes() {
        let whole = tree(300);
        let blocks: HashMap<_, _> = whole.nodes().map(Result::unwrap).map(|n| (n.cid, n.bytes)).collect();
        let mut walker = Walker::new(&Tree::from_root(whole.root_cid(), whole.height()));
        assert!(matches!(walker.supply(Bytes::from_static(b"\xa0")), Err(MstError::Hash(_))));
        let mut keys = Vec::new();
        while let Some(item) = walker.item() {
            match item {
                WalkItem::Entry { key, .. } => keys.push(key),
                WalkItem::Node(request) => {
                    assert_eq!(walker.step_into(), Err(MstError::Missing(request.clone())));
                    walker.supply(blocks[&request.cid].clone()).unwrap();
                }
            }
            walker.advance().unwrap();
        }
        assert_eq!(keys, whole.entries().map(|entry| entry.unwrap().0.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn an_entry_is_no_node() {
        let mut walker = Walker::new(&tree(1));
        walker.step_into().unwrap();
        let Some(WalkItem::Entry { key, .. }) = walker.item() else { panic!() };
        assert_eq!(walker.step_into(), Err(MstError::NoNode(key.clone())));
        assert_eq!(walker.supply(Bytes::new()), Err(MstError::NoNode(key)));
    }

    #[test]
    fn the_empty_tree_has_a_root_and_nothing_else() {
        let mut walker = Walker::new(&Tree::empty());
        assert!(matches!(walker.item(), Some(WalkItem::Node(_))));
        walker.advance().unwrap();
        assert!(walker.item().is_none());
    }
}
