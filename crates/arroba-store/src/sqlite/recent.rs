//! The newest events, in memory: live subscribers read these without touching the database.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use arroba_core::syntax::Did;

use super::{log::Log, rows::Found};
use crate::log::{EventPage, StoredEvent};

/// A page ends early when it holds this many bytes.
pub(super) const PAGE_BYTES: usize = 8 << 20;

/// What a group of changes adds, until it is durable.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    pub(super) events: Vec<StoredEvent>,
    /// Whether earlier events were hidden or shown again.
    pub(super) hides: bool,
    /// Whether accounts may have changed.
    pub(super) accounts: bool,
    /// Repositories that were changed, in this order, and what is known of them now: nothing, if their rows have to be asked.
    pub(super) repos: Vec<(Did, Option<Found>)>,
}

impl Fresh {
    /// What is known of a repository that was changed.
    pub(super) fn repo(&self, did: &Did) -> Option<Option<&Found>> {
        self.repos.iter().rev().find(|(changed, _)| changed == did).map(|(_, found)| found.as_ref())
    }
}

/// The end of the log. All events behind `floor` are in it, and none of them is hidden.
#[derive(Debug)]
pub(super) struct Recent {
    end: Mutex<End>,
    /// Bytes of frames held at most.
    limit: usize,
}

#[derive(Debug)]
struct End {
    log: Log,
    floor: u64,
    events: VecDeque<StoredEvent>,
    bytes: usize,
}

impl Recent {
    pub(super) fn new(log: Log, limit: usize) -> Self {
        let end = End { log, floor: log.newest(), events: VecDeque::new(), bytes: 0 };
        Self { end: Mutex::new(end), limit }
    }

    /// Takes in what has become durable.
    pub(super) fn publish(&self, log: Log, fresh: Fresh) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.log = log;
        if fresh.hides {
            // Which events are visible changed anywhere before; the database knows.
            end.events.clear();
            end.bytes = 0;
            end.floor = log.newest();
            return;
        }
        for event in fresh.events {
            end.bytes = end.bytes.saturating_add(event.frame.len());
            end.events.push_back(event);
        }
        while end.events.front().is_some_and(|event| end.bytes > self.limit || event.seq < log.first_seq) {
            if let Some(event) = end.events.pop_front() {
                end.bytes = end.bytes.saturating_sub(event.frame.len());
                end.floor = event.seq;
            }
        }
    }

    /// The page behind `after`, if all of it is here.
    pub(super) fn page(&self, after: u64, limit: usize) -> Option<EventPage> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if after < end.floor {
            return None;
        }
        let newest = end.log.newest();
        let from = end.events.partition_point(|event| event.seq <= after);
        let mut size = 0_usize;
        let events: Vec<StoredEvent> = end
            .events
            .range(from..)
            .take(limit)
            .take_while(|event| {
                let fits = size < PAGE_BYTES;
                size = size.saturating_add(event.frame.len());
                fits
            })
            .cloned()
            .collect();
        let all = from.saturating_add(events.len()) >= end.events.len();
        Some(EventPage {
            next: if all { after.max(newest) } else { events.last().map_or(after, |event| event.seq) },
            events,
            oldest: end.log.first_seq,
            newest,
            start: end.log.start_seq,
        })
    }
}
