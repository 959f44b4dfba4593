//! Writing to many repos at once.

use std::collections::HashSet;

use arroba_core::syntax::Did;
use arroba_store::ApplyError;
use futures::StreamExt;

use super::commit::Staging;
use super::resolve::Prepared;
use super::{CommitOptions, CommitOutcome, HostError, RepoHost, Write};

/// How many repos are read at once.
const CONCURRENT_LOADS: usize = 16;

/// Writes to one repo, as [`RepoHost::commit_many`] takes them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose repo.
    pub did: Did,
    /// What to write.
    pub writes: Vec<Write>,
    /// How.
    pub options: CommitOptions,
}

impl Batch {
    /// Writes to the repo of `did`, with the usual options.
    pub fn new(did: Did, writes: impl IntoIterator<Item = Write>) -> Self {
        Self { did, writes: writes.into_iter().collect(), options: CommitOptions::default() }
    }
}

struct Pending {
    index: usize,
    did: Did,
    prepared: Vec<Prepared>,
    options: CommitOptions,
}

impl RepoHost {
    /// Makes a commit for each batch: each for itself all or nothing, all of them with one shared sync.
    ///
    /// There is one result for each batch, in their order; that one fails says nothing of the others. Several batches to one repo
    /// become several commits, in order.
    pub async fn commit_many(
        &self,
        batches: impl IntoIterator<Item = Batch>,
    ) -> Vec<Result<CommitOutcome, HostError>> {
        let mut results: Vec<Option<Result<CommitOutcome, HostError>>> = Vec::new();
        let mut waiting = Vec::new();
        let batches: Vec<_> = batches.into_iter().collect();
        let learned = self.learn(batches.iter().map(|batch| (&batch.writes[..], &batch.options))).await;
        for (index, Batch { did, writes, options }) in batches.into_iter().enumerate() {
            match self.prepare(writes, &options, &learned) {
                Ok(prepared) => {
                    waiting.push(Pending { index, did, prepared, options });
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error))),
            }
        }
        while !waiting.is_empty() {
            let mut seen = HashSet::new();
            let (round, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|pending| seen.insert(pending.did.clone()));
            waiting = later;
            for (index, result) in self.commit_round(round).await {
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(result);
                }
            }
        }
        results.into_iter().flatten().collect()
    }

    /// Commits to repos that are all different.
    async fn commit_round(&self, mut round: Vec<Pending>) -> Vec<(usize, Result<CommitOutcome, HostError>)> {
        // Always in the same order, so that two rounds never wait for each other.
        round.sort_unstable_by(|a, b| a.did.cmp(&b.did));
        let mut turns = Vec::with_capacity(round.len());
        for pending in &round {
            turns.push(self.0.turns.take(&pending.did).await);
        }
        let staged: Vec<_> = futures::stream::iter(round)
            .map(async |pending| {
                let staged = self.stage_commit(&pending.did, &pending.prepared, &pending.options).await;
                (pending, staged)
            })
            .buffered(CONCURRENT_LOADS)
            .collect()
            .await;
        let mut results = Vec::with_capacity(staged.len());
        let (mut changes, mut promises) = (Vec::new(), Vec::new());
        for (pending, staged) in staged {
            match staged {
                Ok(Staging::Changed(change, promise)) => {
                    changes.push(change);
                    promises.push((pending, promise));
                }
                Ok(Staging::Unchanged(outcome)) => results.push((pending.index, Ok(outcome))),
                Err(error) => results.push((pending.index, Err(error))),
            }
        }
        for ((pending, promise), applied) in promises.into_iter().zip(self.0.store.apply(changes).await) {
            let result = match applied {
                Ok(applied) => Ok(promise.keep(&applied)),
                Err(ApplyError::Conflict { .. }) => {
                    self.commit_in_turn(&pending.did, &pending.prepared, &pending.options).await
                }
                Err(error) => Err(super::resolve::refused(&pending.did, &pending.prepared, error)),
            };
            results.push((pending.index, result));
        }
        results
    }
}
