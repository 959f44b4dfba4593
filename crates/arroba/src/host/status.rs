//! Whether a repo is served: the owner's decision and the operator's.

use arroba_core::mst::Loader;
use arroba_core::syntax::Did;
use arroba_store::{ChangeKind, Head, RepoRow, RepoStatus};

use super::{HostError, RepoHost, events};

impl RepoHost {
    /// Sets whether the repo is active, deactivated or suspended, and announces it.
    ///
    /// Making a repo active says everything that a reader needs to take it up again: `#account`, `#identity`, `#sync`. While a
    /// takedown lasts nothing is announced; the new status holds when it is lifted. Setting what already holds does nothing.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`]; [`HostError::RepoInactive`] if `status` is none of the three.
    pub async fn set_status(&self, did: &Did, status: RepoStatus) -> Result<(), HostError> {
        let _turn = self.0.turns.take(did).await;
        let (repo, head) = self.standing(did).await?;
        if !matches!(status, RepoStatus::Active | RepoStatus::Deactivated | RepoStatus::Suspended) {
            return Err(HostError::RepoInactive { did: did.clone(), status });
        }
        if repo.underlying == status {
            return Ok(());
        }
        let events = match (repo.takedown.is_some(), status) {
            (true, _) => Vec::new(),
            (false, RepoStatus::Active) => vec![
                events::account(did, status, self.now()),
                events::identity(did, repo.handle.as_ref(), self.now()),
                events::sync(did, head.cid, &head.block, head.rev, self.now()),
            ],
            (false, status) => vec![events::account(did, status, self.now())],
        };
        let change = self.change(did, events, ChangeKind::Status { status });
        self.apply(change).await.map(drop).map_err(|error| HostError::refused(did, None, error))
    }

    /// Takes the repo down under the moderator's `reference`, or lifts that. Its earlier events are hidden at once.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn take_down(&self, did: &Did, reference: Option<String>) -> Result<(), HostError> {
        let _turn = self.0.turns.take(did).await;
        let (repo, _) = self.standing(did).await?;
        let events = match (repo.takedown.is_some(), reference.is_some()) {
            (false, false) => return Ok(()),
            (true, true) => Vec::new(),
            (false, true) => vec![events::account(did, RepoStatus::Takendown, self.now())],
            (true, false) => vec![events::account(did, repo.underlying, self.now())],
        };
        let change = self.change(did, events, ChangeKind::Takedown { reference });
        let applied = self.apply(change).await.map_err(|error| HostError::refused(did, None, error))?;
        match applied.first_seq() {
            Some(seq) if repo.takedown.is_none() => self.0.firehose.hide(did, seq),
            _ => self.0.firehose.forget(),
        }
        Ok(())
    }

    /// The row and head of a repo that was created and not deleted.
    pub(crate) async fn standing(&self, did: &Did) -> Result<(RepoRow, Head), HostError> {
        let (repo, head, _) = self.load(did, Loader::for_read([])).await?;
        Ok((repo, head))
    }
}
