//! Why a CAR file was not imported.

use arroba_core::car::CarError;
use arroba_core::data::{Cid, Link, cbor};
use arroba_core::mst::{Key, MstError};
use arroba_core::repo::CommitError;
use arroba_core::syntax::{Did, RecordPath, SyntaxError, Tid};
use arroba_identity::ResolveError;
use arroba_identity::plc::PlcError;

/// Why a repo was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The upload broke off.
    #[error("the upload was interrupted")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file is no CAR file, or larger than allowed.
    #[error("not an acceptable car file")]
    Car(#[source] CarError),
    /// The file names no root.
    #[error("the car file has no root")]
    NoRoot,
    /// The block that the file names as its root is not in it.
    #[error("the car file lacks its root {0}")]
    RootMissing(Cid),
    /// The root is no commit.
    #[error("the root is not a commit")]
    Commit(#[source] CommitError),
    /// The repo is somebody else's.
    #[error("the repo belongs to {0}")]
    OtherDid(Did),
    /// The commit was signed by no key that the identity has or had.
    #[error("the commit's signature is not the account's")]
    Signature,
    /// The revision lies ahead of every clock.
    #[error("the revision {0} lies in the future")]
    FutureRev(Tid),
    /// The next revision here would not follow the imported one: this host's revisions count events, as those of the Python
    /// library do, and the repo comes from one whose revisions tell the time.
    #[error("the repo's revision {imported} is ahead of those of this host (the next is {next})")]
    RevAhead {
        /// Of the imported commit.
        imported: Tid,
        /// What the next commit would have.
        next: Tid,
    },
    /// The identity's keys cannot be found, so the signature cannot be checked.
    #[error("the account's keys cannot be looked up")]
    Directory(#[source] PlcError),
    /// The identity's key cannot be found, so the signature cannot be checked.
    #[error("the account's signing key cannot be resolved")]
    Identity(#[source] ResolveError),
    /// A node of the tree is not in the file.
    #[error("the car file lacks the tree node {0}")]
    NodeMissing(Cid),
    /// The tree is not well formed.
    #[error("the tree is malformed")]
    Tree(#[source] MstError),
    /// A key of the tree names no record.
    #[error("the key {key:?} is not a record path")]
    Path {
        /// The key.
        key: Key,
        /// What is wrong with it, unless it is only not normalized.
        #[source]
        source: Option<SyntaxError>,
    },
    /// An entry of the tree is no link to a record.
    #[error("the record {path} is linked as {link}")]
    Link {
        /// The record.
        path: RecordPath,
        /// The link.
        link: Link,
    },
    /// A record is not in the file.
    #[error("the car file lacks the record {0}")]
    RecordMissing(RecordPath),
    /// A record is not valid data.
    #[error("the record {path} is malformed")]
    Record {
        /// The record.
        path: RecordPath,
        /// What is wrong with it.
        #[source]
        source: cbor::CborError,
    },
    /// A record is valid data, but not an object.
    #[error("the record {0} is not an object")]
    NotAnObject(RecordPath),
    /// The records together are larger than a file may be: many of them are one and the same block.
    #[error("the records together have more than {0} bytes")]
    RecordsTooLarge(u64),
    /// The file could not be put aside.
    #[error("the car file could not be spooled")]
    Spool(#[source] std::io::Error),
    /// The import was given up because the host stops.
    #[error("the import was abandoned")]
    Abandoned,
}

impl ImportError {
    /// Whether the file is to blame, and not this host or the network.
    pub(crate) const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Spool(_) | Self::Abandoned | Self::Directory(_) | Self::Identity(_))
    }

    pub(super) fn task(error: tokio::task::JoinError) -> Self {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        Self::Abandoned
    }
}
