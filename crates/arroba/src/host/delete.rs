//! The end of a repo.

use arroba_core::syntax::Did;
use arroba_store::{ChangeKind, RepoStatus};

use super::{HostError, RepoHost, events};

impl RepoHost {
    /// Deletes the repo and announces it. Its content and earlier events are gone for every reader at once.
    ///
    /// A repo whose creation was not finished vanishes without an announcement, since nobody was told of it.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`], also if it was deleted before.
    pub async fn delete(&self, did: &Did) -> Result<(), HostError> {
        let _turn = self.0.turns.take(did).await;
        let repo = self.0.store.repo(did).await?.ok_or_else(|| HostError::RepoNotFound(did.clone()))?;
        let events = match repo.status {
            RepoStatus::Deleted => return Err(HostError::RepoNotFound(did.clone())),
            RepoStatus::Creating => Vec::new(),
            _ => vec![events::account(did, RepoStatus::Deleted, self.now())],
        };
        let change = self.change(did, events, ChangeKind::Delete);
        let applied = self.apply(change).await.map_err(|error| HostError::refused(did, None, error))?;
        if let Some(seq) = applied.first_seq() {
            self.0.firehose.hide(did, seq);
        }
        Ok(())
    }
}
