//! Merkle search trees: the ordered map from record paths to CIDs behind every repository.
//!
//! The shape of a tree is a function of its content alone. A key's *height* is half the number of leading
//! zero bits of its SHA-256; a node at height `h` holds keys of height `h`, and between them links to nodes
//! of height `h - 1`. Nodes without keys bridge levels that a range of keys skips.
//!
//! - [`NodeData`] is a node as a block: strict decoding and encoding.
//! - [`Tree`] is a persistent tree in memory, perhaps in part: a child that is not loaded is an ordinary
//!   value, and an operation that needs it answers [`MstError::Missing`], never a wrong result.
//! - [`Loader`] says which nodes an edit or a read needs, and takes them in; its driver does the IO.
//! - [`Tree::edit`] applies a batch and yields the new tree, the row changes of a node table keyed by
//!   [`Position`], and the covering proof.
//! - [`Builder`] makes all nodes from sorted entries in one pass.
//! - [`Tree::entries`] and [`Tree::entries_from`] list; a [`Walker`] goes step by step, also where little is loaded.
//! - [`diff`] compares two trees; [`draw`] pictures them.
//!
//! This layer checks key *bytes*; collections and record keys are checked by [`repo`](crate::repo).
//!
//! # Limits against mined keys
//! Whoever chooses record keys can mine them: a key of height 0 costs 4/3 hashes, so a node of any width is
//! cheap to make, and every later write would rewrite it. In an honest tree a node is wider than `n` with
//! probability (3/4)^n per node: for a million records, 197 entries are already a matter of 2^-64, and for
//! 10^11 records 237 are. So an edit refuses to *grow* a node beyond [`MAX_GROWN_WIDTH`] entries. Decoding
//! accepts up to [`MAX_WIDTH`], and such nodes may still be edited or shrunk.
//! A key of height `h` costs 4^h hashes; [`MAX_HEIGHT`] is far beyond what can be mined, and bounds every
//! recursion here.
//!
//! Spec: <https://atproto.com/specs/repository#mst-structure>

mod build;
mod compare;
mod diff;
pub mod draw;
mod edit;
mod error;
mod key;
mod load;
mod node;
mod node_data;
mod position;
mod proof;
mod route;
mod split;
mod tree;
mod walk;
mod walker;

pub use build::Builder;
pub use diff::{Diff, EntryChange, diff};
pub use edit::{Edited, Editor, KeyEdit};
pub use error::MstError;
pub use key::{Key, common_prefix, height_of};
pub use load::Loader;
pub use node_data::{Entry, Expect, NodeData};
pub use position::{NodePut, NodeRequest, Position};
pub use tree::Tree;
pub use walk::{Entries, NodeVisit, Nodes};
pub use walker::{WalkItem, Walker};

/// The widest node, in entries, that an edit may make by adding entries.
pub const MAX_GROWN_WIDTH: usize = 256;

/// The widest node, in entries, that is read at all.
pub const MAX_WIDTH: usize = 1_000;

/// The greatest height of a key or node.
pub const MAX_HEIGHT: u8 = 32;
