//! A commit that lacks only its signature, and one that has it.

use std::collections::HashSet;

use bytes::Bytes;

use super::commit::Commit;
use super::edit::EditError;
use super::write::RecordChange;
use crate::car;
use crate::crypto::Signer;
use crate::data::Cid;
use crate::event::{self, CommitEvent, EventDraft, MAX_COMMIT_BLOCKS_BYTES, RepoOp};
use crate::mst::{Edited, MstError, NodePut, Position, Tree};
use crate::syntax::{Datetime, Did, Tid};

/// What a commit will change, before it has a revision and a signature.
#[derive(Clone, Debug)]
pub struct Staged {
    tree: Tree,
    ops: Vec<RepoOp>,
    records: Vec<RecordChange>,
    puts: Vec<NodePut>,
    removes: Vec<Position>,
    proof: Vec<(Cid, Bytes)>,
}

impl Staged {
    pub(super) fn new(edited: Edited, ops: Vec<RepoOp>, records: Vec<RecordChange>) -> Self {
        let Edited { tree, puts, removes, proof, .. } = edited;
        Self { tree, ops, records, puts, removes, proof }
    }

    pub(super) fn unchanged(tree: &Tree) -> Result<Self, MstError> {
        let proof = vec![(tree.root_cid(), tree.root_bytes()?)];
        let tree = tree.clone();
        Ok(Self { tree, ops: Vec::new(), records: Vec::new(), puts: Vec::new(), removes: Vec::new(), proof })
    }

    /// Whether no record changes.
    pub const fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The net operations, in the order of their paths.
    pub fn ops(&self) -> &[RepoOp] {
        &self.ops
    }

    /// The tree after the commit, loaded as far as the one before was.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// What a commit says besides its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitParams {
    /// The account.
    pub did: Did,
    /// The new revision; greater than every one before, which is the caller's duty.
    pub rev: Tid,
    /// The revision before; `None` for the first commit.
    pub since: Option<Tid>,
    /// The tree's root before; `None` for the first commit.
    pub prev_data: Option<Cid>,
    /// The commit before, to be named in this one. Consumers want `None`.
    pub prev_commit: Option<Cid>,
    /// The time of the event.
    pub time: Datetime,
}

/// A commit with all that its storage and its event need.
#[derive(Clone, Debug)]
pub struct SignedCommit {
    /// The commit's CID: the repository's head.
    pub commit_cid: Cid,
    /// The commit's block.
    pub commit_bytes: Bytes,
    /// The revision.
    pub rev: Tid,
    /// The root of the tree.
    pub data: Cid,
    /// The height of the root.
    pub root_height: u8,
    /// The net operations, in the order of their paths.
    pub ops: Vec<RepoOp>,
    /// The records to write and to delete, side by side with `ops`.
    pub records: Vec<RecordChange>,
    /// The tree nodes to write, each in place of what stood at its position.
    pub node_puts: Vec<NodePut>,
    /// The positions at which no tree node stands any longer.
    pub node_removes: Vec<Position>,
    /// The new tree, as far as it is loaded.
    pub tree: Tree,
    /// The `#commit` event.
    pub event: EventDraft,
}

impl Staged {
    /// Signs the commit and encodes its event.
    ///
    /// The event carries, as a CAR file: the commit; the nodes that cover every change, with all new ones among
    /// them; the records made or replaced. That is enough to undo the operations, in any order, and so to check
    /// that they lead from `prev_data` to here.
    ///
    /// # Errors
    /// [`EditError::TooLarge`] if no event can carry the blocks.
    pub fn sign(mut self, params: CommitParams, signer: &dyn Signer) -> Result<SignedCommit, EditError> {
        let data = self.tree.root_cid();
        let rev = params.rev;
        let commit = Commit::sign(params.did.clone(), data, rev, params.prev_commit, signer);
        let commit_bytes = Bytes::from(commit.encode());
        let commit_cid = Cid::for_cbor(&commit_bytes);
        let ops = std::mem::take(&mut self.ops);
        let (event, ops) = self.draft(commit_cid, &commit_bytes, params, ops)?;
        Ok(SignedCommit {
            commit_cid,
            commit_bytes,
            rev,
            data,
            root_height: self.tree.height(),
            ops,
            records: self.records,
            node_puts: self.puts,
            node_removes: self.removes,
            tree: self.tree,
            event,
        })
    }

    /// The event of a commit that was signed before: the same bytes as [`Staged::sign`] made then, if the writes, the
    /// tree before and the parameters are the same. That the commit is the one of this change is the caller's duty.
    ///
    /// # Errors
    /// As [`Staged::sign`].
    pub fn event(&self, commit: Cid, block: &[u8], params: CommitParams) -> Result<EventDraft, EditError> {
        self.draft(commit, block, params, self.ops.clone()).map(|(event, _)| event)
    }

    /// Encodes the event and gives the operations back.
    fn draft(
        &self,
        commit: Cid,
        block: &[u8],
        params: CommitParams,
        ops: Vec<RepoOp>,
    ) -> Result<(EventDraft, Vec<RepoOp>), EditError> {
        let event = CommitEvent {
            repo: params.did,
            rev: params.rev,
            since: params.since,
            commit,
            blocks: self.slice(commit, block)?,
            ops,
            prev_data: params.prev_data,
            time: params.time,
        };
        Ok((event::commit(&event), event.ops))
    }

    fn slice(&self, commit_cid: Cid, commit_bytes: &[u8]) -> Result<Bytes, EditError> {
        let mut seen = HashSet::with_capacity(self.proof.len() + self.records.len() + 1);
        seen.insert(commit_cid);
        let nodes = self.proof.iter().map(|(cid, bytes)| (cid, bytes));
        let records = self.records.iter().filter_map(|change| match change {
            RecordChange::Put { cid, bytes, .. } => Some((cid, bytes)),
            RecordChange::Delete { .. } => None,
        });
        let blocks: Vec<_> = nodes.chain(records).filter(|(cid, _)| seen.insert(**cid)).collect();
        let sections: usize = blocks.iter().map(|(_, bytes)| car::section_length(bytes.len())).sum();
        let sections = sections + car::section_length(commit_bytes.len());
        let total = car::header_length(1) + sections;
        if total > MAX_COMMIT_BLOCKS_BYTES {
            return Err(EditError::TooLarge(total));
        }
        let mut file = car::Writer::with_capacity(&[commit_cid], sections);
        file.block(&commit_cid, commit_bytes);
        for (cid, bytes) in blocks {
            file.block(cid, bytes);
        }
        Ok(file.finish())
    }
}
