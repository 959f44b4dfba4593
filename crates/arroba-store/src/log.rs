//! The event log: what was emitted, and how long it is kept.

use arroba_core::{event::EventKind, syntax::Did};
use bytes::Bytes;

/// An event as it was numbered and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its sequence number.
    pub seq: u64,
    /// Whose it is.
    pub did: Did,
    /// What kind.
    pub kind: EventKind,
    /// When, in microseconds since 1970.
    pub time: u64,
    /// The frame, byte for byte as it goes to every subscriber, now and on replay.
    pub frame: Bytes,
}

/// A part of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// Visible events, in order. Hidden ones are skipped.
    pub events: Vec<StoredEvent>,
    /// Where the next page starts (as `after`): at or behind the last event, because hidden ones were passed too.
    pub next: u64,
    /// The lowest number that retention has not dropped.
    pub oldest: u64,
    /// The newest number given; one below `start` if there was none.
    pub newest: u64,
    /// The first number that this store ever gave.
    pub start: u64,
}

impl EventPage {
    /// Whether retention has dropped events behind this cursor.
    pub fn lost_after(&self, cursor: u64) -> bool {
        self.oldest > self.start && cursor.saturating_add(1) < self.oldest
    }
}

/// What a sweep may drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Events older than this are dropped (microseconds since 1970).
    pub events_before: Option<u64>,
    /// The oldest events are dropped until the log has at most this many bytes.
    pub event_bytes: Option<u64>,
    /// Uploads that no record refers to are dropped if they are older than this (microseconds since 1970).
    pub temporary_blobs_before: Option<u64>,
    /// Uploads that never reported are given up if they are older than this (microseconds since 1970).
    pub pending_uploads_before: Option<u64>,
}

impl Retention {
    /// Sets [`Retention::events_before`].
    #[must_use]
    pub fn events_before(mut self, micros: u64) -> Self {
        self.events_before = Some(micros);
        self
    }

    /// Sets [`Retention::event_bytes`].
    #[must_use]
    pub fn event_bytes(mut self, bytes: u64) -> Self {
        self.event_bytes = Some(bytes);
        self
    }

    /// Sets [`Retention::temporary_blobs_before`].
    #[must_use]
    pub fn temporary_blobs_before(mut self, micros: u64) -> Self {
        self.temporary_blobs_before = Some(micros);
        self
    }

    /// Sets [`Retention::pending_uploads_before`].
    #[must_use]
    pub fn pending_uploads_before(mut self, micros: u64) -> Self {
        self.pending_uploads_before = Some(micros);
        self
    }
}

/// What a sweep did. It works in small steps, so that writers wait little; sweep again while there is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Events dropped.
    pub events: u64,
    /// Rows of deleted and replaced trees dropped.
    pub rows: u64,
    /// Unreferenced uploads dropped (their objects are garbage now).
    pub blobs: u64,
    /// Whether more is to be done.
    pub more: bool,
}
