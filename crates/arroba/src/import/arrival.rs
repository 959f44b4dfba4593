//! A repo that arrives in a CAR file without having been announced: whose it is, the file says.

use arroba_core::repo::Commit;
use arroba_identity::HandleStatus;
use arroba_store::RepoStatus;
use bytes::Bytes;
use futures::Stream;

use super::spool::Spool;
use super::{ImportError, blocking, walk};
use crate::host::{CommitMeta, HostError, NewRepo, Repo, RepoHost};

impl RepoHost {
    /// Takes in the repo that a CAR file holds, whosever it is: the commit in the file names its DID, and must be signed by a key that
    /// the identity has or had.
    ///
    /// A repo that is here is replaced, as by [`import`](Self::import). One that is not is made, with a new signing key, with the
    /// handle that the identity's document claims if the handle's domain confirms it, and deactivated, since the identity still points
    /// elsewhere: nothing is announced before [`set_status`](Self::set_status). Gives the repo, and the commit that was made; `None` if
    /// the repo holds just that already.
    ///
    /// # Errors
    ///
    /// [`HostError::Import`] for what is wrong with the file, [`HostError::RepoInactive`] for a repo that is taken down,
    /// [`HostError::RepoExists`] for one that is being made, [`HostError::HandleTaken`] if another repo here has the handle: nothing has
    /// changed. A store that fails in the middle may leave a new repo empty; the same file fills it the next time.
    pub async fn import_any<S, E>(&self, file: S) -> Result<(Repo, Option<CommitMeta>), HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let (commit, mut spool) = self.receive(file).await?;
        let did = &commit.did;
        match self.store().repo(did).await?.filter(|repo| repo.status != RepoStatus::Deleted) {
            None => spool = self.arrive(&commit, spool).await?,
            Some(repo) => match repo.status {
                RepoStatus::Creating => return Err(HostError::RepoExists(did.clone())),
                status @ (RepoStatus::Takendown | RepoStatus::Suspended) => {
                    return Err(HostError::RepoInactive { did: did.clone(), status });
                }
                _ => self.check_signature(&repo, &commit).await?,
            },
        }
        let _turn = self.turn(did).await;
        let imported = self.take_over(did, &commit, spool).await?;
        Ok((self.repo(did), imported))
    }

    /// Makes the repo for a file, once nothing is wrong with it any more.
    async fn arrive(&self, commit: &Commit, spool: Spool) -> Result<Spool, HostError> {
        self.check_identity(commit).await?;
        let data = commit.data;
        let max_bytes = self.limits().import_bytes;
        let spool = blocking(move || walk::walk(&spool, data, max_bytes, |_| true).map(|_| spool)).await?;
        let document = self.resolver().resolve_did(&commit.did).await.map_err(ImportError::Identity)?;
        let handle = match self.resolver().handle_status(&document).await {
            HandleStatus::Verified(handle) => Some(handle),
            _ => None,
        };
        // Nothing is reserved: there is no repo yet that could be told of.
        self.reserve_behind(commit, 0, Some(commit.rev)).await?;
        self.create_repo(NewRepo::existing(commit.did.clone(), handle)).await?;
        Ok(spool)
    }
}
