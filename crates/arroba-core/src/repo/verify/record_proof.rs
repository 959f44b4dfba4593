use bytes::Bytes;

use crate::car::{self, Limits};
use crate::crypto::PublicKey;
use crate::data::{Cid, Link};
use crate::mst::{Expect, Key, NodeData};
use crate::repo::Commit;
use crate::syntax::{Did, RecordPath};

use super::error::VerifyError;
use super::{block, signed_commit};

/// What a CAR file proves about one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
    /// The commit it proves it for.
    pub commit: Commit,
    /// The CID of that commit.
    pub commit_cid: Cid,
    /// The record, or `None`: it is proven that there is none.
    pub record: Option<(Cid, Bytes)>,
}

/// Verifies a proof that a record is in a repository, or is not: a CAR file with the commit, the tree nodes on the
/// way to the key, and the record if there is one.
///
/// # Errors
/// If the commit is not signed by `key` for `owner`, a node is malformed, or a block is missing, be it the record.
pub fn record_proof(
    car: &[u8],
    owner: &Did,
    key: &PublicKey,
    path: &RecordPath,
) -> Result<RecordProof, VerifyError> {
    let car = car::read_all(car, &Limits::SLICE)?;
    let commit_cid = *car.roots.first().ok_or(VerifyError::Root)?;
    let commit = signed_commit(block(&car, &commit_cid)?, owner, key)?;
    let record = match find(&car, commit.data, &Key::new(&path.to_bytes())?)? {
        None => None,
        Some(cid) => Some((cid, block(&car, &cid)?.clone())),
    };
    Ok(RecordProof { commit, commit_cid, record })
}

/// Goes down to the key. Each step is one lower, so that it ends.
fn find(car: &car::Car, root: Cid, key: &Key) -> Result<Option<Cid>, VerifyError> {
    let mut node = NodeData::decode(block(car, &root)?, Expect::root(None))?;
    let (mut after, mut before) = (Key::start(), None);
    loop {
        let at = node.entries.partition_point(|entry| entry.key < *key);
        if let Some(entry) = node.entries.get(at) {
            if entry.key == *key {
                return match &entry.value {
                    Link::Cid(cid) => Ok(Some(*cid)),
                    Link::Foreign(_) => Err(VerifyError::Value(key.clone())),
                };
            }
            before = Some(entry.key.clone());
        }
        let child = match at.checked_sub(1).and_then(|i| node.entries.get(i)) {
            None => node.left,
            Some(entry) => {
                after = entry.key.clone();
                entry.right
            }
        };
        let (Some(child), Some(below)) = (child, node.height.checked_sub(1)) else { return Ok(None) };
        let expect = Expect::child(below, after.as_bytes(), before.as_ref().map(Key::as_bytes));
        node = NodeData::decode(block(car, &child)?, expect)?;
    }
}
