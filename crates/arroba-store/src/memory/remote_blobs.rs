//! The index of remote blobs.

use std::collections::{BTreeMap, BTreeSet};

use arroba_core::{data::Cid, syntax::Did};
use async_trait::async_trait;

use super::{Memory, State};
use crate::{
    error::{ApplyError, StoreError},
    remote_blob_index::{RemoteAttempt, RemoteBlob, RemoteBlobIndex},
    repo::RepoStatus,
};

/// Blobs by key, and who uses them: number of the repository, then key.
#[derive(Debug, Default)]
pub(super) struct RemoteRows {
    blobs: BTreeMap<String, RemoteBlob>,
    uses: BTreeSet<(u64, String)>,
}

impl RemoteRows {
    /// The blobs of a repository, in the order of their keys.
    pub(super) fn of(&self, repo: u64) -> impl Iterator<Item = &RemoteBlob> {
        let keys = self.uses.iter().filter(move |(user, _)| *user == repo);
        keys.filter_map(|(_, key)| self.blobs.get(key))
    }

    pub(super) fn end_uses(&mut self, repo: u64) {
        self.uses.retain(|(user, _)| *user != repo);
    }

    fn find(&mut self, url: &str) -> Result<&mut RemoteBlob, ApplyError> {
        self.blobs.get_mut(RemoteBlob::key_of(url)).ok_or(ApplyError::NotFound)
    }
}

impl State {
    /// Whether an account uses a remote blob with this CID.
    pub(super) fn is_remote(&self, did: &Did, cid: &Cid) -> bool {
        self.user(did).is_ok_and(|user| self.remote.of(user).any(|blob| blob.cid == Some(*cid)))
    }

    /// What an account may refer to without having uploaded it: CIDs and sizes.
    pub(super) fn remote_refs(&self, did: &Did) -> BTreeSet<(Cid, u64)> {
        let blobs = self.user(did).into_iter().flat_map(|user| self.remote.of(user));
        blobs.filter_map(|blob| Some((blob.cid?, blob.size?))).collect()
    }

    /// The number of an account that was not deleted.
    fn user(&self, did: &Did) -> Result<u64, ApplyError> {
        let id = *self.dids.get(did).ok_or(ApplyError::NotFound)?;
        match self.repos.get(&id) {
            Some(repo) if repo.row.underlying == RepoStatus::Deleted => {
                Err(ApplyError::Inactive(RepoStatus::Deleted))
            }
            Some(_) => Ok(id),
            None => Err(ApplyError::NotFound),
        }
    }
}

#[async_trait]
impl RemoteBlobIndex for Memory {
    async fn remote_blob(&self, url: &str) -> Result<Option<RemoteBlob>, StoreError> {
        Ok(self.lock().remote.blobs.get(RemoteBlob::key_of(url)).cloned())
    }

    async fn use_remote_blob(
        &self,
        url: &str,
        user: Option<&Did>,
        time: u64,
    ) -> Result<RemoteBlob, ApplyError> {
        let mut state = self.lock();
        let user = user.map(|user| state.user(user)).transpose()?;
        let RemoteRows { blobs, uses } = &mut state.remote;
        let key = RemoteBlob::key_of(url);
        let blob = blobs.entry(key.to_owned()).or_insert_with(|| RemoteBlob::new(url, time));
        let joined = user.is_some_and(|user| uses.insert((user, key.to_owned())));
        if joined || blob.url != url {
            (blob.url, blob.updated) = (url.to_owned(), time);
        }
        Ok(blob.clone())
    }

    async fn record_attempt(
        &self,
        url: &str,
        time: u64,
        attempt: RemoteAttempt,
    ) -> Result<RemoteBlob, ApplyError> {
        let mut state = self.lock();
        let blob = state.remote.find(url)?;
        blob.attempted(time, attempt);
        Ok(blob.clone())
    }

    async fn set_remote_id(&self, url: &str, time: u64, id: Option<&str>) -> Result<(), ApplyError> {
        let mut state = self.lock();
        let blob = state.remote.find(url)?;
        if blob.remote_id.as_deref() != id {
            (blob.remote_id, blob.updated) = (id.map(str::to_owned), time);
        }
        Ok(())
    }

    async fn remote_blobs_with(&self, cid: &Cid, limit: usize) -> Result<Vec<RemoteBlob>, StoreError> {
        let state = self.lock();
        let mut found: Vec<_> =
            state.remote.blobs.values().filter(|blob| blob.cid == Some(*cid)).cloned().collect();
        found.sort_by_key(|blob| std::cmp::Reverse(blob.updated));
        found.truncate(limit);
        Ok(found)
    }

    async fn remote_blobs_of(
        &self,
        user: &Did,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RemoteBlob>, StoreError> {
        let state = self.lock();
        let Ok(user) = state.user(user) else { return Ok(Vec::new()) };
        let behind = |blob: &&RemoteBlob| after.is_none_or(|after| blob.key() > RemoteBlob::key_of(after));
        Ok(state.remote.of(user).filter(behind).take(limit).cloned().collect())
    }

    async fn remote_blob_users(
        &self,
        url: &str,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Did>, StoreError> {
        let state = self.lock();
        let key = RemoteBlob::key_of(url);
        let users = state.remote.uses.iter().filter(|(_, used)| used == key).map(|(user, _)| *user);
        let after = after.and_then(|after| state.dids.get(after)).copied().unwrap_or_default();
        let users = users.filter(|user| *user > after).take(limit);
        Ok(users.filter_map(|user| Some(state.repos.get(&user)?.row.did.clone())).collect())
    }
}
