//! Likes, reposts, follows and blocks: one for each subject is enough.

use arroba_core::data::cbor;
use arroba_core::event::MAX_OPS;
use arroba_core::syntax::{Did, RecordPath};
use arroba_lexicons::backlinks;
use arroba_lexicons::json::SwapRecord;
use arroba_store::{BacklinkPiece, Backlinks, Order, RecordPage, RecordQuery, RecordRow, StoreError};

use super::resolve::{Action, Prepared};
use super::{HostError, RepoHost};

/// How many records are looked through at once.
const PAGE: usize = 1000;

impl RepoHost {
    /// Deletions of the records that say the same as those which `prepared` creates: as many as the commit has room for.
    pub(super) async fn duplicates(
        &self,
        did: &Did,
        prepared: &[Prepared],
    ) -> Result<Vec<Prepared>, HostError> {
        let mut room = MAX_OPS.saturating_sub(prepared.len());
        let mut deletions = Vec::new();
        for Prepared { path, action } in prepared {
            let Action::Create(record) = action else { continue };
            let Some(wanted) = &record.subject else { continue };
            let mut found = self.about(did, path, wanted, room).await?;
            found.retain(|duplicate| duplicate != path);
            found.truncate(room);
            room = room.saturating_sub(found.len());
            deletions.extend(
                found.into_iter().map(|path| Prepared { path, action: Action::Delete(SwapRecord::Any) }),
            );
        }
        Ok(deletions)
    }

    /// Records of the same collection about the same subject, a little more than `limit` at most; `path` may be among them.
    async fn about(
        &self,
        did: &Did,
        path: &RecordPath,
        wanted: &str,
        limit: usize,
    ) -> Result<Vec<RecordPath>, HostError> {
        let mut filled = None;
        loop {
            // One more, because it may be `path` itself.
            let limit = limit.saturating_add(1);
            match self.0.store.backlinks(did, &path.collection, wanted, limit).await? {
                Backlinks::Found(found) => return Ok(found),
                // An index that is not filled although we fill it is none.
                Backlinks::Incomplete { after } if filled.as_ref() != Some(&after) => {
                    let piece = self.piece(did, after.clone()).await?;
                    self.0.store.fill_backlinks(did, piece).await?;
                    filled = Some(after);
                }
                Backlinks::Incomplete { .. } | Backlinks::NotIndexed => {
                    return self.look_through(did, path, wanted, limit).await;
                }
            }
        }
    }

    /// The next piece of an index that is younger than the repo: one page of records, so that other writers get between.
    async fn piece(&self, did: &Did, after: Option<RecordPath>) -> Result<BacklinkPiece, HostError> {
        let mut collections = backlinks::COLLECTIONS.to_vec();
        collections.sort();
        for collection in collections {
            let from = match &after {
                Some(after) if collection < after.collection => continue,
                Some(after) if collection == after.collection => Some(after.rkey.clone()),
                _ => None,
            };
            let query = RecordQuery::collection(collection, from, PAGE, Order::Ascending);
            let page = self.all(did, query).await?;
            let Some(last) = page.as_ref().and_then(|page| page.records.last()) else { continue };
            let up_to = Some(last.path.clone());
            let mut links = Vec::new();
            for record in page.into_iter().flat_map(|page| page.records) {
                if let Some(target) = subject(&record)? {
                    links.push((record.path, record.cid, target));
                }
            }
            return Ok(BacklinkPiece { after, links, up_to });
        }
        Ok(BacklinkPiece { after, links: Vec::new(), up_to: None })
    }

    /// What to do without an index.
    async fn look_through(
        &self,
        did: &Did,
        path: &RecordPath,
        wanted: &str,
        limit: usize,
    ) -> Result<Vec<RecordPath>, HostError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let query = RecordQuery::collection(path.collection.clone(), after, PAGE, Order::Ascending);
            let Some(page) = self.all(did, query).await? else { return Ok(found) };
            after = page.records.last().map(|record| record.path.rkey.clone());
            for record in page.records {
                if subject(&record)?.is_some_and(|target| target == wanted) {
                    found.push(record.path);
                }
            }
            if !page.more || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// A page of records, taken down or not.
    async fn all(&self, did: &Did, query: RecordQuery) -> Result<Option<RecordPage>, HostError> {
        Ok(self.0.store.records(did, RecordQuery { visible_only: false, ..query }).await?)
    }
}

/// What a stored record likes, reposts, follows or blocks.
fn subject(record: &RecordRow) -> Result<Option<String>, StoreError> {
    let value = cbor::decode(&record.value)
        .map_err(|error| StoreError::corrupt_by(format!("record {}", record.path), error))?;
    Ok(backlinks::of(&record.path.collection, &value).map(|link| link.target.to_owned()))
}
