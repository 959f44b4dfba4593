//! One token for everything.

use std::io;
use std::path::Path;

use arroba_xrpc::{Result, XrpcError};
use async_trait::async_trait;
use http::StatusCode;
use http::request::Parts;

use super::credentials::Credentials;
use super::{Authenticator, Caller, SecretDigest};

/// Knows one Bearer token, and whoever shows it may write to every repo.
///
/// Without a token every write is answered 501, so that a server which was not set up for it says so.
#[derive(Clone, Debug)]
pub struct StaticToken(Option<SecretDigest>);

impl StaticToken {
    /// The token; an empty one counts as [`unset`](Self::unset).
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self((!token.is_empty()).then(|| SecretDigest::of(token)))
    }

    /// No token: nobody may write, and is told why.
    #[must_use]
    pub const fn unset() -> Self {
        Self(None)
    }

    /// The token in the variable `REPO_TOKEN`, else in the file `repo_token` of the working directory, else none.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn from_env() -> io::Result<Self> {
        let token = crate::config::variable_or_file("REPO_TOKEN", Path::new("repo_token"))?;
        Ok(token.map_or(Self::unset(), |token| Self::new(&token)))
    }
}

#[async_trait]
impl Authenticator for StaticToken {
    async fn caller(&self, request: &Parts) -> Result<Option<Caller>> {
        let Some(expected) = &self.0 else {
            return Err(XrpcError::new(
                StatusCode::NOT_IMPLEMENTED,
                "MethodNotImplemented",
                "Methods that need authentication are off here: no REPO_TOKEN is set",
            ));
        };
        Ok(match Credentials::of(&request.headers)? {
            Credentials::Bearer(token) if expected.matches(token) => Some(Caller::everything()),
            _ => None,
        })
    }
}
