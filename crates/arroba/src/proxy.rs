//! Forwarding calls to other services: which, to whom, as whom.
//!
//! A method that the server does not serve itself goes to the service that the caller names in the `atproto-proxy`
//! header, or else to the one that the operator has named for the method's prefix. It goes with a token that is signed
//! by the caller's own key, for this one method and this one service. What the caller has just written and the
//! service does not know yet is put into some answers: see [`read_after_write`](crate::read_after_write).
//!
//! Spec: <https://atproto.com/specs/xrpc#service-proxying>

mod call;
mod choose;
mod elsewhere;
mod feed;
mod permit;
mod push;
mod route;
mod service;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arroba_core::syntax::{Did, Nsid};
use arroba_net::{Dns, FetchError, Guard, GuardedClient, SystemDns};
use arroba_xrpc::{Forwarder, ProxyLimits};
use moka::sync::Cache;
use serde_json::Value;
use tokio::sync::Semaphore;

pub(crate) use self::call::Call;
pub(crate) use self::elsewhere::records as records_elsewhere;
pub(crate) use self::route::router;
pub use self::service::ProxyService;

use crate::host::{HostError, RepoHost};
use crate::read_after_write::{LocalWrites, Patch};

/// The id of app views in DID documents.
const APP_VIEW: &str = "bsky_appview";
/// How many answers are looked into at once.
const PATCHES: usize = 16;
/// How long the token of a forwarded call is good for, in seconds.
const TOKEN_SECONDS: u64 = 60;

/// Which calls are forwarded to whom; a part of a server.
///
/// ```no_run
/// use arroba::proxy::{Proxy, ProxyService};
/// # fn example(host: &arroba::RepoHost) -> Result<(), Box<dyn std::error::Error>> {
/// let app_view = ProxyService::app_view("https://api.bsky.app".parse()?, &"did:web:api.bsky.app".parse()?);
/// let proxy = Proxy::builder().proxy("app.bsky", app_view).build(host)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    host: RepoHost,
    services: Vec<(String, ProxyService)>,
    /// For services that the operator has named.
    configured: Forwarder,
    /// For services that callers name.
    chosen: Forwarder,
    patches: HashMap<Nsid, Patch>,
    /// Answers that are looked into at once.
    patching: Semaphore,
    /// The DIDs of feeds by their records' addresses.
    feeds: Cache<String, Did>,
}

/// Puts a [`Proxy`] together.
#[derive(Clone, Default)]
#[must_use]
pub struct ProxyBuilder {
    services: Vec<(String, ProxyService)>,
    limits: ProxyLimits,
    patches: HashMap<Nsid, Patch>,
    dns: Option<Arc<dyn Dns>>,
}

impl Proxy {
    /// Begins with no service: only calls with an `atproto-proxy` header are forwarded.
    pub fn builder() -> ProxyBuilder {
        ProxyBuilder::default()
    }
}

impl ProxyBuilder {
    /// Forwards the methods under `prefix` (`app.bsky`, or a whole name, or nothing for all that nobody else takes) to
    /// `service`. The longest prefix decides; methods that the server serves itself are never forwarded.
    pub fn proxy(mut self, prefix: impl Into<String>, service: ProxyService) -> Self {
        self.services.push((prefix.into(), service));
        self
    }

    /// Changes the answers of `method` when the service has not seen the caller's newest writes, in place of what is
    /// done by itself for methods of `app.bsky`. `patch` is given the answer's JSON and says whether it changed it.
    pub fn read_after_write(
        mut self,
        method: Nsid,
        patch: impl Fn(&mut Value, &LocalWrites) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.patches.insert(method, Patch::own(patch));
        self
    }

    /// What a forwarded call may cost.
    pub const fn limits(mut self, limits: ProxyLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How the names of the operator's services are resolved; by the machine's name servers unless this is called.
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.dns = Some(dns);
        self
    }

    /// The proxy of a host. Services that callers name are asked with the client of the host's resolver, which does not
    /// reach into private networks.
    ///
    /// # Errors
    ///
    /// [`HostError::Network`] if there are no name servers or no TLS.
    pub fn build(self, host: &RepoHost) -> Result<Proxy, HostError> {
        let dns = match self.dns {
            Some(dns) => dns,
            None => Arc::new(SystemDns::new().map_err(|error| HostError::Network(error.into()))?),
        };
        let client = GuardedClient::new(Guard::Configured, dns);
        let client = client.map_err(|error: FetchError| HostError::Network(error.into()))?;
        let mut services = self.services;
        services.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Proxy(Arc::new(Inner {
            host: host.clone(),
            services,
            configured: Forwarder::new(client, self.limits),
            chosen: Forwarder::new(host.resolver().client().clone(), self.limits),
            patches: self.patches,
            patching: Semaphore::new(PATCHES),
            feeds: Cache::builder().max_capacity(1000).time_to_live(Duration::from_secs(600)).build(),
        })))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("services", &self.0.services).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBuilder").field("services", &self.services).finish_non_exhaustive()
    }
}
