//! What this process knows of the log: how far it goes, and its newest events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arroba_core::syntax::Did;

use crate::log::StoredEvent;

/// How far readers may read, and the newest events before that.
#[derive(Debug)]
pub(super) struct Ring {
    /// Every number up to here has its event, or never will have one.
    through: u64,
    /// The number of the newest event, or where the log began to be followed.
    newest: u64,
    /// Every event above this one and up to `through` is in `events`.
    floor: u64,
    events: VecDeque<StoredEvent>,
    bytes: usize,
    most_bytes: usize,
    /// Events of this process that wait for the numbers before theirs.
    own: BTreeMap<u64, StoredEvent>,
    /// Numbers that were passed without an event; if one comes all the same, no reader sees it.
    passed: BTreeSet<u64>,
}

impl Ring {
    pub(super) const fn new(at: u64, most_bytes: usize) -> Self {
        Self {
            through: at,
            newest: at,
            floor: at,
            events: VecDeque::new(),
            bytes: 0,
            most_bytes,
            own: BTreeMap::new(),
            passed: BTreeSet::new(),
        }
    }

    pub(super) const fn through(&self) -> u64 {
        self.through
    }

    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Takes events that this process has just written; whether all of them can be read now.
    pub(super) fn offer(&mut self, events: impl IntoIterator<Item = StoredEvent>) -> bool {
        let through = self.through;
        self.own
            .extend(events.into_iter().filter(|event| event.seq > through).map(|event| (event.seq, event)));
        while let Some(event) = self.own.remove(&(self.through + 1)) {
            self.push(event);
        }
        self.own.is_empty()
    }

    /// Own events that wait.
    pub(super) fn own(&self) -> impl Iterator<Item = &StoredEvent> {
        self.own.values()
    }

    /// Adds what is behind the last number, if it still is: its event, or that it has none. Own events that waited for it follow.
    pub(super) fn settle(&mut self, seq: u64, event: Option<StoredEvent>, given_up: bool) {
        if seq != self.through + 1 {
            return;
        }
        self.own.remove(&seq);
        match event {
            Some(event) => self.push(event),
            None => {
                self.through = seq;
                if given_up {
                    self.passed.insert(seq);
                    if self.passed.len() > MOST_PASSED {
                        self.passed.pop_first();
                    }
                }
            }
        }
    }

    pub(super) fn is_passed(&self, seq: u64) -> bool {
        self.passed.contains(&seq)
    }

    /// At most `limit` events behind `after`, of one repository or of all, and how far they go; nothing if they are not all here.
    pub(super) fn page(&self, of: Option<&Did>, after: u64, limit: usize) -> Option<(Vec<StoredEvent>, u64)> {
        if after < self.floor {
            return None;
        }
        let start = self.events.partition_point(|event| event.seq <= after);
        let wanted = |event: &&StoredEvent| of.is_none_or(|did| event.did == *did);
        let events: Vec<_> = self.events.iter().skip(start).filter(wanted).take(limit).cloned().collect();
        let next = match events.last() {
            Some(last) if events.len() == limit => last.seq,
            _ if limit == 0 => after,
            _ => self.newest.max(after),
        };
        Some((events, next))
    }

    fn push(&mut self, event: StoredEvent) {
        (self.through, self.newest) = (event.seq, event.seq);
        self.bytes += event.frame.len() + EVENT_BYTES;
        self.events.push_back(event);
        while self.bytes > self.most_bytes
            && let Some(first) = self.events.pop_front()
        {
            self.bytes -= first.frame.len() + EVENT_BYTES;
            self.floor = first.seq;
        }
    }
}

/// What an event costs besides its frame.
const EVENT_BYTES: usize = 200;

/// How many numbers without an event are remembered.
const MOST_PASSED: usize = 100_000;
