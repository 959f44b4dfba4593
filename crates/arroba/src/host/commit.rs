//! Writing records.

use arroba_core::crypto::Signer;
use arroba_core::event::EventDraft;
use arroba_core::mst::{Loader, Tree};
use arroba_core::repo::{self, CommitParams};
use arroba_core::syntax::{Did, Tid};
use arroba_store::{
    Applied, ApplyError, Change, ChangeKind, CommitChange, Head, Loaded, RepoRow, RepoStatus, Reservation,
};

use super::resolve::{Prepared, References, resolve};
use super::{CommitMeta, CommitOptions, CommitOutcome, HostError, RepoHost, Write, WriteResult};

/// How often a write is prepared anew because someone else was faster. Within one process nobody is: the turn sees to that.
const MAX_ATTEMPTS: usize = 20;

/// A batch, ready for the store or found to change nothing.
pub(super) enum Staging {
    Unchanged(CommitOutcome),
    Changed(Change, Promise),
}

/// What will have come of a commit once the store has taken it.
pub(super) struct Promise {
    meta: CommitMeta,
    results: Vec<WriteResult>,
}

impl Promise {
    pub(super) fn keep(self, applied: &Applied) -> CommitOutcome {
        CommitOutcome {
            commit: Some(CommitMeta { seq: applied.last_seq(), ..self.meta }),
            results: self.results,
        }
    }
}

impl RepoHost {
    /// Makes one commit of `writes` to the repo of `did`: all of them or none.
    ///
    /// The writes count as one after the other, and what they come to in the end is what is committed. If that is nothing, there
    /// is no commit and no event.
    ///
    /// # Errors
    ///
    /// Nothing was written. See [`HostError`].
    pub async fn commit(
        &self,
        did: &Did,
        writes: impl IntoIterator<Item = Write>,
        options: CommitOptions,
    ) -> Result<CommitOutcome, HostError> {
        let writes: Vec<_> = writes.into_iter().collect();
        let learned = self.learn([(&writes[..], &options)]).await;
        let prepared = self.prepare(writes, &options, &learned)?;
        let _turn = self.0.turns.take(did).await;
        self.commit_in_turn(did, &prepared, &options).await
    }

    /// Commits while the repo's turn is held.
    pub(super) async fn commit_in_turn(
        &self,
        did: &Did,
        prepared: &[Prepared],
        options: &CommitOptions,
    ) -> Result<CommitOutcome, HostError> {
        for _ in 0..MAX_ATTEMPTS {
            match self.stage_commit(did, prepared, options).await? {
                Staging::Unchanged(outcome) => return Ok(outcome),
                Staging::Changed(change, promise) => match self.apply(change).await {
                    Ok(applied) => return Ok(promise.keep(&applied)),
                    Err(ApplyError::Conflict { .. }) => {}
                    Err(error) => return Err(super::resolve::refused(did, prepared, error)),
                },
            }
        }
        Err(HostError::Contention(did.clone()))
    }

    /// Edits the newest tree and signs the result, without storing anything.
    pub(super) async fn stage_commit(
        &self,
        did: &Did,
        prepared: &[Prepared],
        options: &CommitOptions,
    ) -> Result<Staging, HostError> {
        let replaced =
            if options.replace_duplicates { self.duplicates(did, prepared).await? } else { Vec::new() };
        let keys = replaced.iter().chain(prepared).map(|prepared| repo::key(&prepared.path));
        let (repo, head, tree) = self.load(did, Loader::for_edit(keys)).await?;
        if repo.status != RepoStatus::Active {
            return Err(HostError::RepoInactive { did: did.clone(), status: repo.status });
        }
        if options.swap_commit.is_some_and(|swap| swap != head.cid) {
            return Err(HostError::CommitSwapped { actual: head.cid });
        }
        let mut writes = resolve(did, &tree, &replaced)?.writes;
        let resolved = resolve(did, &tree, prepared)?;
        writes.extend(resolved.writes);
        let staged = repo::edit(&tree, writes).map_err(HostError::Edit)?;
        if staged.is_empty() {
            return Ok(Staging::Unchanged(CommitOutcome { commit: None, results: resolved.results }));
        }
        let key = self.0.keys.open(did, &repo.keys.signing)?;
        let last = repo.rev.max(Some(head.rev));
        let reservation = self.0.store.reserve(did, 1, last).await?;
        let rev = reservation.rev(0).unwrap_or_else(|| self.next_rev(last));
        let signed = staged.sign(self.params(did, rev, Some(&head)), &*key).map_err(HostError::Edit)?;
        super::check::own_commit(&signed, &key.public_key())?;
        let meta = CommitMeta::new(signed.commit_cid, rev, None);
        let events = vec![signed.event.clone()];
        let References { blobs, backlinks } = References::of(prepared, &signed);
        let commit = CommitChange { expect: Some(head.cid), signed, blobs, backlinks };
        let kind = ChangeKind::Commit(Box::new(commit));
        let change = Change { reservation, ..self.change(did, events, kind) };
        Ok(Staging::Changed(change, Promise { meta, results: resolved.results }))
    }

    /// The repo, its newest commit and as much of its tree as `loader` asks for.
    pub(crate) async fn load(&self, did: &Did, loader: Loader) -> Result<(RepoRow, Head, Tree), HostError> {
        match self.0.store.load(did, loader).await? {
            Some(Loaded { repo, head: Some(head), tree }) => Ok((repo, head, tree)),
            _ => Err(HostError::RepoNotFound(did.clone())),
        }
    }

    pub(crate) fn params(&self, did: &Did, rev: Tid, head: Option<&Head>) -> CommitParams {
        CommitParams {
            did: did.clone(),
            rev,
            since: head.map(|head| head.rev),
            prev_data: head.map(|head| head.data),
            prev_commit: head.map(|head| head.cid).filter(|_| self.0.store.links_commits()),
            time: self.now(),
        }
    }

    pub(crate) fn change(&self, did: &Did, events: Vec<EventDraft>, kind: ChangeKind) -> Change {
        let time = self.0.clock.now_micros();
        Change { did: did.clone(), time, kind, events, reservation: Reservation::none() }
    }

    /// Hands one change to the store.
    pub(super) async fn apply(&self, change: Change) -> Result<Applied, ApplyError> {
        match self.0.store.apply(vec![change]).await.pop() {
            Some(result) => result,
            None => Err(ApplyError::Malformed("no answer for a change")),
        }
    }
}
