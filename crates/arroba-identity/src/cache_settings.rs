use crate::cache::Times;
use std::time::Duration;

/// How long a [`Resolver`](crate::Resolver) keeps answers, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// Younger answers are given without asking anybody.
    pub fresh: Duration,
    /// Answers up to this age are given while a new one is fetched, and when that fails. Less than `fresh` is as
    /// good as `fresh`: then nothing is given that is not fresh.
    pub stale: Duration,
    /// How long a definite "no" holds, and how long an old answer is left alone after a failure.
    pub retry: Duration,
    /// The most documents of one method, and the most handles.
    pub entries: u64,
    /// The most bytes (as JSON) of all documents of one method together.
    pub document_bytes: u64,
}

impl CacheSettings {
    /// What the reference server does: answers are fresh for an hour and usable for a day.
    pub const REFERENCE: Self = Self {
        fresh: Duration::from_secs(60 * 60),
        stale: Duration::from_secs(24 * 60 * 60),
        retry: Duration::from_secs(2 * 60),
        entries: 100_000,
        document_bytes: 32 * 1024 * 1024,
    };

    /// What the Python library does: answers are good for six hours and not a moment longer, 5,000 of each kind.
    pub const SIX_HOURS: Self = Self {
        fresh: Duration::from_secs(6 * 60 * 60),
        stale: Duration::from_secs(6 * 60 * 60),
        retry: Duration::from_secs(2 * 60),
        entries: 5_000,
        document_bytes: 32 * 1024 * 1024,
    };

    pub(crate) fn times(&self) -> Times {
        Times {
            fresh: millis(self.fresh),
            stale: millis(self.stale),
            error: millis(self.retry),
            ..Times::IDENTITY
        }
    }

    /// The weight of a document of so many bytes, out of [`document_bytes`](Self::document_bytes), such that the number
    /// of documents is bounded too.
    pub(crate) fn weight(&self, bytes: usize) -> u32 {
        let share = self.document_bytes / self.entries.max(1);
        u32::try_from((bytes as u64).max(share).max(1)).unwrap_or(u32::MAX)
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self::REFERENCE
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
