//! A directory in this process: for development, for tests, and for networks of one's own.

mod http;
mod journal;
mod stream;

pub use journal::JournalError;

use super::{Log, LogEntry, LogError, Operation, PlcDirectory, PlcError, State, limits};
use crate::Clock;
use ::http::StatusCode;
use arroba_core::syntax::{Datetime, Did};
use async_trait::async_trait;
use journal::Journal;
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

const HOUR_MICROS: i64 = 60 * 60 * 1_000_000;

/// At most so many operations of one identity in so many hours; recoveries do not count, and are never refused.
const RATES: [(i64, usize); 3] = [(1, 10), (24, 30), (7 * 24, 100)];

/// A directory with the rules of the public one: everything in memory (it grows without bound), and in a file if it was
/// [opened](Self::open) on one.
///
/// A clone is the same directory. [`router`](Self::router) serves it over HTTP.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    rates: bool,
    state: Mutex<Entries>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Entries {
    logs: HashMap<Did, Log>,
    /// Every operation in the order of acceptance: whose, and where in the log. Its seq is its index plus one.
    sequence: Vec<(Did, usize)>,
    last_millis: u64,
    journal: Option<Journal>,
}

/// An operation with its number in this directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sequenced {
    /// The number, from 1 without gaps.
    pub seq: u64,
    /// The operation.
    pub entry: LogEntry,
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_rates(clock, true)
    }

    /// An empty directory that takes any number of operations.
    #[must_use]
    pub fn without_rate_limits(clock: Clock) -> Self {
        Self::with_rates(clock, false)
    }

    /// A directory that remembers: what it accepts is in the file before it answers. The file is made if there is none, and locked.
    /// No rate limits: this is for networks of one's own.
    ///
    /// # Errors
    /// [`JournalError`] if the file cannot be used or does not hold valid logs.
    pub fn open(path: impl AsRef<Path>, clock: Clock) -> Result<Self, JournalError> {
        let directory = Self::with_rates(clock, false);
        {
            let mut entries = directory.entries();
            let journal = Journal::open(path.as_ref(), |accepted| {
                entries.last_millis = u64::try_from(accepted.created_at.unix_micros() / 1000)?;
                entries.insert(&accepted.did, accepted.operation, accepted.created_at)?;
                Ok(())
            })?;
            entries.journal = Some(journal);
            directory.inner.newest.send_replace(entries.sequence.len() as u64);
        }
        Ok(directory)
    }

    fn with_rates(clock: Clock, rates: bool) -> Self {
        let newest = watch::Sender::new(0);
        Self { inner: Arc::new(Inner { clock, rates, state: Mutex::default(), newest }) }
    }

    /// The directory as HTTP service.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics between two changes that belong together.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_log<T>(&self, did: &Did, read: impl FnOnce(&Log) -> Result<T, PlcError>) -> Result<T, PlcError> {
        read(self.entries().logs.get(did).ok_or(PlcError::NotFound)?)
    }

    /// The log of an identity.
    ///
    /// # Errors
    /// [`PlcError::NotFound`].
    pub fn log(&self, did: &Did) -> Result<Log, PlcError> {
        self.with_log(did, |log| Ok(log.clone()))
    }

    fn current(&self, did: &Did) -> Result<State, PlcError> {
        self.with_log(did, |log| log.state().cloned().ok_or(PlcError::Tombstoned))
    }

    /// Accepts an operation, or says why not.
    ///
    /// # Errors
    /// [`PlcError::Rejected`].
    pub fn accept(&self, did: &Did, operation: Operation) -> Result<(), PlcError> {
        if let Some(state) = operation.state() {
            limits::check(state, operation.to_cbor().len()).map_err(rejected)?;
        }
        if matches!(operation.kind(), super::Kind::Create(_)) {
            return Err(rejected(LogError::Legacy));
        }
        let mut entries = self.entries();
        // Strictly later than everything before, so that recoveries and exports by time have no ties.
        let millis = self.inner.clock.unix_millis().max(entries.last_millis + 1);
        let now = Datetime::from_unix_millis(millis);
        let unregistered = Log::new(did.clone());
        let log = entries.logs.get(did).unwrap_or(&unregistered);
        let appended = log.check(&operation, &now).map_err(rejected)?;
        if self.inner.rates && appended.nullified.is_empty() && over_rate(log, &now) {
            return Err(rejected("too many operations of this identity in a short time"));
        }
        if let Some(journal) = &mut entries.journal {
            journal.append(did, &operation, &now).map_err(|error| PlcError::Unavailable(error.into()))?;
        }
        entries.insert(did, operation, now).map_err(rejected)?;
        entries.last_millis = millis;
        self.inner.newest.send_replace(entries.sequence.len() as u64);
        Ok(())
    }

    /// At most `count` operations with numbers above `after`.
    #[must_use]
    pub fn export(&self, after: u64, count: usize) -> Vec<Sequenced> {
        let entries = self.entries();
        let start = usize::try_from(after).unwrap_or(usize::MAX).min(entries.sequence.len());
        entries.sequenced(start, count)
    }

    /// At most `count` operations accepted after a time.
    #[must_use]
    pub fn export_since(&self, after: &Datetime, count: usize) -> Vec<Sequenced> {
        let entries = self.entries();
        let after = after.unix_micros();
        let start = entries.sequence.partition_point(|(did, index)| {
            entries.entry(did, *index).is_some_and(|entry| entry.created_at.unix_micros() <= after)
        });
        entries.sequenced(start, count)
    }

    /// The number of the newest operation, 0 before the first; it can be waited for.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.inner.newest.subscribe()
    }
}

impl Entries {
    /// Appends a valid operation to its log and numbers it.
    fn insert(&mut self, did: &Did, operation: Operation, created_at: Datetime) -> Result<(), LogError> {
        let mut log = self.logs.remove(did).unwrap_or_else(|| Log::new(did.clone()));
        let appended = log.append(operation, created_at);
        if let Some(index) = log.entries().len().checked_sub(1) {
            self.logs.insert(did.clone(), log);
            if appended.is_ok() {
                self.sequence.push((did.clone(), index));
            }
        }
        appended.map(|_| ())
    }

    fn entry(&self, did: &Did, index: usize) -> Option<&LogEntry> {
        self.logs.get(did)?.entries().get(index)
    }

    fn sequenced(&self, start: usize, count: usize) -> Vec<Sequenced> {
        let numbered = self.sequence.iter().enumerate().skip(start).take(count);
        numbered
            .filter_map(|(position, (did, index))| {
                Some(Sequenced { seq: position as u64 + 1, entry: self.entry(did, *index)?.clone() })
            })
            .collect()
    }
}

fn over_rate(log: &Log, now: &Datetime) -> bool {
    RATES.iter().any(|(hours, most)| {
        let since = now.unix_micros() - hours * HOUR_MICROS;
        log.entries().iter().filter(|entry| entry.created_at.unix_micros() > since).count() >= *most
    })
}

fn rejected(reason: impl fmt::Display) -> PlcError {
    PlcError::Rejected { status: StatusCode::BAD_REQUEST, message: reason.to_string() }
}

impl fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Directory")
    }
}

#[async_trait]
impl PlcDirectory for Directory {
    async fn document(&self, did: &Did) -> Result<Value, PlcError> {
        Ok(self.current(did)?.to_document(did))
    }

    async fn state(&self, did: &Did) -> Result<State, PlcError> {
        self.current(did)
    }

    async fn audit_log(&self, did: &Did) -> Result<Vec<LogEntry>, PlcError> {
        self.with_log(did, |log| Ok(log.entries().to_vec()))
    }

    async fn last_operation(&self, did: &Did) -> Result<Operation, PlcError> {
        self.with_log(did, |log| log.last().map(|entry| entry.operation.clone()).ok_or(PlcError::NotFound))
    }

    async fn submit(&self, did: &Did, operation: &Operation) -> Result<(), PlcError> {
        self.accept(did, operation.clone())
    }
}
