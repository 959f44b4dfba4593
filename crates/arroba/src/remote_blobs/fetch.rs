//! Fetching a blob from its URL.

use arroba_net::{FetchError, Limits, Request, Response};
use arroba_store::{RemoteAttempt, RemoteBlob, RemoteContent};
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::time::timeout;
use url::Url;

use super::intake::{Intake, Taken};
use super::media::Kind;
use super::{RemoteBlobError, RemoteBlobs};
use crate::blobs::is_media_type;

/// How many redirects are followed, each to an address that is checked.
const REDIRECTS: u8 = 5;

/// Why there is no content, and what that says of the blob; nothing if it is our own fault.
pub(super) struct Failure {
    pub(super) error: RemoteBlobError,
    pub(super) attempt: Option<RemoteAttempt>,
}

impl From<RemoteBlobError> for Failure {
    fn from(error: RemoteBlobError) -> Self {
        let attempt = match &error {
            RemoteBlobError::Gone(_) => Some(RemoteAttempt::Gone),
            RemoteBlobError::Spool(_) | RemoteBlobError::Apply(_) | RemoteBlobError::Store(_) => None,
            _ => Some(RemoteAttempt::Failed),
        };
        Self { error, attempt }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        RemoteBlobError::Fetch(error).into()
    }
}

impl RemoteBlobs {
    /// Fetches what is at the URL now. Content on its way is on the disk, with at most a few pieces of the answer in memory.
    pub(super) async fn fetch(&self, url: &Url) -> Result<RemoteContent, Failure> {
        let _place = self.0.places.acquire().await;
        let limits = &self.0.limits;
        // The body is counted here, where it is known of what type it is.
        let bounds = Limits::default()
            .headers(limits.stall_time)
            .total(limits.fetch_time)
            .body_bytes(u64::MAX)
            .redirects(REDIRECTS);
        let response = self.0.client.send(Request::get(url.clone()).limits(bounds)).await?;
        if response.status.is_client_error() {
            return Err(RemoteBlobError::Gone(response.status).into());
        }
        if !response.status.is_success() {
            return Err(RemoteBlobError::Status(response.status).into());
        }
        let mime_type = media_type(&response, url);
        let taken = self.receive(response, &mime_type).await?;
        content(&taken, mime_type).map_err(Failure::from)
    }

    async fn receive(&self, response: Response, mime_type: &str) -> Result<Taken, Failure> {
        let limit = self.0.limits.max_bytes;
        let too_large = |size| Failure {
            error: RemoteBlobError::TooLarge { size, limit },
            attempt: Some(RemoteAttempt::TooLarge { mime_type: mime_type.to_owned(), size }),
        };
        let announced =
            response.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if let Some(size) = announced.filter(|size: &u64| *size > limit) {
            return Err(too_large(size));
        }
        let intake = Intake::start(self.0.spool_directory.clone());
        let mut size = 0_u64;
        let mut body = response.body;
        loop {
            let piece = timeout(self.0.limits.stall_time, body.next()).await;
            let Some(piece) = piece.map_err(|_| RemoteBlobError::Stalled)? else { break };
            let piece = piece?;
            size = size.saturating_add(piece.len() as u64);
            if size > limit {
                return Err(too_large(size));
            }
            if !intake.push(piece).await {
                break;
            }
        }
        Ok(intake.finish().await.map_err(RemoteBlobError::Spool)?)
    }
}

/// What was taken in, if it is what it is called.
pub(super) fn content(taken: &Taken, mime_type: String) -> Result<RemoteContent, RemoteBlobError> {
    if !may_be(&mime_type, taken.kind) {
        return Err(RemoteBlobError::WrongType { mime_type });
    }
    Ok(RemoteContent {
        cid: taken.cid,
        size: taken.size,
        mime_type,
        width: taken.media.width,
        height: taken.media.height,
        duration_ms: taken.media.duration_ms,
    })
}

/// Whether content of a kind may go by the name of this type. Between two kinds of pictures nobody cares; videos and sounds share
/// their containers; and what is not recognised may be anything.
fn may_be(mime_type: &str, kind: Option<Kind>) -> bool {
    let named = mime_type.split('/').next().unwrap_or_default();
    match kind {
        None => true,
        Some(Kind::Picture) => !matches!(named, "video" | "audio"),
        Some(Kind::Moving) => named != "image",
        // SVG is text.
        Some(Kind::Other) => !matches!(named, "image" | "video" | "audio") || mime_type == "image/svg+xml",
    }
}

/// What the server calls it, else what its name says.
fn media_type(response: &Response, url: &Url) -> String {
    let named = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(essence) = named.and_then(essence) {
        return essence;
    }
    let guessed = mime_guess::from_path(url.path()).first_raw();
    guessed.unwrap_or(RemoteBlob::UNKNOWN_TYPE).to_owned()
}

/// A media type in lower case and without its parameters; records name no parameters.
pub(super) fn essence(mime_type: &str) -> Option<String> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    is_media_type(essence).then(|| essence.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_kinds() {
        for (mime_type, kind, fits) in [
            ("image/jpeg", Some(Kind::Picture), true),
            ("image/jpeg", Some(Kind::Moving), false),
            ("image/jpeg", Some(Kind::Other), false),
            ("image/svg+xml", Some(Kind::Other), true),
            ("image/jpeg", None, true),
            ("video/mp4", Some(Kind::Picture), false),
            ("audio/mp4", Some(Kind::Moving), true),
            ("application/octet-stream", Some(Kind::Moving), true),
            ("text/html", Some(Kind::Other), true),
        ] {
            assert_eq!(may_be(mime_type, kind), fits, "{mime_type} {kind:?}");
        }
    }

    #[test]
    fn essences() {
        assert_eq!(essence("Image/PNG; charset=binary").as_deref(), Some("image/png"));
        assert_eq!(essence(""), None);
        assert_eq!(essence("*/*"), None);
        assert_eq!(essence("png"), None);
    }
}
