//! From writes to a staged commit: pure, and the only way a repository changes.

use std::collections::BTreeMap;

use bytes::Bytes;
use thiserror::Error;

use super::staged::Staged;
use super::write::{RecordChange, Write};
use crate::data::{Cid, Link, MAX_RECORD_BYTES};
use crate::event::{Action, MAX_COMMIT_BLOCKS_BYTES, MAX_OPS, RepoOp};
use crate::mst::{Key, KeyEdit, MstError, Tree};
use crate::syntax::RecordPath;

/// Applies writes to a tree, in their order, and stages the net effect: several writes to one record become
/// one operation, and what changes nothing becomes none. If nothing is left, [`Staged::is_empty`] and there
/// is nothing to commit.
///
/// `tree` must be loaded as far as a [`Loader::for_edit`](crate::mst::Loader::for_edit) of the paths (see
/// [`edit_keys`]) loads it.
///
/// # Errors
/// [`EditError`], and nothing is staged.
pub fn edit(tree: &Tree, writes: Vec<Write>) -> Result<Staged, EditError> {
    let (batch, ops, records) = merge(tree, writes)?;
    let edited = tree.edit(&batch)?;
    Ok(Staged::new(edited, ops, records))
}

/// Stages a new repository with these records; usually with none.
///
/// # Errors
/// As [`edit`].
pub fn create(writes: Vec<Write>) -> Result<Staged, EditError> {
    let (batch, ops, records) = merge(&Tree::empty(), writes)?;
    let edited = Tree::create(&batch)?;
    Ok(Staged::new(edited, ops, records))
}

/// Stages a commit that changes no record: for a new signing key, or a revision to be announced.
///
/// # Errors
/// [`MstError::Missing`] if the root of `tree` is not loaded: consumers want to see it.
pub fn resign(tree: &Tree) -> Result<Staged, EditError> {
    Ok(Staged::unchanged(tree)?)
}

/// The keys that these writes touch, for a loader.
pub fn edit_keys(writes: &[Write]) -> Vec<Key> {
    writes.iter().map(|write| key(write.path())).collect()
}

/// The key of a record in the tree.
pub fn key(path: &RecordPath) -> Key {
    Key::new(&path.to_bytes()).expect("a path has 1 to 830 bytes, fewer than a key may have")
}

type Merged = (Vec<KeyEdit>, Vec<RepoOp>, Vec<RecordChange>);

/// The state of a record while the writes are applied.
enum Record {
    Absent,
    Before,
    Written(Cid, Bytes),
}

fn merge(tree: &Tree, writes: Vec<Write>) -> Result<Merged, EditError> {
    let mut touched: BTreeMap<Key, (RecordPath, Option<Link>, Record)> = BTreeMap::new();
    for write in writes {
        let path = write.path();
        let key = key(path);
        let (_, _, record) = match touched.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let before = tree.value(entry.key())?.cloned();
                let record = if before.is_some() { Record::Before } else { Record::Absent };
                entry.insert((path.clone(), before, record))
            }
        };
        let absent = matches!(record, Record::Absent);
        *record = match write {
            Write::Create { path, .. } if !absent => return Err(EditError::RecordExists(path)),
            Write::Update { path, .. } | Write::Delete { path } if absent => {
                return Err(EditError::RecordMissing(path));
            }
            Write::Create { path, value, cid }
            | Write::Update { path, value, cid }
            | Write::Put { path, value, cid } => {
                if value.len() > MAX_RECORD_BYTES {
                    return Err(EditError::RecordTooLarge { path, bytes: value.len() });
                }
                Record::Written(cid, value)
            }
            Write::Delete { .. } => Record::Absent,
        };
    }
    let (mut batch, mut ops, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for (key, (path, prev, record)) in touched {
        let (action, cid) = match (&prev, record) {
            (_, Record::Before) | (None, Record::Absent) => continue,
            (Some(prev), Record::Written(cid, _)) if prev.cid() == Some(cid) => continue,
            (Some(prev), Record::Absent) => {
                records.push(RecordChange::Delete { path: path.clone(), prev: prev.clone() });
                (Action::Delete, None)
            }
            (prev, Record::Written(cid, bytes)) => {
                records.push(RecordChange::Put { path: path.clone(), cid, bytes });
                (if prev.is_some() { Action::Update } else { Action::Create }, Some(cid))
            }
        };
        batch.push(KeyEdit { key, value: cid.map(Link::Cid) });
        // An event cannot name a former record with a CID that is not blessed; it then leaves it out.
        ops.push(RepoOp { action, path, cid, prev: prev.as_ref().and_then(Link::cid) });
    }
    if ops.len() > MAX_OPS {
        return Err(EditError::TooManyOps(ops.len()));
    }
    Ok((batch, ops, records))
}

/// Why writes cannot become a commit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// A record to be created exists, perhaps by an earlier write of the batch.
    #[error("record {0} already exists")]
    RecordExists(RecordPath),
    /// A record to be updated or deleted does not exist, perhaps by an earlier write of the batch.
    #[error("record {0} does not exist")]
    RecordMissing(RecordPath),
    /// More net operations than an event may have.
    #[error("{0} operations in one commit, more than {MAX_OPS}")]
    TooManyOps(usize),
    /// A record is larger than [`MAX_RECORD_BYTES`].
    #[error("record {path} has {bytes} bytes, more than {MAX_RECORD_BYTES}")]
    RecordTooLarge {
        /// Which.
        path: RecordPath,
        /// The size of its block.
        bytes: usize,
    },
    /// The blocks of the commit are more than an event may carry.
    #[error("blocks of the commit have {0} bytes, more than {MAX_COMMIT_BLOCKS_BYTES}")]
    TooLarge(usize),
    /// A tree node would grow beyond [`MAX_GROWN_WIDTH`](crate::mst::MAX_GROWN_WIDTH) entries: the record keys
    /// were mined.
    #[error("a tree node would grow to {0} entries")]
    NodeTooWide(usize),
    /// A record key is higher in the tree than can be by chance.
    #[error("a record key has height {0} in the tree")]
    TooTall(u8),
    /// The tree is not loaded far enough, or is not whole.
    #[error(transparent)]
    Tree(MstError),
}

impl From<MstError> for EditError {
    fn from(error: MstError) -> Self {
        match error {
            MstError::TooWide { width, .. } => Self::NodeTooWide(width),
            MstError::TooTall(height) => Self::TooTall(height),
            error => Self::Tree(error),
        }
    }
}
