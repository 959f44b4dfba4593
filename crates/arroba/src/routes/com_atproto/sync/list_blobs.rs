//! `com.atproto.sync.listBlobs`

use arroba_lexicons::com_atproto::sync::list_blobs::{self, ListBlobs};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn list_blobs(
    State(service): State<Service>,
    viewer: Viewer,
    Query(params): Query<ListBlobs>,
) -> Result<Output<ListBlobs>> {
    let after = params.cursor.as_deref();
    let page = service.blob_cids(&params.did, &viewer, params.since, after, params.limit).await?;
    Ok(Output(list_blobs::Output { cursor: page.cursor, cids: page.items }))
}
