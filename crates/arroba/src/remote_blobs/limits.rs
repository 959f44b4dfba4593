//! What is fetched, and when again.

use std::time::Duration;

/// What a host allows of remote blobs, with the Python library's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteBlobLimits {
    /// The largest blob, in bytes (`BLOB_MAX_BYTES`); 300,000,000.
    pub max_bytes: u64,
    /// The longest video or sound; 10 minutes. One whose length cannot be read passes: that of an MP4 in fragments without an index,
    /// for example, would take reading all of it.
    pub max_duration: Duration,
    /// How old what is known may be before the URL is asked again (`BLOB_REFETCH_DAYS`); 7 days.
    pub refetch_after: Duration,
    /// The kinds of media that are asked for again: what stands before the `/` of their type (`BLOB_REFETCH_TYPES`); images. Others
    /// are fetched once.
    pub refetch_types: Vec<String>,
    /// How long a whole fetch may take; 5 minutes.
    pub fetch_time: Duration,
    /// How long a server may be silent; 15 seconds.
    pub stall_time: Duration,
    /// How many fetches there are at once; 8. Each takes about 1 MiB of memory, up to 64 MiB for a moment if it is a video made to
    /// hurt, and as much of the disk as the blob has bytes.
    pub concurrent: usize,
}

impl Default for RemoteBlobLimits {
    fn default() -> Self {
        Self {
            max_bytes: 300_000_000,
            max_duration: Duration::from_secs(10 * 60),
            refetch_after: Duration::from_secs(7 * 24 * 60 * 60),
            refetch_types: vec!["image".into()],
            fetch_time: Duration::from_secs(5 * 60),
            stall_time: Duration::from_secs(15),
            concurrent: 8,
        }
    }
}

impl RemoteBlobLimits {
    /// Sets the largest blob, in bytes.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the longest video or sound.
    #[must_use]
    pub const fn max_duration(mut self, duration: Duration) -> Self {
        self.max_duration = duration;
        self
    }

    /// Sets after how long, and which kinds of media, are asked for again.
    #[must_use]
    pub fn refetch(mut self, after: Duration, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.refetch_after = after;
        self.refetch_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a whole fetch may take.
    #[must_use]
    pub const fn fetch_time(mut self, time: Duration) -> Self {
        self.fetch_time = time;
        self
    }

    /// Sets how long a server may be silent.
    #[must_use]
    pub const fn stall_time(mut self, time: Duration) -> Self {
        self.stall_time = time;
        self
    }

    /// Sets how many fetches there are at once.
    #[must_use]
    pub const fn concurrent(mut self, fetches: usize) -> Self {
        self.concurrent = fetches;
        self
    }
}
