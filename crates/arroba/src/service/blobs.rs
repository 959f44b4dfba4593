//! Blobs that a viewer may read, wherever they are.

use std::collections::HashSet;

use arroba_core::data::Cid;
use arroba_core::syntax::{AtUri, Did, Tid};
use arroba_store::{BlobRow, Subject};
use arroba_xrpc::{Result, XrpcError};
use axum::response::Response;
use http::{HeaderMap, Method};

use super::read::{Page, cut};
use super::{Service, store_failed};
use crate::auth::Viewer;
use crate::blobs::{blob_response, not_found, remote_blob_gone, remote_blob_response};
use crate::remote_blobs::{Located, RemoteBlobError};

impl Service {
    /// The bytes of a blob that a record refers to, and that `viewer` may read; or where they are.
    pub(crate) async fn blob(
        &self,
        did: &Did,
        viewer: &Viewer,
        cid: Cid,
        method: &Method,
        request: &HeaderMap,
    ) -> Result<Response> {
        self.readable(did, viewer).await?;
        let row = self.0.blob_index().blob(did, &cid).await.map_err(store_failed)?;
        let visible = |row: &BlobRow| !row.temporary && (row.takedown.is_none() || *viewer == Viewer::Admin);
        match row.filter(visible) {
            Some(row) => blob_response(self.0.blobs(), &row, method, request).await,
            None => self.remote_blob(did, viewer, &cid).await,
        }
    }

    /// Where a blob is that nobody uploaded here.
    async fn remote_blob(&self, did: &Did, viewer: &Viewer, cid: &Cid) -> Result<Response> {
        let Some(remote) = self.0.remote_blobs() else { return Err(not_found()) };
        if *viewer != Viewer::Admin
            && self.0.store().hidden(did, &Subject::Blob(*cid)).await.map_err(store_failed)?.is_some()
        {
            return Err(not_found());
        }
        match remote.locate(cid).await {
            Ok(Located::At(url)) => remote_blob_response(&url),
            Ok(Located::Gone) => Err(remote_blob_gone()),
            Ok(Located::Unknown) => Err(not_found()),
            Err(RemoteBlobError::Store(error)) => Err(store_failed(error)),
            Err(error) => Err(XrpcError::internal(error)),
        }
    }

    /// The CIDs of the blobs that records refer to, then those of the account's remote blobs that no record refers to. A remote blob
    /// has no rev, so that after `since` there are only those that newer records refer to.
    pub(crate) async fn blob_cids(
        &self,
        did: &Did,
        viewer: &Viewer,
        since: Option<Tid>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Cid, String>> {
        self.readable(did, viewer).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_remote = since.is_none() && self.0.remote_blobs().is_some();
        // A URL is no CID, so the cursor tells on which of the two lists it stands.
        let after = match after.map(|after| (after, Cid::parse(after))) {
            Some((url, Err(_))) if has_remote => return self.remote_cids(did, Some(url), limit).await,
            Some((_, Err(_))) => return Err(XrpcError::invalid_request("Malformed cursor")),
            Some((_, Ok(cid))) => Some(cid),
            None => None,
        };
        let index = self.0.blob_index();
        let mut items = index.list(did, since, after, limit.saturating_add(1)).await.map_err(store_failed)?;
        let cursor = cut(&mut items, limit).map(Cid::to_string);
        if cursor.is_some() || !has_remote {
            return Ok(Page { cursor, items });
        }
        match limit.saturating_sub(items.len()) {
            // The next page is that of the remote ones.
            0 => Ok(Page { cursor: items.last().map(Cid::to_string), items }),
            room => {
                let rest = self.remote_cids(did, None, room).await?;
                items.extend(rest.items);
                Ok(Page { cursor: rest.cursor, items })
            }
        }
    }

    /// The CIDs of remote blobs that no record refers to: those that one does are on the other list.
    async fn remote_cids(&self, did: &Did, after: Option<&str>, limit: usize) -> Result<Page<Cid, String>> {
        let Some(remote) = self.0.remote_blobs() else { return Ok(Page { items: Vec::new(), cursor: None }) };
        let found = remote.index().remote_blobs_of(did, after, limit.saturating_add(1)).await;
        let mut found = found.map_err(store_failed)?;
        let cursor = cut(&mut found, limit).map(|blob| blob.key().to_owned());
        let mut seen = HashSet::new();
        let cids = found.iter().filter_map(|blob| blob.cid).filter(|cid| seen.insert(*cid));
        let mut items = Vec::new();
        for cid in cids {
            if self.0.blob_index().references(did, &cid, 1).await.map_err(store_failed)?.is_empty() {
                items.push(cid);
            }
        }
        Ok(Page { items, cursor })
    }

    /// The blobs that records refer to and that were never uploaded, with one of the records each.
    pub(crate) async fn missing_blobs(
        &self,
        did: &Did,
        after: Option<Cid>,
        limit: u32,
    ) -> Result<Page<(Cid, AtUri), Cid>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let missing =
            self.0.blob_index().missing(did, after, limit.saturating_add(1)).await.map_err(store_failed)?;
        let mut items: Vec<_> =
            missing.into_iter().map(|missing| (missing.cid, AtUri::record(did, &missing.path))).collect();
        Ok(Page { cursor: cut(&mut items, limit).map(|(cid, _)| *cid), items })
    }
}
