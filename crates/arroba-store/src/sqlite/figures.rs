//! What the writer has done, for those who watch it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What the writer of a [`Sqlite`](super::Sqlite) has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterFigures {
    /// Transactions that were committed.
    pub groups: u64,
    /// Changes in them.
    pub changes: u64,
    /// The time that their commits took: writing and syncing the log. Over [`groups`](Self::groups) it is the mean time of a sync.
    pub commit_time: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    groups: AtomicU64,
    changes: AtomicU64,
    commit_micros: AtomicU64,
}

impl Figures {
    pub(super) fn committed(&self, changes: usize, took: Duration) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
        self.commit_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> WriterFigures {
        WriterFigures {
            groups: self.groups.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            commit_time: Duration::from_micros(self.commit_micros.load(Ordering::Relaxed)),
        }
    }
}
