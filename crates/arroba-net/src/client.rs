use crate::{
    Dns, DnsError, FetchError, Guard, Request, RequestBody, Response,
    progress::{Progress, SendingFailed},
};
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{AUTHORIZATION, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::time::{Instant, sleep_until};
use url::Url;

const USER_AGENT: &str = concat!("arroba/", env!("CARGO_PKG_VERSION"));
const MAX_URL_CHARS: usize = 8 * 1024;

/// An HTTP client for targets that someone else chooses.
///
/// # Contract
/// 1. Every connection goes to an address that [`Guard`] allows, and to the very address that was checked: the
///    check sits between name resolution and connecting, on the first request and on each redirect.
/// 2. Every answer ends within the request's [`Limits`](crate::Limits).
/// 3. No cookies, no stored credentials, no proxy from the environment, no automatic retries.
#[derive(Clone)]
pub struct GuardedClient {
    guard: Guard,
    decompressing: reqwest::Client,
    raw: reqwest::Client,
}

impl GuardedClient {
    /// Makes a client.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when TLS cannot be set up, for want of root certificates for example.
    pub fn new(guard: Guard, dns: Arc<dyn Dns>) -> Result<Self, FetchError> {
        let resolver = Arc::new(GuardedResolver { guard, dns });
        let client = |gzip| {
            reqwest::Client::builder()
                .dns_resolver(Arc::clone(&resolver))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .gzip(gzip)
                .connect_timeout(Duration::from_secs(5))
                .pool_idle_timeout(Duration::from_secs(30))
                // What is asked again and again is what the operator has named.
                .pool_max_idle_per_host(if guard == Guard::Configured { 64 } else { 4 })
                .user_agent(USER_AGENT)
                .build()
                .map_err(FetchError::Transport)
        };
        Ok(Self { guard, decompressing: client(true)?, raw: client(false)? })
    }

    /// What may be reached.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        self.guard
    }

    /// Sends a request and returns when the answer's headers have arrived.
    ///
    /// Redirects are followed for GET and HEAD only; on others the redirect itself is the answer.
    ///
    /// # Errors
    /// [`FetchError`]; a status of any kind is an answer, not an error.
    pub async fn send(&self, request: Request) -> Result<Response, FetchError> {
        let now = Instant::now();
        let deadline = after(now, request.limits.total);
        let progress = Progress::new(now);
        let silence = progress.silence(request.limits.headers);
        tokio::select! {
            biased;
            response = self.follow(request, deadline, &progress) => response,
            () = silence => Err(FetchError::Timeout),
            () = sleep_until(deadline) => Err(FetchError::Timeout),
        }
    }

    async fn follow(
        &self,
        request: Request,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Response, FetchError> {
        let Request { method, mut url, mut headers, mut body, limits, decompress } = request;
        let client = if decompress { &self.decompressing } else { &self.raw };
        let redirects = if method == Method::GET || method == Method::HEAD { limits.redirects } else { 0 };
        // The name in the URL is the one that was resolved and checked.
        headers.remove(HOST);
        let mut hops = 0;
        loop {
            if url.as_str().len() > MAX_URL_CHARS {
                return Err(FetchError::UrlLength);
            }
            self.guard.check(&url)?;
            let mut hop = client.request(method.clone(), url.clone()).headers(headers.clone());
            match std::mem::take(&mut body) {
                RequestBody::Empty => {}
                RequestBody::Bytes(bytes) => hop = hop.body(bytes),
                RequestBody::Stream(stream) => hop = hop.body(progress.follow(stream)),
            }
            let response = hop.send().await.map_err(transport_error)?;
            if redirects == 0 || !is_redirect(response.status()) {
                return Response::new(response, url, limits, deadline);
            }
            if hops == redirects {
                return Err(FetchError::TooManyRedirects(redirects));
            }
            hops += 1;
            let next = location(&url, response.headers())?;
            if next.origin() != url.origin() {
                for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HeaderName::from_static("dpop")] {
                    headers.remove(name);
                }
            }
            url = next;
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn location(base: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or(FetchError::Redirect)?;
    base.join(location).map_err(FetchError::Url)
}

impl fmt::Debug for GuardedClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GuardedClient").field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// Sits between name resolution and the connection, which is made to one of the addresses given back here.
struct GuardedResolver {
    guard: Guard,
    dns: Arc<dyn Dns>,
}

#[derive(Debug, Error)]
enum ResolveError {
    #[error("address {0} is not public")]
    Forbidden(IpAddr),
    #[error("name resolution failed")]
    Dns(#[source] DnsError),
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard;
        let dns = Arc::clone(&self.dns);
        Box::pin(async move {
            let all = dns.addresses(name.as_str()).await.map_err(ResolveError::Dns)?;
            let allowed: Vec<SocketAddr> = all
                .iter()
                .filter(|address| guard.allows(**address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            match all.first() {
                Some(address) if allowed.is_empty() => Err(ResolveError::Forbidden(*address).into()),
                None => Err(ResolveError::Dns(DnsError::NotFound).into()),
                Some(_) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// So long after `start`, or as long as a clock can tell.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    start + time.min(YEAR)
}

/// Finds our own refusal inside of what the HTTP client made of it.
fn transport_error(error: reqwest::Error) -> FetchError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = source {
        if inner.is::<SendingFailed>() {
            return FetchError::Sending(error);
        }
        match inner.downcast_ref::<ResolveError>() {
            Some(ResolveError::Forbidden(address)) => return FetchError::Forbidden(*address),
            Some(ResolveError::Dns(DnsError::NotFound)) => return FetchError::Dns(DnsError::NotFound),
            Some(ResolveError::Dns(DnsError::Failed(_))) => {
                return FetchError::Dns(DnsError::Failed(Box::new(error)));
            }
            None => source = inner.source(),
        }
    }
    if error.is_timeout() { FetchError::Timeout } else { FetchError::Transport(error) }
}
