//! did:plc: operations, their log, and the directory that keeps it.
//!
//! Spec: <https://web.plc.directory/spec/v0.1/did-plc>

mod change;
mod client;
mod directory;
mod error;
mod limits;
mod log;
mod operation;
mod state;
mod unsigned;

pub use self::{
    change::{ChangeError, Created, Recovered, create, recover, roll_back, submit, tombstone, update},
    client::{DirectoryClient, DirectoryUrlError, PUBLIC_DIRECTORY},
    directory::{Directory, JournalError, Sequenced},
    error::{LogError, OperationError, PlcError},
    limits::{LimitError, MAX_OPERATION_BYTES},
    log::{Appended, Log, LogEntry, RECOVERY_WINDOW, verify_log},
    operation::{Kind, Operation},
    state::{ATPROTO_KEY, ATPROTO_PDS, ATPROTO_PDS_TYPE, Service, State},
    unsigned::{Unsigned, did_from_genesis},
};

use arroba_core::syntax::Did;
use async_trait::async_trait;
use std::fmt;

/// A directory of did:plc identities, in this process or elsewhere.
///
/// # Contract
/// 1. An operation that [`submit`](Self::submit) has accepted is in every later answer.
/// 2. A DID that is not registered is [`PlcError::NotFound`]; one that is tombstoned is [`PlcError::Tombstoned`]
///    where its state is asked for, and has logs.
#[async_trait]
pub trait PlcDirectory: Send + Sync + fmt::Debug {
    /// The DID document, as JSON.
    async fn document(&self, did: &Did) -> Result<serde_json::Value, PlcError>;

    /// The current state: with the rotation keys, which the document does not show.
    async fn state(&self, did: &Did) -> Result<State, PlcError>;

    /// All operations, also those that were nullified, oldest first.
    async fn audit_log(&self, did: &Did) -> Result<Vec<LogEntry>, PlcError>;

    /// The newest operation that is not nullified; it may be a tombstone.
    async fn last_operation(&self, did: &Did) -> Result<Operation, PlcError>;

    /// Submits a signed operation.
    async fn submit(&self, did: &Did, operation: &Operation) -> Result<(), PlcError>;
}
