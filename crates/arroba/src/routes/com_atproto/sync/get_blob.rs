//! `com.atproto.sync.getBlob`

use arroba_lexicons::com_atproto::sync::get_blob::GetBlob;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method};

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn get_blob(
    State(service): State<Service>,
    viewer: Viewer,
    method: Method,
    headers: HeaderMap,
    Query(params): Query<GetBlob>,
) -> Result<Response> {
    service.blob(&params.did, &viewer, params.cid, &method, &headers).await
}
