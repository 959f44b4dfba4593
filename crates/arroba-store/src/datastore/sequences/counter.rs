//! The counter: an entity of the Python library's, or that and memcached.

use std::{ops::Range, sync::Arc, time::Duration};

use arroba_core::{event::MAX_SEQ, syntax::Did};
use tokio::sync::Mutex;

use super::{
    super::{
        Begin, Client, DatastoreError, Reads, Transaction,
        api::{EntityResult, Mutation},
        entity::{ArrobaReservation, AtpSequence},
        upsert,
    },
    Numbering, SequenceError, SequenceOptions,
    memcached::Memcached,
};
use crate::error::{Cause, StoreError};

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Counter {
    client: Client,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    reserves: bool,
    memcached: Option<Arc<Mutex<Memcached>>>,
}

/// What a transaction does to the counter.
#[derive(Clone, Copy)]
enum Move<'a> {
    /// Gives each of these repositories a number.
    Give(&'a [Did]),
    /// Makes it if there is none.
    Make,
    /// Makes sure that `buffer` numbers are left behind `seq`, else sets it `batch` behind it.
    Keep { seq: u64, buffer: u64, batch: u64 },
}

/// What a transaction on the counter decided.
struct Step {
    /// What the counter is afterwards.
    next: u64,
    /// What is written; nothing if the counter stays.
    mutations: Vec<Mutation>,
    /// When it was written, as the counter says.
    updated: u64,
}

impl Counter {
    pub(super) fn new(client: Client, options: &SequenceOptions) -> Self {
        let memcached = match &options.numbering {
            Numbering::Memcached(memcached) => Some(Arc::new(Mutex::new(Memcached::new(memcached.clone())))),
            Numbering::Datastore | Numbering::Exclusive { .. } => None,
        };
        let reserves = matches!(options.numbering, Numbering::Exclusive { .. });
        Self { client, clock: Arc::clone(&options.clock), reserves, memcached }
    }

    pub(super) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// One number for each of these repositories.
    pub(super) async fn advance(&self, whose: &[Did]) -> Result<Range<u64>, StoreError> {
        let count = whose.len() as u64;
        let seqs = match &self.memcached {
            Some(memcached) => {
                let last = memcached.lock().await.advance(count, self).await?;
                last.saturating_add(1).saturating_sub(count)..last.saturating_add(1)
            }
            None => {
                let next = self.change(Move::Give(whose)).await?;
                next - count..next
            }
        };
        // What memcached says is not ours to trust.
        if seqs.start == 0 || seqs.end > MAX_SEQ {
            return Err(StoreError::backend(SequenceError::UsedUp));
        }
        Ok(seqs)
    }

    pub(super) async fn last(&self) -> Result<u64, StoreError> {
        if let Some(memcached) = &self.memcached
            && let Some(last) = memcached.lock().await.last().await?
        {
            return Ok(last);
        }
        let key = AtpSequence::key(self.client.database(), AtpSequence::SUBSCRIBE_REPOS);
        let lookup = self.client.lookup(vec![key], Reads::Strong).await?;
        Ok(read(lookup.found)?.map_or(0, |counter| counter.next.saturating_sub(1)))
    }

    /// What is stored; makes the counter if there is none, as the Python library does.
    pub(super) async fn stored(&self) -> Result<u64, StoreError> {
        self.change(Move::Make).await
    }

    /// Moves the stored counter to `batch` above `seq` unless there are `buffer` numbers left behind `seq`.
    pub(super) async fn keep_above(&self, seq: u64, buffer: u64, batch: u64) -> Result<u64, StoreError> {
        self.change(Move::Keep { seq, buffer, batch }).await
    }

    fn step(&self, wanted: Move<'_>, stored: Option<&AtpSequence>) -> Result<Step, StoreError> {
        let now = self.now();
        let next = stored.map_or(1, |counter| counter.next);
        match (wanted, stored) {
            (Move::Give(whose), _) => self.give(whose, stored, now),
            (Move::Make, None) => self.to(None, 1, now),
            (Move::Keep { seq, buffer, batch }, _) if next.saturating_sub(seq) < buffer => {
                self.to(stored, seq.saturating_add(batch), now)
            }
            (Move::Make | Move::Keep { .. }, _) => Ok(Step { next, mutations: Vec::new(), updated: now }),
        }
    }

    fn give(&self, whose: &[Did], stored: Option<&AtpSequence>, now: u64) -> Result<Step, StoreError> {
        let first = stored.map_or(1, |counter| counter.next.max(1));
        let next = first.saturating_add(whose.len() as u64);
        if next > MAX_SEQ {
            return Err(StoreError::backend(SequenceError::UsedUp));
        }
        let mut step = self.to(stored, next, now)?;
        if self.reserves {
            for (seq, did) in (first..next).zip(whose) {
                let reservation = ArrobaReservation { seq, repo: Some(did.clone()), created: Some(now) };
                let entity = reservation.to_entity(self.client.database());
                step.mutations.push(upsert(entity.map_err(StoreError::backend)?));
            }
        }
        Ok(step)
    }

    fn to(&self, stored: Option<&AtpSequence>, next: u64, now: u64) -> Result<Step, StoreError> {
        let created = stored.map_or(Some(now), |counter| counter.created);
        let nsid = AtpSequence::SUBSCRIBE_REPOS.to_owned();
        let counter = AtpSequence { nsid, next, created, updated: Some(now) };
        let entity = counter.to_entity(self.client.database()).map_err(StoreError::backend)?;
        Ok(Step { next, mutations: vec![upsert(entity)], updated: now })
    }

    /// Runs a transaction on the counter until it is through: two calls if nobody is in the way. Gives what the counter is then.
    async fn change(&self, wanted: Move<'_>) -> Result<u64, StoreError> {
        let mut previous: Option<Transaction> = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                // Whoever was in the way is through by now; some draw a longer wait than others.
                let most = FIRST_WAIT.saturating_mul(1 << attempt.min(7));
                tokio::time::sleep(most.mul_f64(rand::random::<f64>())).await;
            }
            let key = AtpSequence::key(self.client.database(), AtpSequence::SUBSCRIBE_REPOS);
            let begin = previous.as_ref().map_or(Begin::ReadWrite, Begin::Again);
            let (transaction, lookup) = match self.client.begin(vec![key], begin).await {
                Ok(begun) => begun,
                Err(error) if error.is_conflict() => continue,
                Err(error) => return Err(error.into()),
            };
            let step = match read(lookup.found).and_then(|stored| self.step(wanted, stored.as_ref())) {
                Ok(step) if !step.mutations.is_empty() => step,
                decided => {
                    drop(self.client.rollback(&transaction).await);
                    return decided.map(|step| step.next);
                }
            };
            match self.client.commit(step.mutations, &transaction).await {
                Ok(_) => return Ok(step.next),
                Err(error) if error.is_conflict() => previous = Some(transaction),
                Err(error @ DatastoreError::UnknownOutcome { .. }) => {
                    if self.is_ours(step.next, step.updated).await? {
                        return Ok(step.next);
                    }
                    // If it was ours and somebody came after us, these numbers are lost, as after a crash.
                    tracing::warn!(next = step.next, %error, "sequence numbers may be lost");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let source = Some(Arc::new(SequenceError::Busy(ATTEMPTS)) as Cause);
        Err(StoreError::Unavailable {
            reason: "sequence counter",
            retry_after: Duration::from_secs(1),
            source,
        })
    }

    /// Whether the counter is what we wrote, when we wrote it.
    async fn is_ours(&self, next: u64, updated: u64) -> Result<bool, StoreError> {
        let key = AtpSequence::key(self.client.database(), AtpSequence::SUBSCRIBE_REPOS);
        let lookup = self.client.lookup(vec![key], Reads::Strong).await?;
        Ok(read(lookup.found)?
            .is_some_and(|counter| counter.next == next && counter.updated == Some(updated)))
    }
}

fn read(found: Vec<EntityResult>) -> Result<Option<AtpSequence>, StoreError> {
    let entity = found.into_iter().find_map(|result| result.entity);
    let counter = entity.map(AtpSequence::from_entity).transpose();
    counter.map_err(|error| StoreError::corrupt_by("sequence counter", error))
}

/// How often a transaction on the counter is tried.
const ATTEMPTS: u32 = 20;

/// The most that the first wait can be.
const FIRST_WAIT: Duration = Duration::from_millis(5);
