//! What settings say of a host, whatever server it is part of.

use std::sync::Arc;

use arroba_lexicons::json::Secret;
use arroba_net::{Guard, GuardedClient, SystemDns};
use arroba_store::RemoteBlobIndex;

use super::Config;
use crate::auth::StaticToken;
use crate::error::Result;
use crate::remote_blobs::{RemoteBlobLimits, RemoteBlobs};

impl Config {
    /// Whoever shows `REPO_TOKEN` may write to every repo; without it nobody may, and is told so (501).
    pub fn static_token(&self) -> StaticToken {
        self.repo_token.as_ref().map_or(StaticToken::unset(), |token| StaticToken::new(Secret::expose(token)))
    }

    /// What is fetched of remote blobs, and when again.
    pub fn remote_blob_limits(&self) -> RemoteBlobLimits {
        RemoteBlobLimits::default()
            .max_bytes(self.blob_max_bytes)
            .refetch(self.blob_refetch_days.0, &self.blob_refetch_types)
    }

    /// Remote blobs that are kept in `index`, the store of the host.
    ///
    /// # Errors
    /// [`Error::Dns`](crate::Error::Dns) without name servers, [`Error::Client`](crate::Error::Client) without TLS.
    pub fn remote_blobs(&self, index: impl RemoteBlobIndex) -> Result<RemoteBlobs> {
        let guard = if self.allows_loopback() { Guard::AllowLoopback } else { Guard::Public };
        let client = GuardedClient::new(guard, Arc::new(SystemDns::new()?))?;
        let blobs = RemoteBlobs::builder(index, client).limits(self.remote_blob_limits());
        Ok(match &self.data_directory {
            Some(directory) => blobs.spool_directory(directory).build(),
            None => blobs.build(),
        })
    }
}
