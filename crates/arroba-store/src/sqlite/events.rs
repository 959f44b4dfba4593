//! Reading the event log.

use arroba_core::{event::EventKind, syntax::Did};
use rusqlite::Connection;

use super::{
    log::Log,
    recent::PAGE_BYTES,
    rows::{bytes, parsed},
};
use crate::{
    error::StoreError,
    log::{EventPage, StoredEvent},
};

pub(super) fn kind_code(kind: EventKind) -> i64 {
    match kind {
        EventKind::Commit => 1,
        EventKind::Sync => 2,
        EventKind::Identity => 3,
        EventKind::Account => 4,
    }
}

fn kind_of(code: i64) -> Result<EventKind, StoreError> {
    Ok(match code {
        1 => EventKind::Commit,
        2 => EventKind::Sync,
        3 => EventKind::Identity,
        4 => EventKind::Account,
        _ => return Err(StoreError::corrupt(format!("event kind {code}"))),
    })
}

pub(super) fn page(connection: &Connection, after: u64, limit: usize) -> Result<EventPage, StoreError> {
    let log = Log::load(connection)?;
    let mut page = EventPage {
        events: Vec::new(),
        next: after.max(log.newest()),
        oldest: log.first_seq,
        newest: log.newest(),
        start: log.start_seq,
    };
    if after >= log.newest() {
        page.next = after;
        return Ok(page);
    }
    let mut statement = connection.prepare_cached(
        "SELECT e.seq, r.did, e.kind, e.time, e.body FROM event e JOIN repo r ON r.id = e.repo \
         LEFT JOIN purge p ON p.repo = e.repo \
         WHERE e.seq > ?1 AND (p.repo IS NULL OR e.seq >= max(p.deleted, p.takedown)) ORDER BY e.seq",
    )?;
    let mut rows = statement.query([after])?;
    let mut size = 0_usize;
    while let Some(row) = rows.next()? {
        if page.events.len() >= limit || size >= PAGE_BYTES {
            page.next = page.events.last().map_or(after, |event: &StoredEvent| event.seq);
            break;
        }
        let frame = bytes(row, 4)?;
        size = size.saturating_add(frame.len());
        page.events.push(StoredEvent {
            seq: row.get(0)?,
            did: parsed(row, 1, Did::parse)?,
            kind: kind_of(row.get(2)?)?,
            time: row.get(3)?,
            frame,
        });
    }
    Ok(page)
}
