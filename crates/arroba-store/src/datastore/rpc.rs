//! The service at the level of its own messages.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use gcloud_sdk::{
    google::datastore::v1::{
        BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, LookupRequest,
        LookupResponse, RollbackRequest, RollbackResponse, RunQueryRequest, RunQueryResponse,
    },
    tonic::Status,
};

use super::Database;

/// The five calls that the store makes.
///
/// # Contract
/// 1. One call is one attempt: nothing is repeated, split or kept back.
/// 2. A call ends. What bounds it is the implementation's time limit, or [`Client`](super::Client)'s around it.
/// 3. The requests carry project and database; they are those of [`Rpc::database`].
#[async_trait]
pub trait Rpc: Send + Sync + fmt::Debug {
    /// Which database the calls go to.
    fn database(&self) -> &Database;

    /// Reads entities by key.
    async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status>;

    /// Reads one batch of a query.
    async fn run_query(&self, request: RunQueryRequest) -> Result<RunQueryResponse, Status>;

    /// Begins a transaction that reads nothing yet.
    async fn begin_transaction(
        &self,
        request: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status>;

    /// Writes entities, in a transaction or outside of one.
    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status>;

    /// Ends a transaction without writing.
    async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status>;
}

#[async_trait]
impl<R: Rpc + ?Sized> Rpc for Arc<R> {
    fn database(&self) -> &Database {
        (**self).database()
    }

    async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status> {
        (**self).lookup(request).await
    }

    async fn run_query(&self, request: RunQueryRequest) -> Result<RunQueryResponse, Status> {
        (**self).run_query(request).await
    }

    async fn begin_transaction(
        &self,
        request: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status> {
        (**self).begin_transaction(request).await
    }

    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status> {
        (**self).commit(request).await
    }

    async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status> {
        (**self).rollback(request).await
    }
}

/// Which of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RpcKind {
    /// [`Rpc::lookup`].
    Lookup,
    /// [`Rpc::run_query`].
    RunQuery,
    /// [`Rpc::begin_transaction`].
    BeginTransaction,
    /// [`Rpc::commit`].
    Commit,
    /// [`Rpc::rollback`].
    Rollback,
}

impl fmt::Display for RpcKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Lookup => "Lookup",
            Self::RunQuery => "RunQuery",
            Self::BeginTransaction => "BeginTransaction",
            Self::Commit => "Commit",
            Self::Rollback => "Rollback",
        })
    }
}
