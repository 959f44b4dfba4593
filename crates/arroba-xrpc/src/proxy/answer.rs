//! What another service answered, on its way to the client.

use arroba_net::{FetchError, Response as NetResponse};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::headers::{CONTENT_LABELERS, REPO_REV, of_answer};
use super::upstream_error;
use crate::{Result, XrpcError};

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The longest message of an error that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 2000;

/// An answer with the headers that may pass, its body still arriving.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: BoxStream<'static, Result<Bytes, FetchError>>,
}

/// An answer that was looked into.
#[derive(Debug)]
pub enum ReadAnswer {
    /// It says that it is JSON: its text, and the answer as it was.
    Json(Bytes, Answer),
    /// It is something else, or too large; nothing of it is lost.
    Other(Answer),
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    message: Option<String>,
}

impl Answer {
    /// Takes an answer over.
    ///
    /// # Errors
    /// 502 for a redirect and other statuses that say nothing to a client of XRPC, and for headers without measure.
    pub(super) fn new(response: NetResponse) -> Result<Self> {
        let status = response.status;
        if !(status.is_success() || status.is_client_error() || status.is_server_error()) {
            return Err(XrpcError::upstream_failure(format!("unexpected status {status}")));
        }
        Ok(Self { status, headers: of_answer(&response)?, body: response.body.boxed() })
    }

    /// The same answer with another body: JSON, status 200.
    #[must_use]
    pub fn with_json(self, json: &Value) -> Self {
        let mut headers = self.headers;
        headers.remove(CONTENT_ENCODING);
        let bytes = Bytes::from(json.to_string());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, bytes.len().into());
        Self { status: StatusCode::OK, headers, body: stream::iter([Ok(bytes)]).boxed() }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers that pass.
    pub const fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The revision of the caller's repo that the service knew when it answered, as it says.
    #[must_use]
    pub fn repo_rev(&self) -> Option<&str> {
        self.headers.get(REPO_REV)?.to_str().ok()
    }

    /// The answer as a response, or as the error that it is.
    ///
    /// # Errors
    /// The service's own error under its own name for a 4xx; a 500 is 502 `UpstreamFailure` here, other 5xx keep
    /// their status.
    pub async fn finish(self) -> Result<Response> {
        match self.status.is_success() {
            true => Ok(self.into_response()),
            false => self.refused().await,
        }
    }

    /// The text of the body, if it is JSON of at most `max_bytes` bytes that no coding hides. It is not parsed: that takes
    /// many times its size in memory, so whoever does it may want to wait.
    ///
    /// # Errors
    /// 502 or 504 for a body that breaks off.
    pub async fn read_json(self, max_bytes: usize) -> Result<ReadAnswer> {
        if !is_json(&self.headers) || self.headers.contains_key(CONTENT_ENCODING) {
            return Ok(ReadAnswer::Other(self));
        }
        let Self { status, headers, mut body } = self;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > max_bytes as u64) {
            return Ok(ReadAnswer::Other(Self { status, headers, body }));
        }
        let mut read = BytesMut::new();
        while let Some(piece) = body.next().await {
            read.extend_from_slice(&piece.map_err(upstream_error)?);
            if read.len() > max_bytes {
                let body = stream::iter([Ok(read.freeze())]).chain(body).boxed();
                return Ok(ReadAnswer::Other(Self { status, headers, body }));
            }
        }
        let read = read.freeze();
        let body = stream::iter([Ok(read.clone())]).boxed();
        Ok(ReadAnswer::Json(read, Self { status, headers, body }))
    }

    async fn refused(mut self) -> Result<Response> {
        // What the client alone can read is for the client to read.
        if self.headers.contains_key(CONTENT_ENCODING) && self.status.is_client_error() {
            return Ok(self.into_response());
        }
        let said = self.read_error().await;
        let status = match self.status {
            StatusCode::NOT_IMPLEMENTED
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => self.status,
            status if status.is_server_error() => StatusCode::BAD_GATEWAY,
            status => status,
        };
        let phrase = self.status.canonical_reason().unwrap_or("Upstream Failure");
        let (error, message) = match said {
            Some(said) if status == self.status && is_name(&said.error) => {
                let message = said.message.unwrap_or_else(|| said.error.clone());
                (said.error, message.chars().take(MAX_MESSAGE_CHARS).collect())
            }
            _ => (name_of(status).to_owned(), phrase.to_owned()),
        };
        let mut refusal = XrpcError::new(status, error, message)
            .with_cause(format!("the service answered {}", self.status));
        for name in [RETRY_AFTER, REPO_REV, CONTENT_LABELERS] {
            if let Some(value) = self.headers.get(&name) {
                refusal = refusal.with_header(name, value.clone());
            }
        }
        Err(refusal)
    }

    /// What an error says, as far as it can be read.
    async fn read_error(&mut self) -> Option<ErrorBody> {
        if !is_json(&self.headers) || self.headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let mut read = BytesMut::new();
        while let Some(piece) = self.body.next().await {
            read.extend_from_slice(&piece.ok()?);
            if read.len() > MAX_ERROR_BYTES {
                return None;
            }
        }
        serde_json::from_slice(&read).ok()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from_stream(self.body)).into_response();
        *response.headers_mut() = self.headers;
        private(response.headers_mut());
        response
    }
}

/// An answer is the caller's alone, and what a browser takes it for is what it says it is.
fn private(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    headers.append(VARY, HeaderValue::from_static("authorization"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether a text can be the name of an error.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name that a status has by itself.
fn name_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "AuthenticationRequired",
        403 => "Forbidden",
        404 => "XRPCNotSupported",
        413 => "PayloadTooLarge",
        415 => "UnsupportedMediaType",
        429 => "RateLimitExceeded",
        501 => "MethodNotImplemented",
        503 => "NotEnoughResources",
        504 => "UpstreamTimeout",
        500.. => "UpstreamFailure",
        _ => "InvalidRequest",
    }
}
