//! CAR files of what a viewer may read.

use arroba_core::car;
use arroba_core::data::Cid;
use arroba_core::mst::Loader;
use arroba_core::repo;
use arroba_core::syntax::{Did, RecordPath, Tid};
use arroba_store::{BlockQuery, BlockStream, Loaded, RecordQuery};
use arroba_xrpc::{Result, XrpcError};
use axum::body::Body;
use axum::response::Response;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::read::available;
use super::{ExportAuth, Service, store_failed};
use crate::auth::Viewer;
use crate::export::{car, car_response, matches_tag};
use crate::host::Exports;

/// The most blocks that one call names.
const MAX_BLOCKS: usize = 1000;

impl Service {
    /// A repo as a CAR file, or what is newer than `since`; 304 if the client has it already.
    pub(crate) async fn export(
        &self,
        did: &Did,
        auth: &ExportAuth,
        since: Option<Tid>,
        request: &HeaderMap,
    ) -> Result<Response> {
        let viewer = auth.viewer();
        if !matches!(self.0.policies().exports, Exports::Open) {
            self.may_export(&self.readable(did, viewer).await?, auth)?;
        }
        let known = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        if let Some(known) = known {
            let head = self.head(did, viewer).await?;
            let tag = tag(head.cid, since);
            if matches_tag(known, &tag) {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                insert_tag(&mut response, &tag);
                return Ok(response);
            }
        }
        let blocks = self.blocks(did, viewer, since.map_or(BlockQuery::All, BlockQuery::Since)).await?;
        let head = blocks.head.cid;
        let mut response = car_response(Body::from_stream(car(Some(head), blocks)));
        insert_tag(&mut response, &tag(head, since));
        Ok(response)
    }

    /// Single blocks of a repo as a CAR file without a root.
    pub(crate) async fn some_blocks(&self, did: &Did, viewer: &Viewer, cids: Vec<Cid>) -> Result<Response> {
        if cids.len() > MAX_BLOCKS {
            return Err(XrpcError::invalid_request(format!("Too many cids. Max: {MAX_BLOCKS}")));
        }
        let blocks = self.blocks(did, viewer, BlockQuery::These(cids)).await?;
        if !blocks.missing.is_empty() {
            let missing: Vec<_> = blocks.missing.iter().map(Cid::to_string).collect();
            let message = format!("Could not find cids: {}", missing.join(","));
            return Err(XrpcError::named("BlockNotFound", message));
        }
        Ok(car_response(Body::from_stream(car(None, blocks))))
    }

    /// The commit and the tree nodes that prove what is at `path`, and the record if there is one.
    pub(crate) async fn record_proof(
        &self,
        did: &Did,
        viewer: &Viewer,
        path: &RecordPath,
    ) -> Result<Response> {
        let key = repo::key(path);
        // Node and record are read one after the other; a commit in between only means another try.
        for _ in 0..10 {
            let loaded =
                self.0.store().load(did, Loader::for_read([key.clone()])).await.map_err(store_failed)?;
            let Some(Loaded { repo, head: Some(head), tree }) = loaded else {
                return Err(XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}")));
            };
            available(&repo, viewer)?;
            let nodes = tree.proof(&key).map_err(XrpcError::internal)?;
            let mut file = car::Writer::new(&[head.cid]);
            file.block(&head.cid, &head.block);
            nodes.iter().for_each(|(cid, bytes)| file.block(cid, bytes));
            let Some(link) = tree.value(&key).map_err(XrpcError::internal)? else {
                return Ok(car_response(Body::from(file.finish())));
            };
            let query = RecordQuery { visible_only: false, ..RecordQuery::one(path.clone()) };
            let page = self.0.store().records(did, query).await.map_err(store_failed)?;
            let record = page.and_then(|page| page.records.into_iter().next());
            if let Some(record) = record.filter(|record| link.cid() == Some(record.cid)) {
                file.block(&record.cid, &record.value);
                return Ok(car_response(Body::from(file.finish())));
            }
        }
        Err(XrpcError::unavailable("the repo changed with every read", 1))
    }

    async fn blocks(&self, did: &Did, viewer: &Viewer, query: BlockQuery) -> Result<BlockStream> {
        let blocks = self.0.store().blocks(did, query).await.map_err(store_failed)?;
        let blocks = blocks
            .ok_or_else(|| XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}")))?;
        available(&blocks.repo, viewer)?;
        Ok(blocks)
    }
}

/// Exports are the same bytes for the same commit.
fn tag(head: Cid, since: Option<Tid>) -> String {
    match since {
        Some(since) => format!("\"{head}.{since}\""),
        None => format!("\"{head}\""),
    }
}

fn insert_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
}
