//! Using a remote blob, and noting what came of a fetch: one lookup and one commit each.

use arroba_core::syntax::Did;

use super::{
    super::{
        super::{Client, Lookup, api::Entity, entity::AtpRemoteBlob, rows::Found},
        transact::transact,
    },
    RemoteRow,
};
use crate::{
    error::{ApplyError, StoreError},
    remote_blob_index::{RemoteAttempt, RemoteBlob},
    repo::RepoStatus,
};

/// The blob at a URL, made unless it is there, and used by `user` from now on.
pub(in super::super::super) async fn use_blob(
    client: &Client,
    url: &str,
    user: Option<&Did>,
    time: u64,
) -> Result<RemoteBlob, ApplyError> {
    let key = AtpRemoteBlob::key(client.database(), url);
    let mut keys = vec![key.clone()];
    keys.extend(user.into_iter().flat_map(|user| Found::keys(user, client)));
    let join = |lookup: &mut Lookup| {
        if let Some(user) = user {
            // Its deletion writes what is read here, so that one of both comes first.
            match Found::take(user, client, lookup)?.underlying() {
                None => return Err(ApplyError::NotFound),
                Some(RepoStatus::Deleted) => return Err(ApplyError::Inactive(RepoStatus::Deleted)),
                Some(_) => {}
            }
        }
        let stored = RemoteRow::take(lookup, &key).map_err(StoreError::from)?;
        let mut changed = stored.is_none();
        let mut row = stored.unwrap_or_else(|| made(url, time));
        if let Some(user) = user.filter(|user| !row.blob.repos.contains(user)) {
            row.blob.repos.push(user.clone());
            changed = true;
        }
        changed |= row.blob.url() != url;
        if changed {
            (row.blob.url, row.blob.updated) = (Some(url.to_owned()), Some(time));
        }
        let blob = row.blob.to_remote_blob().map_err(StoreError::from)?;
        let mutation = changed.then(|| row.put(client)).transpose().map_err(StoreError::from)?;
        Ok((mutation.into_iter().collect(), blob))
    };
    transact(client, keys, join).await
}

fn made(url: &str, time: u64) -> RemoteRow {
    let blob = AtpRemoteBlob { created: Some(time), updated: Some(time), ..AtpRemoteBlob::new(url) };
    RemoteRow { stored: Entity::default(), blob }
}

/// Notes what came of an attempt to fetch it.
pub(in super::super::super) async fn attempt(
    client: &Client,
    url: &str,
    time: u64,
    attempt: RemoteAttempt,
) -> Result<RemoteBlob, ApplyError> {
    change(client, url, |blob| blob.attempted(time, attempt.clone())).await
}

/// Sets what its own host calls it.
pub(in super::super::super) async fn set_id(
    client: &Client,
    url: &str,
    time: u64,
    id: Option<&str>,
) -> Result<(), ApplyError> {
    let set = |blob: &mut RemoteBlob| {
        if blob.remote_id.as_deref() != id {
            (blob.remote_id, blob.updated) = (id.map(str::to_owned), time);
        }
    };
    change(client, url, set).await.map(|_| ())
}

/// Changes a blob that there is.
async fn change(
    client: &Client,
    url: &str,
    alter: impl Fn(&mut RemoteBlob) + Send + Sync,
) -> Result<RemoteBlob, ApplyError> {
    let key = AtpRemoteBlob::key(client.database(), url);
    let decide = |lookup: &mut Lookup| {
        let row = RemoteRow::take(lookup, &key).map_err(StoreError::from)?;
        let mut row = row.ok_or(ApplyError::NotFound)?;
        let before = row.blob.to_remote_blob().map_err(StoreError::from)?;
        let mut blob = before.clone();
        alter(&mut blob);
        if blob == before {
            return Ok((Vec::new(), blob));
        }
        row.blob.set(&blob);
        let now = row.blob.to_remote_blob().map_err(StoreError::from)?;
        Ok((vec![row.put(client).map_err(StoreError::from)?], now))
    };
    transact(client, vec![key.clone()], decide).await
}
