//! Saying again what holds already.

use arroba_core::syntax::Did;
use arroba_store::{ChangeKind, RepoStatus};

use super::{HostError, RepoHost, events};

/// What to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The identity: readers should look it up anew.
    Identity,
    /// The account's status.
    Account,
    /// The newest commit: readers who know another one should fetch the repo anew.
    Sync,
}

impl RepoHost {
    /// Announces what holds of the repo, in this order. `#sync` of a repo that is not active is left out: it is not served.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn announce(
        &self,
        did: &Did,
        what: impl IntoIterator<Item = Announcement>,
    ) -> Result<(), HostError> {
        let _turn = self.0.turns.take(did).await;
        let (repo, head) = self.standing(did).await?;
        let active = repo.status == RepoStatus::Active;
        let events: Vec<_> = what
            .into_iter()
            .filter_map(|what| match what {
                Announcement::Identity => Some(events::identity(did, repo.handle.as_ref(), self.now())),
                Announcement::Account => Some(events::account(did, repo.status, self.now())),
                Announcement::Sync => {
                    active.then(|| events::sync(did, head.cid, &head.block, head.rev, self.now()))
                }
            })
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        let change = self.change(did, events, ChangeKind::Announce);
        self.apply(change).await.map(drop).map_err(|error| HostError::refused(did, None, error))
    }
}
