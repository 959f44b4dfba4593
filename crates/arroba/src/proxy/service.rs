//! A service that the operator has named.

use arroba_core::syntax::Did;
use url::Url;

use super::APP_VIEW;

/// A service with a fixed address, which is asked without a look at its DID document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyService {
    pub(super) url: Url,
    pub(super) did: Did,
    pub(super) id: String,
    pub(super) pictures: Option<String>,
}

impl ProxyService {
    /// The service `id` (such as `bsky_appview`, without `#`) of `did`, at `url`. The address may be in a private network;
    /// its path is of no account.
    pub fn new(url: Url, did: Did, id: impl Into<String>) -> Self {
        Self { url, did, id: id.into(), pictures: None }
    }

    /// An app view.
    pub fn app_view(url: Url, did: Did) -> Self {
        Self::new(url, did, APP_VIEW)
    }

    /// Where the service's clients find pictures, for posts that the service has not seen: an address with `%s` for the
    /// preset (`avatar`, `feed_thumbnail`), the account's DID and the picture's CID, in this order. The server's own
    /// `getBlob` unless this is called.
    #[must_use]
    pub fn pictures(mut self, pattern: impl Into<String>) -> Self {
        self.pictures = Some(pattern.into());
        self
    }

    /// The service's DID.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }
}
