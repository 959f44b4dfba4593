//! How many calls were made.

use std::{
    ops::Sub,
    sync::atomic::{AtomicU64, Ordering},
};

use super::RpcKind;

/// Calls by kind since the client was made; every attempt counts. The difference of two says what lies between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RpcCounts {
    /// Lookups.
    pub lookups: u64,
    /// Keys that they asked for.
    pub keys: u64,
    /// Batches of queries.
    pub queries: u64,
    /// Transactions begun by a call of their own.
    pub begins: u64,
    /// Commits.
    pub commits: u64,
    /// Rollbacks.
    pub rollbacks: u64,
}

impl RpcCounts {
    /// All calls.
    pub const fn total(&self) -> u64 {
        self.lookups + self.queries + self.begins + self.commits + self.rollbacks
    }
}

impl Sub for RpcCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            lookups: self.lookups.saturating_sub(earlier.lookups),
            keys: self.keys.saturating_sub(earlier.keys),
            queries: self.queries.saturating_sub(earlier.queries),
            begins: self.begins.saturating_sub(earlier.begins),
            commits: self.commits.saturating_sub(earlier.commits),
            rollbacks: self.rollbacks.saturating_sub(earlier.rollbacks),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    lookups: AtomicU64,
    keys: AtomicU64,
    queries: AtomicU64,
    begins: AtomicU64,
    commits: AtomicU64,
    rollbacks: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, kind: RpcKind) {
        let counter = match kind {
            RpcKind::Lookup => &self.lookups,
            RpcKind::RunQuery => &self.queries,
            RpcKind::BeginTransaction => &self.begins,
            RpcKind::Commit => &self.commits,
            RpcKind::Rollback => &self.rollbacks,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_keys(&self, keys: usize) {
        self.keys.fetch_add(keys as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> RpcCounts {
        RpcCounts {
            lookups: self.lookups.load(Ordering::Relaxed),
            keys: self.keys.load(Ordering::Relaxed),
            queries: self.queries.load(Ordering::Relaxed),
            begins: self.begins.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            rollbacks: self.rollbacks.load(Ordering::Relaxed),
        }
    }
}
