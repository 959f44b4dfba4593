//! `arroba relay`.

use crate::{cli::Relay, configuration, output};
use anyhow::{Context, bail};
use arroba::lexicons::com_atproto::sync::request_crawl::{Input, RequestCrawl};
use arroba::xrpc::Client;
use arroba_net::{Guard, GuardedClient, Limits, SystemDns};
use std::{process::ExitCode, sync::Arc, time::Duration};
use url::Url;

pub(crate) async fn run(command: Relay) -> anyhow::Result<ExitCode> {
    let Relay::RequestCrawl { relays, hostname, config } = command;
    let (relays, hostname) = match hostname {
        Some(hostname) => (addresses(&relays)?, hostname),
        None => {
            let config = configuration::load(config.as_deref())?.config;
            let relays = if relays.is_empty() { config.crawlers.clone() } else { addresses(&relays)? };
            // Relays know a development server by its port too.
            let url = config.public_url();
            let hostname = url.strip_prefix("http://").map_or(config.hostname, str::to_owned);
            (relays, hostname)
        }
    };
    if relays.is_empty() {
        bail!("name a relay, such as https://bsky.network, or set PDS_CRAWLERS");
    }
    // Whoever runs this names the relays, and they may be in a private network.
    let http = GuardedClient::new(Guard::Configured, Arc::new(SystemDns::new()?))?;
    let input = Input { hostname };
    let mut failed = false;
    for relay in relays {
        let client = Client::new(http.clone(), relay.clone());
        let client = client.limits(Limits::default().total(Duration::from_secs(30)));
        match client.procedure::<RequestCrawl>(&input).await {
            Ok(_) => output::line(format!("{relay} will crawl {}", input.hostname))?,
            Err(error) => {
                failed = true;
                output::report(&anyhow::Error::new(error).context(format!("asking {relay}")));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn addresses(relays: &[String]) -> anyhow::Result<Vec<Url>> {
    let parse = |relay: &String| {
        // A bare name is what people write.
        let text = if relay.contains("://") { relay.clone() } else { format!("https://{relay}") };
        Url::parse(&text).with_context(|| format!("`{relay}` is no address of a relay"))
    };
    relays.iter().map(parse).collect()
}
