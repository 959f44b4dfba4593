//! Push notifications: the service that sends them is named in the body of the call.

use arroba_core::syntax::{Did, DidService, Nsid};
use arroba_xrpc::{RawBody, Result, XrpcError};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use serde::Deserialize;

use super::ProxyService;
use super::choose::Choice;

const SERVICE_ID: &str = "bsky_notif";

fn service(did: &Did) -> DidService {
    DidService::new(did, SERVICE_ID).expect("a DID and letters are a service")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    service_did: Did,
}

pub(super) fn is_push(method: &Nsid) -> bool {
    matches!(method.as_str(), "app.bsky.notification.registerPush" | "app.bsky.notification.unregisterPush")
}

/// The service that a call names: `app_view` if it is that one, which needs no look-up. The body is small, and goes on as
/// it came.
pub(super) async fn choose(app_view: &ProxyService, request: Request) -> Result<(Choice<'_>, Request)> {
    let (mut parts, body) = request.into_parts();
    let head = Request::from_parts(parts.clone(), body);
    let bytes = RawBody::from_request(head, &()).await?.bytes().await?;
    let input: Input = serde_json::from_slice(&bytes)
        .map_err(|error| XrpcError::invalid_request(format!("Input is not valid: {error}")))?;
    let choice = match input.service_did {
        did if did == app_view.service.did() => Choice::Configured(app_view, service(&did)),
        did => Choice::Named(service(&did)),
    };
    parts.headers.insert(http::header::CONTENT_LENGTH, bytes.len().into());
    Ok((choice, Request::from_parts(parts, Body::from(bytes))))
}
