//! Registration: one call per method puts a handler on its path, with its verb and its body rules.

use std::convert::Infallible;

use arroba_core::syntax::Nsid;
use arroba_lexicons::{Body, Encoding, Endpoint, Kind};
use axum::extract::{Path, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use axum::{Extension, Router};
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http_body::Body as _;

use crate::extract::check_content_type;
use crate::{BodyLimit, Result, XrpcError};

/// Adds XRPC methods to an [`axum::Router`].
///
/// ```
/// use arroba_lexicons::com_atproto::identity::resolve_handle::ResolveHandle;
/// use arroba_lexicons::com_atproto::server::delete_session::DeleteSession;
/// use arroba_xrpc::{Query, RouterExt, XrpcError};
/// use axum::Router;
///
/// let router: Router = Router::new()
///     .endpoint::<DeleteSession, _>(async || ())
///     .endpoint::<ResolveHandle, _>(async |Query(params): Query<ResolveHandle>| {
///         XrpcError::named("HandleNotFound", format!("no such handle: {}", params.handle))
///     })
///     .unknown_methods();
/// ```
pub trait RouterExt<S>: Sized {
    /// Serves `E` with `handler`, under the default body limit.
    #[must_use]
    fn endpoint<E: Endpoint, T: 'static>(self, handler: impl Handler<T, S>) -> Self {
        self.endpoint_with::<E, T>(handler, BodyLimit::default())
    }

    /// Serves `E` with `handler`, under a body limit of its own.
    #[must_use]
    fn endpoint_with<E: Endpoint, T: 'static>(self, handler: impl Handler<T, S>, limit: BodyLimit) -> Self;

    /// Answers every other path under `/xrpc/`: 501 `MethodNotImplemented` for a well-formed NSID, 400 otherwise.
    #[must_use]
    fn unknown_methods(self) -> Self;
}

impl<S: Clone + Send + Sync + 'static> RouterExt<S> for Router<S> {
    fn endpoint_with<E: Endpoint, T: 'static>(self, handler: impl Handler<T, S>, limit: BodyLimit) -> Self {
        self.route(E::PATH, method_router::<E, T, S>(handler, limit))
    }

    fn unknown_methods(self) -> Self {
        self.route("/xrpc", any(bad_path))
            .route("/xrpc/", any(bad_path))
            .route("/xrpc/{*method}", any(unknown))
    }
}

fn method_router<E: Endpoint, T: 'static, S: Clone + Send + Sync + 'static>(
    handler: impl Handler<T, S>,
    limit: BodyLimit,
) -> MethodRouter<S> {
    match E::KIND {
        Kind::Query | Kind::Subscription => get(handler).fallback(expected_get),
        Kind::Procedure => {
            let router = match E::Input::ENCODING {
                Encoding::None => post(handler).layer(from_fn(no_input)),
                Encoding::Json | Encoding::Raw("*/*") => post(handler).layer(Extension(limit)),
                Encoding::Raw(media_type) => {
                    let checked = from_fn_with_state(media_type, only_type);
                    post(handler).layer::<_, Infallible>(checked).layer(Extension(limit))
                }
            };
            router.fallback(expected_post)
        }
    }
}

/// A wrong verb is a 400 in the reference server, not a 405, and clients expect that.
async fn expected_get(request: Request) -> XrpcError {
    wrong_verb(&request, "GET")
}

async fn expected_post(request: Request) -> XrpcError {
    wrong_verb(&request, "POST")
}

fn wrong_verb(request: &Request, expected: &str) -> XrpcError {
    let verb = request.method();
    XrpcError::invalid_request(format!("Incorrect HTTP method ({verb}) expected {expected}"))
}

/// A method without input takes an empty body only. One piece is enough to know.
async fn no_input(request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    if !body.is_end_stream() {
        let mut pieces = body.into_data_stream();
        let idle = BodyLimit::default().idle;
        loop {
            match tokio::time::timeout(idle, pieces.next()).await {
                Err(_) => return Err(XrpcError::request_timeout()),
                Ok(None) => break,
                Ok(Some(Ok(piece))) if piece.is_empty() => {}
                Ok(Some(_)) => {
                    return Err(XrpcError::invalid_request(
                        "A request body was provided when none was expected",
                    ));
                }
            }
        }
    }
    Ok(next.run(Request::from_parts(parts, axum::body::Body::empty())).await)
}

/// A raw body has the one media type that the method names.
async fn only_type(State(media_type): State<&'static str>, request: Request, next: Next) -> Result<Response> {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    check_content_type(given, media_type)?;
    Ok(next.run(request).await)
}

async fn unknown(Path(method): Path<String>) -> XrpcError {
    match Nsid::parse(&method) {
        Ok(_) => XrpcError::method_not_implemented(),
        Err(_) => bad_path().await,
    }
}

async fn bad_path() -> XrpcError {
    XrpcError::invalid_request("invalid xrpc path")
}
