//! Likes, reposts, follows and blocks: one for each subject is enough.

use arroba_core::data::cbor;
use arroba_core::syntax::{Did, RecordPath};
use arroba_lexicons::backlinks;
use arroba_lexicons::json::SwapRecord;
use arroba_store::{Order, RecordQuery, StoreError};

use super::resolve::{Action, Prepared};
use super::{HostError, RepoHost};

/// How many records are looked through at once.
const PAGE: usize = 1000;

impl RepoHost {
    /// Deletions of the records that say the same as those which `prepared` creates.
    pub(super) async fn duplicates(
        &self,
        did: &Did,
        prepared: &[Prepared],
    ) -> Result<Vec<Prepared>, HostError> {
        let mut deletions = Vec::new();
        for Prepared { path, action } in prepared {
            let Action::Create(record) = action else { continue };
            let Some(wanted) = &record.subject else { continue };
            for duplicate in self.about(did, path, wanted).await? {
                deletions.push(Prepared { path: duplicate, action: Action::Delete(SwapRecord::Any) });
            }
        }
        Ok(deletions)
    }

    /// The records of the same collection about the same subject.
    async fn about(&self, did: &Did, path: &RecordPath, wanted: &str) -> Result<Vec<RecordPath>, HostError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let query = RecordQuery {
                visible_only: false,
                ..RecordQuery::collection(path.collection.clone(), after, PAGE, Order::Ascending)
            };
            let Some(page) = self.0.store.records(did, query).await? else { return Ok(found) };
            after = page.records.last().map(|record| record.path.rkey.clone());
            for record in page.records {
                let value = cbor::decode(&record.value)
                    .map_err(|error| StoreError::corrupt_by(format!("record {}", record.path), error))?;
                if record.path != *path
                    && backlinks::of(&path.collection, &value).is_some_and(|link| link.target == wanted)
                {
                    found.push(record.path);
                }
            }
            if !page.more {
                return Ok(found);
            }
        }
    }
}
