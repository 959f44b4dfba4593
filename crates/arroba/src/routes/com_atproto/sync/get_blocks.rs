//! `com.atproto.sync.getBlocks`

use arroba_lexicons::com_atproto::sync::get_blocks::GetBlocks;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn get_blocks(
    State(service): State<Service>,
    viewer: Viewer,
    Query(params): Query<GetBlocks>,
) -> Result<Response> {
    service.some_blocks(&params.did, &viewer, params.cids).await
}
