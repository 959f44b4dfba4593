//! Clearing away what is no longer needed.

use std::sync::Weak;
use std::time::Duration;

use arroba_store::Retention;
use futures::StreamExt;

use super::{HostError, Inner, RepoHost};

/// How long the background task rests between two sweeps.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How many objects are deleted before their names are forgotten.
const OBJECTS: usize = 100;

/// How many objects are deleted at once.
const CONCURRENT_DELETIONS: usize = 8;

/// How much longer events are kept than subscribers may ask for them, so that one in the middle of its page is not
/// cut off.
const MARGIN: Duration = Duration::from_secs(60 * 60);

impl RepoHost {
    /// Drops events beyond the window, the content of deleted and replaced repos, uploads that no record came to
    /// refer to, and the objects of blobs that are gone. The host does this by itself every few minutes.
    ///
    /// # Errors
    ///
    /// [`HostError::Store`]; what was not done yet is done by the next sweep.
    pub async fn sweep(&self) -> Result<(), HostError> {
        let now = self.clock().now_micros();
        let before = |age: Duration| now.saturating_sub(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        let limits = self.limits();
        let retention = Retention::default()
            .events_before(before(limits.firehose.backfill.saturating_add(MARGIN)))
            .event_bytes(limits.event_bytes)
            .temporary_blobs_before(before(limits.temporary_blobs))
            .pending_uploads_before(before(limits.temporary_blobs));
        // In small steps, so that writers get between.
        while self.0.store.sweep(retention).await?.more {
            tokio::task::yield_now().await;
        }
        self.delete_objects().await
    }

    /// Deletes the objects of blobs that are gone. One that cannot be deleted now stays on the list.
    async fn delete_objects(&self) -> Result<(), HostError> {
        loop {
            let garbage = self.0.blob_index.garbage(OBJECTS).await?;
            let found = garbage.len();
            let deletions =
                futures::stream::iter(garbage).map(async |object| match self.0.blobs.delete(&object).await {
                    Ok(()) => Some(object),
                    Err(error) => {
                        tracing::warn!(%object, %error, "a blob could not be deleted");
                        None
                    }
                });
            let deleted: Vec<_> = deletions
                .buffer_unordered(CONCURRENT_DELETIONS)
                .filter_map(std::future::ready)
                .collect()
                .await;
            let all = deleted.len() == found;
            if !deleted.is_empty() {
                self.0.blob_index.collected(deleted).await?;
            }
            if !all || found < OBJECTS {
                return Ok(());
            }
        }
    }
}

/// Sweeps a host for as long as somebody holds it.
pub(super) async fn run(host: Weak<Inner>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(host) = host.upgrade().map(RepoHost) else { return };
        if let Err(error) = host.sweep().await {
            tracing::warn!(%error, "the sweep did not finish");
        }
    }
}
