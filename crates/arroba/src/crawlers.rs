//! Asking relays to come and read: `com.atproto.sync.requestCrawl`.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use url::Url;

/// The relays that are told when there is something new, and how often.
///
/// Telling is never on the path of a write: a task watches the event log and does it. The first event after a pause is told at
/// once; while more follow, relays are told again once per interval, also after the last one.
#[derive(Clone, Debug)]
pub struct Crawlers {
    services: Vec<Url>,
    interval: Duration,
    timeout: Duration,
}

impl Crawlers {
    /// The relays at `services`, told at most every 20 minutes.
    pub fn new(services: impl IntoIterator<Item = Url>) -> Self {
        Self {
            services: services.into_iter().collect(),
            interval: Duration::from_secs(20 * 60),
            timeout: Duration::from_secs(10),
        }
    }

    /// Tells them at most once per `interval`.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Whether there is nobody to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Tells the relays about `hostname` whenever `tail` has moved, for ever.
    pub(crate) async fn run(self, hostname: String, mut tail: watch::Receiver<u64>) {
        let client = match reqwest::Client::builder().timeout(self.timeout).build() {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "relays will not be told of events: no HTTP client"),
        };
        // What was written shortly before the last stop may not have been told.
        tail.mark_changed();
        while tail.changed().await.is_ok() {
            let requests = self.services.iter().map(|service| request_crawl(&client, service, &hostname));
            futures::future::join_all(requests).await;
            tokio::time::sleep(self.interval).await;
        }
    }
}

async fn request_crawl(client: &reqwest::Client, service: &Url, hostname: &str) {
    let url = match service.join("/xrpc/com.atproto.sync.requestCrawl") {
        Ok(url) => url,
        Err(error) => return tracing::warn!(%service, %error, "the relay's address is not usable"),
    };
    match client.post(url).json(&json!({ "hostname": hostname })).send().await {
        Ok(response) if response.status().is_success() => {
            tracing::debug!(%service, "asked the relay to crawl")
        }
        Ok(response) => tracing::warn!(%service, status = %response.status(), "the relay refused to crawl"),
        Err(error) => tracing::warn!(%service, %error, "could not reach the relay"),
    }
}
