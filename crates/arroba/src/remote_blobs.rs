//! Blobs that live elsewhere: at a public URL, fetched once to learn what they are, and served by a redirect.
//!
//! A bridge has millions of pictures that their own servers serve well. [`RemoteBlobs`] gives records a reference to one of them: it
//! fetches the URL through the guarded client, computes CID, type, size, width, height and duration, and keeps that in the store.
//! `getBlob` of a host that has it answers with the URL.
//!
//! ```no_run
//! use arroba::{BlobConstraints, HostKeys, RemoteBlobs, RepoHost, core::syntax::Did, store::Sqlite};
//! use arroba_net::GuardedClient;
//!
//! # async fn bridge(keys: HostKeys, client: GuardedClient, alice: Did) -> Result<(), Box<dyn std::error::Error>> {
//! let store = Sqlite::open("bridge.sqlite").await?;
//! let remote = RemoteBlobs::builder(store.clone(), client).build();
//! let host = RepoHost::builder("bridge.example.com", keys, store).remote_blobs(remote.clone()).build().await?;
//! let avatar = BlobConstraints { name: "avatar".into(), accept: vec!["image/*".into()], max_size: Some(1_000_000) };
//! let picture = remote.get_or_create("https://media.example/1.png", Some(&alice), &avatar, None).await?;
//! println!("a record of {alice} may refer to {:?}", picture.blob_ref());
//! # Ok(())
//! # }
//! ```

mod constraints;
mod error;
mod fetch;
mod intake;
mod limits;
mod media;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arroba_core::data::Cid;
use arroba_core::syntax::Did;
use arroba_net::{FetchError, GuardedClient};
use arroba_store::{RemoteAttempt, RemoteBlob, RemoteBlobIndex};
use bytes::Bytes;
use tokio::sync::Semaphore;
use url::Url;

pub use self::constraints::BlobConstraints;
pub use self::error::RemoteBlobError;
pub use self::limits::RemoteBlobLimits;
pub use self::media::{MediaMetadata, media_metadata};

use self::fetch::Failure;
use self::intake::Taken;
use crate::environment::{Clock, SystemClock};
use crate::host::turn::Turns;

/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 8 << 10;

/// So many URLs are tried for one CID.
const URLS_TRIED: usize = 10;

/// Content that is at hand, so that nobody has to fetch it.
#[derive(Clone, Debug)]
pub struct GivenContent {
    /// All of it.
    pub bytes: Bytes,
    /// Its media type.
    pub mime_type: String,
}

/// Where a blob is that is asked for by its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// At this URL.
    At(Url),
    /// It was somewhere, and is not there any more or cannot be had now.
    Gone,
    /// No remote blob has this CID.
    Unknown,
}

/// The remote blobs of a host. Clones share everything.
#[derive(Clone)]
pub struct RemoteBlobs(Arc<Inner>);

struct Inner {
    index: Arc<dyn RemoteBlobIndex>,
    client: GuardedClient,
    clock: Arc<dyn Clock>,
    limits: RemoteBlobLimits,
    spool_directory: PathBuf,
    places: Semaphore,
    /// One fetch of a URL at a time; the others find what it found.
    turns: Turns<String>,
}

impl fmt::Debug for RemoteBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBlobs").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

/// Puts [`RemoteBlobs`] together; made by [`RemoteBlobs::builder`].
pub struct RemoteBlobsBuilder {
    index: Arc<dyn RemoteBlobIndex>,
    client: GuardedClient,
    clock: Arc<dyn Clock>,
    limits: RemoteBlobLimits,
    spool_directory: Option<PathBuf>,
}

impl fmt::Debug for RemoteBlobsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBlobsBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl RemoteBlobsBuilder {
    /// The clock; the system's unless this is called.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What is fetched, and when again; see [`RemoteBlobLimits`] for what holds unless this is called.
    #[must_use]
    pub fn limits(mut self, limits: RemoteBlobLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Where content of more than a megabyte waits until it is understood: a directory on a disk, with room for it. The system's
    /// directory of temporary files unless this is called, which on some systems is in memory.
    #[must_use]
    pub fn spool_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool_directory = Some(directory.into());
        self
    }

    /// Puts it together.
    #[must_use]
    pub fn build(self) -> RemoteBlobs {
        RemoteBlobs(Arc::new(Inner {
            index: self.index,
            client: self.client,
            clock: self.clock,
            places: Semaphore::new(self.limits.concurrent.clamp(1, Semaphore::MAX_PERMITS)),
            limits: self.limits,
            spool_directory: self.spool_directory.unwrap_or_else(std::env::temp_dir),
            turns: Turns::default(),
        }))
    }
}

impl RemoteBlobs {
    /// Remote blobs that are kept in `index` (the store of the host) and fetched by `client`.
    pub fn builder(index: impl RemoteBlobIndex, client: GuardedClient) -> RemoteBlobsBuilder {
        RemoteBlobsBuilder {
            index: Arc::new(index),
            client,
            clock: Arc::new(SystemClock),
            limits: RemoteBlobLimits::default(),
            spool_directory: None,
        }
    }

    /// The store's index, for questions: which accounts use a blob, which blobs an account uses.
    #[must_use]
    pub fn index(&self) -> &Arc<dyn RemoteBlobIndex> {
        &self.0.index
    }

    /// The blob at a URL, used by `user` from now on. It is fetched if it never was, or if its kind is asked for again and what is known
    /// is old; content that is given is taken instead.
    ///
    /// [`RemoteBlob::blob_ref`] is what a record of `user` refers to it by.
    ///
    /// # Errors
    ///
    /// [`RemoteBlobError`]. One that was fetched and does not fit the constraints is known all the same, and nobody fetches it again
    /// to find out.
    pub async fn get_or_create(
        &self,
        url: &str,
        user: Option<&Did>,
        constraints: &BlobConstraints,
        content: Option<GivenContent>,
    ) -> Result<RemoteBlob, RemoteBlobError> {
        let target = parse(url)?;
        if content.is_none() {
            self.0.client.guard().check(&target).map_err(RemoteBlobError::Fetch)?;
        }
        let _turn = self.0.turns.take(&RemoteBlob::key_of(url).to_owned()).await;
        let blob = self.0.index.use_remote_blob(url, user, self.now()).await?;
        let blob = match content {
            Some(content) => self.take(url, content).await?,
            None if blob.inactive => return Err(RemoteBlobError::Inactive),
            None => self.refreshed(blob).await?,
        };
        self.check(&blob, constraints)?;
        Ok(blob)
    }

    /// Where a blob with this CID can be had: the URL that changed last, of those that have it. One that is due is asked again first,
    /// and if it has other content by now, it is the next one's turn.
    ///
    /// # Errors
    ///
    /// [`RemoteBlobError::Store`] and [`RemoteBlobError::Apply`].
    pub async fn locate(&self, cid: &Cid) -> Result<Located, RemoteBlobError> {
        let known = self.0.index.remote_blobs_with(cid, URLS_TRIED).await?;
        if known.is_empty() {
            return Ok(Located::Unknown);
        }
        for blob in known.iter().filter(|blob| !blob.inactive) {
            match self.refresh(&blob.url).await {
                Ok(blob) if !blob.inactive && blob.cid == Some(*cid) => {
                    return Ok(Located::At(parse(&blob.url)?));
                }
                Ok(_) => {}
                Err(error @ (RemoteBlobError::Store(_) | RemoteBlobError::Apply(_))) => return Err(error),
                Err(error) => tracing::debug!(%error, "a remote blob cannot be had"),
            }
        }
        Ok(Located::Gone)
    }

    /// Asks a known URL again if it is due.
    ///
    /// # Errors
    ///
    /// Those of fetching; [`RemoteBlobError::Apply`] if the URL is not known.
    pub async fn refresh(&self, url: &str) -> Result<RemoteBlob, RemoteBlobError> {
        let _turn = self.0.turns.take(&RemoteBlob::key_of(url).to_owned()).await;
        let blob = self.0.index.remote_blob(url).await?;
        let blob = blob.ok_or(RemoteBlobError::Apply(arroba_store::ApplyError::NotFound))?;
        if blob.inactive { Ok(blob) } else { self.refreshed(blob).await }
    }

    /// Makes the blob inactive: it is not served any more, and not fetched.
    ///
    /// # Errors
    ///
    /// [`RemoteBlobError::Apply`] if the URL is not known, or the store failed.
    pub async fn deactivate(&self, url: &str) -> Result<RemoteBlob, RemoteBlobError> {
        Ok(self.0.index.record_attempt(url, self.now(), RemoteAttempt::Gone).await?)
    }

    async fn take(&self, url: &str, content: GivenContent) -> Result<RemoteBlob, RemoteBlobError> {
        let GivenContent { bytes, mime_type } = content;
        let (size, limit) = (bytes.len() as u64, self.0.limits.max_bytes);
        if size > limit {
            return Err(RemoteBlobError::TooLarge { size, limit });
        }
        let mime_type = fetch::essence(&mime_type).ok_or_else(|| RemoteBlobError::WrongType { mime_type })?;
        let taken = Taken::whole(bytes).await.map_err(RemoteBlobError::Spool)?;
        let content = fetch::content(&taken, mime_type)?;
        Ok(self.0.index.record_attempt(url, self.now(), RemoteAttempt::Fetched(content)).await?)
    }

    /// The blob as it is now, fetched if that is due. Whoever calls has the URL's turn.
    async fn refreshed(&self, blob: RemoteBlob) -> Result<RemoteBlob, RemoteBlobError> {
        if !self.is_due(&blob) {
            return Ok(blob);
        }
        let index = &self.0.index;
        match self.fetch(&parse(&blob.url)?).await {
            Ok(content) => {
                Ok(index.record_attempt(&blob.url, self.now(), RemoteAttempt::Fetched(content)).await?)
            }
            Err(Failure { error, attempt }) => {
                if let Some(attempt) = attempt {
                    index.record_attempt(&blob.url, self.now(), attempt).await?;
                }
                Err(error)
            }
        }
    }

    fn is_due(&self, blob: &RemoteBlob) -> bool {
        let limits = &self.0.limits;
        if blob.cid.is_none() && blob.size.is_none_or(|size| size <= limits.max_bytes) {
            // Never seen, or too large when less was allowed.
            return true;
        }
        let kind = blob.mime_type.split('/').next().unwrap_or_default();
        if !limits.refetch_types.iter().any(|refetched| refetched == kind) {
            return false;
        }
        let age = u64::try_from(limits.refetch_after.as_micros()).unwrap_or(u64::MAX);
        blob.last_fetched.is_none_or(|fetched| fetched < self.now().saturating_sub(age))
    }

    fn check(&self, blob: &RemoteBlob, constraints: &BlobConstraints) -> Result<(), RemoteBlobError> {
        let limits = &self.0.limits;
        constraints.check_type(&blob.mime_type)?;
        if let Some(size) = blob.size {
            if size > limits.max_bytes {
                return Err(RemoteBlobError::TooLarge { size, limit: limits.max_bytes });
            }
            constraints.check_size(size)?;
        }
        let duration = std::time::Duration::from_millis(blob.duration_ms.unwrap_or(0));
        if duration > limits.max_duration {
            return Err(RemoteBlobError::TooLong { duration, limit: limits.max_duration });
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.0.clock.now_micros()
    }
}

fn parse(url: &str) -> Result<Url, RemoteBlobError> {
    if url.len() > MAX_URL_BYTES {
        return Err(RemoteBlobError::UrlLength(url.len()));
    }
    let parsed = Url::parse(url).map_err(RemoteBlobError::Url)?;
    // Whoever asks for the blob is sent there, also where its content was given.
    match parsed.scheme() {
        "https" | "http" => Ok(parsed),
        other => Err(RemoteBlobError::Fetch(FetchError::Scheme(other.to_owned()))),
    }
}
