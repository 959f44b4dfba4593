//! Request bodies: bounded in bytes (after decompression) and in time, whole or as a stream.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};

use crate::{Result, XrpcError};

/// How much a method accepts in its body, and how long it may take.
///
/// Bytes are counted after decompression. Set per method with
/// [`RouterExt::endpoint_with`](crate::RouterExt::endpoint_with); the default is 150 KiB, as in the reference server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit {
    /// Greatest size in bytes.
    pub bytes: u64,
    /// Longest silence between two pieces of the body.
    pub idle: Duration,
    /// Longest time for a whole body that is read into memory; streams know only `idle`.
    pub total: Duration,
}

impl BodyLimit {
    /// The default: 150 KiB.
    pub const DEFAULT_BYTES: u64 = 150 * 1024;

    /// A limit in bytes with the default times.
    pub const fn bytes(bytes: u64) -> Self {
        Self { bytes, idle: Duration::from_secs(20), total: Duration::from_secs(60) }
    }

    /// The limit that the method's registration put on a request.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or_default()
    }
}

impl Default for BodyLimit {
    fn default() -> Self {
        Self::bytes(Self::DEFAULT_BYTES)
    }
}

/// A raw request body as a bounded stream, for blobs and CAR files.
///
/// As an extractor it takes the method's [`BodyLimit`]; a handler that knows better narrows or widens it with
/// [`RawBody::limit`] before it reads.
#[derive(Debug)]
pub struct RawBody {
    content_type: Option<String>,
    content_length: Option<u64>,
    body: Body,
    limit: BodyLimit,
}

impl RawBody {
    /// The `Content-Type` as the client sent it.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The declared length, absent for chunked and compressed bodies.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Replaces the limit in bytes.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit.bytes = bytes;
        self
    }

    /// The pieces of the body. After an error the stream ends.
    ///
    /// # Errors
    /// 413 when the declared length is over the limit already; in the stream 413 when the body grows over it, 408
    /// after too long a silence, 400 when the connection or the compression breaks.
    pub fn stream(self) -> Result<impl Stream<Item = Result<Bytes>> + Send + Unpin + 'static> {
        if self.content_length.is_some_and(|length| length > self.limit.bytes) {
            return Err(XrpcError::payload_too_large(self.limit.bytes));
        }
        let state = Some((self.body.into_data_stream(), 0u64));
        let limit = self.limit;
        Ok(Box::pin(
            futures::stream::unfold(state, move |state| async move {
                let (mut body, seen) = state?;
                match next_piece(&mut body, limit.idle).await {
                    None => None,
                    Some(Err(error)) => Some((Err(error), None)),
                    Some(Ok(piece)) => {
                        let seen = seen.saturating_add(piece.len() as u64);
                        if seen > limit.bytes {
                            Some((Err(XrpcError::payload_too_large(limit.bytes)), None))
                        } else {
                            Some((Ok(piece), Some((body, seen))))
                        }
                    }
                }
            })
            .fuse(),
        ))
    }

    /// Whether there is nothing in the body; reads its first piece to know.
    pub(crate) async fn blank(self) -> bool {
        match self.stream() {
            Ok(mut pieces) => pieces.next().await.is_none(),
            Err(_) => false,
        }
    }

    /// The whole body in memory.
    ///
    /// # Errors
    /// As [`RawBody::stream`], and 408 when the whole takes longer than the limit's `total`.
    pub async fn bytes(self) -> Result<Bytes> {
        let total = self.limit.total;
        let read = async {
            let mut stream = self.stream()?;
            let Some(first) = stream.next().await.transpose()? else { return Ok(Bytes::new()) };
            let Some(second) = stream.next().await.transpose()? else { return Ok(first) };
            let mut whole = BytesMut::from(first);
            whole.extend_from_slice(&second);
            while let Some(piece) = stream.next().await.transpose()? {
                whole.extend_from_slice(&piece);
            }
            Ok(whole.freeze())
        };
        tokio::time::timeout(total, read).await.unwrap_or_else(|_| Err(XrpcError::request_timeout()))
    }
}

async fn next_piece(body: &mut axum::body::BodyDataStream, idle: Duration) -> Option<Result<Bytes>> {
    match tokio::time::timeout(idle, body.next()).await {
        Err(_) => Some(Err(XrpcError::request_timeout())),
        Ok(None) => None,
        Ok(Some(Ok(piece))) => Some(Ok(piece)),
        Ok(Some(Err(error))) => {
            Some(Err(XrpcError::invalid_request("request body could not be read").with_cause(error)))
        }
    }
}

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = XrpcError;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let limit = BodyLimit::of(&request);
        let (parts, body) = request.into_parts();
        Ok(Self {
            content_type: header(&parts.headers, CONTENT_TYPE.as_str()).map(str::to_owned),
            content_length: header(&parts.headers, CONTENT_LENGTH.as_str()).and_then(|v| v.parse().ok()),
            body,
            limit,
        })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Refuses content codings that the decompression layer does not undo.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<()> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let known = |value: &http::HeaderValue| {
        ["gzip", "deflate", "br", "identity"]
            .iter()
            .any(|k| value.as_bytes().eq_ignore_ascii_case(k.as_bytes()))
    };
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if known(one) => Ok(()),
        _ => Err(XrpcError::unsupported_media_type("unsupported content-encoding")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(body: Body, content_length: Option<u64>, bytes: u64) -> RawBody {
        RawBody { content_type: None, content_length, body, limit: BodyLimit::bytes(bytes) }
    }

    fn pieces(sizes: &'static [usize]) -> Body {
        let stream = futures::stream::iter(sizes.iter().map(|n| Ok::<_, std::io::Error>(vec![7u8; *n])));
        Body::from_stream(stream)
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        assert_eq!(raw(pieces(&[3, 4, 3]), None, 10).bytes().await.unwrap().len(), 10);
        assert_eq!(raw(pieces(&[3, 4, 4]), None, 10).bytes().await.unwrap_err().status(), 413);
        assert_eq!(raw(pieces(&[]), None, 0).bytes().await.unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_declared_length_over_the_limit_is_refused_unread() {
        let error = raw(pieces(&[1]), Some(11), 10).bytes().await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.error()), (413, "PayloadTooLarge"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let silent = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(raw(silent, None, 10).bytes().await.unwrap_err().status(), 408);
        let trickle = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let error = raw(Body::from_stream(trickle), None, 1000).bytes().await.unwrap_err();
        assert_eq!(error.status(), 408);
    }

    #[tokio::test]
    async fn the_stream_ends_after_an_error() {
        let mut stream = raw(pieces(&[8, 8, 8]), None, 10).stream().unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        assert!(stream.next().await.unwrap().is_err());
        assert!(stream.next().await.is_none());
        assert!(stream.next().await.is_none(), "and it may be asked again");
    }

    #[test]
    fn only_known_codings_pass() {
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            check_encoding(&headers).is_ok()
        };
        assert!(check(&[]) && check(&["gzip"]) && check(&["BR"]) && check(&["identity"]));
        assert!(!check(&["zstd"]) && !check(&["gzip, br"]) && !check(&["gzip", "br"]));
    }
}
