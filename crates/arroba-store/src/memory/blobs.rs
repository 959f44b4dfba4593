//! The blob index.

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use async_trait::async_trait;

use super::{Memory, State};
use crate::{
    blob_index::{BlobIndex, BlobRow, MissingBlob, NewBlob},
    error::{ApplyError, StoreError},
    log::Retention,
    repo::{RepoStatus, Subject},
};

impl State {
    pub(super) fn sweep_uploads(&mut self, retention: Retention) -> u64 {
        if let Some(before) = retention.pending_uploads_before {
            let old = self.garbage.values_mut().filter(|(queued, _)| *queued < before);
            old.for_each(|(_, pending)| *pending = false);
        }
        let Some(before) = retention.temporary_blobs_before else { return 0 };
        let mut swept = 0;
        for repo in self.repos.values_mut() {
            repo.blobs.retain(|_, blob| {
                let old = blob.temporary && blob.uploaded < before;
                if old {
                    swept += 1;
                    self.garbage.insert(blob.object.clone(), (before, false));
                }
                !old
            });
        }
        swept
    }
}

#[async_trait]
impl BlobIndex for Memory {
    async fn begin_upload(&self, object: &str, time: u64) -> Result<(), StoreError> {
        self.lock().garbage.insert(object.to_owned(), (time, true));
        Ok(())
    }

    async fn abandon_upload(&self, object: &str) -> Result<(), StoreError> {
        if let Some((_, pending)) = self.lock().garbage.get_mut(object) {
            *pending = false;
        }
        Ok(())
    }

    async fn put_temporary(&self, did: &Did, blob: NewBlob) -> Result<BlobRow, ApplyError> {
        let mut state = self.lock();
        let state = &mut *state;
        let id = state.dids.get(did).ok_or(ApplyError::NotFound)?;
        let repo = state.repos.get_mut(id).ok_or(ApplyError::NotFound)?;
        if repo.row.underlying == RepoStatus::Deleted {
            return Err(ApplyError::Inactive(RepoStatus::Deleted));
        }
        let NewBlob { cid, object, mime_type, size, uploaded } = blob;
        let takedown = repo.hidden.get(&Subject::Blob(cid)).cloned();
        if let Some(old) = repo.blobs.get_mut(&cid) {
            if old.object != object {
                if old.temporary {
                    (old.mime_type, old.uploaded) = (mime_type, uploaded);
                }
                state.garbage.insert(object, (uploaded, false));
            }
            return Ok(BlobRow { takedown, ..old.clone() });
        }
        let used = |live: &super::Live| live.tree.refs.keys().any(|(used, _)| *used == cid);
        let temporary = !repo.live.as_ref().is_some_and(used);
        if !state.garbage.get(&object).is_some_and(|(_, pending)| *pending) {
            return Err(ApplyError::Malformed("an upload that was given up or never announced"));
        }
        state.garbage.remove(&object);
        let row = BlobRow { cid, object, mime_type, size, uploaded, temporary, takedown: None };
        repo.blobs.insert(cid, row.clone());
        Ok(BlobRow { takedown, ..row })
    }

    async fn blob(&self, did: &Did, cid: &Cid) -> Result<Option<BlobRow>, StoreError> {
        let state = self.lock();
        let Some(repo) = state.repo(did) else { return Ok(None) };
        let takedown = repo.hidden.get(&Subject::Blob(*cid)).cloned();
        Ok(repo.blobs.get(cid).map(|blob| BlobRow { takedown, ..blob.clone() }))
    }

    async fn list(
        &self,
        did: &Did,
        since: Option<Tid>,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<Cid>, StoreError> {
        let state = self.lock();
        let Some((_, live)) = state.live(did) else { return Ok(Vec::new()) };
        let newer = live.tree.refs.iter().filter(|(_, rev)| since.is_none_or(|since| **rev > since));
        let mut cids: Vec<Cid> = newer.map(|((cid, _), _)| *cid).collect();
        cids.dedup();
        cids.retain(|cid| after.is_none_or(|after| *cid > after));
        cids.truncate(limit);
        Ok(cids)
    }

    async fn missing(
        &self,
        did: &Did,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<MissingBlob>, StoreError> {
        let state = self.lock();
        let Some((repo, live)) = state.live(did) else { return Ok(Vec::new()) };
        let mut missing: Vec<_> = live
            .tree
            .refs
            .keys()
            .filter(|(cid, _)| after.is_none_or(|after| *cid > after))
            .filter(|(cid, _)| !repo.blobs.contains_key(cid) && !state.is_remote(did, cid))
            .map(|(cid, path)| MissingBlob { cid: *cid, path: path.clone() })
            .collect();
        missing.dedup_by(|later, first| later.cid == first.cid);
        missing.truncate(limit);
        Ok(missing)
    }

    async fn references(&self, did: &Did, cid: &Cid, limit: usize) -> Result<Vec<RecordPath>, StoreError> {
        let state = self.lock();
        let Some((_, live)) = state.live(did) else { return Ok(Vec::new()) };
        let users = live.tree.refs.keys().filter(|(used, _)| used == cid).take(limit);
        Ok(users.map(|(_, path)| path.clone()).collect())
    }

    async fn temporary_bytes(&self, did: Option<&Did>) -> Result<u64, StoreError> {
        let state = self.lock();
        let repos = state.repos.values().filter(|repo| did.is_none_or(|did| repo.row.did == *did));
        Ok(repos
            .flat_map(|repo| repo.blobs.values())
            .filter(|blob| blob.temporary)
            .map(|blob| blob.size)
            .sum())
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let state = self.lock();
        let ready = state.garbage.iter().filter(|(_, (_, pending))| !pending).take(limit);
        Ok(ready.map(|(object, _)| object.clone()).collect())
    }

    async fn collected(&self, objects: Vec<String>) -> Result<(), StoreError> {
        let mut state = self.lock();
        for object in objects {
            if state.garbage.get(&object).is_some_and(|(_, pending)| !pending) {
                state.garbage.remove(&object);
            }
        }
        Ok(())
    }
}
