//! What the server knows about identities by itself: the handles under its own domains.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arroba_core::syntax::{Did, Handle};
use arroba_identity::{DidDocument, Local, LocalIdentities};
use arroba_store::{RepoStatus, RepoStore};
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

#[async_trait]
impl LocalIdentities for HostedHandles {
    async fn did(&self, handle: &Handle) -> Local<Did> {
        let ours = self.domains.iter().any(|domain| handle.as_str().ends_with(domain.as_str()));
        match self.store.by_handle(handle).await {
            Ok(Some(row)) if row.status == RepoStatus::Active && ours => Local::Found(row.did),
            Ok(_) if ours => Local::Absent,
            Ok(_) => Local::Elsewhere,
            Err(error) => {
                tracing::error!(%error, %handle, "failed to look up a hosted handle");
                if ours { Local::Unavailable(Arc::new(error)) } else { Local::Elsewhere }
            }
        }
    }

    async fn document(&self, did: &Did) -> Local<DidDocument> {
        match self.service.get() {
            Some(document) if document.did() == did => Local::Found(document.clone()),
            _ => Local::Elsewhere,
        }
    }
}
