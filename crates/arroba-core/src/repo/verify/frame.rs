use std::collections::HashSet;

use crate::car::{self, Car, Limits};
use crate::crypto::PublicKey;
use crate::data::{Cid, Link};
use crate::event::{Action, CommitEvent, Frame, MAX_OPS, RepoOp, SyncEvent};
use crate::mst::{Key, NodeData};
use crate::repo::Commit;
use crate::syntax::Did;

use super::error::VerifyError;
use super::partial::{PartialTree, Refusal};
use super::{block, is_record, signed_commit};

/// In what order the operations of a commit are undone. The blocks of a sound event suffice for every order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Deletions first, then the rest, each by path: what relays do.
    #[default]
    Relay,
    /// From the last to the first.
    Reversed,
    /// From the first to the last.
    Given,
}

/// A `#commit` that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCommit {
    /// The sequence number, if it came in a frame.
    pub seq: Option<u64>,
    /// The event.
    pub event: CommitEvent,
    /// The commit.
    pub commit: Commit,
    /// The root of the tree before: what the event says, or the root of the empty tree for a first commit. That
    /// it is the tree of the revision `since` is for the caller to compare with what it knows.
    pub prev_data: Cid,
    /// The blocks of the event.
    pub car: Car,
}

/// Verifies the frame of a `#commit` by itself: size and encoding; that event, commit and key belong to `owner`;
/// structure, CID and signature of the commit; every operation against the tree and the records; and that
/// undoing them all, in this order, gives the tree before.
///
/// What needs more than the frame stays with the caller: whether `key` is the account's present key, whether the
/// frame came from the account's host, and whether `rev` follows what was known and is not in the future.
///
/// # Errors
/// The first check that fails.
pub fn frame(
    bytes: &[u8],
    owner: &Did,
    key: &PublicKey,
    order: Order,
) -> Result<VerifiedCommit, VerifyError> {
    let Frame::Commit(seq, event) = Frame::decode(bytes)? else { return Err(VerifyError::NotACommit) };
    Ok(VerifiedCommit { seq: Some(seq), ..commit(event, owner, key, order)? })
}

/// Verifies a `#commit` that has been decoded already: see [`frame`].
///
/// # Errors
/// The first check that fails.
pub fn commit(
    event: CommitEvent,
    owner: &Did,
    key: &PublicKey,
    order: Order,
) -> Result<VerifiedCommit, VerifyError> {
    if event.repo != *owner {
        return Err(VerifyError::Account(event.repo));
    }
    let car = car::read_all(&event.blocks, &Limits::SLICE)?;
    if car.roots.first() != Some(&event.commit) {
        return Err(VerifyError::Root);
    }
    let commit = signed_commit(block(&car, &event.commit)?, owner, key)?;
    if commit.rev != event.rev {
        return Err(VerifyError::Rev);
    }
    if event.since.is_some_and(|since| since >= event.rev) {
        return Err(VerifyError::Since);
    }
    let ops = checked_ops(&event, &car)?;
    let found = if ops.is_empty() { commit.data } else { undo(&commit, ops, &car, order)? };
    let prev_data = event.prev_data.unwrap_or_else(|| Cid::for_cbor(&NodeData::empty().encode()));
    if found != prev_data {
        return Err(VerifyError::PrevData { said: event.prev_data, found });
    }
    Ok(VerifiedCommit { seq: None, event, commit, prev_data, car })
}

/// The operations with their keys, each consistent in itself, its record there and well-formed.
fn checked_ops<'a>(event: &'a CommitEvent, car: &Car) -> Result<Vec<(Key, &'a RepoOp)>, VerifyError> {
    if event.ops.len() > MAX_OPS {
        return Err(VerifyError::TooManyOps);
    }
    let mut seen = HashSet::new();
    let mut ops = Vec::with_capacity(event.ops.len());
    for op in &event.ops {
        let key = Key::new(&op.path.to_bytes())?;
        if !seen.insert(key.clone()) {
            return Err(VerifyError::DuplicateOp(key));
        }
        let consistent = match op.action {
            Action::Create => op.cid.is_some() && op.prev.is_none(),
            Action::Update => op.cid.is_some() && op.prev.is_some() && op.cid != op.prev,
            Action::Delete => op.cid.is_none() && op.prev.is_some(),
        };
        if !consistent {
            return Err(VerifyError::Op(key));
        }
        if let Some(cid) = &op.cid
            && !is_record(block(car, cid)?)
        {
            return Err(VerifyError::Record(key));
        }
        ops.push((key, op));
    }
    Ok(ops)
}

/// The root of the tree before the operations.
fn undo(commit: &Commit, mut ops: Vec<(Key, &RepoOp)>, car: &Car, order: Order) -> Result<Cid, VerifyError> {
    match order {
        Order::Relay => ops.sort_by(|(a, x), (b, y)| {
            let rank = |op: &RepoOp| op.action != Action::Delete;
            rank(x).cmp(&rank(y)).then_with(|| a.cmp(b))
        }),
        Order::Reversed => ops.reverse(),
        Order::Given => {}
    }
    let mut tree = PartialTree::load(block(car, &commit.data)?, car)?;
    let mut last = None;
    for (key, op) in ops {
        let undone = match (op.action, op.prev) {
            (Action::Create, _) => tree.remove(&key).map(Some),
            (_, None) => return Err(VerifyError::Op(key)),
            (Action::Update, Some(prev)) => tree.replace(&key, prev.into()).map(Some),
            (Action::Delete, Some(prev)) => tree.insert(key.clone(), prev.into()).map(|()| None),
        };
        match undone {
            Ok(value) if value.as_ref().and_then(Link::cid) == op.cid => {}
            Ok(_) | Err(Refusal::Presence) => return Err(VerifyError::OpMismatch(key)),
            Err(Refusal::Unknown) => return Err(VerifyError::Insufficient(key)),
        }
        last = Some(key);
    }
    tree.root().map_err(|_| VerifyError::Insufficient(last.unwrap_or_else(Key::start)))
}

/// Verifies a `#sync`: its CAR file begins with a commit that `key` has signed for `owner`, of the revision that
/// the event names.
///
/// # Errors
/// The first check that fails.
pub fn sync(event: &SyncEvent, owner: &Did, key: &PublicKey) -> Result<(Cid, Commit), VerifyError> {
    if event.did != *owner {
        return Err(VerifyError::Account(event.did.clone()));
    }
    let car = car::read_all(&event.blocks, &Limits::SLICE)?;
    let cid = *car.roots.first().ok_or(VerifyError::Root)?;
    let commit = signed_commit(block(&car, &cid)?, owner, key)?;
    if commit.rev != event.rev {
        return Err(VerifyError::Rev);
    }
    Ok((cid, commit))
}
