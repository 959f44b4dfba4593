//! Which commits became part of their repository.
//!
//! The Python library stores a commit's blocks before it moves the head, and tries again under the same number when it was
//! interrupted. So a commit that is stored may not be one yet, or never.

use std::collections::{HashMap, HashSet};

use arroba_core::{data::Cid, repo::Commit, syntax::Did};

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
    heads: HashMap<Did, (Cid, Commit)>,
}

impl<'a> Heads<'a> {
    /// Reads the heads of repositories: two lookups, however many they are.
    pub(super) async fn read(blocks: &'a Blocks, dids: HashSet<Did>) -> Result<Self, StoreError> {
        let client: &Client = blocks.client();
        let mut heads = HashMap::new();
        if dids.is_empty() {
            return Ok(Self { blocks, heads });
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
        Ok(Self { blocks, heads })
    }

    /// Decides about the commits under one number. One commit that the head has passed is believed to lie on its way.
    pub(super) async fn fate(&self, mut commits: Vec<StoredCommit>) -> Result<Fate, StoreError> {
        let Some(last) = commits.last() else { return Ok(Fate::Nothing) };
        let Some((head, newest)) = self.heads.get(&last.commit.did) else { return Ok(Fate::Open) };
        if let Some(at) = commits.iter().position(|commit| commit.cid == *head) {
            return Ok(Fate::Commit(Box::new(commits.swap_remove(at))));
        }
        let rev = last.commit.rev;
        match newest.rev.cmp(&rev) {
            std::cmp::Ordering::Less => Ok(Fate::Open),
            std::cmp::Ordering::Equal => Ok(Fate::Nothing),
            std::cmp::Ordering::Greater if commits.len() == 1 => {
                Ok(commits.pop().map_or(Fate::Nothing, |commit| Fate::Commit(Box::new(commit))))
            }
            std::cmp::Ordering::Greater => self.walk(newest.prev, commits).await,
        }
    }

    /// Goes back from the head to the one of several that lies on the way.
    async fn walk(&self, mut at: Option<Cid>, mut commits: Vec<StoredCommit>) -> Result<Fate, StoreError> {
        let rev = commits.last().map(|commit| commit.commit.rev);
        for _ in 0..STEPS {
            let Some(cid) = at else { return Ok(Fate::Nothing) };
            if let Some(found) = commits.iter().position(|commit| commit.cid == cid) {
                return Ok(Fate::Commit(Box::new(commits.swap_remove(found))));
            }
            let Some(block) = self.blocks.get_many(vec![cid]).await?.remove(&cid) else { break };
            let Ok(commit) = Commit::decode(&block.bytes) else { break };
            if Some(commit.rev) <= rev {
                return Ok(Fate::Nothing);
            }
            at = commit.prev;
        }
        // As the Python library: the last in the order of keys.
        Ok(commits.pop().map_or(Fate::Nothing, |commit| Fate::Commit(Box::new(commit))))
    }
}

/// How far back one of several commits is looked for.
const STEPS: usize = 1_000;
