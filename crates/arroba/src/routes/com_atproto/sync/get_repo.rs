//! `com.atproto.sync.getRepo`

use arroba_lexicons::com_atproto::sync::get_repo::GetRepo;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn get_repo(
    State(service): State<Service>,
    viewer: Viewer,
    headers: HeaderMap,
    Query(params): Query<GetRepo>,
) -> Result<Response> {
    service.export(&params.did, &viewer, params.since, &headers).await
}
