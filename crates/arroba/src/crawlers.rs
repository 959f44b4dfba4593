//! Asking relays to come and read: `com.atproto.sync.requestCrawl`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arroba_lexicons::com_atproto::sync::request_crawl::{Input, RequestCrawl};
use arroba_net::{Dns, Guard, GuardedClient, Limits, SystemDns};
use arroba_xrpc::{CallError, Client};
use tokio::sync::watch;
use url::Url;

use crate::host::{HostError, RepoHost};

/// The relays that are told when there is something new, and how often.
///
/// Telling is never on the path of a write: a task watches the event log and does it. The first event after a pause is told at
/// once; while more follow, relays are told again once per interval, also after the last one.
#[derive(Clone, Debug)]
pub struct Crawlers {
    services: Vec<Url>,
    interval: Duration,
    dns: Option<Arc<dyn Dns>>,
}

/// What came of asking one relay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Crawled {
    /// The relay.
    pub relay: Url,
    /// Whether it will come, or why not.
    pub result: Result<(), CallError>,
}

/// Relays were asked a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("relays were asked a moment ago, they may be asked again in {} seconds", wait.as_secs() + 1)]
pub struct AskedJustNow {
    /// How long until they may be asked again.
    pub wait: Duration,
}

/// Whoever is asked more often may ban the host that asks.
const PAUSE: Duration = Duration::from_secs(60);
/// How long one relay may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Crawlers {
    /// The relays at `services`, told at most every 20 minutes.
    pub fn new(services: impl IntoIterator<Item = Url>) -> Self {
        Self { services: services.into_iter().collect(), interval: Duration::from_secs(20 * 60), dns: None }
    }

    /// Tells them at most once per `interval`.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How the relays' names are resolved; by the machine's name servers unless this is called.
    #[must_use]
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.dns = Some(dns);
        self
    }

    /// Whether there is nobody to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Makes them ready to be told about `hostname`; nothing if there is nobody to tell. `dns` is for those that were given none.
    pub(crate) fn ready(
        self,
        hostname: &str,
        dns: Option<Arc<dyn Dns>>,
    ) -> Result<Option<Arc<Crawling>>, HostError> {
        if self.is_empty() {
            return Ok(None);
        }
        let dns = match self.dns.or(dns) {
            Some(dns) => dns,
            None => Arc::new(SystemDns::new().map_err(|error| HostError::Network(error.into()))?),
        };
        // The operator has named them, and they may be in a private network.
        let http = GuardedClient::new(Guard::Configured, dns);
        let http = http.map_err(|error| HostError::Network(error.into()))?;
        let relays = self.services.into_iter().map(|relay| {
            let client = Client::new(http.clone(), relay.clone()).limits(Limits::default().total(PATIENCE));
            (relay, client)
        });
        Ok(Some(Arc::new(Crawling {
            relays: relays.collect(),
            interval: self.interval,
            hostname: hostname.to_owned(),
            asked: Mutex::new(None),
        })))
    }
}

/// Relays that can be told.
#[derive(Debug)]
pub(crate) struct Crawling {
    relays: Vec<(Url, Client)>,
    interval: Duration,
    hostname: String,
    /// When somebody last had them asked.
    asked: Mutex<Option<Instant>>,
}

impl Crawling {
    /// Tells the relays whenever `tail` has moved, for ever.
    pub(crate) async fn run(self: Arc<Self>, mut tail: watch::Receiver<u64>) {
        // What was written shortly before the last stop may not have been told.
        tail.mark_changed();
        while tail.changed().await.is_ok() {
            for Crawled { relay, result } in self.tell().await {
                match result {
                    Ok(()) => tracing::debug!(%relay, "asked the relay to crawl"),
                    Err(error) => tracing::warn!(%relay, %error, "the relay will not crawl"),
                }
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn tell(&self) -> Vec<Crawled> {
        let input = Input { hostname: self.hostname.clone() };
        let asked = self.relays.iter().map(|(relay, client)| {
            let input = &input;
            async move { Crawled { relay: relay.clone(), result: ask(client, input).await } }
        });
        futures::future::join_all(asked).await
    }

    fn may_ask(&self) -> Result<(), AskedJustNow> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.and_then(|at| PAUSE.checked_sub(at.elapsed())) {
            Some(wait) if !wait.is_zero() => Err(AskedJustNow { wait }),
            _ => {
                *asked = Some(Instant::now());
                Ok(())
            }
        }
    }
}

async fn ask(client: &Client, input: &Input) -> Result<(), CallError> {
    client.procedure::<RequestCrawl>(input).await.map(|_| ())
}

impl RepoHost {
    /// Asks every relay now to come and read, and says what came of it. The host does so by itself when there are events;
    /// this is for an operator who does not want to wait.
    ///
    /// # Errors
    ///
    /// [`AskedJustNow`] within a minute of the last time.
    pub async fn request_crawl(&self) -> Result<Vec<Crawled>, AskedJustNow> {
        let Some(crawling) = self.crawling() else { return Ok(Vec::new()) };
        crawling.may_ask()?;
        Ok(crawling.tell().await)
    }
}
