//! Why a remote blob cannot be used.

use std::time::Duration;

use arroba_net::FetchError;
use arroba_store::{ApplyError, StoreError};
use http::StatusCode;

/// Why a remote blob was not fetched or may not be used. None of them leaves anything half known: either what was known before still
/// holds, or the blob is inactive, or all of the new content counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteBlobError {
    /// It is no URL that anything could be fetched from.
    #[error("the blob's url is malformed")]
    Url(#[source] url::ParseError),
    /// The URL is longer than [`MAX_URL_BYTES`](super::MAX_URL_BYTES).
    #[error("the blob's url has {0} bytes")]
    UrlLength(usize),
    /// It is known to be gone; it is asked for again only when content is given.
    #[error("the blob is inactive")]
    Inactive,
    /// Its server says that it is gone, or not for us (status 4xx). It is inactive from now on.
    #[error("the blob is gone: its server answered {0}")]
    Gone(StatusCode),
    /// Its server failed. If it was never fetched, it is inactive from now on.
    #[error("failed to fetch the blob: its server answered {0}")]
    Status(StatusCode),
    /// Its server cannot be reached or must not be, or broke off. If it was never fetched, it is inactive from now on.
    #[error("failed to fetch the blob")]
    Fetch(#[source] FetchError),
    /// Its server was silent for longer than [`stall_time`](super::RemoteBlobLimits::stall_time).
    #[error("failed to fetch the blob: its server fell silent")]
    Stalled,
    /// The content is of another kind than the type that its server gave: a video that is called an image, for example.
    #[error("the blob is called {mime_type}, and is something else")]
    WrongType {
        /// What it was called.
        mime_type: String,
    },
    /// It is larger than the host allows.
    #[error("the blob has {size} bytes or more, and {limit} are allowed")]
    TooLarge {
        /// How many bytes it has, as far as they were counted.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// It is larger than the field of the lexicon allows.
    #[error("the blob has {size} bytes, and {name} takes {max_size}")]
    OverMaxSize {
        /// The field.
        name: String,
        /// How many bytes it has.
        size: u64,
        /// How many the field takes.
        max_size: u64,
    },
    /// It is of a type that the field of the lexicon does not take.
    #[error("the blob is {mime_type}, and {name} takes {accept:?}")]
    NotAccepted {
        /// The field.
        name: String,
        /// The blob's type.
        mime_type: String,
        /// What the field takes.
        accept: Vec<String>,
    },
    /// The video or sound is longer than the host allows.
    #[error("the blob lasts {duration:?}, and {limit:?} are allowed")]
    TooLong {
        /// How long it lasts.
        duration: Duration,
        /// How long it may.
        limit: Duration,
    },
    /// The content could not be put aside.
    #[error("the blob could not be spooled")]
    Spool(#[source] std::io::Error),
    /// The account does not exist, or the store failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
