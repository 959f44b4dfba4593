//! The one error a handler answers with: `{"error", "message"}` in public, the cause in the log.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An XRPC error response.
///
/// `error` is the machine-readable name that clients branch on, `message` a sentence for people. Nobody
/// outside sees the message of a 5xx: it is replaced by the standard phrase, and the cause is logged once, when
/// the error becomes a response.
///
/// Spec: <https://atproto.com/specs/xrpc#error-responses>
#[derive(Debug, thiserror::Error)]
#[error("{error}: {message}")]
pub struct XrpcError {
    status: StatusCode,
    error: Cow<'static, str>,
    message: Cow<'static, str>,
    headers: Option<Box<HeaderMap>>,
    #[source]
    cause: Option<Cause>,
}

/// The result of a handler.
pub type Result<T, E = XrpcError> = std::result::Result<T, E>;

impl XrpcError {
    /// An error with any status, name and message.
    pub fn new(
        status: StatusCode,
        error: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error: error.into(), message: message.into(), headers: None, cause: None }
    }

    /// 400 with a name that the endpoint declares, such as `RecordNotFound`.
    pub fn named(error: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, message)
    }

    /// 400 `InvalidRequest`.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::named("InvalidRequest", message)
    }

    /// 401 with a name such as `AuthenticationRequired`, `AuthMissing` or `AccountTakedown`.
    pub fn unauthorized(error: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error, message)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401 `AuthenticationRequired`.
    pub fn authentication_required(message: impl Into<Cow<'static, str>>) -> Self {
        Self::unauthorized("AuthenticationRequired", message)
    }

    /// 403 `Forbidden`: authenticated, but not allowed.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 413 `PayloadTooLarge`; `limit` is in bytes, counted after decompression.
    pub fn payload_too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            format!("request body is larger than {limit} bytes"),
        )
    }

    /// 408 `RequestTimeout`: the client took too long to send its body.
    pub fn request_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "request body took too long to arrive")
    }

    /// 415 `UnsupportedMediaType`.
    pub fn unsupported_media_type(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// 429 `RateLimitExceeded`, to be tried again after `retry_after` seconds.
    pub fn rate_limited(retry_after: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", "Rate Limit Exceeded")
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// 500 `InternalServerError`; the cause goes to the log only.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error")
            .with_cause(cause)
    }

    /// 501 `MethodNotImplemented`.
    pub fn method_not_implemented() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "MethodNotImplemented", "Method Not Implemented")
    }

    /// 502 `UpstreamFailure`: a server that we depend on failed.
    pub fn upstream_failure(cause: impl Into<Cause>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "UpstreamFailure", "Upstream Failure").with_cause(cause)
    }

    /// 504 `UpstreamTimeout`: a server that we depend on did not answer in time.
    pub fn upstream_timeout(cause: impl Into<Cause>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "UpstreamTimeout", "Upstream Timeout").with_cause(cause)
    }

    /// 503 `NotEnoughResources`: nothing was done, try again after `retry_after` seconds.
    pub fn unavailable(cause: impl Into<Cause>, retry_after: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "NotEnoughResources", "Service Unavailable")
            .with_cause(cause)
            .with_header(RETRY_AFTER, HeaderValue::from(retry_after))
    }

    /// Adds the private cause.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The machine-readable name.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The sentence for people, as it was given; see [`XrpcError::public_message`] for what a client sees.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What a client sees: the standard phrase for a 5xx, the message otherwise. A 501 is no failure: its message says what this
    /// server does not offer.
    pub fn public_message(&self) -> &str {
        match self.status {
            StatusCode::NOT_IMPLEMENTED => &self.message,
            status if status.is_server_error() => {
                status.canonical_reason().unwrap_or("Internal Server Error")
            }
            _ => &self.message,
        }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    message: &'a str,
}

impl IntoResponse for XrpcError {
    fn into_response(self) -> Response {
        self.log();
        let body = ErrorBody { error: &self.error, message: self.public_message() };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(headers) = self.headers {
            response.headers_mut().extend(*headers);
        }
        response
    }
}

impl XrpcError {
    /// A 5xx is our failure and an operator must see it; a 4xx is the client's and only worth a debug line.
    fn log(&self) {
        let cause = self.cause.as_deref().map(chain).unwrap_or_default();
        if self.status == StatusCode::NOT_IMPLEMENTED || !self.status.is_server_error() {
            tracing::debug!(status = self.status.as_u16(), error = %self.error, message = %self.message, cause);
        } else {
            tracing::error!(
                status = self.status.as_u16(), error = %self.error, message = %self.message, cause,
                "request failed"
            );
        }
    }
}

/// The error and all its sources, in one line.
fn chain(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(error: XrpcError) -> (StatusCode, HeaderMap, serde_json::Value) {
        let response = error.into_response();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_4xx_shows_its_name_and_message() {
        let (status, _, json) = body(XrpcError::named("InvalidSwap", "Commit was at x")).await;
        assert_eq!(status, 400);
        assert_eq!(json, serde_json::json!({"error": "InvalidSwap", "message": "Commit was at x"}));
    }

    #[tokio::test]
    async fn a_5xx_hides_message_and_cause() {
        let error = XrpcError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "password=1")
            .with_cause("disk /secret failed");
        let (status, _, json) = body(error).await;
        assert_eq!(status, 500);
        assert_eq!(json["message"], "Internal Server Error");
        let (status, headers, json) = body(XrpcError::unavailable("queue full", 3)).await;
        assert_eq!(status, 503);
        assert_eq!(headers["retry-after"], "3");
        assert_eq!(json["message"], "Service Unavailable");
    }

    #[tokio::test]
    async fn a_401_names_its_scheme() {
        let (status, headers, json) = body(XrpcError::authentication_required("no")).await;
        assert_eq!(status, 401);
        assert_eq!(headers["www-authenticate"], "Bearer");
        assert_eq!(json["error"], "AuthenticationRequired");
    }
}
