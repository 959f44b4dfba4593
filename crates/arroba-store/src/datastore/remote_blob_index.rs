//! The contract of blobs that live elsewhere.

use arroba_core::{data::Cid, syntax::Did};
use async_trait::async_trait;

use super::{blobs::remote, store::Datastore};
use crate::{
    error::{ApplyError, StoreError},
    remote_blob_index::{RemoteAttempt, RemoteBlob, RemoteBlobIndex},
};

#[async_trait]
impl RemoteBlobIndex for Datastore {
    async fn remote_blob(&self, url: &str) -> Result<Option<RemoteBlob>, StoreError> {
        remote::find(self.client(), url).await
    }

    async fn use_remote_blob(
        &self,
        url: &str,
        user: Option<&Did>,
        time: u64,
    ) -> Result<RemoteBlob, ApplyError> {
        remote::use_blob(self.client(), url, user, time).await
    }

    async fn record_attempt(
        &self,
        url: &str,
        time: u64,
        attempt: RemoteAttempt,
    ) -> Result<RemoteBlob, ApplyError> {
        remote::attempt(self.client(), url, time, attempt).await
    }

    async fn set_remote_id(&self, url: &str, time: u64, id: Option<&str>) -> Result<(), ApplyError> {
        remote::set_id(self.client(), url, time, id).await
    }

    async fn remote_blobs_with(&self, cid: &Cid, limit: usize) -> Result<Vec<RemoteBlob>, StoreError> {
        remote::with_cid(self.client(), cid, limit).await
    }

    async fn remote_blobs_of(
        &self,
        user: &Did,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RemoteBlob>, StoreError> {
        remote::of_account(self.client(), user, after, limit).await
    }

    async fn remote_blob_users(
        &self,
        url: &str,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Did>, StoreError> {
        remote::users(self.client(), url, after, limit).await
    }
}
