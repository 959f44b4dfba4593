//! A service as strict as the real one, around one that is not.
//!
//! The emulator takes what production refuses, and never answers in part. Around any [`Rpc`] this wrapper refuses what is beyond the limits,
//! with the codes that production uses; defers a part of the keys; cuts queries into unfinished batches; and fails on demand.
//! Its limits are written down here once more, apart from those that the client checks, so that one is a test of the other.

mod checks;
mod faults;
mod indexes;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gcloud_sdk::{
    google::datastore::v1::{
        BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, LookupRequest,
        LookupResponse, RollbackRequest, RollbackResponse, RunQueryRequest, RunQueryResponse,
        commit_request::TransactionSelector, query_result_batch::MoreResultsType,
        read_options::ConsistencyType, run_query_request::QueryType,
    },
    prost::Message,
    tonic::Status,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::super::{Database, Rpc, RpcKind};

use faults::Pending;
pub use faults::{Fault, When};
pub use indexes::Index;

/// How strict.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StrictOptions {
    /// What all chance is drawn from: the same seed and the same calls in the same order, the same answers.
    pub seed: u64,
    /// The share of a lookup's keys that are deferred; less than one.
    pub deferred: f64,
    /// How many results a batch of a query has at most.
    pub batch: u32,
    /// Mutations of one commit, on a database of the old kind.
    pub mutations: Option<usize>,
    /// The composite indexes that there are; a query that needs another one fails. Nothing: any query runs.
    pub indexes: Option<Vec<Index>>,
    /// The share of calls that fail by chance, before or after they took effect.
    pub faults: f64,
}

impl Default for StrictOptions {
    fn default() -> Self {
        Self { seed: 1, deferred: 0.3, batch: 20, mutations: None, indexes: None, faults: 0.0 }
    }
}

/// The strict service.
#[derive(Debug)]
pub struct Strict<R> {
    rpc: R,
    options: StrictOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    faults: Vec<Pending>,
    transactions: HashMap<Vec<u8>, Times>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    began: Instant,
    used: Instant,
}

impl<R: Rpc> Strict<R> {
    /// Wraps a service.
    pub fn new(rpc: R, options: StrictOptions) -> Self {
        let random = StdRng::seed_from_u64(options.seed);
        let state = State { random, faults: Vec::new(), transactions: HashMap::new() };
        Self { rpc, options, state: Mutex::new(state) }
    }

    /// What is wrapped.
    pub const fn inner(&self) -> &R {
        &self.rpc
    }

    /// Makes the next call of this kind, which has no fault yet, fail like this. Several are used in order.
    pub fn inject(&self, kind: RpcKind, fault: Fault) {
        self.state().faults.push(Pending { kind, fault });
    }

    /// How many injected faults were not used yet.
    pub fn pending(&self) -> usize {
        self.state().faults.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call with the fault that it meets, if it meets one.
    async fn run<T>(
        &self,
        kind: RpcKind,
        bytes: usize,
        call: impl Future<Output = Result<T, Status>> + Send,
    ) -> Result<T, Status> {
        if bytes > 10_485_760 {
            let text = format!("Request payload size exceeds the limit: 10485760 bytes ({bytes}).");
            return Err(Status::invalid_argument(text));
        }
        let fault = self.state().fault(kind, self.options.faults);
        let Some(fault) = fault else { return call.await };
        if fault.when == When::After {
            // What the call did stays done, whatever it would have answered.
            drop(call.await?);
        }
        fault.answer().await
    }

    /// Notes the use of a transaction; an expired one is refused.
    fn touch(&self, id: &[u8]) -> Result<(), Status> {
        let expired =
            || Status::invalid_argument("The referenced transaction has expired or is no longer valid.");
        let now = Instant::now();
        let mut state = self.state();
        // One that was begun elsewhere is left to the service.
        let Some(times) = state.transactions.get_mut(id) else { return Ok(()) };
        let (age, idle) = (now - times.began, now - times.used);
        times.used = now;
        if age > Duration::from_secs(270) || idle > Duration::from_secs(60) { Err(expired()) } else { Ok(()) }
    }

    fn begun(&self, id: &[u8]) {
        if !id.is_empty() {
            let now = Instant::now();
            self.state().transactions.insert(id.to_vec(), Times { began: now, used: now });
        }
    }

    fn read_in(&self, consistency: Option<&ConsistencyType>) -> Result<(), Status> {
        match consistency {
            Some(ConsistencyType::Transaction(id)) => self.touch(id),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl<R: Rpc> Rpc for Strict<R> {
    fn database(&self) -> &Database {
        self.rpc.database()
    }

    async fn lookup(&self, mut request: LookupRequest) -> Result<LookupResponse, Status> {
        checks::lookup(&request)?;
        let bytes = request.encoded_len();
        self.read_in(request.read_options.as_ref().and_then(|options| options.consistency_type.as_ref()))?;
        let deferred = {
            let mut state = self.state();
            let share = self.options.deferred;
            // The first is always answered, so that asking again comes to an end.
            let mut first = true;
            let defer = |_: &mut _| !std::mem::take(&mut first) && state.random.random::<f64>() < share;
            request.keys.extract_if(.., defer).collect::<Vec<_>>()
        };
        let call = async {
            let answer = self.rpc.lookup(request).await?;
            self.begun(&answer.transaction);
            Ok(answer)
        };
        let mut answer = self.run(RpcKind::Lookup, bytes, call).await?;
        answer.deferred.extend(deferred);
        Ok(answer)
    }

    async fn run_query(&self, mut request: RunQueryRequest) -> Result<RunQueryResponse, Status> {
        let bytes = request.encoded_len();
        self.read_in(request.read_options.as_ref().and_then(|options| options.consistency_type.as_ref()))?;
        let mut cut = false;
        if let Some(QueryType::Query(query)) = &mut request.query_type {
            indexes::check(query, self.options.indexes.as_deref())?;
            let most = self.state().random.random_range(1..=self.options.batch.max(1));
            let most = i32::try_from(most).unwrap_or(i32::MAX);
            cut = query.limit.is_none_or(|limit| limit > most);
            if cut {
                query.limit = Some(most);
            }
        }
        let call = async {
            let answer = self.rpc.run_query(request).await?;
            self.begun(&answer.transaction);
            Ok(answer)
        };
        let mut answer = self.run(RpcKind::RunQuery, bytes, call).await?;
        let last = i32::from(MoreResultsType::NoMoreResults);
        if let Some(batch) = answer.batch.as_mut().filter(|batch| cut && batch.more_results != last) {
            batch.more_results = MoreResultsType::NotFinished.into();
        }
        Ok(answer)
    }

    async fn begin_transaction(
        &self,
        request: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status> {
        let bytes = request.encoded_len();
        let call = async {
            let answer = self.rpc.begin_transaction(request).await?;
            self.begun(&answer.transaction);
            Ok(answer)
        };
        self.run(RpcKind::BeginTransaction, bytes, call).await
    }

    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status> {
        checks::commit(&request, self.options.mutations)?;
        let bytes = request.encoded_len();
        if let Some(TransactionSelector::Transaction(id)) = &request.transaction_selector {
            self.touch(id)?;
        }
        self.run(RpcKind::Commit, bytes, self.rpc.commit(request)).await
    }

    async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status> {
        let bytes = request.encoded_len();
        self.run(RpcKind::Rollback, bytes, self.rpc.rollback(request)).await
    }
}
