//! All repos of a host.

use arroba_store::{RepoCursor, RepoEntry, RepoPage, StoreError};
use futures::{Stream, TryStreamExt};

use super::RepoHost;

/// How many repos are read at once.
const PAGE: usize = 500;

impl RepoHost {
    /// A page of all repos, deleted ones too, in an order that does not change. `after` is the [`RepoPage::next`] of the page before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they cannot be read; [`StoreError::Cursor`] for a cursor that the store never gave.
    pub async fn repos(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        self.0.store.repos(after, limit).await
    }

    /// All repos, deleted ones too, page by page: one that is made while this is read may be left out.
    pub fn repo_stream(&self) -> impl Stream<Item = Result<RepoEntry, StoreError>> + Send + use<> {
        let start = (self.clone(), None, true);
        let pages = futures::stream::try_unfold(start, async |(host, after, more)| {
            if !more {
                return Ok::<_, StoreError>(None);
            }
            let page = host.repos(after.as_ref(), PAGE).await?;
            let entries = futures::stream::iter(page.repos.into_iter().map(Ok));
            let more = page.next.is_some();
            Ok(Some((entries, (host, page.next, more))))
        });
        pages.try_flatten()
    }
}
