use thiserror::Error;

use crate::car::CarError;
use crate::crypto::SignatureError;
use crate::data::Cid;
use crate::event::FrameError;
use crate::mst::{Key, MstError};
use crate::repo::CommitError;
use crate::syntax::{Did, SyntaxError};

/// Why something is not what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The frame is malformed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is no `#commit`.
    #[error("frame is not a commit")]
    NotACommit,
    /// The event is about another account than the one whose key was given.
    #[error("event is about {0}")]
    Account(Did),
    /// The CAR file is malformed.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The first root of the CAR file is not the commit.
    #[error("car file does not begin with the commit")]
    Root,
    /// A block that must be there is not.
    #[error("block {0} is missing")]
    MissingBlock(Cid),
    /// The commit is malformed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The commit is of an old version.
    #[error("commit has version {0}")]
    CommitVersion(u8),
    /// The commit belongs to another account.
    #[error("commit belongs to {0}")]
    Owner(Did),
    /// The commit's revision is not the event's.
    #[error("commit has another rev than its event")]
    Rev,
    /// The event's `since` is not before its revision.
    #[error("since is not before rev")]
    Since,
    /// The signature is not the account's.
    #[error("commit signature is invalid")]
    Signature(#[from] SignatureError),
    /// There are too many operations.
    #[error("too many operations")]
    TooManyOps,
    /// A path is there twice.
    #[error("two operations on {0}")]
    DuplicateOp(Key),
    /// An operation has a combination of action, `cid` and `prev` that makes no sense.
    #[error("operation on {0} is inconsistent")]
    Op(Key),
    /// The tree does not have what an operation says it did.
    #[error("tree contradicts the operation on {0}")]
    OpMismatch(Key),
    /// The blocks do not suffice to undo an operation.
    #[error("blocks do not suffice to undo the operation on {0}")]
    Insufficient(Key),
    /// A record is malformed.
    #[error("record {0} is malformed")]
    Record(Key),
    /// Undoing the operations leads to another tree than the event says it came from.
    #[error("undoing the operations gives {found}, not the previous tree")]
    PrevData {
        /// What the event says; `None` means the empty tree of a first commit.
        said: Option<Cid>,
        /// The root that undoing gives.
        found: Cid,
    },
    /// A tree node is malformed or in a wrong place.
    #[error(transparent)]
    Mst(#[from] MstError),
    /// A key of the tree is no path of a record.
    #[error("{key} is not a record path")]
    Path {
        /// The key.
        key: Key,
        /// Why not; `None` if it is not text or not in normal form.
        #[source]
        source: Option<SyntaxError>,
    },
    /// A key maps to a CID that no record can have.
    #[error("{0} maps to an unsupported cid")]
    Value(Key),
    /// A node is there twice, or is a record besides.
    #[error("tree node {0} stands in two places")]
    Repeated(Cid),
    /// The order of the file's blocks would have us hold more than is allowed.
    #[error("blocks out of order take more than {0} bytes")]
    Scattered(usize),
    /// There are too many records.
    #[error("more than {0} records")]
    TooManyRecords(u64),
}
