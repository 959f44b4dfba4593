//! The route of every method that has none of its own.

use arroba_core::syntax::Nsid;
use arroba_xrpc::{Result, XrpcError};
use axum::extract::{FromRef, Path, Request};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};

use super::Proxy;
use crate::auth::{Authority, ProxyAuth};

/// Every path under `/xrpc/` that nobody else takes: forwarded, or 501 `MethodNotImplemented`.
pub(crate) fn router<S>(proxy: Proxy) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Authority: FromRef<S>,
{
    Router::new()
        .route("/xrpc", any(bad_path))
        .route("/xrpc/", any(bad_path))
        .route("/xrpc/{*method}", any(forward))
        .layer(Extension(proxy))
}

/// Whom a call is for is settled before who calls: what nobody serves needs no login.
async fn forward(
    Extension(proxy): Extension<Proxy>,
    Path(method): Path<String>,
    auth: Result<ProxyAuth>,
    request: Request,
) -> Result<Response> {
    let Ok(method) = Nsid::parse(&method) else { return Err(bad_path().await) };
    proxy.call(&method, auth, request).await
}

async fn bad_path() -> XrpcError {
    XrpcError::invalid_request("invalid xrpc path")
}
