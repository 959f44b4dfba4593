//! A caller: which repos, and which permissions.

use arroba_core::scopes::{InsufficientScope, Permission, Scopes};
use arroba_core::syntax::Did;
use arroba_xrpc::{Result, XrpcError};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};

/// Whose request it is, as an [`Authenticator`](super::Authenticator) proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Which repos it may write to.
    pub repos: Repos,
    /// What it may do there; [`Scopes::ALL`] for everything.
    pub scopes: Scopes,
}

/// Which repos a caller may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repos {
    /// Every repo of the host: the caller stands for the operator.
    All,
    /// Its own.
    One(Did),
}

impl Caller {
    /// A caller who may do everything in every repo.
    #[must_use]
    pub const fn everything() -> Self {
        Self { repos: Repos::All, scopes: Scopes::ALL }
    }

    /// A caller who may do everything in its own repo.
    #[must_use]
    pub const fn owner(did: Did) -> Self {
        Self { repos: Repos::One(did), scopes: Scopes::ALL }
    }

    /// The same with these scopes only.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// The one repo that the caller may write to; `None` if that is every repo.
    #[must_use]
    pub const fn did(&self) -> Option<&Did> {
        match &self.repos {
            Repos::All => None,
            Repos::One(did) => Some(did),
        }
    }

    /// Whether the caller may write to the repo of `did`.
    #[must_use]
    pub fn owns(&self, did: &Did) -> bool {
        self.did().is_none_or(|own| own == did)
    }

    /// Demands that the caller's scopes allow this.
    ///
    /// # Errors
    /// 403 `insufficient_scope`, with the scope that is missing.
    pub fn demand(&self, permission: &Permission) -> Result<()> {
        demand(&self.scopes, permission)
    }

    /// By what the caller's writes are counted.
    pub(crate) fn rate_key(&self) -> &str {
        self.did().map_or("*", Did::as_str)
    }
}

/// Demands that scopes allow something.
pub(super) fn demand(scopes: &Scopes, permission: &Permission) -> Result<()> {
    scopes.check(permission).map_err(|refused| insufficient(&refused))
}

/// The answer to a caller whose scopes do not allow something.
fn insufficient(refused: &InsufficientScope) -> XrpcError {
    let message = format!("Missing scope {}", refused.missing());
    let error = XrpcError::new(StatusCode::FORBIDDEN, InsufficientScope::NAME, message);
    match HeaderValue::try_from(refused.www_authenticate()) {
        Ok(challenge) => error.with_header(WWW_AUTHENTICATE, challenge),
        // Scopes are of printable ASCII.
        Err(_) => error,
    }
}
