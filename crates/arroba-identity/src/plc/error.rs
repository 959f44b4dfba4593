use super::LimitError;
use arroba_core::data::Cid;
use http::StatusCode;
use thiserror::Error;

/// Why a text is no operation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OperationError {
    /// No JSON of the data model: malformed, with a key twice, or nested without end.
    #[error("malformed JSON")]
    Json(#[source] arroba_core::data::json::JsonError),
    /// Not an object.
    #[error("operation is no object")]
    NotObject,
    /// The type is none of `plc_operation`, `plc_tombstone`, `create`.
    #[error("unknown type of operation")]
    Type,
    /// A field is missing or not of its type.
    #[error("field {0} is missing or malformed")]
    Field(&'static str),
    /// A field that operations of this type do not have.
    #[error("unknown field {0}")]
    UnknownField(String),
    /// The operation is over one of the limits.
    #[error("operation is over a limit")]
    Limit(#[source] LimitError),
}

/// Why an operation cannot follow on the ones before it, or a log is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LogError {
    /// There are no operations.
    #[error("log is empty")]
    Empty,
    /// The first operation is no genesis operation.
    #[error("first operation is no genesis")]
    NotGenesis,
    /// The genesis operation is another DID's.
    #[error("genesis operation does not hash to the DID")]
    WrongDid,
    /// An entry is about another DID than the log.
    #[error("entry of another DID")]
    OtherDid,
    /// An entry's CID is not its operation's.
    #[error("entry {0} has a wrong CID")]
    WrongCid(Cid),
    /// The operation names no predecessor, one that is unknown, or one that is nullified.
    #[error("operation does not follow on a valid operation")]
    Misordered,
    /// The predecessor is a tombstone.
    #[error("operation follows on a tombstone")]
    Tombstoned,
    /// A legacy `create` operation can only be the first.
    #[error("legacy operation after the first")]
    Legacy,
    /// The signature is malformed, or not by a key that may sign this.
    #[error("invalid signature")]
    Signature,
    /// More than 72 hours after the operation that it would nullify.
    #[error("recovery is more than 72 hours late")]
    LateRecovery,
    /// The time lies before that of an earlier operation.
    #[error("operation is older than its predecessor")]
    Time,
    /// An entry's `nullified` is not what the log says.
    #[error("entry {0} has a wrong nullified mark")]
    WrongNullified(Cid),
}

/// Why a directory did not answer, or not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlcError {
    /// The DID is not registered.
    #[error("DID is not registered")]
    NotFound,
    /// The DID is tombstoned.
    #[error("DID is tombstoned")]
    Tombstoned,
    /// The directory refuses the operation (or the question): trying again is pointless.
    #[error("directory refuses: {message}")]
    Rejected {
        /// The directory's status, of the 4xx.
        status: StatusCode,
        /// The directory's words: someone else's text, at most 1000 characters.
        message: String,
    },
    /// Another operation came first.
    #[error("another operation came first")]
    Conflict,
    /// No answer, or one that says that there is none now: trying again may help.
    #[error("directory is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what a directory answers.
    #[error("malformed answer from the directory")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
