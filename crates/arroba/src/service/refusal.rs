//! How the host's errors look from outside: the names and sentences of the reference server, which clients match on.

use arroba_core::repo::EditError;
use arroba_identity::plc::PlcError;
use arroba_lexicons::com_atproto::repo::CommitMeta as WireCommit;
use arroba_store::blobs::BlobError;
use arroba_store::{RepoStatus, StoreError};
use arroba_xrpc::XrpcError;

use crate::blobs::UploadError;
use crate::host::{CommitMeta, HostError, Shown};
use crate::import::ImportError;
use crate::records::RecordError;

impl From<HostError> for XrpcError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::RepoNotFound(did) => {
                Self::named("RepoNotFound", format!("Could not find repo for DID: {did}"))
            }
            HostError::RepoInactive { status: RepoStatus::Deactivated, .. } => {
                Self::unauthorized("AccountDeactivated", "Account is deactivated")
            }
            HostError::RepoInactive { .. } => {
                Self::unauthorized("AccountTakedown", "Account has been taken down")
            }
            HostError::RepoExists(did) => Self::invalid_request(format!("Account already exists: {did}")),
            HostError::HandleTaken(handle) => {
                Self::named("HandleNotAvailable", format!("Handle already taken: {handle}"))
            }
            HostError::CommitSwapped { actual } => {
                Self::named("InvalidSwap", format!("Commit was at {actual}"))
            }
            HostError::RecordSwapped { actual } => {
                Self::named("InvalidSwap", format!("Record was at {}", Shown(actual.as_ref())))
            }
            HostError::RecordExists(path) => Self::invalid_request(format!("Record already exists: {path}")),
            HostError::RecordMissing(path) => {
                Self::invalid_request(format!("Could not locate record: {path}"))
            }
            HostError::Record(error) => error.into(),
            HostError::BlobNotFound(cid) => {
                Self::named("BlobNotFound", format!("Could not find blob: {cid}"))
            }
            HostError::BlobMismatch { cid, mime_type, size, type_matches } => Self::named(
                if type_matches { "InvalidSize" } else { "InvalidMimeType" },
                format!("Blob {cid} was uploaded as {size} bytes of {mime_type}"),
            ),
            HostError::Upload(error) => upload_refused(error),
            HostError::TooManyWrites(_) => Self::invalid_request("Too many writes. Max: 200"),
            HostError::Edit(error) => edit_refused(error),
            HostError::Import(error) => error.into(),
            error @ HostError::Contention(_) => Self::unavailable(error, 1),
            HostError::Directory { source, .. } => directory_refused(*source),
            error @ (HostError::Operation(_) | HostError::NoHandle) => {
                Self::invalid_request(error.to_string())
            }
            error @ HostError::TreeReplaced(_) => Self::unavailable(error, 1),
            error @ HostError::TooManyRecords(_) => Self::invalid_request(error.to_string()),
            error @ HostError::Tree(_) => Self::internal(error),
            error @ (HostError::Key { .. }
            | HostError::Token(_)
            | HostError::Network(_)
            | HostError::Unverifiable { .. }) => Self::internal(error),
            HostError::Store(error) => store_failed(error),
        }
    }
}

fn edit_refused(error: EditError) -> XrpcError {
    let message = match &error {
        EditError::TooManyOps(_) => "Too many writes. Max: 200".to_owned(),
        EditError::TooLarge(_) => "Too many writes. Max event size: 2MB".to_owned(),
        error => format!("The repo cannot take these writes: {error}"),
    };
    XrpcError::invalid_request(message).with_cause(error)
}

/// A store that cannot take more is a 503, everything else that fails below us a 500.
pub(crate) fn store_failed(error: StoreError) -> XrpcError {
    match (&error, error.retry_after()) {
        (_, Some(wait)) => XrpcError::unavailable(error, wait.as_secs().max(1)),
        (StoreError::Stopped { .. }, None) => XrpcError::unavailable(error, 30),
        (_, None) => XrpcError::internal(error),
    }
}

fn upload_refused(error: UploadError) -> XrpcError {
    match error {
        UploadError::Takendown(_) => XrpcError::invalid_request("Blob has been takendown, cannot re-upload"),
        UploadError::Blob(BlobError::TooLarge { limit }) => XrpcError::payload_too_large(limit),
        UploadError::Blob(BlobError::Interrupted(cause)) => interrupted(cause),
        UploadError::Blob(error) => XrpcError::internal(error),
    }
}

/// The body's own refusal says best why it ended.
fn interrupted(cause: Box<dyn std::error::Error + Send + Sync>) -> XrpcError {
    match cause.downcast::<XrpcError>() {
        Ok(refusal) => *refusal,
        Err(cause) => XrpcError::invalid_request("request body could not be read").with_cause(cause),
    }
}

fn directory_refused(error: PlcError) -> XrpcError {
    if matches!(error, PlcError::Unavailable(_) | PlcError::Malformed(_)) {
        XrpcError::upstream_failure(error)
    } else {
        XrpcError::invalid_request(error.to_string()).with_cause(error)
    }
}

impl From<ImportError> for XrpcError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Interrupted(cause) => interrupted(cause),
            ImportError::Directory(_) | ImportError::Identity(_) => Self::upstream_failure(error),
            error if error.is_refusal() => Self::invalid_request(chain(&error)).with_cause(error),
            error => Self::internal(error),
        }
    }
}

/// An error and its causes in one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<RecordError> for XrpcError {
    fn from(error: RecordError) -> Self {
        let message = match &error {
            RecordError::Data(source) => format!("Invalid record: {source}"),
            RecordError::NotAnObject => "Invalid record: not an object".to_owned(),
            RecordError::WrongType { collection, found } => {
                format!("Invalid $type: expected {collection}, got {found}")
            }
            RecordError::UnknownType(collection) => format!("Unknown lexicon type: {collection}"),
            RecordError::Invalid { collection, source } => format!("Invalid {collection} record: {source}"),
            RecordError::TooLarge(bytes) => {
                format!("Record is too large: {bytes} bytes, max {}", crate::records::MAX_RECORD_BYTES)
            }
            RecordError::LegacyBlob(cid) => format!("Legacy blobs are not allowed ({cid})"),
            RecordError::Blob(source) => format!("Invalid record: {source}"),
        };
        Self::invalid_request(message).with_cause(error)
    }
}

impl From<CommitMeta> for WireCommit {
    fn from(commit: CommitMeta) -> Self {
        Self { cid: commit.cid, rev: commit.rev }
    }
}
