//! `/tls-check?domain=`: whether a proxy should get a certificate for a name.

use arroba_core::syntax::Handle;
use arroba_xrpc::{Result, XrpcError};
use axum::Json;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::Logins;

#[derive(Deserialize)]
pub(crate) struct Params {
    domain: Option<String>,
}

/// Yes for the server's own name and for the handles of active accounts: anything else would let strangers have
/// certificates made without end.
pub(crate) async fn tls_check(
    State(logins): State<Logins>,
    Query(Params { domain }): Query<Params>,
) -> Result<Json<Value>> {
    let domain = domain.filter(|domain| !domain.is_empty());
    let domain = domain.ok_or_else(|| XrpcError::invalid_request("bad or missing domain query param"))?;
    if domain.eq_ignore_ascii_case(logins.host().hostname()) {
        return Ok(Json(json!({ "success": true })));
    }
    let handle = Handle::parse(&domain).ok().filter(|handle| logins.is_service_handle(handle));
    let handle =
        handle.ok_or_else(|| XrpcError::invalid_request("handles are not provided on this domain"))?;
    match logins.active_handle(&handle).await? {
        Some(_) => Ok(Json(json!({ "success": true }))),
        None => Err(XrpcError::new(StatusCode::NOT_FOUND, "NotFound", "handle not found for this domain")),
    }
}
