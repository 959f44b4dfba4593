//! `/.well-known/atproto-did`: the DID of the handle that is the request's host.

use arroba_xrpc::{BehindProxy, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::requested_handle;
use crate::accounts::Logins;

pub(crate) async fn atproto_did(
    State(logins): State<Logins>,
    proxy: BehindProxy,
    headers: HeaderMap,
) -> Result<Response> {
    let handle = requested_handle(&headers, proxy.0).filter(|handle| logins.is_service_handle(handle));
    let did = match handle {
        Some(handle) => logins.active_handle(&handle).await?,
        None => None,
    };
    Ok(match did {
        Some(did) => did.to_string().into_response(),
        None => (StatusCode::NOT_FOUND, "User not found").into_response(),
    })
}
