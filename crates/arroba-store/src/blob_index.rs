//! The contract of blob metadata.

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use async_trait::async_trait;

use crate::error::{ApplyError, StoreError};

/// An uploaded blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// The CID of its bytes.
    pub cid: Cid,
    /// The object that holds them.
    pub object: String,
    /// The type that was sniffed or declared.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
    /// When, in microseconds since 1970.
    pub uploaded: u64,
    /// Whether no record has referred to it yet.
    pub temporary: bool,
    /// The moderator's reference, if it is taken down.
    pub takedown: Option<String>,
}

/// A finished upload, to be indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlob {
    /// The CID of its bytes.
    pub cid: Cid,
    /// The object that holds them, announced before with [`BlobIndex::begin_upload`].
    pub object: String,
    /// The type that was sniffed or declared.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
    /// When, in microseconds since 1970.
    pub uploaded: u64,
}

/// A reference to a blob that was not uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingBlob {
    /// The blob.
    pub cid: Cid,
    /// A record that refers to it.
    pub path: RecordPath,
}

/// Which blobs there are, and which records use them; beside the [`RepoStore`](crate::RepoStore) in one consistency domain.
///
/// # Contract
///
/// 1. An object's name is indexed before the object exists ([`BlobIndex::begin_upload`]) and forgotten after it is gone
///    ([`BlobIndex::collected`]), so that a crash leaves no object that nobody knows.
/// 2. A blob is temporary until a record refers to it; one that a record refers to already (an import came first) never is.
/// 3. Uploading the same bytes again keeps the object there is; the new one becomes garbage. A temporary blob takes the new type
///    and time.
/// 4. Garbage never holds an object that a blob row names.
/// 5. Everything is scoped to one account: the same bytes uploaded by two are two blobs.
#[async_trait]
pub trait BlobIndex: Send + Sync + 'static {
    /// Announces an object that is about to be written; durable on return.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be stored.
    async fn begin_upload(&self, object: &str, time: u64) -> Result<(), StoreError>;

    /// Gives up an announced upload: its object is garbage.
    ///
    /// # Errors
    /// As [`BlobIndex::begin_upload`].
    async fn abandon_upload(&self, object: &str) -> Result<(), StoreError>;

    /// Indexes a finished upload, temporary unless a record refers to it already. Returns the row that holds now.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] without such a repository, [`ApplyError::Inactive`] for a deleted one, [`ApplyError::Malformed`] if the
    /// upload was given up or never announced; [`ApplyError::Store`].
    async fn put_temporary(&self, did: &Did, blob: NewBlob) -> Result<BlobRow, ApplyError>;

    /// One blob, temporary or not, taken down or not.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all reads.
    async fn blob(&self, did: &Did, cid: &Cid) -> Result<Option<BlobRow>, StoreError>;

    /// CIDs that records refer to (by records newer than `since`), behind `after`, in the order of their bytes, uploaded or not.
    ///
    /// # Errors
    /// As [`BlobIndex::blob`].
    async fn list(
        &self,
        did: &Did,
        since: Option<Tid>,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<Cid>, StoreError>;

    /// Blobs that records refer to and that were not uploaded, behind `after`, in the order of their bytes.
    ///
    /// # Errors
    /// As [`BlobIndex::blob`].
    async fn missing(
        &self,
        did: &Did,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<MissingBlob>, StoreError>;

    /// The records that refer to a blob, at most `limit`.
    ///
    /// # Errors
    /// As [`BlobIndex::blob`].
    async fn references(&self, did: &Did, cid: &Cid, limit: usize) -> Result<Vec<RecordPath>, StoreError>;

    /// Bytes of all temporary blobs, of one account or of all: what a global cap is measured against.
    ///
    /// # Errors
    /// As [`BlobIndex::blob`].
    async fn temporary_bytes(&self, did: Option<&Did>) -> Result<u64, StoreError>;

    /// Objects to delete, at most `limit`; uploads on their way are not among them.
    ///
    /// # Errors
    /// As [`BlobIndex::blob`].
    async fn garbage(&self, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Forgets objects that were deleted.
    ///
    /// # Errors
    /// As [`BlobIndex::begin_upload`].
    async fn collected(&self, objects: Vec<String>) -> Result<(), StoreError>;
}
