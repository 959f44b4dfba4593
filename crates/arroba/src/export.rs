//! Repos and parts of them as CAR files, streamed.

use arroba_core::car;
use arroba_core::data::Cid;
use arroba_store::{BlockStream, StoreError};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

/// How much of a CAR file is put together before it is handed on.
const PIECE_BYTES: usize = 64 << 10;

/// A CAR file of `blocks`, whose root is `root`, in pieces of some 64 KiB.
///
/// When the store fails half-way the stream ends with the error, so that nobody takes the part for the whole.
pub(crate) fn car(
    root: Option<Cid>,
    blocks: BlockStream,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    let file = car::Writer::new(root.as_slice());
    futures::stream::unfold(Some((file, blocks)), |state| async move {
        let (mut file, mut blocks) = state?;
        while file.len() < PIECE_BYTES {
            match blocks.next_batch().await {
                Some(Ok(batch)) => batch.iter().for_each(|block| file.block(&block.cid, &block.data)),
                Some(Err(error)) => return Some((Err(error), None)),
                None if file.is_empty() => return None,
                None => return Some((Ok(file.finish()), None)),
            }
        }
        Some((Ok(file.take()), Some((file, blocks))))
    })
}

/// A response that is a CAR file.
pub(crate) fn car_response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(car::MEDIA_TYPE));
    response
}

/// Whether the list of entity tags in an `If-None-Match` header has `tag`. Weak tags count: whole responses are compared.
pub(crate) fn matches_tag(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
