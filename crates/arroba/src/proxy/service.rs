//! A service that the operator has named.

use arroba_core::syntax::{Did, DidService};
use url::Url;

use super::APP_VIEW;

/// A service with a fixed address, which is asked without a look at its DID document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyService {
    pub(super) url: Url,
    pub(super) service: DidService,
    pub(super) pictures: Option<String>,
}

impl ProxyService {
    /// A service at `url`. The address may be in a private network; its path is of no account.
    #[must_use]
    pub const fn new(url: Url, service: DidService) -> Self {
        Self { url, service, pictures: None }
    }

    /// An app view.
    #[must_use]
    pub fn app_view(url: Url, did: &Did) -> Self {
        Self::new(url, DidService::new(did, APP_VIEW).expect("a DID and letters are a service"))
    }

    /// Where the service's clients find pictures, for posts that the service has not seen: an address with `%s` for the
    /// preset (`avatar`, `feed_thumbnail`), the account's DID and the picture's CID, in this order. The server's own
    /// `getBlob` unless this is called.
    #[must_use]
    pub fn pictures(mut self, pattern: impl Into<String>) -> Self {
        self.pictures = Some(pattern.into());
        self
    }

    /// The service's name.
    #[must_use]
    pub const fn service(&self) -> &DidService {
        &self.service
    }
}
