//! The event log: what became visible, in order, whoever wrote it.

mod chain;
mod collect;
mod holes;
mod of;
mod read;
mod rebuild;
mod ring;
#[cfg(all(test, feature = "conformance"))]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arroba_core::{event::EventDraft, syntax::Did};
use async_trait::async_trait;
use tokio::{
    sync::{Mutex as TurnMutex, Notify, watch},
    task::JoinHandle,
};

use super::{
    Client, Reads, Select,
    api::{property_filter::Operator, property_order::Direction, value::ValueType},
    blocks::Blocks,
    entity::{ArrobaReservation, AtpBlock},
    key_name,
    sequences::Sequences,
};
use crate::{
    error::StoreError,
    log::{EventPage, StoredEvent},
};
use collect::Collector;
use ring::Ring;

/// Which events are hidden.
#[async_trait]
pub(crate) trait Hiding: Send + Sync {
    /// For repositories of which events are hidden, the number below which they are.
    async fn hidden_below(&self, dids: Vec<Did>) -> Result<HashMap<Did, u64>, StoreError>;
}

/// How the log is followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogOptions {
    /// How often the log is asked for events of other programs; 250 ms.
    pub poll: Duration,
    /// How often at least, when there are none for long; 1 s.
    pub idle_poll: Duration,
    /// Bytes of newest events that are kept in memory; 32 MiB.
    pub ring_bytes: usize,
    /// Beside the Python library: how long a number that is left out is waited for, from when an event behind it was seen or made; 120 s,
    /// as `SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY`.
    pub skipped_delay: Duration,
    /// Beside the Python library: how many numbers may be given out behind an event before numbers in front of it are no longer waited
    /// for, as `SUBSCRIBE_REPOS_SKIPPED_SEQ_WINDOW`, which is 300 there. Nothing, as is usual here: the time alone decides. Fast
    /// writers have used up a window in seconds, while whoever was given the number may still be at work, and its event would never be told.
    pub skipped_window: Option<u64>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            idle_poll: Duration::from_secs(1),
            ring_bytes: 32 << 20,
            skipped_delay: Duration::from_secs(120),
            skipped_window: None,
        }
    }
}

/// Follows the log. Cheap to clone.
///
/// A reader is never given a number while one before it may still come: up to [`EventLog::tail`] everything is final. What this process
/// writes goes on at once if the numbers before it are there; what others write is found by asking. Where a number is left out,
/// [`Sequences`] says who may still use it.
#[derive(Clone)]
pub(crate) struct EventLog(Arc<Shared>);

struct Shared {
    follower: Arc<Follower>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the background task and the readers share.
struct Follower {
    client: Client,
    blocks: Blocks,
    sequences: Sequences,
    options: LogOptions,
    ring: Mutex<Ring>,
    tail: watch::Sender<u64>,
    /// Whoever collects has the turn; the number is how many pokes were seen when the last collection began.
    turn: TurnMutex<Collector>,
    pokes: AtomicU64,
    seen: AtomicU64,
    wake: Notify,
    closed: watch::Sender<bool>,
}

impl EventLog {
    /// Finds out how far the log goes and starts to follow it. The task ends with [`EventLog::close`], or when the last clone is dropped.
    ///
    /// # Errors
    /// [`StoreError`] if the log cannot be read.
    pub(crate) async fn open(
        blocks: Blocks,
        sequences: Sequences,
        options: LogOptions,
    ) -> Result<Self, StoreError> {
        let client = blocks.client().clone();
        let start = start(&client, &sequences, &options).await?;
        let follower = Arc::new(Follower {
            client,
            blocks,
            sequences,
            ring: Mutex::new(Ring::new(start, options.ring_bytes)),
            options,
            tail: watch::Sender::new(start),
            turn: TurnMutex::default(),
            pokes: AtomicU64::new(1),
            seen: AtomicU64::new(0),
            wake: Notify::new(),
            closed: watch::Sender::new(false),
        });
        follower.catch_up().await?;
        let task = tokio::spawn(Arc::clone(&follower).follow());
        Ok(Self(Arc::new(Shared { follower, task: Mutex::new(Some(task)) })))
    }

    /// Visible events behind `after`, of one repository or of all, at most `limit`. Costs one lookup, for what is hidden, if they are
    /// in memory.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub(crate) async fn page(
        &self,
        hiding: &dyn Hiding,
        of: Option<&Did>,
        after: u64,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        let follower = &self.0.follower;
        follower.catch_up().await?;
        let (newest, known) = {
            let ring = follower.ring();
            (ring.newest(), ring.page(of, after, limit))
        };
        let (mut events, next) = match known {
            Some(known) => known,
            None if limit == 0 => (Vec::new(), after),
            None => follower.older(of, after, newest, limit).await?,
        };
        let dids: HashSet<Did> = events.iter().map(|event| event.did.clone()).collect();
        if !dids.is_empty() {
            let hidden = hiding.hidden_below(dids.into_iter().collect()).await?;
            events.retain(|event| hidden.get(&event.did).is_none_or(|below| event.seq >= *below));
        }
        Ok(EventPage { events, next, oldest: FIRST, newest, start: FIRST })
    }

    /// The newest number that can be read.
    pub(crate) fn tail(&self) -> watch::Receiver<u64> {
        self.0.follower.tail.subscribe()
    }

    /// Takes the events of a change that was just written, numbered from `first` on; `time` is the change's.
    pub(crate) fn wrote(&self, first: u64, time: u64, drafts: &[EventDraft]) {
        let events = (first..).zip(drafts).map(|(seq, draft)| stored(seq, time, draft));
        let follower = &self.0.follower;
        let done = {
            let mut ring = follower.ring();
            let done = ring.offer(events);
            follower.tell(&ring);
            done
        };
        if !done {
            self.poke();
        }
    }

    /// Says that there may be something new; whoever reads from now on sees it.
    pub(crate) fn poke(&self) {
        self.0.follower.pokes.fetch_add(1, Ordering::AcqRel);
        self.0.follower.wake.notify_one();
    }

    /// Ends the task.
    pub(crate) async fn close(&self) {
        self.0.follower.closed.send_replace(true);
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task that follows the log failed");
        }
    }
}

impl Follower {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells waiting readers how far the log goes.
    fn tell(&self, ring: &Ring) {
        let newest = ring.newest();
        self.tail.send_if_modified(|tail| {
            let grows = newest > *tail;
            *tail = newest.max(*tail);
            grows
        });
    }

    /// Collects unless that was done since the last poke.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let wanted = self.pokes.load(Ordering::Acquire);
        if self.seen.load(Ordering::Acquire) >= wanted {
            return Ok(());
        }
        let mut collector = self.turn.lock().await;
        if self.seen.load(Ordering::Acquire) < wanted {
            self.collect(&mut collector).await?;
        }
        Ok(())
    }

    /// Events that are not in memory any more.
    async fn older(
        &self,
        of: Option<&Did>,
        after: u64,
        newest: u64,
        limit: usize,
    ) -> Result<(Vec<StoredEvent>, u64), StoreError> {
        let read = match of {
            Some(did) => self.read_of(did, after, newest, limit).await?,
            None => read::read(&self.client, None, after, Some(newest), limit).await?,
        };
        let next = read.through;
        let (events, _) = self.made(read, false).await?;
        let ring = self.ring();
        let visible = events.into_iter().filter_map(|(seq, event)| event.filter(|_| !ring.is_passed(seq)));
        Ok((visible.collect(), next))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.follower.closed.send_replace(true);
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.0.follower.ring();
        formatter.debug_struct("EventLog").field("newest", &ring.newest()).finish_non_exhaustive()
    }
}

/// Up to where every number has its event or never will.
async fn start(client: &Client, sequences: &Sequences, options: &LogOptions) -> Result<u64, StoreError> {
    // The order matters: what was given out before and has no reservation afterwards is final.
    let last = sequences.last().await?;
    if !sequences.is_exclusive() {
        let settled = settled(client, last, sequences.now(), options.skipped_delay).await?;
        let far = options.skipped_window.map_or(0, |window| last.saturating_sub(window));
        return Ok(settled.max(far));
    }
    let query = Select::from(ArrobaReservation::KIND).order(Select::KEY, Direction::Ascending).limit(1);
    let page = client.query(query.keys_only().into(), Reads::Strong).await?;
    let entity = page.results.into_iter().find_map(|result| result.entity);
    let first = entity
        .and_then(|entity| key_name(entity.key.as_ref()?, ArrobaReservation::KIND)?.parse::<u64>().ok());
    Ok(first.map_or(last, |first| last.min(first.saturating_sub(1))))
}

/// Beside the Python library: the number of an event so old that nothing before it is waited for.
async fn settled(client: &Client, last: u64, now: u64, delay: Duration) -> Result<u64, StoreError> {
    let mut back = PRELOADED;
    while back < last {
        let to = ValueType::IntegerValue(i64::try_from(last - back).unwrap_or(i64::MAX));
        let query = Select::from(AtpBlock::KIND).and("seq", Operator::LessThanOrEqual, to);
        let query = query.order("seq", Direction::Descending).limit(1);
        let page = client.query(query.into(), Reads::Strong).await?;
        let entity = page.results.into_iter().find_map(|result| result.entity);
        let Some(entity) = entity else { return Ok(0) };
        // One that cannot be read says nothing about its age.
        if let Ok(block) = AtpBlock::from_entity(entity) {
            let age = now.saturating_sub(block.created.unwrap_or(0));
            if u128::from(age) >= delay.as_micros() {
                return Ok(block.seq);
            }
        }
        back = back.saturating_mul(4);
    }
    Ok(0)
}

/// Numbers at the end of the log that are read when it is opened, at least.
const PRELOADED: u64 = 300;

fn stored(seq: u64, time: u64, draft: &EventDraft) -> StoredEvent {
    StoredEvent { seq, did: draft.did().clone(), kind: draft.kind(), time, frame: draft.fill(seq) }
}

/// The first number that is given; nothing is ever dropped.
const FIRST: u64 = 1;
