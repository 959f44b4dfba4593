//! Numbers that are left out: whether somebody may still use them.

use std::ops::Range;

use tokio::time::Instant;

use super::{
    super::{Begin, DatastoreError, Reads, delete, entity::ArrobaReservation, key_name},
    Follower,
    collect::Collector,
};
use crate::error::StoreError;

/// What is to be done about numbers that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// Nobody will use them, up to this number and without it.
    Final(u64),
    /// The first may still be used.
    Wait,
    /// Something has changed; what was read is too old.
    ReadAgain,
}

impl Follower {
    /// Decides about numbers that have no block although a later one has.
    pub(super) async fn hole(&self, collector: &mut Collector, seqs: Range<u64>) -> Result<Hole, StoreError> {
        let own = self.sequences.settle_now(seqs.start);
        if self.sequences.is_exclusive() {
            self.reserved(collector, seqs).await
        } else if own {
            // It becomes an event.
            Ok(Hole::Wait)
        } else {
            self.skipped(collector, seqs).await
        }
    }

    /// Beside the Python library: as its collector, numbers are waited for, for a time, and if that is set, in the neighbourhood of the
    /// newest one only. The time runs from when an event behind them was seen or made, not from the last event of all, which may be
    /// long ago: so what was written while nobody looked is read without waiting.
    async fn skipped(&self, collector: &Collector, seqs: Range<u64>) -> Result<Hole, StoreError> {
        let delay = self.options.skipped_delay;
        let now = self.sequences.now();
        let long_ago = collector.pending.values().any(|pending| {
            let age = now.saturating_sub(pending.created);
            let made_long_ago = pending.created > 0 && u128::from(age) >= delay.as_micros();
            made_long_ago || pending.noticed.elapsed() >= delay
        });
        if long_ago {
            return Ok(Hole::Final(seqs.end));
        }
        let far = match self.options.skipped_window {
            Some(window) => self.sequences.last().await?.saturating_sub(seqs.end) > window,
            None => false,
        };
        Ok(if far { Hole::Final(seqs.end) } else { Hole::Wait })
    }

    /// Among our own programs: whoever may still use a number has its reservation. Without one, the number was used or given up before
    /// that was seen, so what is read afterwards is final.
    async fn reserved(&self, collector: &mut Collector, seqs: Range<u64>) -> Result<Hole, StoreError> {
        let reads = collector.reads;
        let is_final = |seq: &u64| collector.unreserved.get(seq).is_some_and(|since| *since != reads);
        let end = seqs.clone().find(|seq| !is_final(seq)).unwrap_or(seqs.end);
        if end > seqs.start {
            return Ok(Hole::Final(end));
        }
        let asked: Vec<u64> = seqs.take(ASKED).collect();
        let keys = asked.iter().map(|seq| ArrobaReservation::key(self.client.database(), *seq)).collect();
        let lookup = self.client.lookup(keys, Reads::Strong).await?;
        for key in &lookup.missing {
            if let Some(seq) = key_name(key, ArrobaReservation::KIND).and_then(|name| name.parse().ok()) {
                collector.unreserved.entry(seq).or_insert(reads);
            }
        }
        let Some(first) = asked.first().copied() else { return Ok(Hole::ReadAgain) };
        if collector.unreserved.contains_key(&first) {
            return Ok(Hole::ReadAgain);
        }
        let noticed = collector.pending.values().map(|pending| pending.noticed).min();
        let waited = noticed.map(|noticed| Instant::now().saturating_duration_since(noticed));
        match (waited, self.sequences.lease()) {
            (Some(waited), Some(lease)) if waited >= lease => self.withdraw(first).await,
            _ => Ok(Hole::Wait),
        }
    }

    /// Takes a number away from a program that does not use it.
    async fn withdraw(&self, seq: u64) -> Result<Hole, StoreError> {
        let key = ArrobaReservation::key(self.client.database(), seq);
        let (transaction, lookup) = match self.client.begin(vec![key.clone()], Begin::ReadWrite).await {
            Ok(begun) => begun,
            Err(error) if error.is_conflict() => return Ok(Hole::ReadAgain),
            Err(error) => return Err(error.into()),
        };
        if lookup.found.is_empty() {
            drop(self.client.rollback(&transaction).await);
            return Ok(Hole::ReadAgain);
        }
        match self.client.commit(vec![delete(key)], &transaction).await {
            Ok(_) => {
                tracing::warn!(seq, "a sequence number was reserved and not used in time; it is given up");
                Ok(Hole::ReadAgain)
            }
            // Whoever was in the way has used it, or withdrawn it as well.
            Err(error) if error.is_conflict() => Ok(Hole::ReadAgain),
            Err(DatastoreError::UnknownOutcome { .. }) => Ok(Hole::ReadAgain),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reservations that are looked up at once.
const ASKED: usize = 1_000;
