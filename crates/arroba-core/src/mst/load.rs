//! Loading the part of a tree that an edit or a read needs.

use std::sync::Arc;

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node::{Child, Node};
use super::node_data::Expect;
use super::position::{NodeRequest, Position};
use super::route::{Purpose, Want, route};
use super::tree::Tree;
use crate::data::Cid;

/// Says which nodes it wants, takes them in, and becomes a [`Tree`]. It does no IO: its driver does.
///
/// The root is always wanted, then level by level whatever the keys need. Requests may be answered in any
/// order. Every node is checked against its CID and its place.
///
/// # Examples
/// ```
/// use arroba_core::mst::{Key, Loader, MstError, NodeRequest, Tree};
///
/// fn drive(
///     mut loader: Loader,
///     mut read: impl FnMut(&NodeRequest) -> bytes::Bytes,
/// ) -> Result<Tree, MstError> {
///     while let Some(request) = loader.wants().first().cloned() {
///         loader.supply(&request, read(&request))?;
///     }
///     loader.finish()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Loader {
    scope: LoaderScope,
    /// `None` until started with a root.
    root: Option<(Cid, Option<u8>)>,
    wants: Vec<NodeRequest>,
    /// What is known of each want, side by side with `wants`.
    pending: Vec<Pending>,
    /// Wants before this index were answered.
    answered: usize,
    nodes: Vec<(Option<Parent>, Node)>,
    /// Scratch space.
    routes: Vec<(usize, Want)>,
}

/// Which nodes a loader goes for.
#[derive(Clone, Debug)]
pub(super) enum LoaderScope {
    /// What these keys need, sorted.
    Keys(Vec<Key>, Purpose),
    /// Every node.
    All,
}

#[derive(Clone, Copy, Debug)]
struct Parent {
    node: usize,
    slot: usize,
}

#[derive(Clone, Debug)]
struct Pending {
    parent: Option<Parent>,
    before: Option<Key>,
    want: Want,
}

impl Loader {
    /// For editing these keys, in any order: loads the path to each key or to the bottom of its gap, and at a
    /// key that is there also the way to its neighbours on both sides. Deletions merge along those ways, and
    /// the covering proof consists of them.
    pub fn for_edit(keys: impl IntoIterator<Item = Key>) -> Self {
        Self::for_keys(keys, Purpose::Edit)
    }

    /// For reading these keys, in any order, and for [`Tree::proof`] of each: loads the path to each key or
    /// to the bottom of its gap.
    pub fn for_read(keys: impl IntoIterator<Item = Key>) -> Self {
        Self::for_keys(keys, Purpose::Read)
    }

    /// For everything: the whole tree.
    pub const fn for_all() -> Self {
        Self::new(LoaderScope::All)
    }

    fn for_keys(keys: impl IntoIterator<Item = Key>, purpose: Purpose) -> Self {
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self::new(LoaderScope::Keys(keys, purpose))
    }

    pub(super) const fn new(scope: LoaderScope) -> Self {
        Self {
            scope,
            root: None,
            wants: Vec::new(),
            pending: Vec::new(),
            answered: 0,
            nodes: Vec::new(),
            routes: Vec::new(),
        }
    }

    /// Starts at a root of known height, as a repository's head has it; `None` for a repository without a
    /// tree, which gives the empty tree. Forgets whatever was loaded before.
    pub fn start(&mut self, root: Option<(Cid, u8)>) {
        self.begin(root.map(|(cid, height)| (cid, Some(height))));
    }

    /// Starts at a root whose height is not known, as in stores that find nodes by CID: its request names a position at height 0.
    pub fn start_unmeasured(&mut self, root: Cid) {
        self.begin(Some((root, None)));
    }

    fn begin(&mut self, root: Option<(Cid, Option<u8>)>) {
        let scope = std::mem::replace(&mut self.scope, LoaderScope::All);
        *self = Self::new(scope);
        self.root = root;
        if let Some((cid, height)) = root {
            let keys = match &self.scope {
                LoaderScope::Keys(keys, _) => keys.len(),
                LoaderScope::All => 0,
            };
            self.wants.push(NodeRequest { cid, position: Position::root(height.unwrap_or(0)) });
            self.pending.push(Pending { parent: None, before: None, want: Want::keys(keys) });
        }
    }

    /// The nodes wanted now, all of which can be read at once. Empty when everything is there.
    pub fn wants(&self) -> &[NodeRequest] {
        self.wants.get(self.answered..).unwrap_or_default()
    }

    /// Takes in the bytes of a node that is wanted.
    ///
    /// # Errors
    /// [`MstError::Unwanted`] if it is not; [`MstError::Hash`] if the bytes do not have its CID; any other
    /// error if they are no node that may stand there.
    pub fn supply(&mut self, request: &NodeRequest, bytes: Bytes) -> Result<(), MstError> {
        let (request, pending) = self.answer(request)?;
        let expect = match (pending.parent, self.root) {
            (None, Some((_, height))) => Expect::root(height),
            _ => Expect::child(
                request.position.height,
                request.position.after.as_bytes(),
                pending.before.as_ref().map(Key::as_bytes),
            ),
        };
        let node = Node::decode(request.cid, bytes, expect)?;
        let index = self.nodes.len();
        let mut ask = |slot: usize, want: Want| {
            let Child::Stub(cid) = node.slot(slot) else { return };
            let after = node.after(slot, &request.position.after).clone();
            let position = Position { after, height: node.below() };
            let before =
                node.entries.get(slot).map_or_else(|| pending.before.clone(), |e| Some(e.key.clone()));
            self.wants.push(NodeRequest { cid: *cid, position });
            self.pending.push(Pending { parent: Some(Parent { node: index, slot }), before, want });
        };
        match &self.scope {
            LoaderScope::All => (0..=node.last()).for_each(|slot| ask(slot, Want::keys(0))),
            LoaderScope::Keys(keys, purpose) => {
                let search = |key: &Key| node.search(key.as_bytes());
                route(node.last(), search, keys, &pending.want, *purpose, &mut self.routes);
                for (slot, want) in self.routes.drain(..) {
                    ask(slot, want);
                }
            }
        }
        self.nodes.push((pending.parent, node));
        Ok(())
    }

    /// Leaves a node that is wanted unloaded.
    pub(super) fn forgo(&mut self, request: &NodeRequest) -> Result<(), MstError> {
        self.answer(request).map(drop)
    }

    fn answer(&mut self, request: &NodeRequest) -> Result<(NodeRequest, Pending), MstError> {
        let open = self.wants();
        let found = open.iter().position(|want| want == request).ok_or(MstError::Unwanted(request.cid))?;
        let first = self.answered;
        self.wants.swap(first, first + found);
        self.pending.swap(first, first + found);
        self.answered += 1;
        let want = self.pending[first].want.clone();
        let pending = Pending { want, before: self.pending[first].before.take(), ..self.pending[first] };
        Ok((self.wants[first].clone(), pending))
    }

    /// The tree, loaded as far as was wanted.
    ///
    /// # Errors
    /// [`MstError::Missing`] if a wanted node was not supplied.
    pub fn finish(mut self) -> Result<Tree, MstError> {
        if let Some(request) = self.wants().first() {
            return Err(MstError::Missing(request.clone()));
        }
        // Children come after their parents, so from the end each node is whole when it is put in its place.
        while let Some((parent, node)) = self.nodes.pop() {
            let height = node.height;
            let node = Child::Loaded(Arc::new(node));
            match parent {
                None => return Ok(Tree { root: node, height }),
                Some(parent) => *self.nodes[parent.node].1.slot_mut(parent.slot) = node,
            }
        }
        Ok(Tree::empty())
    }
}
