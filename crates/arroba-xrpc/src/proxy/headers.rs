//! Which headers pass: those that concern the content, in either direction, and nothing else.

use arroba_net::Response;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Result, XrpcError};

/// `content-length` and `accept-encoding` are decided apart.
const OF_REQUESTS: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_TYPE,
    HeaderName::from_static("atproto-accept-labelers"),
    HeaderName::from_static("x-bsky-topics"),
];

pub(super) const REPO_REV: HeaderName = HeaderName::from_static("atproto-repo-rev");
pub(super) const CONTENT_LABELERS: HeaderName = HeaderName::from_static("atproto-content-labelers");

const OF_ANSWERS: [HeaderName; 7] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    REPO_REV,
    CONTENT_LABELERS,
    RETRY_AFTER,
];

/// What an answer's passing headers may come to, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The headers that go on with a request. No `Accept-Encoding` is not the same as "any": it says so.
pub(super) fn of_request(given: &HeaderMap, read_here: bool) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in OF_REQUESTS {
        for value in given.get_all(&name) {
            passed.append(&name, value.clone());
        }
    }
    // Where the answer is read here, the client that reads it says what it understands.
    if !read_here {
        let identity = HeaderValue::from_static("identity");
        passed.insert(ACCEPT_ENCODING, given.get(ACCEPT_ENCODING).cloned().unwrap_or(identity));
    }
    passed
}

/// The headers that go back with an answer.
pub(super) fn of_answer(response: &Response) -> Result<HeaderMap> {
    let given = &response.headers;
    let mut passed = HeaderMap::new();
    let mut bytes = 0;
    for name in OF_ANSWERS {
        // A length beside a transfer coding is what request smuggling is made of: the coding is what was read.
        if name == CONTENT_LENGTH && given.contains_key(TRANSFER_ENCODING) {
            continue;
        }
        let many = name == CONTENT_LABELERS;
        for value in given.get_all(&name).iter().take(if many { usize::MAX } else { 1 }) {
            bytes += value.len();
            passed.append(&name, value.clone());
        }
    }
    if bytes > MAX_BYTES {
        return Err(XrpcError::upstream_failure("the answer's headers are too large"));
    }
    Ok(passed)
}
