//! What can go wrong between the house and its storage.

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use arroba_core::{data::Cid, syntax::Tid};

use crate::repo::RepoStatus;

/// The cause of a storage error, kept whole; shared, because one failed sync fails many callers.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A failure of the storage itself, as opposed to a change that the store refuses.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot take the request now (its queue is full, the disk is full); nothing was changed.
    #[error("the store cannot take the request now ({reason})")]
    Unavailable {
        /// What is exhausted, as a fragment.
        reason: &'static str,
        /// When a retry is worth it.
        retry_after: Duration,
        /// The failure underneath, if there was one.
        #[source]
        source: Option<Cause>,
    },
    /// A sync failed, so nobody knows what the disk holds: the writer takes nothing more until the store is reopened.
    #[error("the store stopped writing after a failed sync; it must be reopened")]
    Stopped {
        /// The failed write or sync; absent for callers who came later.
        #[source]
        source: Option<Cause>,
    },
    /// Another process has the store open.
    #[error("the store {} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this library.
    #[error("the store has schema version {found}, this program knows {known} at most")]
    Newer {
        /// The version in the file.
        found: u32,
        /// The highest version this program knows.
        known: u32,
    },
    /// The file is something else.
    #[error("the file {} is not a store", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The backend did not say whether it made the change, and could not be asked: it may be stored. Reading tells.
    #[error("nobody knows whether the change was stored")]
    Unsure(#[source] Cause),
    /// A cursor of a listing is none that this store gave.
    #[error("malformed cursor")]
    Cursor,
    /// The repository's rev is above every rev that the store will give for long: it makes them of sequence numbers, and the repository
    /// comes from a host whose revs tell the time.
    #[error("the rev {above} is ahead of those that are given here (the next is {next})")]
    RevAhead {
        /// What the next rev must be above.
        above: Tid,
        /// What it would be.
        next: Tid,
    },
    /// Stored data contradicts itself.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// Which row, and how.
        what: String,
        /// The failure underneath, if there was one.
        #[source]
        source: Option<Cause>,
    },
    /// Anything else that the backend reports.
    #[error("the storage backend failed")]
    Backend(#[source] Cause),
}

/// Why a change was not made. Nothing of it is stored and no event tells of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The head is another one by now, or the rev does not grow: load again.
    #[error("the repository has moved on")]
    Conflict {
        /// The current head.
        head: Option<Cid>,
    },
    /// The repository does not take this change in its status.
    #[error("the repository is {0:?}")]
    Inactive(RepoStatus),
    /// The DID has a repository here.
    #[error("the repository exists")]
    Exists,
    /// Another repository has the handle.
    #[error("the handle is taken")]
    HandleTaken,
    /// There is no such repository.
    #[error("no such repository")]
    NotFound,
    /// A record refers to a blob that was not uploaded (or was taken down).
    #[error("no blob {0}")]
    MissingBlob(Cid),
    /// A record describes a fresh upload wrongly.
    #[error("blob {cid} is {size} bytes of {mime_type}")]
    BlobMismatch {
        /// Which.
        cid: Cid,
        /// Its real type.
        mime_type: String,
        /// Its real size in bytes.
        size: u64,
    },
    /// The change contradicts itself.
    #[error("malformed change: {0}")]
    Malformed(&'static str),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    /// Damaged data without a deeper cause.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), source: None }
    }

    /// Damaged data, with the decoding error that showed it.
    pub fn corrupt_by(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt { what: what.into(), source: Some(Arc::new(source)) }
    }

    /// A backend's own error.
    pub fn backend(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(source))
    }

    /// Something is exhausted; the caller may come back.
    pub fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { reason, retry_after: Duration::from_secs(1), source: None }
    }

    /// How long a caller should wait before trying again, where trying again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let code = error.sqlite_error_code();
        let source: Cause = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Unavailable {
                reason: "disk full",
                retry_after: Duration::from_secs(30),
                source: Some(source),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Unavailable {
                reason: "database busy",
                retry_after: Duration::from_secs(1),
                source: Some(source),
            },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { what: "database file".into(), source: Some(source) }
            }
            _ => Self::Backend(source),
        }
    }
}
