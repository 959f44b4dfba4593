//! What the store keeps about a repository.

use arroba_core::{
    data::Cid,
    mst::Tree,
    syntax::{Did, Handle, Tid},
};
use bytes::Bytes;

use crate::{error::StoreError, seal::SealedKeys};

/// Whether a repository is served, and if not, why. The list is complete: it is the protocol's, and two states of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoStatus {
    /// The account is being created: DID, handle and key are taken, there is no commit and nobody knows of it.
    Creating,
    /// Served and written.
    Active,
    /// Switched off by its owner: kept, and not served.
    Deactivated,
    /// Switched off by the operator for a time.
    Suspended,
    /// Switched off by the operator as a moderation decision.
    Takendown,
    /// Gone. Only the row is left, because its rev must grow for ever.
    Deleted,
}

/// The row of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoRow {
    /// Whose it is.
    pub did: Did,
    /// The handle, unless it has none (or was deleted).
    pub handle: Option<Handle>,
    /// What holds now: [`RepoStatus::Takendown`] while there is a takedown, else `underlying`.
    pub status: RepoStatus,
    /// What holds when a takedown is lifted; never [`RepoStatus::Takendown`].
    pub underlying: RepoStatus,
    /// The moderator's reference, while the repository is taken down.
    pub takedown: Option<String>,
    /// The keys, sealed.
    pub keys: SealedKeys,
    /// When the account came here, in microseconds since 1970.
    pub created: u64,
    /// The newest rev it ever had; the next one must be greater, also after deletion and re-creation.
    pub rev: Option<Tid>,
}

/// The current commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit's CID.
    pub cid: Cid,
    /// Its rev.
    pub rev: Tid,
    /// The root of its tree.
    pub data: Cid,
    /// The commit block.
    pub block: Bytes,
}

/// What an edit starts from, all of one snapshot.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The row.
    pub repo: RepoRow,
    /// The head; a repository that is being created or was deleted has none.
    pub head: Option<Head>,
    /// The tree, loaded as far as the loader asked; empty without a head.
    pub tree: Tree,
}

/// Where a listing of all repositories stands: a text that only the store which gave it understands. Any other
/// is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepoCursor(String);

impl RepoCursor {
    /// Takes what [`RepoCursor::as_str`] gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, in stores that number.
    pub(crate) fn number(&self) -> Result<u64, StoreError> {
        self.0.parse().map_err(|_| StoreError::Cursor)
    }
}

/// A part of a listing of all repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoPage {
    /// The repositories, each with its head.
    pub repos: Vec<RepoEntry>,
    /// Where the next page starts; nothing on the last.
    pub next: Option<RepoCursor>,
}

/// One line of a [`RepoPage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoEntry {
    /// The row.
    pub repo: RepoRow,
    /// The head, if there is one.
    pub head: Option<Head>,
}

/// How much a repository holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks that an export has: commit, tree nodes, records.
    pub blocks: u64,
    /// Records.
    pub records: u64,
    /// Different blobs that records refer to.
    pub blobs_expected: u64,
    /// Those of them that were uploaded.
    pub blobs_stored: u64,
}

/// Something a moderator can take down inside a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A record, whatever stands at the path now or later.
    Record(arroba_core::syntax::RecordPath),
    /// A blob, uploaded or not.
    Blob(Cid),
}
