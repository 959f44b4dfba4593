//! `com.atproto.sync.getCheckout`

use arroba_lexicons::com_atproto::sync::get_checkout::GetCheckout;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::service::{ExportAuth, Service};

/// Deprecated: what `getRepo` gives without `since`.
pub(crate) async fn get_checkout(
    State(service): State<Service>,
    auth: ExportAuth,
    headers: HeaderMap,
    Query(params): Query<GetCheckout>,
) -> Result<Response> {
    service.export(&params.did, &auth, None, &headers).await
}
