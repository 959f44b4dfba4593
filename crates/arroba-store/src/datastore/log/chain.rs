//! Which commits became part of their repository.
//!
//! The Python library stores a commit's blocks before it moves the head, and tries again under the same number when it was
//! interrupted. So a commit that is stored may not be one yet, or never.

use std::collections::{HashMap, HashSet};

use arroba_core::{data::Cid, repo::Commit, syntax::Did};
use bytes::Bytes;

use super::{
    super::{Client, Reads, blocks::Blocks, entity::AtpRepo},
    rebuild::StoredCommit,
};
use crate::error::StoreError;

/// What becomes of the commits under a number.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is part of the repository.
    Commit(Box<StoredCommit>),
    /// The head has not come to it yet.
    Open,
    /// None of them is part of the repository, or they are none that will be.
    Nothing,
}

/// Where repositories are.
pub(super) struct Heads<'a> {
    blocks: &'a Blocks,
    /// Blocks that were read just now.
    known: &'a HashMap<Cid, Bytes>,
    heads: HashMap<Did, Cid>,
}

impl<'a> Heads<'a> {
    /// Reads the heads of repositories: one lookup, however many they are.
    pub(super) async fn read(
        blocks: &'a Blocks,
        known: &'a HashMap<Cid, Bytes>,
        dids: HashSet<Did>,
    ) -> Result<Self, StoreError> {
        let client: &Client = blocks.client();
        let mut heads = HashMap::new();
        if dids.is_empty() {
            return Ok(Self { blocks, known, heads });
        }
        let keys = dids.iter().map(|did| AtpRepo::key(client.database(), did)).collect();
        let lookup = client.lookup(keys, Reads::Strong).await?;
        for entity in lookup.found.into_iter().filter_map(|result| result.entity) {
            let row =
                AtpRepo::from_entity(entity).map_err(|error| StoreError::corrupt_by("repository", error))?;
            heads.insert(row.did, row.head);
        }
        Ok(Self { blocks, known, heads })
    }

    /// Decides about the commits under one number. Whether one is part of the repository is only known when the head has come to
    /// it: the Python library takes a number before it knows the commit before its own, so the head may be further already
    /// (and its revs go backwards then), and one that is on the way may not have been stored yet when the blocks were read. While the log
    /// is followed (`live`) it is therefore waited for, as for a number that is missing.
    pub(super) async fn fate(&self, mut commits: Vec<StoredCommit>, live: bool) -> Result<Fate, StoreError> {
        let undecided = || if live { Fate::Open } else { Fate::Nothing };
        let Some(last) = commits.last() else { return Ok(Fate::Nothing) };
        let Some(head) = self.heads.get(&last.commit.did) else { return Ok(undecided()) };
        let rev = last.commit.rev;
        let mut at = Some(*head);
        for _ in 0..STEPS {
            let Some(cid) = at else { return Ok(undecided()) };
            if let Some(found) = commits.iter().position(|commit| commit.cid == cid) {
                return Ok(Fate::Commit(Box::new(commits.swap_remove(found))));
            }
            let Some(commit) = self.commit(cid).await? else { break };
            if commit.rev.micros().saturating_add(BACKWARDS) < rev.micros() {
                return Ok(undecided());
            }
            at = commit.prev;
        }
        // As the Python library: the last in the order of keys.
        Ok(commits.pop().map_or(Fate::Nothing, |commit| Fate::Commit(Box::new(commit))))
    }

    async fn commit(&self, cid: Cid) -> Result<Option<Commit>, StoreError> {
        let bytes = match self.known.get(&cid) {
            Some(bytes) => Some(bytes.clone()),
            None => self.blocks.get(cid).await?.map(|block| block.bytes),
        };
        Ok(bytes.and_then(|bytes| Commit::decode(&bytes).ok()))
    }
}

/// By how many numbers a rev may be behind the one before it.
const BACKWARDS: u64 = 1_000;

/// How far back a commit is looked for.
const STEPS: usize = 1_000;
