//! The newest events, shared by every subscriber.

use std::collections::VecDeque;

use arroba_core::syntax::Did;
use arroba_store::StoredEvent;

/// A run of the log without a hole: every event with `from < seq <= to`, unless it was hidden since.
///
/// It is a cache of the log and nothing more: a subscriber whose cursor lies before `from` reads the log itself.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<StoredEvent>,
    from: u64,
    to: u64,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

impl Ring {
    /// An empty ring at `seq`, the newest event of the log.
    pub(super) const fn starting_at(seq: u64, max_events: usize, max_bytes: usize) -> Self {
        Self { events: VecDeque::new(), from: seq, to: seq, bytes: 0, max_events, max_bytes }
    }

    /// The seq up to which the ring knows the log.
    pub(super) const fn newest(&self) -> u64 {
        self.to
    }

    /// The seq after which the ring knows the log.
    pub(super) const fn oldest(&self) -> u64 {
        self.from
    }

    /// At most `limit` events after `cursor`, and the cursor that follows them; `None` if the ring does not reach back that far.
    pub(super) fn after(&self, cursor: u64, limit: usize) -> Option<(Vec<StoredEvent>, u64)> {
        if cursor < self.from {
            return None;
        }
        let start = self.events.partition_point(|event| event.seq <= cursor);
        let events: Vec<_> = self.events.iter().skip(start).take(limit).cloned().collect();
        let more = start.saturating_add(events.len()) < self.events.len();
        let next = match events.last() {
            Some(last) if more => last.seq,
            _ => self.to.max(cursor),
        };
        Some((events, next))
    }

    /// Adds the events that follow `self.newest()`, read from the log up to and including `to`.
    pub(super) fn extend(&mut self, events: Vec<StoredEvent>, to: u64) {
        for event in events {
            if event.seq <= self.to {
                continue;
            }
            self.to = event.seq;
            self.bytes = self.bytes.saturating_add(event.frame.len());
            self.events.push_back(event);
        }
        self.to = self.to.max(to);
        while self.events.len() > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.events.pop_front() else { break };
            self.from = oldest.seq;
            self.bytes = self.bytes.saturating_sub(oldest.frame.len());
        }
    }

    /// Forgets the events of `did` before `seq`: the account is gone or taken down, and its history with it.
    pub(super) fn hide(&mut self, did: &Did, seq: u64) {
        self.events.retain(|event| event.seq >= seq || &event.did != did);
        self.bytes = self.events.iter().map(|event| event.frame.len()).sum();
    }
}
