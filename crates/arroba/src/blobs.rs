//! Taking in and giving out blobs.

mod media_type;
mod range;
mod response;

use arroba_core::data::{BlobRef, Cid};
use arroba_core::syntax::Did;
pub use arroba_store::blobs::{BlobError, Blobs};
use arroba_store::{ApplyError, NewBlob, Subject};
use bytes::Bytes;
use futures::{Stream, StreamExt};

pub(crate) use self::media_type::is_media_type;
pub(crate) use self::response::{blob_response, not_found, remote_blob_gone, remote_blob_response};

use crate::host::{HostError, RepoHost};

/// How much of a blob is looked at to tell its media type.
const SNIFFED_BYTES: usize = 4096;

/// Why a blob was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The bytes could not be stored, or were too many.
    #[error(transparent)]
    Blob(BlobError),
    /// The blob was taken down before.
    #[error("blob {0} is taken down")]
    Takendown(Cid),
}

impl RepoHost {
    /// Stores a blob of the account `did`. It stays temporary, and hidden, until a record refers to it.
    ///
    /// The media type is what the content shows, else what `declared` says.
    ///
    /// # Errors
    ///
    /// [`HostError::Upload`] if the blob is too large, was taken down, or broke off: nothing is kept.
    pub async fn upload_blob<S, E>(
        &self,
        did: &Did,
        declared: Option<&str>,
        bytes: S,
    ) -> Result<BlobRef, HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let mut bytes = Box::pin(bytes);
        let (mut start, mut pieces) = (Vec::with_capacity(SNIFFED_BYTES), Vec::new());
        while start.len() < SNIFFED_BYTES {
            let Some(piece) = bytes.next().await else { break };
            if let Ok(piece) = &piece {
                start.extend(piece.iter().take(SNIFFED_BYTES - start.len()));
            }
            let broken = piece.is_err();
            pieces.push(piece);
            if broken {
                break;
            }
        }
        let mime_type = media_type::media_type(&start, declared);
        let whole = futures::stream::iter(pieces).chain(bytes);

        let object = Blobs::new_object(did);
        self.blob_index().begin_upload(&object, self.clock().now_micros()).await?;
        let result = self.store_blob(did, &object, mime_type, whole).await;
        if result.is_err() {
            self.blob_index().abandon_upload(&object).await?;
        }
        result
    }

    async fn store_blob<S, E>(
        &self,
        did: &Did,
        object: &str,
        mime_type: String,
        bytes: S,
    ) -> Result<BlobRef, HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let stored =
            self.blobs().put(object, bytes, self.limits().blob_bytes).await.map_err(UploadError::Blob)?;
        let cid = stored.cid;
        if self.store().hidden(did, &Subject::Blob(cid)).await?.is_some() {
            return Err(UploadError::Takendown(cid).into());
        }
        let uploaded = self.clock().now_micros();
        let blob = NewBlob { cid, object: object.to_owned(), mime_type, size: stored.size, uploaded };
        let row = self.blob_index().put_temporary(did, blob).await;
        let row = row.map_err(|error: ApplyError| HostError::refused(did, None, error))?;
        Ok(BlobRef { cid, mime_type: row.mime_type, size: row.size })
    }
}
