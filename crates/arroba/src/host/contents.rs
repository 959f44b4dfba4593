//! The records of a repo, as a stream or all at once.

use std::collections::BTreeMap;

use arroba_core::data::{Value, cbor};
use arroba_core::syntax::{Nsid, RecordKey};
use arroba_store::{RecordQuery, RecordRow, StoreError};
use futures::{Stream, TryStreamExt};

use super::{HostError, Repo};

/// How many records are read at once.
const PAGE: usize = 500;

/// Records by collection and key.
pub type Contents = BTreeMap<Nsid, BTreeMap<RecordKey, Value<'static>>>;

impl Repo {
    /// All records in the order of their paths, taken down or not, with bounded memory.
    ///
    /// They are read page by page, so a commit in between may be seen in a later page and not in an earlier one. An
    /// [`export`](Self::export) is of one commit.
    pub fn record_stream(&self) -> impl Stream<Item = Result<RecordRow, HostError>> + Send + use<> {
        let start = (self.clone(), None, true);
        let pages = futures::stream::try_unfold(start, async |(repo, after, more)| {
            if !more {
                return Ok::<_, HostError>(None);
            }
            let query = RecordQuery::all(after, PAGE);
            let page = repo.host().store().records(repo.did(), query).await?;
            let page = page.ok_or_else(|| HostError::RepoNotFound(repo.did().clone()))?;
            let after = page.records.last().map(|record| record.path.clone());
            let rows = futures::stream::iter(page.records.into_iter().map(Ok));
            Ok(Some((rows, (repo, after, page.more))))
        });
        pages.try_flatten()
    }

    /// All records by collection and key, decoded, taken down or not, all of one commit.
    ///
    /// # Errors
    ///
    /// [`HostError::TooManyRecords`] if there are more than `max_records`: they would all be in memory.
    pub async fn contents(&self, max_records: usize) -> Result<Contents, HostError> {
        let query = RecordQuery::all(None, max_records);
        let page = self.host().store().records(self.did(), query).await?;
        let page = page.ok_or_else(|| HostError::RepoNotFound(self.did().clone()))?;
        if page.more {
            return Err(HostError::TooManyRecords(max_records));
        }
        let mut contents = Contents::new();
        for record in page.records {
            let value = cbor::decode(&record.value)
                .map_err(|error| StoreError::corrupt_by(format!("record {}", record.path), error))?;
            contents.entry(record.path.collection).or_default().insert(record.path.rkey, value.into_owned());
        }
        Ok(contents)
    }
}
