//! The contract of blobs that live elsewhere.

use arroba_core::{
    data::{BlobRef, Cid},
    syntax::Did,
};
use async_trait::async_trait;

use crate::error::{ApplyError, StoreError};

/// A blob at a public URL, which nobody stores here: what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBlob {
    /// Where it is.
    pub url: String,
    /// The CID of its bytes, once they were fetched.
    pub cid: Option<Cid>,
    /// How many bytes it has, as far as is known.
    pub size: Option<u64>,
    /// Its media type; [`RemoteBlob::UNKNOWN_TYPE`] until it is known.
    pub mime_type: String,
    /// What its own host calls it, if anything.
    pub remote_id: Option<String>,
    /// In pixels, of an image or video.
    pub width: Option<u32>,
    /// In pixels, of an image or video.
    pub height: Option<u32>,
    /// In milliseconds, of a video or sound.
    pub duration_ms: Option<u64>,
    /// When it was last asked for, well or not, in microseconds since 1970.
    pub last_fetched: Option<u64>,
    /// Whether it is gone.
    pub inactive: bool,
    /// When its URL was first named, in microseconds since 1970.
    pub created: u64,
    /// When any of this last changed, in microseconds since 1970.
    pub updated: u64,
}

impl RemoteBlob {
    /// The type of a blob of which nothing is known.
    pub const UNKNOWN_TYPE: &str = "application/octet-stream";

    /// So many characters of a URL tell blobs apart.
    pub const KEY_CHARS: usize = 1500;

    /// A blob of which nothing but its URL is known.
    pub fn new(url: impl Into<String>, time: u64) -> Self {
        Self {
            url: url.into(),
            cid: None,
            size: None,
            mime_type: Self::UNKNOWN_TYPE.into(),
            remote_id: None,
            width: None,
            height: None,
            duration_ms: None,
            last_fetched: None,
            inactive: false,
            created: time,
            updated: time,
        }
    }

    /// What a blob is found by: its URL, cut where databases that keep it as a name would.
    pub fn key_of(url: &str) -> &str {
        url.char_indices().nth(Self::KEY_CHARS).map_or(url, |(end, _)| url.get(..end).unwrap_or(url))
    }

    /// [`RemoteBlob::key_of`] its URL.
    pub fn key(&self) -> &str {
        Self::key_of(&self.url)
    }

    /// The reference that a record has to it, once it was fetched.
    pub fn blob_ref(&self) -> Option<BlobRef> {
        Some(BlobRef { cid: self.cid?, mime_type: self.mime_type.clone(), size: self.size? })
    }

    /// What an attempt to fetch it makes of it: the rule that every backend applies inside one step.
    pub fn attempted(&mut self, time: u64, attempt: RemoteAttempt) {
        self.last_fetched = Some(time);
        self.updated = time;
        match attempt {
            RemoteAttempt::Fetched(content) => {
                self.cid = Some(content.cid);
                self.size = Some(content.size);
                self.mime_type = content.mime_type;
                self.width = content.width;
                self.height = content.height;
                self.duration_ms = content.duration_ms;
                self.inactive = false;
            }
            RemoteAttempt::Gone => self.inactive = true,
            RemoteAttempt::Failed => self.inactive |= self.cid.is_none(),
            RemoteAttempt::TooLarge { mime_type, size } if self.cid.is_none() => {
                self.mime_type = mime_type;
                self.size = Some(size);
            }
            RemoteAttempt::TooLarge { .. } => {}
        }
    }
}

/// What came of an attempt to fetch a remote blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteAttempt {
    /// Here it is; it is active from now on.
    Fetched(RemoteContent),
    /// It is gone for good: inactive, whatever it was.
    Gone,
    /// It could not be had now. One that was never fetched is inactive then.
    Failed,
    /// It is larger than whoever fetched it allows. Of one that was never fetched, type and size are kept, so that nobody has to
    /// find out again.
    TooLarge {
        /// Its type.
        mime_type: String,
        /// Its size in bytes, or how many were seen.
        size: u64,
    },
}

/// What was found at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteContent {
    /// The CID of the bytes.
    pub cid: Cid,
    /// How many.
    pub size: u64,
    /// Their media type.
    pub mime_type: String,
    /// In pixels, of an image or video.
    pub width: Option<u32>,
    /// In pixels, of an image or video.
    pub height: Option<u32>,
    /// In milliseconds, of a video or sound.
    pub duration_ms: Option<u64>,
}

/// Which remote blobs are known and which accounts use them; in one consistency domain with the store's
/// [`RepoStore`](crate::RepoStore) and [`BlobIndex`](crate::BlobIndex).
///
/// # Contract
///
/// 1. There is one blob for a key ([`RemoteBlob::key_of`]). [`RemoteBlobIndex::use_remote_blob`] makes it if there is none and adds
///    the account to its users, in one step: of several callers at once one makes it, and no user is lost.
/// 2. An attempt to fetch is recorded as [`RemoteBlob::attempted`] says, in one step on what holds then.
/// 3. `updated` is the time of the last change. What changes nothing leaves it as it is.
/// 4. The deletion of an account ends its uses; the blobs stay.
/// 5. A remote blob that an account uses counts as uploaded by it, whether or not it is active: records may refer to it
///    ([`RepoStore`](crate::RepoStore) rule 9, which compares the size alone),
///    [`BlobIndex::missing`](crate::BlobIndex::missing) leaves it out, and [`Counts`](crate::Counts) counts it as stored.
///
/// URLs are at most 8 KiB long: whoever calls sees to that. A backend may refuse a URL whose key has more than 1,500 bytes, and more users of
/// one blob than it has room for; nothing changes then.
#[async_trait]
pub trait RemoteBlobIndex: Send + Sync + 'static {
    /// The blob at a URL.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all reads.
    async fn remote_blob(&self, url: &str) -> Result<Option<RemoteBlob>, StoreError>;

    /// The blob at a URL, made at `time` unless it is there, and used by `user` from now on.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] without such an account, [`ApplyError::Inactive`] if it was deleted; [`ApplyError::Store`].
    async fn use_remote_blob(
        &self,
        url: &str,
        user: Option<&Did>,
        time: u64,
    ) -> Result<RemoteBlob, ApplyError>;

    /// Records an attempt to fetch it; gives what holds now.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] without such a blob; [`ApplyError::Store`].
    async fn record_attempt(
        &self,
        url: &str,
        time: u64,
        attempt: RemoteAttempt,
    ) -> Result<RemoteBlob, ApplyError>;

    /// Sets what its own host calls it.
    ///
    /// # Errors
    /// As [`RemoteBlobIndex::record_attempt`].
    async fn set_remote_id(&self, url: &str, time: u64, id: Option<&str>) -> Result<(), ApplyError>;

    /// The blobs with these bytes, active or not, those that were updated last first, at most `limit`.
    ///
    /// # Errors
    /// As [`RemoteBlobIndex::remote_blob`].
    async fn remote_blobs_with(&self, cid: &Cid, limit: usize) -> Result<Vec<RemoteBlob>, StoreError>;

    /// The blobs that an account uses, fetched or not, behind the one with the key `after`, in an order that does not change, at most
    /// `limit`.
    ///
    /// # Errors
    /// As [`RemoteBlobIndex::remote_blob`].
    async fn remote_blobs_of(
        &self,
        user: &Did,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RemoteBlob>, StoreError>;

    /// The accounts that use the blob at a URL, behind `after`, in an order that does not change, at most `limit`.
    ///
    /// # Errors
    /// As [`RemoteBlobIndex::remote_blob`].
    async fn remote_blob_users(
        &self,
        url: &str,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Did>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_between_characters() {
        let long = "é".repeat(2000);
        assert_eq!(RemoteBlob::key_of(&long).chars().count(), 1500);
        let exact = "x".repeat(1500);
        assert_eq!(RemoteBlob::key_of(&exact), exact);
    }
}
