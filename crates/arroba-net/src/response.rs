use crate::{FetchError, Limits, client::after};
use bytes::{Bytes, BytesMut};
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use http::{HeaderMap, StatusCode};
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

/// An answer. Its status may be any, and its headers are someone else's text.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// Where the answer comes from, after redirects.
    pub url: Url,
    /// The body, still arriving.
    pub body: Body,
}

impl Response {
    pub(crate) fn new(
        response: reqwest::Response,
        url: Url,
        limits: Limits,
        deadline: Instant,
    ) -> Result<Self, FetchError> {
        let limit = limits.body_bytes;
        // The announced length of what is still to come: 0 for HEAD, none when chunked or to be decompressed.
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let status = response.status();
        let headers = response.headers().clone();
        Ok(Self { status, headers, url, body: Body::new(response, limits, deadline) })
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// [`FetchError::TooLarge`], [`FetchError::Timeout`], [`FetchError::Transport`] (also when the body ends
    /// before its announced length).
    pub async fn bytes(self) -> Result<Bytes, FetchError> {
        self.body.bytes().await
    }
}

/// A body that ends with an error rather than exceed its limits.
pub struct Body(BoxStream<'static, Result<Bytes, FetchError>>);

struct Arriving {
    response: reqwest::Response,
    left: u64,
}

impl Body {
    fn new(response: reqwest::Response, limits: Limits, deadline: Instant) -> Self {
        let limit = limits.body_bytes;
        let start = Arriving { response, left: limit };
        let chunks = stream::try_unfold(start, move |mut body| async move {
            let patience = after(Instant::now(), limits.idle).min(deadline);
            let chunk = match timeout_at(patience, body.response.chunk()).await {
                Ok(chunk) => chunk.map_err(FetchError::Transport)?,
                Err(_) => return Err(FetchError::Timeout),
            };
            let Some(chunk) = chunk else { return Ok(None) };
            body.left = body.left.checked_sub(chunk.len() as u64).ok_or(FetchError::TooLarge(limit))?;
            Ok(Some((chunk, body)))
        });
        Self(chunks.boxed())
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// See [`Response::bytes`].
    pub async fn bytes(mut self) -> Result<Bytes, FetchError> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.0.next().await {
            let chunk = chunk?;
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl Stream for Body {
    type Item = Result<Bytes, FetchError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Body")
    }
}
