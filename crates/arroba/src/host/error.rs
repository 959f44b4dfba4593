//! What can go wrong in a host.

use arroba_core::data::{Cid, Link};
use arroba_core::mst::MstError;
use arroba_core::repo::EditError;
use arroba_core::repo::verify::VerifyError;
use arroba_core::syntax::{Did, Handle, RecordPath};
use arroba_identity::plc::{LimitError, PlcError};
use arroba_store::seal::SealError;
use arroba_store::{ApplyError, RepoStatus, StoreError};

use crate::blobs::UploadError;
use crate::import::ImportError;
use crate::records::RecordError;

/// Why a host refused or failed.
///
/// Everything but [`Store`](Self::Store), [`Contention`](Self::Contention), [`Directory`](Self::Directory) and
/// [`Key`](Self::Key) is the caller's to mend. Whatever the error, nothing was stored and nothing announced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// This host has no such repo, or has it no more.
    #[error("no repo for {0}")]
    RepoNotFound(Did),
    /// The repo is here and does not take this change in its status.
    #[error("the repo of {did} is {status:?}")]
    RepoInactive {
        /// Whose repo it is.
        did: Did,
        /// Its status.
        status: RepoStatus,
    },
    /// The DID already has a repo here.
    #[error("a repo for {0} exists")]
    RepoExists(Did),
    /// Another repo of this host has the handle.
    #[error("the handle {0} is taken")]
    HandleTaken(Handle),
    /// `swapCommit` named another commit than the newest.
    #[error("commit was at {actual}")]
    CommitSwapped {
        /// The newest commit.
        actual: Cid,
    },
    /// `swapRecord` named another version than the current one.
    #[error("record was at {}", Shown(actual.as_ref()))]
    RecordSwapped {
        /// The current version, or that there is none.
        actual: Option<Link>,
    },
    /// A record was to be created where one is.
    #[error("a record exists at {0}")]
    RecordExists(RecordPath),
    /// A record was to be updated where there is none.
    #[error("no record at {0}")]
    RecordMissing(RecordPath),
    /// A record is not acceptable.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record refers to a blob that was never uploaded, or was taken down.
    #[error("no blob {0}")]
    BlobNotFound(Cid),
    /// A record describes a fresh upload wrongly.
    #[error("blob {cid} has {size} bytes of {mime_type}")]
    BlobMismatch {
        /// Which blob.
        cid: Cid,
        /// The media type that it has.
        mime_type: String,
        /// The size that it has, in bytes.
        size: u64,
        /// Whether the record has the media type right, so that it is the size that is wrong.
        type_matches: bool,
    },
    /// A blob was not taken in.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// More writes than one commit may carry.
    #[error("{0} writes in one commit")]
    TooManyWrites(usize),
    /// The tree cannot take the writes, or their event would be too large.
    #[error("the repo cannot take the writes")]
    Edit(#[source] EditError),
    /// A repo was not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A repo holds more records than the caller was ready to take.
    #[error("more than {0} records")]
    TooManyRecords(usize),
    /// A tree cannot be walked on: there is a newer commit, and what it replaced is gone.
    #[error("the repo of {0} has a newer commit")]
    TreeReplaced(Did),
    /// A tree node is missing or wrong, or a walk was asked to step into an entry.
    #[error("the tree cannot be walked")]
    Tree(#[source] MstError),
    /// Others wrote to the repo each time this write was ready.
    #[error("the repo of {0} is written to from elsewhere")]
    Contention(Did),
    /// A token cannot be made.
    #[error("failed to make a token")]
    Token(#[source] arroba_core::crypto::jwt::JwtError),
    /// A signing key cannot be unsealed.
    #[error("the signing key of {did} cannot be used")]
    Key {
        /// Whose key it is.
        did: Did,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
    /// The PLC directory refused or did not answer.
    #[error("the directory did not take the operation for {did}")]
    Directory {
        /// Whose operation it was.
        did: Did,
        /// What it answered.
        #[source]
        source: Box<PlcError>,
    },
    /// The did:plc operation is none that a directory takes.
    #[error("the identity cannot be put into an operation")]
    Operation(#[source] LimitError),
    /// A new identity needs a handle.
    #[error("a new identity needs a handle")]
    NoHandle,
    /// A commit that this host made would be refused by its readers. That is a bug, and the commit was not stored.
    #[error("a commit to the repo of {did} does not verify")]
    Unverifiable {
        /// Whose repo it is.
        did: Did,
        /// What is wrong with it.
        #[source]
        source: VerifyError,
    },
    /// The network cannot be used at all.
    #[error("the network cannot be used")]
    Network(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HostError {
    pub(super) fn directory(did: &Did, error: PlcError) -> Self {
        Self::Directory { did: did.clone(), source: Box::new(error) }
    }

    /// What the store's refusal of a change to the repo of `did` means. `handle` is the one that the change takes, if any.
    pub(crate) fn refused(did: &Did, handle: Option<&Handle>, error: ApplyError) -> Self {
        match (error, handle) {
            (ApplyError::Conflict { .. }, _) => Self::Contention(did.clone()),
            (ApplyError::Inactive(RepoStatus::Deleted) | ApplyError::NotFound, _) => {
                Self::RepoNotFound(did.clone())
            }
            (ApplyError::Inactive(status), _) => Self::RepoInactive { did: did.clone(), status },
            (ApplyError::Exists, _) => Self::RepoExists(did.clone()),
            (ApplyError::HandleTaken, Some(handle)) => Self::HandleTaken(handle.clone()),
            (ApplyError::MissingBlob(cid), _) => Self::BlobNotFound(cid),
            (ApplyError::BlobMismatch { cid, mime_type, size }, _) => {
                Self::BlobMismatch { cid, mime_type, size, type_matches: false }
            }
            (ApplyError::Store(error), _) => Self::Store(error),
            (error, _) => Self::Store(StoreError::backend(error)),
        }
    }
}

/// A CID, or `null` where there is none.
pub(crate) struct Shown<'a>(pub(crate) Option<&'a Link>);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(link) => write!(f, "{link}"),
            None => f.write_str("null"),
        }
    }
}
