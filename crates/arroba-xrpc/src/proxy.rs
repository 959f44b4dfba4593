//! Sending requests on to other services: streamed both ways, with the headers that may pass and an end in time.

mod answer;
mod headers;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arroba_core::syntax::Nsid;
use arroba_net::{FetchError, GuardedClient, Limits, RequestBody};
use axum::extract::{FromRequest, Request};
use futures::{StreamExt, TryStreamExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderValue, Method};
use http_body::Body as _;
use url::Url;

pub(crate) use answer::is_name;
pub use answer::{Answer, ReadAnswer};

use crate::{RawBody, Result, XrpcError};

/// What a forwarded request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyLimits {
    /// Time until the answer's headers have arrived; while the request's body is sent, the time in which nothing of
    /// it is taken.
    pub headers: Duration,
    /// Longest wait for the next piece of the answer's body.
    pub idle: Duration,
    /// Time for all of it.
    pub total: Duration,
    /// Bytes of a request's body, after decompression.
    pub request_bytes: u64,
    /// Bytes of an answer's body.
    pub response_bytes: u64,
    /// How often a request without a body is sent again if there is no connection, or it breaks off before the answer.
    pub retries: u32,
}

impl Default for ProxyLimits {
    /// 10 and 30 seconds, an hour, 300 MB, 10 MiB, never again.
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60 * 60),
            request_bytes: 300_000_000,
            response_bytes: 10 << 20,
            retries: 0,
        }
    }
}

/// Where a request goes, and as whose.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The service's address; its path is of no account.
    pub service: &'a Url,
    /// The method called.
    pub method: &'a Nsid,
    /// The service token that is sent along; without one the call is nobody's.
    pub token: Option<&'a str>,
    /// Whether the answer is to be read here, so that it must not come compressed in a way that only the client
    /// understands.
    pub read_here: bool,
}

/// Sends requests on to services that one client may reach.
#[derive(Clone, Debug)]
pub struct Forwarder {
    client: GuardedClient,
    limits: ProxyLimits,
}

impl Forwarder {
    /// Sends requests with `client`.
    #[must_use]
    pub const fn new(client: GuardedClient, limits: ProxyLimits) -> Self {
        Self { client, limits }
    }

    /// The client that requests are sent with.
    #[must_use]
    pub const fn client(&self) -> &GuardedClient {
        &self.client
    }

    /// Sends a request on, and returns when the answer's headers have arrived.
    ///
    /// The method's parameters and the body go as they came, of the headers only those that concern the content; the
    /// caller's own `Authorization` never does. Bodies pass piece by piece, no faster than the other side takes them.
    /// Redirects are not followed. Whoever drops the future, or later the answer, ends the request.
    ///
    /// # Errors
    /// 502 `UpstreamFailure`, 504 `UpstreamTimeout`, 400 for an address that may not be asked, and those of
    /// [`RawBody::stream`] for the request's body.
    pub async fn forward(&self, request: Request, to: Destination<'_>) -> Result<Answer> {
        let mut url =
            to.service.join(&format!("/xrpc/{}", to.method)).map_err(XrpcError::upstream_failure)?;
        url.set_query(request.uri().query());
        let method = request.method().clone();
        let mut headers = headers::of_request(request.headers(), to.read_here);
        if let Some(token) = to.token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let empty = || {
            let mut empty =
                arroba_net::Request::new(method.clone(), url.clone()).limits(self.limits.of_request());
            empty.headers = headers.clone();
            empty.decompress = to.read_here;
            empty
        };

        let failed = Failed::default();
        let mut forwarded = empty();
        match method {
            Method::GET | Method::HEAD => return self.ask(empty).await,
            Method::POST if request.body().is_end_stream() => {}
            Method::POST => {
                let body = RawBody::from_request(request, &()).await?.limit(self.limits.request_bytes);
                if let Some(length) = body.content_length() {
                    forwarded.headers.insert(CONTENT_LENGTH, length.into());
                }
                let failed = failed.clone();
                let pieces = body.stream()?.map_err(move |error| failed.keep(error));
                forwarded.body = RequestBody::Stream(pieces.boxed());
            }
            _ => return Err(XrpcError::invalid_request("XRPC requests are GET or POST")),
        }
        match self.client.send(forwarded).await {
            Ok(response) => Answer::new(response),
            Err(error) => Err(failed.take().unwrap_or_else(|| upstream_error(error))),
        }
    }

    /// Sends a request that changes nothing, and again if there was no connection.
    async fn ask(&self, request: impl Fn() -> arroba_net::Request) -> Result<Answer> {
        let mut retries = self.limits.retries;
        loop {
            match self.client.send(request()).await {
                Ok(response) => return Answer::new(response),
                Err(error) if retries > 0 && error.is_connection() => retries -= 1,
                Err(error) => return Err(upstream_error(error)),
            }
        }
    }
}

impl ProxyLimits {
    fn of_request(&self) -> Limits {
        Limits::default()
            .total(self.total)
            .headers(self.headers)
            .idle(self.idle)
            .body_bytes(self.response_bytes)
            .redirects(0)
    }
}

/// What went wrong with the client's own body while it was sent on.
#[derive(Clone, Default)]
struct Failed(Arc<Mutex<Option<XrpcError>>>);

impl Failed {
    fn keep(&self, error: XrpcError) -> io::Error {
        let shown = io::Error::other(error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        shown
    }

    fn take(&self) -> Option<XrpcError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How the failure of a request to another service looks from outside.
pub fn upstream_error(error: FetchError) -> XrpcError {
    match error {
        FetchError::Timeout => XrpcError::upstream_timeout(error),
        error if error.is_refusal() => {
            XrpcError::invalid_request("the service's address is not allowed").with_cause(error)
        }
        error => XrpcError::upstream_failure(error),
    }
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(XrpcError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}
