//! How numbers are given out.

use std::{fmt, sync::Arc, time::Duration};

/// Who else gives out numbers of the database, and where the counter is. All programs that write to one database must agree.
#[derive(Clone, Debug, Default)]
pub enum Numbering {
    /// Like the Python library with `DatastoreSequences`, and beside it.
    #[default]
    Datastore,
    /// Like the Python library with `MemcacheSequences`, and beside it.
    Memcached(MemcachedOptions),
    /// For programs of this library alone. A number has a reservation from the transaction that gives it out to the one that uses it, so
    /// readers know whom to wait for, and nobody waits for a program that was killed longer than the lease. Measured on the emulator with one
    /// writer killed in 50 commits: another program reads an event 0.25 s (one poll) after the commit, 1.4 s at p99; the writer's own
    /// readers get it at once, where no number before it is missing.
    Exclusive {
        /// How long a reader waits for a number that is reserved before it withdraws the reservation; 1 s is usual. A commit that takes
        /// longer is refused, and signed again with another number.
        lease: Duration,
    },
}

impl Numbering {
    /// [`Numbering::Exclusive`] with the usual lease.
    pub const fn exclusive() -> Self {
        Self::Exclusive { lease: Duration::from_secs(1) }
    }
}

/// The memcached server that holds the counter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemcachedOptions {
    /// `host:port` (IPv4), or `unix:///path`.
    pub server: String,
    /// How long connecting, and then each command, may take; 1 s.
    pub call_limit: Duration,
    /// How many numbers the stored counter is ahead of the one in memcached after it was moved; 1,000, as `MEMCACHE_SEQUENCE_BATCH`.
    pub batch: u64,
    /// When fewer than these are left, the stored counter is moved; 100, as `MEMCACHE_SEQUENCE_BUFFER`.
    pub buffer: u64,
}

impl MemcachedOptions {
    /// A server and what the Python library has by default.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), call_limit: Duration::from_secs(1), batch: 1_000, buffer: 100 }
    }
}

/// Options of [`Sequences`](super::Sequences).
#[derive(Clone)]
#[non_exhaustive]
pub struct SequenceOptions {
    /// Who else gives out numbers.
    pub numbering: Numbering,
    /// How long a number that came back unused may wait for the next commit; 2 s. With a lease it is half of that at most.
    pub patience: Duration,
    /// Microseconds since 1970: what stored times are taken from.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl SequenceOptions {
    /// This numbering, with the system's clock.
    pub fn new(numbering: Numbering) -> Self {
        Self { numbering, patience: Duration::from_secs(2), clock: Arc::new(system_micros) }
    }
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self::new(Numbering::default())
    }
}

impl fmt::Debug for SequenceOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SequenceOptions")
            .field("numbering", &self.numbering)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

fn system_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
