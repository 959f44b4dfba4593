//! What a host serves to requests from outside, beyond what the protocol demands.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use arroba_core::syntax::Nsid;

use crate::auth::SecretDigest;

/// What a host serves to requests from outside. Whoever holds the host is not bound by it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HostPolicies {
    /// The records that are written and read through methods.
    pub collections: Collections,
    /// Who may export whole repos.
    pub exports: Exports,
}

/// The records that are written and read through methods: `createRecord` and its like, `getRecord`, `listRecords`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Collections {
    /// Those of every collection.
    #[default]
    All,
    /// Those of these collections. Others cannot be written or read, and are listed as if there were none.
    Only(BTreeSet<Nsid>),
}

impl Collections {
    /// Only these collections.
    pub fn only(collections: impl IntoIterator<Item = Nsid>) -> Self {
        Self::Only(collections.into_iter().collect())
    }

    /// Whether records of this collection are served.
    #[must_use]
    pub fn has(&self, collection: &Nsid) -> bool {
        match self {
            Self::All => true,
            Self::Only(collections) => collections.contains(collection),
        }
    }
}

/// Who may export whole repos (`getRepo`, `getCheckout`). An account's owner and the operator always may.
#[derive(Clone, Debug, Default)]
pub enum Exports {
    /// Everybody, at any time.
    #[default]
    Open,
    /// Everybody soon after a repo's creation, so that relays take up a new one; then only who shows a token.
    Restricted(RestrictedExports),
}

/// When exports are not for everybody.
#[derive(Clone)]
pub struct RestrictedExports {
    /// How long after its creation a repo can be exported by everybody.
    first: Duration,
    /// The Bearer token by which others may.
    token: Option<SecretDigest>,
}

impl RestrictedExports {
    /// How long a new repo can be exported unless [`first`](Self::first) says otherwise: twelve hours.
    pub const FIRST: Duration = Duration::from_secs(12 * 60 * 60);

    /// For everybody in a repo's first twelve hours, then for nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: Self::FIRST, token: None }
    }

    /// For everybody for this long after a repo's creation.
    #[must_use]
    pub const fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// At any time for who shows this Bearer token. An empty one is none.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = (!token.is_empty()).then(|| SecretDigest::of(token));
        self
    }

    /// Whether this Bearer token opens every repo.
    pub(crate) fn opened_by(&self, shown: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.matches(shown))
    }

    /// Whether a repo made at `created` may be exported by everybody at `now`, both in microseconds.
    pub(crate) fn is_new(&self, created: u64, now: u64) -> bool {
        u128::from(now.saturating_sub(created)) <= self.first.as_micros()
    }

    /// How long a new repo can be exported by everybody.
    #[must_use]
    pub const fn first_for(&self) -> Duration {
        self.first
    }
}

impl Default for RestrictedExports {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RestrictedExports {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RestrictedExports").field("first", &self.first).finish_non_exhaustive()
    }
}
