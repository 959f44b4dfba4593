//! Transactions: begun by their first lookup, so that beginning costs no call.

use std::{fmt, sync::Arc, time::Duration};

use gcloud_sdk::{
    google::datastore::v1::{
        BeginTransactionRequest, Key, ReadOptions, RollbackRequest, TransactionOptions,
        read_options::ConsistencyType, transaction_options,
    },
    prost_types::Timestamp,
};
use tokio::time::Instant;

use super::{
    super::{DatastoreError, LimitError, Malformed, RpcKind, limits, retry::Effect},
    Client, Lookup, Reads,
    lookup::distinct,
};

/// An open transaction. It does nothing when dropped: commit it or roll it back, or the service ends it after 60 idle seconds, and on
/// a database with pessimistic locks keeps others from writing what it read until then.
#[derive(Clone)]
pub struct Transaction {
    id: Arc<[u8]>,
    began: Instant,
}

/// What kind of transaction to begin.
#[derive(Clone, Copy, Debug, Default)]
pub enum Begin<'a> {
    /// One that reads and writes.
    #[default]
    ReadWrite,
    /// The same, after the given one was aborted: the service then prefers it to others.
    Again(&'a Transaction),
    /// A snapshot: of now, or of a moment in the last hour.
    ReadOnly(Option<Timestamp>),
}

impl Client {
    /// Begins a transaction with its first reads. Without keys it costs a call of its own.
    ///
    /// # Errors
    /// As [`Client::lookup`]. When an attempt was lost on the way, the service may keep its transaction until that is idle for 60 s.
    pub async fn begin(
        &self,
        keys: Vec<Key>,
        begin: Begin<'_>,
    ) -> Result<(Transaction, Lookup), DatastoreError> {
        if keys.is_empty() {
            return Ok((self.begin_empty(begin).await?, Lookup::default()));
        }
        let mut keys = distinct(keys);
        let rest = keys.split_off(keys.len().min(limits::LOOKUP_KEYS));
        let began = Instant::now();
        let read = ReadOptions { consistency_type: Some(ConsistencyType::NewTransaction(begin.options())) };
        let mut lookup = Lookup::default();
        let id = self.settle(keys, read, Effect::Repeatable, &mut lookup).await?;
        let no_id = DatastoreError::Malformed { rpc: RpcKind::Lookup, problem: Malformed::NoTransaction };
        let transaction = Transaction { id: id.ok_or(no_id)?, began };
        if !rest.is_empty() {
            lookup.extend(self.lookup(rest, Reads::In(&transaction)).await?);
        }
        Ok((transaction, lookup))
    }

    async fn begin_empty(&self, begin: Begin<'_>) -> Result<Transaction, DatastoreError> {
        let database = self.database();
        let request = BeginTransactionRequest {
            project_id: database.project().to_owned(),
            database_id: database.id().to_owned(),
            transaction_options: Some(begin.options()),
            request_options: None,
        };
        let began = Instant::now();
        let send = || self.rpc().begin_transaction(request.clone());
        let answer = self.call(RpcKind::BeginTransaction, Effect::Repeatable, send).await?;
        if answer.transaction.is_empty() {
            let problem = Malformed::NoTransaction;
            return Err(DatastoreError::Malformed { rpc: RpcKind::BeginTransaction, problem });
        }
        Ok(Transaction { id: answer.transaction.into(), began })
    }

    /// Ends a transaction without writing. There is nothing to do about a failure: the service ends it by itself.
    ///
    /// # Errors
    /// [`DatastoreError::Status`].
    pub async fn rollback(&self, transaction: &Transaction) -> Result<(), DatastoreError> {
        let database = self.database();
        let request = RollbackRequest {
            project_id: database.project().to_owned(),
            database_id: database.id().to_owned(),
            transaction: transaction.id.to_vec(),
            request_options: None,
        };
        self.call(RpcKind::Rollback, Effect::Repeatable, || self.rpc().rollback(request.clone())).await?;
        Ok(())
    }
}

impl Transaction {
    pub(super) fn id(&self) -> &[u8] {
        &self.id
    }

    /// How long ago it began.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn check_age(&self) -> Result<(), LimitError> {
        let age = self.age();
        if age > limits::TRANSACTION_LIFE { Err(LimitError::TransactionAge { age }) } else { Ok(()) }
    }
}

impl Begin<'_> {
    fn options(self) -> TransactionOptions {
        use transaction_options::{Mode, ReadOnly, ReadWrite};
        let mode = match self {
            Self::ReadWrite => Mode::ReadWrite(ReadWrite::default()),
            Self::Again(previous) => {
                Mode::ReadWrite(ReadWrite { previous_transaction: previous.id.to_vec() })
            }
            Self::ReadOnly(read_time) => Mode::ReadOnly(ReadOnly { read_time }),
        };
        TransactionOptions { mode: Some(mode) }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transaction").field("age", &self.age()).finish_non_exhaustive()
    }
}
