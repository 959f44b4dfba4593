//! The contract of blobs.

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use async_trait::async_trait;

use super::{blobs, rows::Found, store::Datastore};
use crate::{
    blob_index::{BlobIndex, BlobRow, MissingBlob, NewBlob},
    error::{ApplyError, StoreError},
};

#[async_trait]
impl BlobIndex for Datastore {
    async fn begin_upload(&self, object: &str, time: u64) -> Result<(), StoreError> {
        blobs::begin_upload(self.client(), object, time).await
    }

    async fn abandon_upload(&self, object: &str) -> Result<(), StoreError> {
        blobs::abandon_upload(self.client(), object).await
    }

    async fn put_temporary(&self, did: &Did, blob: NewBlob) -> Result<BlobRow, ApplyError> {
        let client = self.client();
        let status = |lookup: &mut super::Lookup| Ok(Found::take(did, client, lookup)?.underlying());
        blobs::put_temporary(client, did, blob, Found::keys(did, client).into(), status).await
    }

    async fn blob(&self, did: &Did, cid: &Cid) -> Result<Option<BlobRow>, StoreError> {
        blobs::blob(self.client(), did, cid).await
    }

    async fn list(
        &self,
        did: &Did,
        since: Option<Tid>,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<Cid>, StoreError> {
        blobs::list(self.client(), did, since, after, limit).await
    }

    async fn missing(
        &self,
        did: &Did,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<MissingBlob>, StoreError> {
        blobs::missing(self.client(), did, after, limit).await
    }

    async fn references(&self, did: &Did, cid: &Cid, limit: usize) -> Result<Vec<RecordPath>, StoreError> {
        blobs::references(self.client(), did, cid, limit).await
    }

    async fn temporary_bytes(&self, did: Option<&Did>) -> Result<u64, StoreError> {
        blobs::temporary_bytes(self.client(), did).await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        blobs::garbage(self.client(), limit).await
    }

    async fn collected(&self, objects: Vec<String>) -> Result<(), StoreError> {
        blobs::collected(self.client(), objects).await
    }
}
