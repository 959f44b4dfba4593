//! The stream of everything that happens: a cursor over the event log for each subscriber.
//!
//! Replay and live are one loop: take what follows the cursor, and if there is nothing, wait until the log has grown.
//! What follows comes from a ring of recent events that all subscribers share, or, for one who is further behind, from the
//! log itself. The ring is filled by whoever first sees that the log has grown, so there is no task to lose.

mod frames;
mod ring;
mod subscription;
pub(crate) mod typed;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arroba_core::event::{AccountStatus, EventKind, Frame};
use arroba_core::syntax::Did;
use arroba_store::{RepoStore, StoreError, StoredEvent};
use tokio::sync::{Mutex as AsyncMutex, watch};

pub(crate) use self::frames::Frames;
pub use self::subscription::{Delivery, SubscribeError, Subscription};
pub use self::typed::{Committed, CommittedWrite, EventError, Events, EventsError, HostEvent};

use self::ring::Ring;
use crate::environment::Clock;

/// How much of the log is kept at hand and how much of it subscribers may ask for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FirehoseLimits {
    /// Events older than this are no longer sent, even if the log still has them.
    pub backfill: Duration,
    /// Events that are further back than this many sequence numbers are no longer sent either.
    pub backfill_events: Option<u64>,
    /// The most events in the shared ring.
    pub ring_events: usize,
    /// The most bytes of frames in the shared ring.
    pub ring_bytes: usize,
    /// The most events read from the log, or given to one subscriber, at once.
    pub page: usize,
}

impl Default for FirehoseLimits {
    fn default() -> Self {
        Self {
            backfill: Duration::from_secs(24 * 60 * 60),
            backfill_events: None,
            ring_events: 10_000,
            ring_bytes: 16 << 20,
            page: 500,
        }
    }
}

/// The event log as subscribers see it.
#[derive(Clone)]
pub(crate) struct Firehose(Arc<Inner>);

struct Inner {
    store: Arc<dyn RepoStore>,
    clock: Arc<dyn Clock>,
    limits: FirehoseLimits,
    ring: Mutex<Ring>,
    /// Held by the one subscriber that reads the log's end into the ring.
    filling: AsyncMutex<()>,
    /// Where each open subscription is.
    readers: Mutex<Vec<Weak<AtomicU64>>>,
}

impl fmt::Debug for Firehose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firehose").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

/// What follows a cursor.
pub(crate) struct Batch {
    pub(crate) events: Vec<StoredEvent>,
    /// The cursor after these events.
    pub(crate) next: u64,
    /// Whether retention has dropped events right after the cursor.
    pub(crate) lost: bool,
}

impl Firehose {
    pub(crate) fn new(store: Arc<dyn RepoStore>, clock: Arc<dyn Clock>, limits: FirehoseLimits) -> Self {
        let ring = Ring::starting_at(*store.tail().borrow(), limits.ring_events, limits.ring_bytes);
        let (ring, filling, readers) = (Mutex::new(ring), AsyncMutex::new(()), Mutex::default());
        Self(Arc::new(Inner { store, clock, limits, ring, filling, readers }))
    }

    /// Starts a subscription after `cursor`, or at the newest event if there is none.
    ///
    /// What is wrong with the cursor is said by the subscription's first item, as the protocol wants it.
    pub(crate) fn subscribe(&self, cursor: Option<u64>) -> Subscription {
        Subscription::new(self.clone(), cursor)
    }

    /// A place that counts as a subscriber's as long as it is kept.
    fn place(&self, cursor: u64) -> Arc<AtomicU64> {
        let place = Arc::new(AtomicU64::new(cursor));
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| reader.strong_count() > 0);
        readers.push(Arc::downgrade(&place));
        place
    }

    /// How many sequence numbers each open subscription is behind the newest event.
    pub(crate) fn lags(&self) -> Vec<u64> {
        let newest = *self.0.store.tail().borrow();
        let readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = readers.iter().filter_map(Weak::upgrade);
        places.map(|place| newest.saturating_sub(place.load(Ordering::Relaxed))).collect()
    }

    pub(crate) fn tail(&self) -> watch::Receiver<u64> {
        self.0.store.tail()
    }

    /// Drops from the ring what the log no longer shows of `did`.
    pub(crate) fn hide(&self, did: &Did, before: u64) {
        self.ring().hide(did, before);
    }

    /// Empties the ring: hidden events are back in the log.
    pub(crate) fn forget(&self) {
        let newest = *self.0.store.tail().borrow();
        *self.ring() = Ring::starting_at(newest, self.0.limits.ring_events, self.0.limits.ring_bytes);
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events after `cursor`, from the ring if it reaches that far, else from the log.
    pub(crate) async fn after(&self, cursor: u64) -> Result<Batch, StoreError> {
        let newest = *self.0.store.tail().borrow();
        if let Some(batch) = self.in_ring(cursor, newest) {
            return Ok(batch);
        }
        if cursor >= self.ring().oldest() {
            let _filling = self.0.filling.lock().await;
            if let Some(batch) = self.in_ring(cursor, newest) {
                return Ok(batch);
            }
            self.fill(newest).await?;
            if let Some(batch) = self.in_ring(cursor, newest) {
                return Ok(batch);
            }
        }
        self.in_log(cursor).await
    }

    /// Microseconds since the Unix epoch at which the backfill window begins.
    fn window_start_micros(&self) -> u64 {
        let window = u64::try_from(self.0.limits.backfill.as_micros()).unwrap_or(u64::MAX);
        self.0.clock.now_micros().saturating_sub(window)
    }

    /// The highest number that anybody was given.
    async fn newest_given(&self) -> Result<u64, StoreError> {
        self.0.store.newest_given().await
    }

    /// Where a reader at `cursor` must go on instead, if events that it would need are gone or too old.
    async fn window_entry(&self, cursor: u64) -> Result<Option<u64>, StoreError> {
        let start = self.window_start_micros();
        let newest = *self.0.store.tail().borrow();
        let page = self.0.store.events(cursor, 1).await?;
        let counted = self.0.limits.backfill_events.map(|events| newest.saturating_sub(events));
        let counted = counted.filter(|entry| *entry > cursor && *entry >= page.start);
        let lost = page.lost_after(cursor).then(|| page.oldest.saturating_sub(1));
        let Some(first) = page.events.first().filter(|first| first.time < start) else {
            return Ok(lost.max(counted));
        };
        let inside = self.first_since(start, first.seq, page.newest).await?;
        Ok(Some(inside).max(counted))
    }

    /// The place before the first event of `time` or later, between the cursors `before` and `newest`. Times grow with the numbers,
    /// nearly; a halving search finds it.
    pub(crate) async fn first_since(
        &self,
        time: u64,
        mut before: u64,
        newest: u64,
    ) -> Result<u64, StoreError> {
        let mut inside = newest;
        while before < inside {
            let middle = before.midpoint(inside);
            match self.0.store.events(middle, 1).await?.events.first() {
                Some(event) if event.time < time => before = event.seq,
                _ => inside = middle,
            }
        }
        Ok(inside)
    }

    fn in_ring(&self, cursor: u64, newest: u64) -> Option<Batch> {
        let ring = self.ring();
        // A ring that has not yet seen the newest event has nothing to say to a subscriber at its end.
        if ring.newest() < newest && cursor >= ring.newest() {
            return None;
        }
        ring.after(cursor, self.0.limits.page).map(|(events, next)| Batch { events, next, lost: false })
    }

    async fn in_log(&self, cursor: u64) -> Result<Batch, StoreError> {
        let page = self.0.store.events(cursor, self.0.limits.page).await?;
        let lost = page.lost_after(cursor);
        Ok(Batch { events: page.events, next: page.next.max(cursor), lost })
    }

    /// Reads the log from the ring's end on, until `newest` is there.
    async fn fill(&self, newest: u64) -> Result<(), StoreError> {
        let limits = self.0.limits;
        let mut from = {
            let mut ring = self.ring();
            // Nobody listened for so long that the ring would be replaced several times over.
            if newest.saturating_sub(ring.newest()) > u64::try_from(limits.ring_events).unwrap_or(u64::MAX) {
                *ring = Ring::starting_at(newest, limits.ring_events, limits.ring_bytes);
            }
            ring.newest()
        };
        while from < newest {
            let page = self.0.store.events(from, limits.page).await?;
            let to = if page.events.len() < limits.page { page.next.max(newest) } else { page.next };
            let ended: Vec<_> = page.events.iter().filter_map(ended).collect();
            let mut ring = self.ring();
            ring.extend(page.events, to);
            for (did, seq) in ended {
                ring.hide(&did, seq);
            }
            from = to;
        }
        Ok(())
    }
}

/// Whose earlier events an event ends, and its seq: accounts that are deleted or taken down leave no history.
fn ended(event: &StoredEvent) -> Option<(Did, u64)> {
    if event.kind != EventKind::Account {
        return None;
    }
    let Ok(Frame::Account(_, account)) = Frame::decode(&event.frame) else { return None };
    matches!(account.status, Some(AccountStatus::Deleted | AccountStatus::Takendown))
        .then(|| (event.did.clone(), event.seq))
}
