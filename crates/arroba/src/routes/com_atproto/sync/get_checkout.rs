//! `com.atproto.sync.getCheckout`

use arroba_lexicons::com_atproto::sync::get_checkout::GetCheckout;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::auth::Viewer;
use crate::service::Service;

/// Deprecated: what `getRepo` gives without `since`.
pub(crate) async fn get_checkout(
    State(service): State<Service>,
    viewer: Viewer,
    headers: HeaderMap,
    Query(params): Query<GetCheckout>,
) -> Result<Response> {
    service.export(&params.did, &viewer, None, &headers).await
}
