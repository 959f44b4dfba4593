//! A blob as an HTTP response.

use arroba_store::BlobRow;
use arroba_store::blobs::{BlobError, Blobs};
use arroba_xrpc::{Result, XrpcError};
use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::range::{Wanted, wanted};

/// Answers a request for a blob: whole, in part, or that the client has it already.
///
/// The content is anybody's, and it is served from the origin that logins use. So browsers must neither guess a type, nor run it,
/// nor show it.
pub(crate) async fn blob_response(
    blobs: &Blobs,
    row: &BlobRow,
    method: &Method,
    request: &HeaderMap,
) -> Result<Response> {
    let tag = format!("\"{}\"", row.cid);
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut response = Response::new(Body::empty());
    protect(response.headers_mut(), row);
    response.headers_mut().insert(ETAG, header(&tag));
    if text(IF_NONE_MATCH).is_some_and(|tags| crate::export::matches_tag(tags, &tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(|known| known == tag));
    let part = match wanted(range, row.size) {
        Wanted::All => None,
        Wanted::Part(part) => Some(part),
        Wanted::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{}", row.size)));
            return Ok(response);
        }
    };
    let length = part.as_ref().map_or(row.size, |part| part.end.saturating_sub(part.start));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response.headers_mut().insert(CONTENT_TYPE, header(&row.mime_type));
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(part) = &part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let shown = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), row.size);
        response.headers_mut().insert(CONTENT_RANGE, header(&shown));
    }
    if method != Method::HEAD && length > 0 {
        let bytes = blobs.get(&row.object, part).await.map_err(|error| match error {
            // Deleted since its row was read.
            BlobError::NotFound { .. } => not_found(),
            error => XrpcError::internal(error),
        })?;
        *response.body_mut() = Body::from_stream(bytes);
    }
    Ok(response)
}

/// There is no such blob, or none that may be shown.
pub(crate) fn not_found() -> XrpcError {
    XrpcError::named("BlobNotFound", "Blob not found")
        .with_header(CONTENT_SECURITY_POLICY, CSP)
        .with_header(X_CONTENT_TYPE_OPTIONS, NOSNIFF)
}

/// Answers a request for a blob that is elsewhere. Caches may keep the answer as long as the Python library lets them.
pub(crate) fn remote_blob_response(url: &Url) -> Result<Response> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::from_str(url.as_str()).map_err(XrpcError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, REMOTE_CACHE);
    Ok(response)
}

/// The blob was elsewhere and is gone, which is as durable an answer as where it is.
pub(crate) fn remote_blob_gone() -> XrpcError {
    not_found().with_header(CACHE_CONTROL, REMOTE_CACHE)
}

const REMOTE_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=86400");

const CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

fn protect(headers: &mut HeaderMap, row: &BlobRow) {
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CONTENT_DISPOSITION, header(&format!("attachment; filename=\"{}\"", row.cid)));
}

fn header(text: &str) -> HeaderValue {
    // Media types were checked when they were stored; a store that others wrote may hold anything.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
