//! A change, numbered and encoded: what of it does not depend on what is stored.

use std::ops::Range;

use arroba_core::{
    data::Cid,
    event::{EventDraft, EventKind},
    repo::RecordChange,
    syntax::{Did, Handle},
};

use super::{Fence, blobs::StagedRefs, entity::AtpBlock, event::event_block, store::Datastore};
use crate::{
    change::{Change, ChangeKind, CommitChange},
    error::ApplyError,
    reservation::Reservation,
};

/// A change with the numbers of its events, and the blocks that it stores.
pub(super) struct Plan {
    pub(super) did: Did,
    pub(super) time: u64,
    pub(super) kind: ChangeKind,
    /// Its events.
    pub(super) events: Vec<EventDraft>,
    /// The numbers of its events, in their order.
    pub(super) seqs: Range<u64>,
    /// Blocks of the commit, records and nodes first, and of the other events.
    pub(super) blocks: Vec<AtpBlock>,
    /// Events of the repository below it are hidden by a deletion or a takedown.
    pub(super) bound: u64,
    /// Where the blobs of all records are written down, if it ends an import; inactive repositories take that too.
    pub(super) import: Option<StagedRefs>,
    /// What shows that its numbers were not given up.
    pub(super) fence: Fence,
    /// Given back unless it is settled.
    pub(super) reservation: Reservation,
}

impl Plan {
    /// Numbers the events, if that did not happen before the commit was signed.
    pub(super) async fn new(store: &Datastore, change: Change) -> Result<Self, ApplyError> {
        let Change { did, time, kind, events, reservation } = change;
        if events.iter().any(|event| *event.did() != did) {
            return Err(ApplyError::Malformed("an event of another account"));
        }
        let commit = match &kind {
            ChangeKind::Create { commit, .. } | ChangeKind::Commit(commit) => Some(&**commit),
            _ => None,
        };
        let hides = matches!(kind, ChangeKind::Delete | ChangeKind::Takedown { reference: Some(_) });
        let (seqs, blocks, bound, reservation) = if let Some(commit) = commit {
            let (seqs, blocks) = of_commit(&did, time, commit, &events, &reservation)?;
            (seqs, blocks, 0, reservation)
        } else {
            let reservation = store.sequences().reserve(&did, events.len(), None).await?;
            let seqs = match reservation.seqs() {
                Some(seqs) => seqs,
                // Everything that has a number is hidden.
                None if hides => {
                    let next = store.sequences().last().await?.saturating_add(1);
                    next..next
                }
                None => 0..0,
            };
            let blocks = seqs.clone().zip(&events).map(|(seq, event)| event_block(event, seq, time));
            let bound = seqs.start;
            (seqs, blocks.collect::<Result<_, _>>()?, bound, reservation)
        };
        let fence = store.sequences().fence(seqs.clone());
        Ok(Self { did, time, kind, events, seqs, blocks, bound, import: None, fence, reservation })
    }

    /// The handle that it takes.
    pub(super) fn handle(&self) -> Option<&Handle> {
        match &self.kind {
            ChangeKind::Reserve { handle, .. }
            | ChangeKind::Create { handle, .. }
            | ChangeKind::Identity { handle, .. } => handle.as_ref(),
            _ => None,
        }
    }

    /// The commit, if it makes one.
    pub(super) fn commit(&self) -> Option<&CommitChange> {
        match &self.kind {
            ChangeKind::Create { commit, .. } | ChangeKind::Commit(commit) => Some(commit),
            _ => None,
        }
    }
}

/// Numbers and blocks of a change that makes a commit.
fn of_commit(
    did: &Did,
    time: u64,
    commit: &CommitChange,
    events: &[EventDraft],
    reservation: &Reservation,
) -> Result<(Range<u64>, Vec<AtpBlock>), ApplyError> {
    let signed = &commit.signed;
    let Some(reserved) = reservation.seqs() else {
        return Err(ApplyError::Malformed("a commit needs a number before it is signed"));
    };
    let own = signed.rev.micros();
    if signed.rev.clock_id() != 0 || !reserved.contains(&own) {
        // Another rev than the number's may have been the head's.
        return Err(ApplyError::Conflict { head: commit.expect });
    }
    let told = usize::try_from(reserved.end - reserved.start).is_ok_and(|numbers| numbers == events.len());
    if !told && !events.is_empty() {
        return Err(ApplyError::Malformed("another number of events than was reserved"));
    }
    // A commit that nobody is told of has no number: it is no event, as one of an import by the Python library.
    let seq = if told { own } else { 0 };
    let mut blocks = Vec::new();
    let mut created = time;
    for (number, event) in reserved.clone().zip(events) {
        let is_commit = matches!(event.kind(), EventKind::Commit | EventKind::Sync) && number == own;
        if is_commit {
            created = u64::try_from(event.time().unix_micros()).unwrap_or(time);
        } else if event.kind() == EventKind::Commit {
            return Err(ApplyError::Malformed("the commit's event has another number than its rev"));
        } else {
            blocks.push(event_block(event, number, time)?);
        }
    }
    let block = |cid: Cid, encoded: &bytes::Bytes| AtpBlock {
        cid,
        repo: Some(did.clone()),
        encoded: encoded.clone(),
        seq,
        ops: Vec::new(),
        created: Some(created),
    };
    blocks.extend(signed.records.iter().filter_map(|change| match change {
        RecordChange::Put { cid, bytes, .. } => Some(block(*cid, bytes)),
        RecordChange::Delete { .. } => None,
    }));
    blocks.extend(signed.node_puts.iter().map(|node| block(node.cid, &node.bytes)));
    let ops = signed.ops.clone();
    blocks.push(AtpBlock { ops, ..block(signed.commit_cid, &signed.commit_bytes) });
    blocks.sort_by_key(|block| block.cid);
    blocks.dedup_by_key(|block| block.cid);
    Ok((if told { reserved } else { own..own }, blocks))
}
