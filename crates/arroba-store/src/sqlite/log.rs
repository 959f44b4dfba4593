//! The sequence counter and the size of the event log.

use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::StoreError;

/// The `log` row, held by the writer thread. Numbers are given densely and never again, also when the log is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    /// The first number this store ever gave.
    pub(super) start_seq: u64,
    /// The lowest number that retention has not dropped.
    pub(super) first_seq: u64,
    /// The number of the next event.
    pub(super) next_seq: u64,
    /// Bytes of all events kept.
    pub(super) bytes: u64,
}

/// The highest number that every client can read: JavaScript's safe integers end there.
const MAX_SEQ: u64 = (1 << 53) - 1;

impl Log {
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT start_seq, first_seq, next_seq, bytes FROM log WHERE id = 1")?;
        Ok(statement.query_row([], |row| {
            Ok(Self {
                start_seq: row.get(0)?,
                first_seq: row.get(1)?,
                next_seq: row.get(2)?,
                bytes: row.get(3)?,
            })
        })?)
    }

    /// The newest number given; one below the first if there was none.
    pub(super) fn newest(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// The next number.
    pub(super) fn take(&mut self) -> Result<u64, StoreError> {
        let seq = self.next_seq;
        if seq > MAX_SEQ {
            return Err(StoreError::corrupt("the sequence numbers are used up"));
        }
        self.next_seq = seq.saturating_add(1);
        Ok(seq)
    }

    /// Leaves numbers out; returns the next one.
    pub(super) fn advance(&mut self, at_least: u64) -> Result<u64, StoreError> {
        if at_least > MAX_SEQ {
            return Err(StoreError::corrupt(format!("{at_least} is no number for events")));
        }
        self.next_seq = self.next_seq.max(at_least);
        Ok(self.next_seq)
    }

    /// Writes the row if the group changed it.
    pub(super) fn save(&self, connection: &Connection, before: &Self) -> Result<(), StoreError> {
        if self != before {
            let mut statement = connection
                .prepare_cached("UPDATE log SET first_seq = ?1, next_seq = ?2, bytes = ?3 WHERE id = 1")?;
            statement.execute((self.first_seq, self.next_seq, self.bytes))?;
        }
        Ok(())
    }

    /// Wakes the readers of the log, after the commit.
    pub(super) fn publish(&self, before: &Self, tail: &watch::Sender<u64>) {
        if self.next_seq != before.next_seq {
            tail.send_replace(self.newest());
        }
    }
}
