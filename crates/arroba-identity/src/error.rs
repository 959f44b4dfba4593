use crate::{DocumentError, plc::PlcError};
use arroba_net::FetchError;
use std::sync::Arc;
use thiserror::Error;

type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a DID or handle did not resolve. Shared by all who asked at the same time.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The DID's method is neither `plc` nor `web`, or its form is none of the method's.
    #[error("DID of an unsupported method or form")]
    UnsupportedDid,
    /// The handle, or the host of a did:web, lies under a domain that can never resolve, or at an address that
    /// may not be reached.
    #[error("domain is not allowed")]
    Disallowed,
    /// There is no such identity.
    #[error("not found")]
    NotFound,
    /// The identity was ended by its owner.
    #[error("identity is tombstoned")]
    Tombstoned,
    /// The handle's domain names several DIDs.
    #[error("handle names several DIDs")]
    Ambiguous,
    /// The answer is not an answer to the question.
    #[error("malformed answer")]
    Malformed(#[source] Source),
    /// No answer; trying again later may help.
    #[error("no answer")]
    Unavailable(#[source] Source),
    /// Too many questions are open; trying again later helps.
    #[error("too many resolutions under way")]
    Overloaded,
}

impl ResolveError {
    /// Whether the question has been answered, with no. If not, nothing is known, and what was known stays.
    #[must_use]
    pub const fn is_definite(&self) -> bool {
        !matches!(self, Self::Unavailable(_) | Self::Overloaded)
    }

    pub(crate) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(error))
    }

    pub(crate) fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Malformed(Arc::new(error))
    }
}

impl From<PlcError> for ResolveError {
    fn from(error: PlcError) -> Self {
        match error {
            PlcError::NotFound => Self::NotFound,
            PlcError::Tombstoned => Self::Tombstoned,
            PlcError::Rejected { .. } | PlcError::Malformed(_) => Self::malformed(error),
            PlcError::Conflict | PlcError::Unavailable(_) => Self::unavailable(error),
        }
    }
}

impl From<DocumentError> for ResolveError {
    fn from(error: DocumentError) -> Self {
        Self::malformed(error)
    }
}

impl From<FetchError> for ResolveError {
    fn from(error: FetchError) -> Self {
        match error {
            error if error.is_refusal() => Self::Disallowed,
            FetchError::Dns(arroba_net::DnsError::NotFound) => Self::NotFound,
            FetchError::TooLarge(_) | FetchError::Redirect | FetchError::TooManyRedirects(_) => {
                Self::malformed(error)
            }
            error => Self::unavailable(error),
        }
    }
}
