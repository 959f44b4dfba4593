//! What the server knows about identities by itself: the handles under its own domains.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arroba_core::syntax::{Did, Handle};
use arroba_identity::{DidDocument, Local, LocalIdentities};
use arroba_store::{RepoStatus, RepoStore, StoreError};
use async_trait::async_trait;

/// Answers for handles under the server's own domains, and for its own did:web.
pub(crate) struct HostedHandles {
    pub(crate) store: Arc<dyn RepoStore>,
    pub(crate) domains: Vec<String>,
    pub(crate) service: OnceLock<DidDocument>,
}

impl fmt::Debug for HostedHandles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HostedHandles").field("domains", &self.domains).finish_non_exhaustive()
    }
}

/// What a look-up says about a handle. One under our own domains that could not be looked up is not absent: nobody may
/// conclude that it is free, or that it has lost its account.
fn answer(ours: bool, found: Result<Option<(Did, RepoStatus)>, StoreError>) -> Local<Did> {
    match found {
        Ok(_) | Err(_) if !ours => Local::Elsewhere,
        Ok(Some((did, RepoStatus::Active))) => Local::Found(did),
        Ok(_) => Local::Absent,
        Err(error) => Local::Unavailable(Arc::new(error)),
    }
}

#[async_trait]
impl LocalIdentities for HostedHandles {
    async fn did(&self, handle: &Handle) -> Local<Did> {
        let ours = self.domains.iter().any(|domain| handle.as_str().ends_with(domain.as_str()));
        let found = self.store.by_handle(handle).await.map(|row| row.map(|row| (row.did, row.status)));
        if let Err(error) = &found {
            tracing::error!(%error, %handle, "failed to look up a hosted handle");
        }
        answer(ours, found)
    }

    async fn document(&self, did: &Did) -> Local<DidDocument> {
        match self.service.get() {
            Some(document) if document.did() == did => Local::Found(document.clone()),
            _ => Local::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::did;
    use arroba_identity::ResolveError;

    const DID: Did = did!("did:web:alice.test");

    #[test]
    fn what_is_found_is_the_answer() {
        let found = |status| Ok(Some((DID, status)));
        assert!(matches!(answer(true, found(RepoStatus::Active)), Local::Found(did) if did == DID));
        for gone in [RepoStatus::Deactivated, RepoStatus::Takendown, RepoStatus::Deleted] {
            assert!(matches!(answer(true, found(gone)), Local::Absent), "{gone:?}");
        }
        assert!(matches!(answer(true, Ok(None)), Local::Absent));
        // Handles of others are the network's to tell, also if the account is here.
        assert!(matches!(answer(false, found(RepoStatus::Active)), Local::Elsewhere));
    }

    #[test]
    fn a_failed_look_up_is_no_answer() {
        let failed = || Err(StoreError::Stopped { source: None });
        let Local::Unavailable(error) = answer(true, failed()) else { panic!("a conclusion was drawn") };
        // As the resolver passes it on.
        assert!(!ResolveError::Unavailable(error).is_definite());
        assert!(matches!(answer(false, failed()), Local::Elsewhere));
    }
}
