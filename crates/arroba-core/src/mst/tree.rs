//! Persistent trees, in memory in whole or in part.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::MAX_HEIGHT;
use super::error::MstError;
use super::key::Key;
use super::load::{Loader, LoaderScope};
use super::node::{Child, Node};
use super::proof::cover;
use super::route::Purpose;
use crate::data::{Cid, Link};

/// A Merkle search tree, loaded in whole or in part. Cloning is cheap, and editing leaves the original as it
/// is.
///
/// # Examples
/// ```
/// use arroba_core::data::Cid;
/// use arroba_core::mst::{Key, KeyEdit, Tree};
///
/// let key = Key::try_from("com.example.record/3jqfcqzm3fo2j")?;
/// let value = Some(Cid::for_cbor(&[0xa0]).into());
/// let edited = Tree::empty().edit(&[KeyEdit { key: key.clone(), value: value.clone() }])?;
/// assert_eq!(edited.tree.value(&key)?.cloned(), value);
/// assert_eq!(edited.puts.len(), 1);
/// # Ok::<(), arroba_core::mst::MstError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    /// Never absent; every loaded node in it has its block.
    pub(super) root: Child,
    pub(super) height: u8,
}

static EMPTY: LazyLock<Arc<Node>> = LazyLock::new(|| Arc::new(Node::empty()));

impl Tree {
    /// The tree without entries.
    pub fn empty() -> Self {
        Self { root: Child::Loaded(EMPTY.clone()), height: 0 }
    }

    /// A tree of which only the CID and height of its root are known.
    pub const fn from_root(root: Cid, height: u8) -> Self {
        Self { root: Child::Stub(root), height }
    }

    /// Loads all of a tree that `blocks` has. What it has not stays unloaded, the root excepted.
    ///
    /// Each node is checked against its CID and its place, so a shared or cyclic subtree is an error, and the
    /// work is bounded by the blocks there are.
    ///
    /// # Errors
    /// [`MstError::Missing`] if the root is not there; any other error for a node that is wrong.
    pub fn from_blocks(root: Cid, mut blocks: impl FnMut(&Cid) -> Option<Bytes>) -> Result<Self, MstError> {
        let mut loader = Loader::new(LoaderScope::All);
        loader.start_unmeasured(root);
        while let Some(request) = loader.wants().first().cloned() {
            match blocks(&request.cid) {
                Some(bytes) => loader.supply(&request, bytes)?,
                None if request.cid == root => return Err(MstError::Missing(request)),
                None => loader.forgo(&request)?,
            }
        }
        loader.finish()
    }

    /// The CID of the root.
    pub fn root_cid(&self) -> Cid {
        *self.root.cid().expect("a tree has a root, and its nodes have blocks")
    }

    /// The height of the root.
    pub const fn height(&self) -> u8 {
        self.height
    }

    /// The bytes of the root node.
    ///
    /// # Errors
    /// [`MstError::Missing`] if it is not loaded.
    pub fn root_bytes(&self) -> Result<Bytes, MstError> {
        let root = self.root.node(&Key::start(), self.height)?;
        let block = root.and_then(|root| root.block.as_ref());
        Ok(block.expect("a tree has a root, and its nodes have blocks").bytes.clone())
    }

    /// What `key` maps to.
    ///
    /// # Errors
    /// [`MstError::Missing`] if the way to the key is not loaded.
    pub fn value(&self, key: &Key) -> Result<Option<&Link>, MstError> {
        Ok(find(&self.root, self.height, key, key.height())?.value)
    }

    /// The nodes that prove what `key` maps to, or that it maps to nothing: the path from the root to the
    /// key, or to the bottom of the gap where it would be.
    ///
    /// # Errors
    /// [`MstError::Missing`] if one of them is not loaded.
    pub fn proof(&self, key: &Key) -> Result<Vec<(Cid, Bytes)>, MstError> {
        cover(self, std::slice::from_ref(key), Purpose::Read)
    }
}

/// What a lookup found.
pub(super) struct Found<'a> {
    /// The key's value.
    pub(super) value: Option<&'a Link>,
    /// The greatest lesser key among those at least as high; the start if there is none.
    pub(super) after: &'a Key,
    /// The way there.
    pub(super) way: Way,
}

/// The slots on the way from the root to a key, or the index of its entry at the end.
#[derive(Clone, Copy)]
pub(super) struct Way {
    slots: [u32; MAX_HEIGHT as usize + 1],
    length: usize,
}

impl Way {
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots[..self.length].iter().map(|slot| *slot as usize)
    }
}

/// Looks up a key of the given height, at most [`MAX_HEIGHT`].
pub(super) fn find<'a>(
    root: &'a Child,
    root_height: u8,
    key: &Key,
    height: u8,
) -> Result<Found<'a>, MstError> {
    static START: LazyLock<Key> = LazyLock::new(Key::start);
    let mut after = &*START;
    let mut way = Way { slots: [0; MAX_HEIGHT as usize + 1], length: 0 };
    let (mut child, mut at) = (root, root_height);
    while at >= height {
        let Some(node) = child.node(after, at)? else { break };
        let found = node.search(key.as_bytes());
        let (Ok(index) | Err(index)) = found;
        let Some(slot) = way.slots.get_mut(way.length) else { break };
        *slot = u32::try_from(index).unwrap_or(u32::MAX);
        way.length += 1;
        if found.is_ok() {
            return Ok(Found { value: Some(&node.entries[index].value), after, way });
        }
        after = node.after(index, after);
        child = node.slot(index);
        if at == 0 {
            break;
        }
        at -= 1;
    }
    Ok(Found { value: None, after, way })
}
