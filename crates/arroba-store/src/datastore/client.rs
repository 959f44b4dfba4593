//! The client: what the store calls.

mod commit;
mod lookup;
mod query;
mod transaction;

use std::{fmt, sync::Arc, time::Duration};

use gcloud_sdk::{
    google::datastore::v1::{
        ReadOptions,
        read_options::{ConsistencyType, ReadConsistency},
    },
    prost_types::Timestamp,
    tonic::Status,
};
use tokio::time::Instant;

use super::{
    ConnectionOptions, Database, DatastoreError, Limits, Rpc, RpcCounts, RpcKind,
    counts::Counters,
    error::too_late,
    retry::{Backoff, Effect, Verdict, verdict},
};

pub use commit::{delete, insert, update, upsert};
pub use lookup::Lookup;
pub use query::{Batches, QueryPage};
pub use transaction::{Begin, Transaction};

/// How the client repeats and bounds its calls.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// How long one call may take; 30 s.
    pub call_limit: Duration,
    /// How often a call is made at most; 6.
    pub attempts: u32,
    /// No further attempt starts when this much time has gone by; 90 s.
    pub give_up_after: Duration,
    /// The most that the first wait can be; 100 ms.
    pub backoff: Duration,
    /// The most that any wait can be; 10 s.
    pub backoff_cap: Duration,
    /// Lookups of 1,000 keys that run at once when more keys are asked for; 4.
    pub lookups_at_once: usize,
    /// The limits of the kind of database.
    pub limits: Limits,
    /// What the jitter is drawn from.
    pub seed: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            call_limit: ConnectionOptions::CALL_LIMIT,
            attempts: 6,
            give_up_after: Duration::from_secs(90),
            backoff: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(10),
            lookups_at_once: 4,
            limits: Limits::FIRESTORE,
            seed: rand::random(),
        }
    }
}

/// Splits, repeats and checks calls to Datastore. Cheap to clone; clones share their counters.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    rpc: Arc<dyn Rpc>,
    options: ClientOptions,
    counters: Counters,
    backoff: Backoff,
}

/// What a read sees.
#[derive(Clone, Copy, Debug)]
pub enum Reads<'a> {
    /// Everything that was committed before it.
    Strong,
    /// Perhaps an older state.
    Eventual,
    /// The snapshot of a transaction; the transaction then also depends on what was read.
    In(&'a Transaction),
    /// The state of a moment in the last hour, in whole microseconds.
    At(Timestamp),
}

impl Client {
    /// Calls through `rpc`.
    pub fn new(rpc: Arc<dyn Rpc>, options: ClientOptions) -> Self {
        let backoff = Backoff::new(options.backoff, options.backoff_cap, options.seed);
        Self { shared: Arc::new(Shared { rpc, options, counters: Counters::default(), backoff }) }
    }

    /// Which database it reads and writes.
    pub fn database(&self) -> &Database {
        self.shared.rpc.database()
    }

    /// How many calls were made so far, by all clones together.
    pub fn counts(&self) -> RpcCounts {
        self.shared.counters.read()
    }

    /// The options that it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    fn rpc(&self) -> &dyn Rpc {
        &*self.shared.rpc
    }

    /// Makes a call, again and again where that is allowed and worth it.
    async fn call<T, F>(
        &self,
        kind: RpcKind,
        effect: Effect,
        mut send: impl FnMut() -> F + Send,
    ) -> Result<T, DatastoreError>
    where
        F: Future<Output = Result<T, Status>> + Send,
    {
        let options = &self.shared.options;
        let started = Instant::now();
        let mut attempts = 0;
        let mut once = true;
        loop {
            attempts += 1;
            self.shared.counters.count(kind);
            let answer = tokio::time::timeout(options.call_limit, send()).await;
            let status = match answer.unwrap_or_else(|_| Err(too_late(options.call_limit))) {
                Ok(answer) => return Ok(answer),
                Err(status) => Box::new(status),
            };
            let allowed = match verdict(status.code(), effect) {
                Verdict::Retry => options.attempts,
                Verdict::RetryOnce if std::mem::take(&mut once) => options.attempts,
                Verdict::RetryOnce | Verdict::Final => 1,
                Verdict::Conflict => return Err(DatastoreError::Conflict { rpc: kind, status }),
                Verdict::Unknown => return Err(DatastoreError::UnknownOutcome { status }),
            };
            let wait = self.shared.backoff.wait(attempts);
            if attempts >= allowed || started.elapsed().saturating_add(wait) >= options.give_up_after {
                return Err(DatastoreError::Status { rpc: kind, attempts, status });
            }
            tracing::debug!(rpc = %kind, code = ?status.code(), attempts, ?wait, "Datastore call is repeated");
            tokio::time::sleep(wait).await;
        }
    }
}

impl Reads<'_> {
    fn options(self) -> ReadOptions {
        let consistency = match self {
            Self::Strong => ConsistencyType::ReadConsistency(ReadConsistency::Strong.into()),
            Self::Eventual => ConsistencyType::ReadConsistency(ReadConsistency::Eventual.into()),
            Self::In(transaction) => ConsistencyType::Transaction(transaction.id().to_vec()),
            Self::At(time) => ConsistencyType::ReadTime(time),
        };
        ReadOptions { consistency_type: Some(consistency) }
    }

    const fn effect(self) -> Effect {
        match self {
            Self::In(_) => Effect::ReadInTransaction,
            Self::Strong | Self::Eventual | Self::At(_) => Effect::Repeatable,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("rpc", &self.shared.rpc)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
