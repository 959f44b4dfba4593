//! What can be wrong with a tree.

use thiserror::Error;

use super::key::Key;
use super::position::NodeRequest;
use crate::data::Cid;

/// Why a node was refused, or an operation on a tree could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MstError {
    /// The operation needs a node that is not loaded.
    #[error("tree node {} after key {:?} at height {} is not loaded", .0.cid, .0.position.after, .0.position.height)]
    Missing(NodeRequest),
    /// A node was supplied that was not asked for.
    #[error("tree node {0} was not asked for")]
    Unwanted(Cid),
    /// The bytes of a node do not hash to its CID.
    #[error("tree node does not hash to {0}")]
    Hash(Cid),
    /// The bytes are not the one canonical encoding of a node.
    #[error("tree node is not canonical at byte {at}")]
    Malformed {
        /// The offset of the first byte that is wrong.
        at: usize,
    },
    /// An entry shares a longer prefix with its predecessor than it says.
    #[error("prefix of key {0} is not maximal")]
    Prefix(Key),
    /// The key does not follow the one before it, or lies outside of the node's range.
    #[error("key {0} is out of order")]
    Order(Key),
    /// The key's height is not that of its node.
    #[error("key {key} has height {height} but stands at {at}")]
    KeyHeight {
        /// The key.
        key: Key,
        /// The height that its hash gives.
        height: u8,
        /// The height of the node that holds it.
        at: u8,
    },
    /// A node at height 0 has a child.
    #[error("tree node at height 0 has a child")]
    BelowBottom,
    /// A node without keys where none may be: a root with only a child, or a node with nothing at all.
    #[error("tree node has no keys and no use")]
    EmptyNode,
    /// A key has no bytes or too many.
    #[error("key has {0} bytes, not 1 to 1024")]
    KeyLength(usize),
    /// A key or node is higher than [`MAX_HEIGHT`](super::MAX_HEIGHT).
    #[error("height {0} is above the limit")]
    TooTall(u8),
    /// A node has more than [`MAX_WIDTH`](super::MAX_WIDTH) entries, or an edit grew it beyond
    /// [`MAX_GROWN_WIDTH`](super::MAX_GROWN_WIDTH).
    #[error("tree node of {width} entries is wider than {limit}")]
    TooWide {
        /// The number of entries.
        width: usize,
        /// The limit.
        limit: usize,
    },
    /// A walk stands at this entry, or is over (the empty key), where a node is needed.
    #[error("there is no node to step into at key {0}")]
    NoNode(Key),
    /// An earlier operation of this editor failed, so its tree is in no defined state.
    #[error("an earlier edit failed")]
    Abandoned,
}
