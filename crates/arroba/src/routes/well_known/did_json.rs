//! `/.well-known/did.json`: the server's own DID document.

use arroba_core::syntax::Did;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::accounts::Logins;

/// The document of the server's did:web. A server under another DID has its document elsewhere.
pub(crate) async fn did_json(State(logins): State<Logins>) -> Response {
    let did = &logins.offer().service_did;
    if did.method() != "web" {
        return (StatusCode::NOT_FOUND, "Not found").into_response();
    }
    Json(service_document(did, logins.host().public_url())).into_response()
}

pub(crate) fn service_document(did: &Did, public_url: &str) -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "service": [{
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": public_url,
        }],
    })
}
