use crate::ResolveError;
use arroba_core::syntax::{Did, Handle};
use arroba_net::{Dns, DnsError, Guard, GuardedClient, Limits, Request, Url};
use futures::future::{Either, select};
use http::StatusCode;
use std::{pin::pin, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::time::timeout;

const DNS_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY_BYTES: u64 = 2048;

/// With `_atproto.` before it a longer handle is no domain name any more.
const MAX_DNS_CHARS: usize = 253 - "_atproto.".len();

/// Whether a handle lies under a domain that may resolve at all; under `.test` only in development.
pub(crate) fn is_allowed(handle: &Handle, guard: Guard) -> bool {
    !handle.is_disallowed_domain() && (guard == Guard::AllowLoopback || handle.top_level_domain() != "test")
}

#[derive(Debug, Error)]
enum LookupError {
    #[error("name server does not answer")]
    Timeout,
    #[error("status {0}")]
    Status(StatusCode),
}

/// Asks the domain of a handle for its DID: by DNS and by HTTPS, at the same time. Nothing is cached, and nothing
/// says that the DID's document claims the handle.
///
/// Spec: <https://atproto.com/specs/handle#handle-resolution>
#[derive(Debug, Clone)]
pub struct HandleResolver {
    client: GuardedClient,
    dns: Arc<dyn Dns>,
    development_port: u16,
}

impl HandleResolver {
    /// A resolver over these.
    #[must_use]
    pub fn new(client: GuardedClient, dns: Arc<dyn Dns>) -> Self {
        Self { client, dns, development_port: 80 }
    }

    /// Which port is asked by `http` in development, where `.test` handles resolve too. It changes nothing
    /// with a client that keeps to the public internet.
    #[must_use]
    pub const fn development_port(mut self, port: u16) -> Self {
        self.development_port = port;
        self
    }

    /// The DID that the handle's domain names. Where DNS and HTTPS differ, DNS is right.
    ///
    /// # Errors
    /// [`ResolveError`]; it is definite only if both ways have given a definite answer.
    pub async fn resolve(&self, handle: &Handle) -> Result<Did, ResolveError> {
        if !is_allowed(handle, self.client.guard()) {
            return Err(ResolveError::Disallowed);
        }
        let by_dns = pin!(self.by_dns(handle));
        let by_https = pin!(self.by_https(handle));
        let (by_dns, by_https) = match select(by_dns, by_https).await {
            Either::Left((by_dns @ (Ok(_) | Err(ResolveError::Ambiguous)), _)) => return by_dns,
            Either::Left((by_dns, by_https)) => (by_dns, by_https.await),
            Either::Right((by_https, by_dns)) => (by_dns.await, by_https),
        };
        match (by_dns, by_https) {
            (found @ (Ok(_) | Err(ResolveError::Ambiguous)), _) | (Err(_), found @ Ok(_)) => found,
            (Err(by_dns), Err(_)) if !by_dns.is_definite() => Err(by_dns),
            (Err(_), by_https) => by_https,
        }
    }

    async fn by_dns(&self, handle: &Handle) -> Result<Did, ResolveError> {
        if handle.as_str().len() > MAX_DNS_CHARS {
            return Err(ResolveError::NotFound);
        }
        let name = format!("_atproto.{handle}");
        let texts = match timeout(DNS_TIMEOUT, self.dns.txt(&name)).await {
            Ok(Ok(texts)) => texts,
            Ok(Err(DnsError::NotFound)) => return Err(ResolveError::NotFound),
            Ok(Err(error)) => return Err(ResolveError::unavailable(error)),
            Err(_) => return Err(ResolveError::unavailable(LookupError::Timeout)),
        };
        let mut dids = texts.iter().filter_map(|text| Did::parse(text.strip_prefix("did=")?).ok());
        let first = dids.next().ok_or(ResolveError::NotFound)?;
        if dids.all(|other| other == first) { Ok(first) } else { Err(ResolveError::Ambiguous) }
    }

    async fn by_https(&self, handle: &Handle) -> Result<Did, ResolveError> {
        let origin = match self.client.guard() {
            Guard::Public | Guard::Configured => format!("https://{handle}"),
            Guard::AllowLoopback => format!("http://{handle}:{}", self.development_port),
        };
        let url = Url::parse(&format!("{origin}/.well-known/atproto-did"));
        let url = url.map_err(|_| ResolveError::Disallowed)?;
        let limits = Limits::default().total(Duration::from_secs(5)).body_bytes(MAX_BODY_BYTES);
        let response = self.client.send(Request::get(url).limits(limits)).await?;
        match response.status {
            status if status.is_success() => {
                let body = response.bytes().await?;
                // Many sites answer every path with a page: that is no DID, and no mistake.
                let text = std::str::from_utf8(&body).map_err(|_| ResolveError::NotFound)?;
                Did::parse(text.trim_ascii()).map_err(|_| ResolveError::NotFound)
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(ResolveError::unavailable(LookupError::Status(status)))
            }
            _ => Err(ResolveError::NotFound),
        }
    }
}
