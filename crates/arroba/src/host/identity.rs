//! The handle of a repo.

use arroba_core::syntax::{Did, Handle};
use arroba_identity::plc::{self, Operation, PlcError, Unsigned};
use arroba_store::{ChangeKind, RepoRow};

use super::{HostError, RepoHost, events};

impl RepoHost {
    /// Gives the repo another handle and announces it. A did:plc identity is told first, unless it knows already.
    ///
    /// Whether the handle resolves to the DID is for the caller to check.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`], [`HostError::HandleTaken`], [`HostError::Directory`].
    pub async fn update_handle(&self, did: &Did, handle: &Handle) -> Result<(), HostError> {
        let (row, _) = self.standing(did).await?;
        if self.0.store.by_handle(handle).await?.is_some_and(|other| other.did != *did) {
            return Err(HostError::HandleTaken(handle.clone()));
        }
        if did.method() == "plc" {
            self.update_directory(&row, handle).await?;
        }
        // Not before: nobody waits for a turn while the directory is asked.
        let _turn = self.0.turns.take(did).await;
        let events = vec![events::identity(did, Some(handle), self.now())];
        let kind = ChangeKind::Identity { handle: Some(handle.clone()), sealed_key: None };
        let change = self.change(did, events, kind);
        self.apply(change).await.map_err(|error| HostError::refused(did, Some(handle), error))?;
        self.0.resolver.purge(did);
        Ok(())
    }

    async fn update_directory(&self, row: &RepoRow, handle: &Handle) -> Result<(), HostError> {
        let did = &row.did;
        let failed = |error| HostError::directory(did, error);
        let last = self.0.directory.last_operation(did).await.map_err(failed)?;
        let Some(state) = last.state() else {
            return Err(failed(PlcError::Tombstoned));
        };
        let renamed = state.clone().with_handle(handle);
        if renamed.also_known_as == state.also_known_as {
            return Ok(());
        }
        let update = self.sign_operation(row, Unsigned::update(last.cid(), renamed))?;
        plc::submit(&*self.0.directory, did, &update).await.map_err(failed)
    }

    /// Signs with the account's own rotation key, or the host's if it has none.
    fn sign_operation(&self, row: &RepoRow, operation: Unsigned) -> Result<Operation, HostError> {
        let signed = match &row.keys.rotation {
            Some(own) => operation.sign(&*self.0.keys.open(&row.did, own)?),
            None => operation.sign(&*self.0.rotation_key),
        };
        signed.map_err(HostError::Operation)
    }
}
