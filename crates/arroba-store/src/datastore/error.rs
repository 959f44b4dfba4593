//! What can go wrong between the client and the service.

use std::{sync::Arc, time::Duration};

use gcloud_sdk::tonic::{Code, Status};

use super::{LimitError, RpcKind};
use crate::{Cause, StoreError};

/// Why a call to Datastore did not give what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatastoreError {
    /// The service refused, or went on failing. Nothing was written by the call, unless it was a non-transactional write of several
    /// requests: then the earlier ones were.
    #[error("{rpc} failed with {} after {attempts} attempts", code(status))]
    Status {
        /// The call.
        rpc: RpcKind,
        /// How often it was made.
        attempts: u32,
        /// The last answer.
        #[source]
        status: Box<Status>,
    },
    /// Somebody else wrote what the transaction read or writes. Nothing was written; the whole transaction may be repeated.
    #[error("{rpc}: the transaction was aborted")]
    Conflict {
        /// The call that said so.
        rpc: RpcKind,
        /// The answer.
        #[source]
        status: Box<Status>,
    },
    /// The commit of a transaction got no answer, or one that does not say: it was applied whole or not at all, and only reading
    /// what it wrote tells which.
    #[error("the outcome of a commit is unknown ({})", code(status))]
    UnknownOutcome {
        /// What came instead of an answer.
        #[source]
        status: Box<Status>,
    },
    /// The service kept putting off some keys.
    #[error("{left} keys were still deferred after {attempts} lookups that answered none")]
    Deferred {
        /// How many keys are left.
        left: usize,
        /// Lookups in a row without any answer.
        attempts: u32,
    },
    /// The request is beyond the service's limits and was not sent.
    #[error("request beyond the limits of the service")]
    Limit(#[from] LimitError),
    /// The service answered something that the API does not allow.
    #[error("{rpc}: malformed answer")]
    Malformed {
        /// The call.
        rpc: RpcKind,
        /// What is wrong with it.
        #[source]
        problem: Malformed,
    },
}

impl DatastoreError {
    /// Whether the transaction surely wrote nothing and may be run again from its start.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(
                status.code(),
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
                    | Code::Aborted
                    | Code::Internal
                    | Code::Unknown
                    | Code::Cancelled
            ),
            Self::Conflict { .. } | Self::Deferred { .. } => true,
            Self::UnknownOutcome { .. } | Self::Limit(_) | Self::Malformed { .. } => false,
        }
    }
}

/// For callers who only pass it on. Whoever commits tells a conflict and an unknown outcome apart first.
impl From<DatastoreError> for StoreError {
    fn from(error: DatastoreError) -> Self {
        if error.is_transient() {
            let source: Cause = Arc::new(error);
            return Self::Unavailable { reason: "Datastore", retry_after: RETRY_AFTER, source: Some(source) };
        }
        Self::backend(error)
    }
}

/// When a caller may come back after the client has given up.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How an answer breaks the rules of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A key that was not asked for, or twice.
    #[error("an answer for a key that was not asked for")]
    Unasked,
    /// A key that is neither found nor missing nor deferred.
    #[error("{0} keys without an answer")]
    Unanswered(usize),
    /// A result without an entity or without its key.
    #[error("a result without an entity")]
    NoEntity,
    /// A new transaction without its id.
    #[error("no id for the new transaction")]
    NoTransaction,
    /// A query's answer without a batch.
    #[error("no batch of results")]
    NoBatch,
    /// A batch that does not say whether there is more.
    #[error("a batch that does not say whether there are more results ({0})")]
    NoEnd(i32),
    /// An unfinished batch that cannot be continued, or one that is larger than the limit.
    #[error("a batch that cannot be continued")]
    NoProgress,
    /// A commit with another number of results than mutations.
    #[error("{results} results for {mutations} mutations")]
    Results {
        /// What was written.
        mutations: usize,
        /// What was answered.
        results: usize,
    },
}

pub(super) fn code(status: &Status) -> String {
    // The name as the documentation writes it.
    let name = format!("{:?}", status.code());
    let mut text = String::with_capacity(name.len() + 4);
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

pub(super) fn too_late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {} ms", limit.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_unavailable() {
        let status = |code| Box::new(Status::new(code, ""));
        let failed =
            |code| DatastoreError::Status { rpc: RpcKind::Lookup, attempts: 6, status: status(code) };
        let transient = StoreError::from(failed(Code::Unavailable));
        assert!(matches!(transient, StoreError::Unavailable { source: Some(_), .. }));
        assert!(matches!(StoreError::from(failed(Code::PermissionDenied)), StoreError::Backend(_)));
        let unknown = DatastoreError::UnknownOutcome { status: status(Code::Unavailable) };
        assert!(matches!(StoreError::from(unknown), StoreError::Backend(_)), "something may have changed");
    }

    #[test]
    fn codes_are_named_as_in_the_documentation() {
        assert_eq!(code(&Status::deadline_exceeded("")), "DEADLINE_EXCEEDED");
        assert_eq!(code(&Status::aborted("")), "ABORTED");
    }
}
