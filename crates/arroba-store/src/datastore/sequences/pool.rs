//! Numbers that came back unused.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arroba_core::syntax::{Did, Tid};
use tokio::{sync::Notify, time::Instant};

use super::{Numbering, SequenceOptions};
use crate::reservation::{Reclaim, Reservation};

/// Numbers that were reserved and that nobody uses, each with the repository that it was reserved for.
pub(super) struct Pool {
    state: Mutex<State>,
    /// The caretaker has something to do.
    work: Notify,
    /// Something was settled.
    settled: Notify,
    /// Readers of this process have passed everything up to here.
    passed: AtomicU64,
    patience: Duration,
    lease: Option<Duration>,
}

#[derive(Default)]
struct State {
    free: BTreeMap<u64, Free>,
    /// What the caretaker is settling now.
    settling: BTreeMap<u64, Did>,
    closed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Free {
    pub(super) did: Did,
    /// When it is to be settled.
    due: Instant,
    /// When it was given out.
    given: Instant,
    /// Settling it failed, and may have succeeded all the same: nobody gets it any more.
    spent: bool,
}

/// Numbers that are out.
struct Loan {
    pool: Arc<Pool>,
    did: Did,
    given: Instant,
}

impl Pool {
    pub(super) fn new(options: &SequenceOptions) -> Self {
        let lease = match options.numbering {
            Numbering::Exclusive { lease } => Some(lease),
            Numbering::Datastore | Numbering::Memcached(_) => None,
        };
        Self {
            state: Mutex::default(),
            work: Notify::new(),
            settled: Notify::new(),
            passed: AtomicU64::new(0),
            patience: options.patience,
            lease,
        }
    }

    pub(super) const fn lease(&self) -> Option<Duration> {
        self.lease
    }

    /// Gives numbers out, just made or out of the pool.
    pub(super) fn lend(self: &Arc<Self>, did: &Did, seqs: Range<u64>, given: Instant) -> Reservation {
        Reservation::of(seqs, Arc::new(Loan { pool: Arc::clone(self), did: did.clone(), given }))
    }

    /// The lowest numbers in the pool that follow each other and whose revs are above `above`.
    pub(super) fn take(self: &Arc<Self>, did: &Did, count: u64, above: Option<Tid>) -> Option<Reservation> {
        let now = Instant::now();
        let (seqs, given) = {
            let mut state = self.state();
            let usable = state.free.iter().filter(|(seq, free)| {
                !free.spent
                    && self.usable_until(free.given).is_none_or(|until| now < until)
                    && above.is_none_or(|above| Tid::from_micros(**seq, 0) > above)
            });
            let seqs = run(usable.map(|(seq, _)| *seq), count)?;
            let given =
                seqs.clone().filter_map(|seq| state.free.remove(&seq)).map(|free| free.given).min()?;
            (seqs, given)
        };
        Some(self.lend(did, seqs, given))
    }

    /// Until when a number that was given out then may be given out again: what is left of the lease must do for a commit.
    fn usable_until(&self, given: Instant) -> Option<Instant> {
        self.lease.map(|lease| given + lease / 2)
    }

    /// What is to be settled now; everything once the pool is closed.
    pub(super) fn due(&self) -> Vec<(u64, Did)> {
        let now = Instant::now();
        let mut state = self.state();
        let State { free, settling, closed } = &mut *state;
        let mut due = Vec::new();
        free.retain(|seq, free| {
            let keep = !*closed && free.due > now;
            if !keep {
                due.push((*seq, free.did.clone()));
                settling.insert(*seq, free.did.clone());
            }
            keep
        });
        due
    }

    /// When there will be something to settle.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.state().free.values().map(|free| free.due).min()
    }

    /// Notes what became of numbers that were due; those that could not be settled are due again later.
    pub(super) fn done(&self, seqs: impl IntoIterator<Item = u64>, again: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.state();
        for seq in seqs {
            let did = state.settling.remove(&seq);
            if let (Some(did), Some(again)) = (did, again) {
                state.free.insert(seq, Free { did, due: now + again, given: now, spent: true });
            }
        }
        drop(state);
        self.settled.notify_one();
    }

    /// Completes when there is work for the caretaker.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    pub(super) async fn settled(&self) {
        self.settled.notified().await;
    }

    pub(super) fn settle_now(&self, seq: u64) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        if state.settling.contains_key(&seq) {
            return true;
        }
        let Some(free) = state.free.get_mut(&seq) else { return false };
        // What failed a moment ago waits for its time.
        if !free.spent {
            free.due = now;
        }
        drop(state);
        self.work.notify_one();
        true
    }

    pub(super) fn passed(&self, seq: u64) {
        self.passed.fetch_max(seq, Ordering::AcqRel);
    }

    pub(super) fn is_passed(&self, seq: u64) -> bool {
        seq <= self.passed.load(Ordering::Acquire)
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.work.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reclaim for Loan {
    fn reclaim(&self, seqs: Range<u64>) {
        let pool = &self.pool;
        let now = Instant::now();
        let until = pool.usable_until(self.given);
        let due = until.map_or(now + pool.patience, |until| until.min(now + pool.patience));
        let mut state = pool.state();
        if state.closed {
            tracing::warn!(?seqs, did = %self.did, "sequence numbers came back after the store was closed");
            return;
        }
        for seq in seqs.filter(|seq| !pool.is_passed(*seq)) {
            state.free.insert(seq, Free { did: self.did.clone(), due, given: self.given, spent: false });
        }
        drop(state);
        pool.work.notify_one();
    }
}

/// The first `count` numbers that follow each other.
fn run(numbers: impl Iterator<Item = u64>, count: u64) -> Option<Range<u64>> {
    let mut run = 0..0;
    for number in numbers {
        if number == run.end && !run.is_empty() {
            run.end = number + 1;
        } else {
            run = number..number + 1;
        }
        if run.end - run.start == count {
            return Some(run);
        }
    }
    None
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Pool")
            .field("free", &state.free.keys().collect::<Vec<_>>())
            .field("passed", &self.passed)
            .finish_non_exhaustive()
    }
}
