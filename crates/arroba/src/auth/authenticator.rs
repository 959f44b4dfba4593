//! Who says whose request it is.

use std::fmt;
use std::sync::Arc;

use arroba_xrpc::Result;
use async_trait::async_trait;
use http::request::Parts;

use super::{Caller, Sessions};
use crate::host::RepoHost;

/// Says whose request it is, by what it shows.
///
/// One that knows a single secret is [`StaticToken`](super::StaticToken). A server with logins of its own implements this for them,
/// and hands it to [`HostRoutes::authenticator`](crate::HostRoutes::authenticator) or
/// [`PdsBuilder::authenticator`](crate::PdsBuilder::authenticator).
///
/// # Contract
/// 1. `Ok(Some(caller))` means proven: the credentials are genuine and hold now.
/// 2. `Ok(None)` means that the request shows nothing of this kind. Whoever is asked next may know it; if nobody does the answer is
///    401.
/// 3. What is of this kind and malformed, expired or forged is an error with the name that clients know.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Whose request has this head.
    async fn caller(&self, request: &Parts) -> Result<Option<Caller>>;
}

/// What the extractors need of the state: who decides.
#[derive(Clone)]
pub struct Authority {
    pub(super) sessions: Arc<dyn Sessions>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl Authority {
    /// Nobody has a login at `host`: only `authenticator` knows callers, if there is one.
    pub fn new(host: RepoHost, authenticator: Option<Arc<dyn Authenticator>>) -> Self {
        Self::with_sessions(Arc::new(super::sessions::NoSessions(host)), authenticator)
    }

    /// First `authenticator` is asked, then the logins of a server.
    pub(crate) fn with_sessions(
        sessions: Arc<dyn Sessions>,
        authenticator: Option<Arc<dyn Authenticator>>,
    ) -> Self {
        Self { sessions, authenticator }
    }

    /// Whose request this is, as far as the authenticator knows.
    pub(super) async fn known(&self, request: &Parts) -> Result<Option<Caller>> {
        match &self.authenticator {
            Some(authenticator) => authenticator.caller(request).await,
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Authority")
    }
}
