//! What a crash between two stores' steps left behind.

use arroba_store::RepoStatus;
use arroba_store::accounts::AccountError;

use super::Logins;
use crate::host::HostError;

impl Logins {
    /// Finishes the accounts whose repository was made, gives back what the others hold. To be called at the start, after
    /// the host has done the same for the repositories.
    pub(crate) async fn recover(&self) -> Result<(), HostError> {
        let failed = |error: AccountError| match error {
            AccountError::Store(error) => HostError::Store(error),
            error => HostError::Store(arroba_store::StoreError::backend(error)),
        };
        for did in self.0.accounts.unfinished().await.map_err(failed)? {
            let status = self.0.host.store().repo(&did).await?.map(|row| row.status);
            match status {
                None | Some(RepoStatus::Deleted) => {
                    tracing::info!(%did, "taking back an interrupted account");
                    self.0.accounts.revert(&did).await.map_err(failed)?;
                }
                // The directory did not answer; the next start asks again.
                Some(RepoStatus::Creating) => {}
                Some(_) => {
                    tracing::info!(%did, "finishing an interrupted account");
                    self.0.accounts.finish(&did).await.map_err(failed)?;
                }
            }
        }
        for did in self.0.accounts.without_repo().await.map_err(failed)? {
            tracing::info!(%did, "finishing an interrupted deletion");
            self.0.accounts.delete(&did).await.map_err(failed)?;
        }
        Ok(())
    }
}
