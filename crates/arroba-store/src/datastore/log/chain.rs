//! Which commits became part of their repository.
//!
//! The Python library stores a commit's blocks before it moves the head, and tries again under the same number when it was
//! interrupted. So a commit that is stored may not be one yet, or never.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

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
    /// None of them is part of the repository.
    Nothing,
}

/// Where repositories are.
pub(super) struct Heads<'a> {
    blocks: &'a Blocks,
    /// Blocks that were read just now.
    known: &'a HashMap<Cid, Bytes>,
    heads: HashMap<Did, (Cid, Commit)>,
}

impl<'a> Heads<'a> {
    /// Reads the heads of repositories: two lookups, however many they are.
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
        let mut rows = HashMap::new();
        for entity in lookup.found.into_iter().filter_map(|result| result.entity) {
            let row =
                AtpRepo::from_entity(entity).map_err(|error| StoreError::corrupt_by("repository", error))?;
            rows.insert(row.head, row.did);
        }
        let found = blocks.get_many(rows.keys().copied().collect()).await?;
        for (cid, did) in rows {
            if let Some(commit) = found.get(&cid).and_then(|block| Commit::decode(&block.bytes).ok()) {
                heads.insert(did, (cid, commit));
            }
        }
        Ok(Self { blocks, known, heads })
    }

    /// Decides about the commits under one number. The head may be newer than the blocks that were read: a commit that it names, or
    /// has on its way, and that was not among them, is one that was stored meanwhile, and is found by reading again.
    pub(super) async fn fate(&self, commits: Vec<StoredCommit>) -> Result<Fate, StoreError> {
        let Some(last) = commits.last() else { return Ok(Fate::Nothing) };
        let Some((head, newest)) = self.heads.get(&last.commit.did) else { return Ok(Fate::Open) };
        if newest.rev < last.commit.rev { Ok(Fate::Open) } else { self.walk(*head, commits).await }
    }

    /// Goes back from the head to the commit of this number that lies on the way.
    async fn walk(&self, head: Cid, mut commits: Vec<StoredCommit>) -> Result<Fate, StoreError> {
        let rev = commits.last().map(|commit| commit.commit.rev);
        let mut at = Some(head);
        for _ in 0..STEPS {
            let Some(cid) = at else { return Ok(Fate::Nothing) };
            if let Some(found) = commits.iter().position(|commit| commit.cid == cid) {
                return Ok(Fate::Commit(Box::new(commits.swap_remove(found))));
            }
            let Some(commit) = self.commit(cid).await? else { break };
            match Some(commit.rev).cmp(&rev) {
                Ordering::Less => return Ok(Fate::Nothing),
                Ordering::Equal => return Ok(Fate::Open),
                Ordering::Greater => at = commit.prev,
            }
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

/// How far back a commit is looked for.
const STEPS: usize = 1_000;
