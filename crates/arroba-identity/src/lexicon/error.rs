use crate::{
    ResolveError,
    cache::{Failure, GivenUp},
};
use arroba_core::{data::cbor::CborError, lexicon::SchemaError, repo::verify::VerifyError};
use arroba_net::{DnsError, FetchError};
use http::StatusCode;
use std::{error::Error, sync::Arc};
use thiserror::Error;

/// Why a lexicon did not resolve. Shared by all who asked at the same time.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum LexiconError {
    /// The name's authority is too long to be asked for in DNS.
    #[error("name has no domain that could be asked")]
    Domain,
    /// The domain says nothing of lexicons, or does not exist.
    #[error("domain names no DID")]
    NoAuthority,
    /// The domain names several DIDs.
    #[error("domain names several DIDs")]
    Ambiguous,
    /// No name server answers; trying again later may help.
    #[error("no answer from DNS")]
    Dns(#[source] Arc<DnsError>),
    /// The DID that the domain names does not resolve.
    #[error("authority does not resolve")]
    Did(#[source] ResolveError),
    /// The DID's document names no repository host.
    #[error("authority has no repository host")]
    NoHost,
    /// The DID's document has no signing key.
    #[error("authority has no signing key")]
    NoKey,
    /// The repository host could not be asked, or its answer is too long or not complete.
    #[error("repository host gives no record")]
    Fetch(#[source] Arc<FetchError>),
    /// The repository host answers with an error.
    #[error("repository host answers with status {0}")]
    Status(StatusCode),
    /// The answer is not signed by the authority, or does not hang together.
    #[error("repository host proves nothing")]
    Proof(#[source] VerifyError),
    /// It is proven that there is no such record.
    #[error("no such lexicon")]
    NotFound,
    /// The record is no data.
    #[error("record is malformed")]
    Data(#[source] CborError),
    /// The record is no lexicon of this name, or a document that breaks the rules of the language.
    #[error("record is no such lexicon")]
    Document(#[source] SchemaError),
    /// It refers, with what that refers to, to more lexicons than are fetched for one.
    #[error("too many lexicons are referred to")]
    TooMany,
    /// The whole way took too long; trying again later may help.
    #[error("resolution timed out")]
    Timeout,
    /// Too many resolutions are under way; trying again later helps.
    #[error("too many resolutions under way")]
    Overloaded,
    /// The resolution was broken off.
    #[error("resolution failed")]
    Internal(#[source] Arc<dyn Error + Send + Sync>),
}

impl LexiconError {
    /// Whether the question has been answered, with no. If not, nothing is known, and what was known stays.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Timeout | Self::Overloaded | Self::Internal(_) => false,
            Self::Did(error) => error.is_definite(),
            Self::Fetch(error) => {
                error.is_refusal()
                    || matches!(
                        **error,
                        FetchError::Dns(DnsError::NotFound)
                            | FetchError::TooLarge(_)
                            | FetchError::Redirect
                            | FetchError::TooManyRedirects(_)
                    )
            }
            Self::Status(status) => !status.is_server_error() && *status != StatusCode::TOO_MANY_REQUESTS,
            Self::Domain
            | Self::NoAuthority
            | Self::Ambiguous
            | Self::NoHost
            | Self::NoKey
            | Self::Proof(_)
            | Self::NotFound
            | Self::Data(_)
            | Self::Document(_)
            | Self::TooMany => true,
        }
    }
}

impl From<FetchError> for LexiconError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(Arc::new(error))
    }
}

impl Failure for LexiconError {
    fn is_definite(&self) -> bool {
        Self::is_definite(self)
    }

    fn given_up() -> Self {
        Self::Internal(Arc::new(GivenUp))
    }

    fn overloaded() -> Self {
        Self::Overloaded
    }
}
