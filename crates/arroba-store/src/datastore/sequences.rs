//! Sequence numbers: given out before a commit is signed, and never twice.

mod allocator;
mod caretaker;
mod counter;
mod fence;
mod memcached;
mod options;
mod pool;

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arroba_core::syntax::{Did, Tid};
use tokio::{sync::mpsc, task::JoinHandle};

use super::Client;
use crate::{error::StoreError, reservation::Reservation};
use allocator::{Allocator, Ask};
use caretaker::Caretaker;
use counter::Counter;
use pool::Pool;

pub use fence::{Fence, GivenUp};
pub use memcached::MemcachedError;
pub use options::{MemcachedOptions, Numbering, SequenceOptions};

/// The numbers of the stream of repositories' events. Cheap to clone.
///
/// Numbers come from the Python library's own counter, so both may give out numbers of one database. Callers who come at the same
/// time share one transaction on it. What a commit reserved and did not use goes into a pool, and the next that may have it gets it:
/// a number without an event holds up every reader. What stays there is settled after [`SequenceOptions::patience`]: beside the Python
/// library by an `#identity` event of the repository that the number was reserved for, because its collector waits up to two minutes for
/// a number that it does not find, and because whoever gets such an event only looks up again what it knows already; else by withdrawing
/// the reservation.
#[derive(Clone)]
pub struct Sequences(Arc<Shared>);

struct Shared {
    client: Client,
    counter: Counter,
    pool: Arc<Pool>,
    /// Nothing once it is closed.
    asks: Mutex<Option<mpsc::Sender<Ask>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Why numbers cannot be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// More numbers at once than one transaction reserves.
    #[error("{0} numbers at once, {most} at most", most = MOST_AT_ONCE)]
    TooMany(usize),
    /// The counter is at the end of what a number can be.
    #[error("the sequence numbers are used up")]
    UsedUp,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// Several transactions on the counter were aborted one after the other.
    #[error("the counter could not be changed in {0} attempts")]
    Busy(u32),
}

/// Whether the rev of a number is above `above`.
fn grows(above: Option<Tid>, seq: u64) -> Result<(), StoreError> {
    let next = Tid::from_micros(seq, 0);
    match above.filter(|above| next <= *above) {
        Some(above) => Err(StoreError::RevAhead { above, next }),
        None => Ok(()),
    }
}

impl Sequences {
    /// Numbers of the client's database. Starts two tasks, which [`Sequences::close`] ends, and so does dropping the last clone.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(client: Client, options: SequenceOptions) -> Self {
        let pool = Arc::new(Pool::new(&options));
        let counter = Counter::new(client.clone(), &options);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let allocator = Allocator { counter: counter.clone(), pool: Arc::clone(&pool), asks: receiver };
        let caretaker = Caretaker { client: client.clone(), pool: Arc::clone(&pool), options };
        let tasks = vec![tokio::spawn(allocator.run()), tokio::spawn(caretaker.run())];
        Self(Arc::new(Shared {
            client,
            counter,
            pool,
            asks: Mutex::new(Some(sender)),
            tasks: Mutex::new(tasks),
        }))
    }

    /// Numbers for `events` events of a repository, one after the other, all of whose revs are above `above`. Costs two calls, or none
    /// if the pool has them. For no events it only says whether one could be.
    ///
    /// # Errors
    /// [`StoreError::RevAhead`]; [`SequenceError`] in [`StoreError::Backend`]; [`StoreError::Unavailable`] if the service or memcached does not answer, or if others
    /// change the counter all the time.
    pub async fn reserve(
        &self,
        did: &Did,
        events: usize,
        above: Option<Tid>,
    ) -> Result<Reservation, StoreError> {
        let count = match u64::try_from(events) {
            Ok(0) => return self.check(above).await.map(|()| Reservation::none()),
            Ok(count) if count <= MOST_AT_ONCE => count,
            _ => return Err(StoreError::backend(SequenceError::TooMany(events))),
        };
        let pool = &self.0.pool;
        if let Some(reservation) = pool.take(did, count, above) {
            return Ok(reservation);
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        let asks = self.0.asks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || StoreError::backend(SequenceError::Closed);
        let ask = Ask { did: did.clone(), count, reply };
        asks.ok_or_else(closed)?.send(ask).await.map_err(|_| closed())?;
        let reservation = answer.await.map_err(|_| closed())??;
        let seq = reservation.seqs().map_or(0, |seqs| seqs.start);
        grows(above, seq)?;
        Ok(reservation)
    }

    /// Whether the next number makes a rev above `above`.
    async fn check(&self, above: Option<Tid>) -> Result<(), StoreError> {
        match above {
            Some(_) => grows(above, self.last().await?.saturating_add(1)),
            None => Ok(()),
        }
    }

    /// The highest number that anybody was given; 0 if there was none. With memcached, a number at or above it when its counter is gone.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub async fn last(&self) -> Result<u64, StoreError> {
        self.0.counter.last().await
    }

    /// What the transaction that writes events with these numbers must look up and write as well.
    pub fn fence(&self, seqs: Range<u64>) -> Fence {
        let reserved = self.is_exclusive();
        Fence::new(seqs, reserved.then(|| self.0.client.database()), Arc::clone(&self.0.pool))
    }

    /// How long a reservation holds up readers at most, if there are reservations.
    pub(super) fn lease(&self) -> Option<Duration> {
        self.0.pool.lease()
    }

    /// Microseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.0.counter.now()
    }

    /// Whether only programs of this library give out numbers, so that every number that may still be used has a reservation.
    pub fn is_exclusive(&self) -> bool {
        self.0.pool.lease().is_some()
    }

    /// Whether nobody will use a number because this process has it back; it is settled at once then, since a reader wants to pass.
    pub fn settle_now(&self, seq: u64) -> bool {
        self.0.pool.settle_now(seq)
    }

    /// Notes that readers of this process have passed a number without an event: it must not be used any more.
    pub fn passed(&self, seq: u64) {
        self.0.pool.passed(seq);
    }

    /// Completes when a number of the pool was settled since the last call.
    pub async fn settled(&self) {
        self.0.pool.settled().await;
    }

    /// Settles what is in the pool and ends the tasks. Reservations that are still out are lost when they come back.
    pub async fn close(&self) {
        self.0.asks.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.pool.close();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the sequence numbers failed");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl fmt::Debug for Sequences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sequences").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}

/// The most numbers that one caller, or one transaction, gets.
const MOST_AT_ONCE: u64 = 200;

/// How many callers may wait in line before the next has to wait for a place.
const QUEUE: usize = 1_000;
