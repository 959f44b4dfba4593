//! What surrounds every XRPC route: request ids, client address, decompression, CORS, panics, rate-limit headers.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arroba_lexicons::Endpoint;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_http::decompression::RequestDecompressionLayer;
use tracing::Instrument;

use crate::body::check_encoding;
use crate::client_ip::{ClientIp, ForwardedHttps, peer};
use crate::rate_limit::{RateLimit, RateLimits, RequestLimits};
use crate::{Result, XrpcError};

/// Told about each finished request; metrics hang on it.
pub type Observer = Arc<dyn Fn(&Observed<'_>) + Send + Sync>;

/// One finished request, up to its response headers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observed<'a> {
    /// The route's pattern, such as `/xrpc/com.atproto.sync.getRepo`; never the raw path, so that its values
    /// are few.
    pub route: &'a str,
    /// The HTTP method.
    pub method: &'a Method,
    /// The response status.
    pub status: StatusCode,
    /// Time from the request's headers to the response's.
    pub elapsed: Duration,
}

/// The layers of one server.
#[derive(Clone)]
pub struct Layers {
    limits: RateLimits,
    global: Option<RateLimit>,
    unmetered: Vec<&'static str>,
    observer: Option<Observer>,
    next_id: Arc<AtomicU64>,
}

impl Layers {
    /// Layers that count by `limits`.
    pub fn new(limits: RateLimits) -> Self {
        Self { limits, global: None, unmetered: Vec::new(), observer: None, next_id: Arc::default() }
    }

    /// One point of this limit, keyed by client address, for every request to a method that is not
    /// [`unmetered`](Layers::unmetered).
    #[must_use]
    pub fn global_limit(mut self, limit: RateLimit) -> Self {
        self.global = Some(limit);
        self
    }

    /// Leaves `E` out of the global limit.
    #[must_use]
    pub fn unmetered<E: Endpoint>(mut self) -> Self {
        self.unmetered.push(E::PATH);
        self
    }

    /// Calls `observer` after each request.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Wraps every route that `router` has so far.
    pub fn wrap<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router
            .layer(RequestDecompressionLayer::new().gzip(true).deflate(true).br(true).no_zstd())
            .layer(from_fn(refuse_unknown_encodings))
            .layer(from_fn_with_state(self.clone(), meter))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(cors())
            .layer(from_fn_with_state(self.clone(), surround))
    }
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layers")
            .field("limits", &self.limits)
            .field("global", &self.global)
            .finish_non_exhaustive()
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Any origin may call, with any header it names; browsers may read what clients branch on.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .max_age(Duration::from_secs(86_400))
        .expose_headers(ExposeHeaders::list([
            HeaderName::from_static("dpop-nonce"),
            HeaderName::from_static("www-authenticate"),
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("retry-after"),
            HeaderName::from_static("atproto-repo-rev"),
            HeaderName::from_static("atproto-content-labelers"),
            HeaderName::from_static("etag"),
            HeaderName::from_static("content-range"),
            REQUEST_ID,
        ]))
}

/// The outermost layer: names the request, finds its client, logs it, writes the late headers.
async fn surround(State(layers): State<Layers>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let peer = peer(&parts);
    let client = ClientIp::of(peer, &parts.headers);
    let limits = RequestLimits::new(layers.limits.clone());
    parts.extensions.insert(client);
    parts.extensions.insert(ForwardedHttps::of(peer, &parts.headers));
    parts.extensions.insert(limits.clone());
    let route = parts.extensions.get::<MatchedPath>().map_or_else(String::new, |p| p.as_str().to_owned());
    let method = parts.method.clone();
    let id = format!("{:08x}", layers.next_id.fetch_add(1, Ordering::Relaxed));

    let span = tracing::info_span!("request", %id, %method, route, client = %client.0);
    let mut response = next.run(Request::from_parts(parts, body)).instrument(span.clone()).await;

    limits.write(response.headers_mut());
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let status = response.status();
    let elapsed = started.elapsed();
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ?elapsed, "request finished"));
    if let Some(observer) = &layers.observer {
        observer(&Observed { route: &route, method: &method, status, elapsed });
    }
    response
}

/// One point of the global limit per request; CORS preflights have been answered before.
async fn meter(
    State(layers): State<Layers>,
    limits: RequestLimits,
    client: ClientIp,
    request: Request,
    next: Next,
) -> Result<Response> {
    if let Some(global) = &layers.global
        && !layers.unmetered.contains(&request.uri().path())
    {
        limits.consume([global], client.0.to_string(), 1)?;
    }
    Ok(next.run(request).await)
}

async fn refuse_unknown_encodings(request: Request, next: Next) -> Result<Response> {
    check_encoding(request.headers())?;
    Ok(next.run(request).await)
}

/// A panic is a bug of ours: the request fails with a 500, the server goes on.
#[expect(clippy::needless_pass_by_value, reason = "the layer calls it with an owned box")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    XrpcError::internal(format!("handler panicked: {text}")).into_response()
}
