//! `/xrpc/_health`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::accounts::Logins;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Healthy is a server that can read its store.
pub(crate) async fn health(State(logins): State<Logins>) -> Response {
    match logins.stored().list(None, 1).await {
        Ok(_) => Json(json!({ "version": VERSION })).into_response(),
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            let body = json!({ "version": VERSION, "error": "Service Unavailable" });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
