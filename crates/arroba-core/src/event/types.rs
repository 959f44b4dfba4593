use std::fmt;

use bytes::Bytes;

use crate::data::Cid;
use crate::syntax::{Datetime, Did, Handle, RecordPath, Tid};

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It is new.
    Create,
    /// Its value changes.
    Update,
    /// It goes.
    Delete,
}

impl Action {
    /// The name in events: `create`, `update`, `delete`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One change of a record in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoOp {
    /// What happens.
    pub action: Action,
    /// Which record.
    pub path: RecordPath,
    /// The new value; `None` exactly for a deletion.
    pub cid: Option<Cid>,
    /// The former value; `None` for a creation, and in events of servers that do not say it yet.
    pub prev: Option<Cid>,
}

/// A `#commit`: a repository has a new revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEvent {
    /// Whose repository.
    pub repo: Did,
    /// The new revision.
    pub rev: Tid,
    /// The revision before, if there was one.
    pub since: Option<Tid>,
    /// The CID of the new commit.
    pub commit: Cid,
    /// A CAR file: the commit, the tree nodes that are new or prove the change, the records put.
    pub blocks: Bytes,
    /// The changes.
    pub ops: Vec<RepoOp>,
    /// The root of the tree before; `None` in a first commit, and in events of servers that do not say it yet.
    pub prev_data: Option<Cid>,
    /// When the event was made.
    pub time: Datetime,
}

/// A `#sync`: what a repository's state is, whatever was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncEvent {
    /// Whose repository.
    pub did: Did,
    /// Its revision.
    pub rev: Tid,
    /// A CAR file of just the commit.
    pub blocks: Bytes,
    /// When the event was made.
    pub time: Datetime,
}

/// An `#identity`: something about an identity may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityEvent {
    /// Whose identity.
    pub did: Did,
    /// The handle, if the server tells it.
    pub handle: Option<Handle>,
    /// When the event was made.
    pub time: Datetime,
}

/// An `#account`: the status of an account at the server that sends the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEvent {
    /// Whose account.
    pub did: Did,
    /// Whether its content may be shown.
    pub active: bool,
    /// Why not.
    pub status: Option<AccountStatus>,
    /// When the event was made.
    pub time: Datetime,
}

/// Why an account is not active.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountStatus {
    /// Taken down by the service.
    Takendown,
    /// Suspended by the service, for a time.
    Suspended,
    /// Deleted, by its owner or by the service.
    Deleted,
    /// Deactivated by its owner.
    Deactivated,
    /// Not in step with its source.
    Desynchronized,
    /// Held back because of too many events.
    Throttled,
    /// A status that this library does not know.
    Other(String),
}

impl AccountStatus {
    /// The name in events and replies.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Takendown => "takendown",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Deactivated => "deactivated",
            Self::Desynchronized => "desynchronized",
            Self::Throttled => "throttled",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for AccountStatus {
    fn from(name: &str) -> Self {
        match name {
            "takendown" => Self::Takendown,
            "suspended" => Self::Suspended,
            "deleted" => Self::Deleted,
            "deactivated" => Self::Deactivated,
            "desynchronized" => Self::Desynchronized,
            "throttled" => Self::Throttled,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An `#info` frame: a notice about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoFrame {
    /// The name, such as `OutdatedCursor`.
    pub name: String,
    /// For people.
    pub message: Option<String>,
}

/// An error frame; the server closes the connection after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFrame {
    /// The name, such as `FutureCursor`.
    pub name: String,
    /// For people.
    pub message: Option<String>,
}

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A `#commit` and its sequence number.
    Commit(u64, CommitEvent),
    /// A `#sync` and its sequence number.
    Sync(u64, SyncEvent),
    /// An `#identity` and its sequence number.
    Identity(u64, IdentityEvent),
    /// An `#account` and its sequence number.
    Account(u64, AccountEvent),
    /// An `#info`.
    Info(InfoFrame),
    /// An error.
    Error(ErrorFrame),
    /// A well-formed frame of an operation or type that this library does not know: to be ignored.
    Unknown {
        /// The operation.
        op: i64,
        /// The type, if there is one.
        t: Option<String>,
    },
}

impl Frame {
    /// The sequence number, if the frame has one.
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Commit(seq, _) | Self::Sync(seq, _) | Self::Identity(seq, _) | Self::Account(seq, _) => {
                Some(*seq)
            }
            Self::Info(_) | Self::Error(_) | Self::Unknown { .. } => None,
        }
    }
}
