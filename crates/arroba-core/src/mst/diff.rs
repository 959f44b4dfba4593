//! The difference between two trees.

use std::collections::BTreeSet;

use super::compare::{Change, compare};
use super::error::MstError;
use super::key::Key;
use super::tree::Tree;
use crate::data::{Cid, Link};

/// A key that maps to something else than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// The key.
    pub key: Key,
    /// What it mapped to; `None` if it was not there.
    pub old: Option<Link>,
    /// What it maps to; `None` if it is not there any more.
    pub new: Option<Link>,
}

/// The difference between two trees: least, and in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The nodes that only the new tree has.
    pub created: BTreeSet<Cid>,
    /// The nodes that only the old tree has.
    pub deleted: BTreeSet<Cid>,
    /// The keys that changed, in order.
    pub ops: Vec<EntryChange>,
}

/// The difference between two trees. Subtrees that both have at the same place are not looked into, so both
/// may be loaded in part.
///
/// # Errors
/// [`MstError::Missing`] if a node that differs, or stands elsewhere, is not loaded.
pub fn diff(old: &Tree, new: &Tree) -> Result<Diff, MstError> {
    let mut diff = Diff::default();
    compare(Some(old), new, |change| match change {
        Change::Put(put) => {
            diff.created.insert(put.cid);
        }
        Change::Remove(cid, _) | Change::Replace(cid) => {
            diff.deleted.insert(cid);
        }
        Change::Entry(change) => diff.ops.push(change),
    })?;
    // A node that moved was met in both. One CID stands only once in a tree, since its keys do.
    let moved: Vec<Cid> = diff.created.intersection(&diff.deleted).copied().collect();
    for cid in moved {
        diff.created.remove(&cid);
        diff.deleted.remove(&cid);
    }
    Ok(diff)
}
