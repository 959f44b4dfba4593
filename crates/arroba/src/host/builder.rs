//! How a host is put together.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arroba_core::crypto::Signer;
use arroba_core::lexicon::{Catalog, Unknown};
use arroba_core::syntax::Did;
use arroba_identity::plc::{DirectoryClient, PUBLIC_DIRECTORY, PlcDirectory};
use arroba_identity::{LexiconResolver, Resolver};
use arroba_net::{Dns, Guard, GuardedClient, SystemDns};
use arroba_store::blobs::Blobs;
use arroba_store::seal::SealingKeys;
use arroba_store::{BlobIndex, RepoStore};
use arroba_xrpc::{SubscriptionOptions, Subscriptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::keys::Keys;
use super::turn::Turns;
use super::{Collections, Exports, HostError, HostPolicies, Inner, RepoHost};
use crate::config::Config;
use crate::crawlers::Crawlers;
use crate::environment::{Clock, Randomness, SystemClock, SystemRandomness};
use crate::firehose::{Firehose, FirehoseLimits};
use crate::remote_blobs::RemoteBlobs;

/// The keys of a host, as opposed to those of its accounts.
#[derive(Clone)]
#[non_exhaustive]
pub struct HostKeys {
    /// Seals the accounts' keys in the store.
    pub sealing: Arc<dyn SealingKeys>,
    /// Signs did:plc operations.
    pub rotation: Arc<dyn Signer>,
}

impl HostKeys {
    /// A host's keys.
    pub fn new(sealing: impl SealingKeys + 'static, rotation: impl Signer + 'static) -> Self {
        Self { sealing: Arc::new(sealing), rotation: Arc::new(rotation) }
    }
}

impl fmt::Debug for HostKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKeys").finish_non_exhaustive()
    }
}

/// What a host allows.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HostLimits {
    /// The largest blob, in bytes.
    pub blob_bytes: u64,
    /// The largest CAR file that is imported, in bytes; also the most that its records have together, each counted.
    pub import_bytes: u64,
    /// The most bytes of events that are kept, whatever their age.
    pub event_bytes: u64,
    /// How long an upload may wait for a record that refers to it.
    pub temporary_blobs: Duration,
    /// How many unsealed signing keys are kept at hand.
    pub cached_keys: u64,
    /// How long a write may wait for lexicons to be resolved, if the host resolves any.
    pub lexicon_wait: Duration,
    /// The window and buffers of the firehose.
    pub firehose: FirehoseLimits,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            blob_bytes: 5 << 20,
            import_bytes: 1 << 30,
            event_bytes: 32 << 30,
            temporary_blobs: Duration::from_secs(24 * 60 * 60),
            cached_keys: 10_000,
            lexicon_wait: Duration::from_secs(2),
            firehose: FirehoseLimits::default(),
        }
    }
}

/// Puts a [`RepoHost`] together; made by [`RepoHost::builder`] or [`RepoHost::from_config`].
pub struct RepoHostBuilder {
    pub(crate) hostname: String,
    pub(crate) public_url: Option<String>,
    keys: HostKeys,
    store: Arc<dyn RepoStore>,
    blob_index: Arc<dyn BlobIndex>,
    blobs: Option<Blobs>,
    remote_blobs: Option<RemoteBlobs>,
    pub(crate) directory: Option<Arc<dyn PlcDirectory>>,
    resolver: Option<Resolver>,
    pub(crate) dns: Option<Arc<dyn Dns>>,
    pub(crate) guard: Guard,
    catalog: Option<Arc<Catalog>>,
    unknown: Unknown,
    lexicons: Option<LexiconResolver>,
    /// Whether lexicons are resolved without a resolver of theirs being given.
    pub(crate) finds_lexicons: bool,
    /// Who publishes them, if it is not whom DNS names.
    pub(crate) lexicon_authority: Option<Did>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    crawlers: Option<Crawlers>,
    limits: HostLimits,
    policies: HostPolicies,
    subscriptions: SubscriptionOptions,
    pub(crate) spool_directory: Option<PathBuf>,
}

impl fmt::Debug for RepoHostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepoHostBuilder").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}

impl RepoHost {
    /// Starts a host that is reached as `hostname` and keeps its repos in `store`.
    pub fn builder<S>(hostname: impl Into<String>, keys: impl Into<HostKeys>, store: S) -> RepoHostBuilder
    where
        S: RepoStore + BlobIndex + 'static,
    {
        let store = Arc::new(store);
        let keys = keys.into();
        RepoHostBuilder {
            hostname: hostname.into(),
            public_url: None,
            keys,
            store: Arc::<S>::clone(&store),
            blob_index: store,
            blobs: None,
            remote_blobs: None,
            directory: None,
            resolver: None,
            dns: None,
            guard: Guard::Public,
            catalog: None,
            unknown: Unknown::Allow,
            lexicons: None,
            finds_lexicons: false,
            lexicon_authority: None,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            crawlers: None,
            limits: HostLimits::default(),
            policies: HostPolicies::default(),
            subscriptions: SubscriptionOptions::default(),
            spool_directory: None,
        }
    }

    /// Starts a host as a configuration says, with these keys and this store: name and public address, PLC directory, relays, limits,
    /// policies, and the place of blobs. What the builder is told afterwards holds instead. Requests get what the
    /// configuration says of them by [`HostRoutes::configured`](crate::HostRoutes::configured).
    ///
    /// Blobs are kept in memory where the configuration names no directory, which it has warned of.
    ///
    /// # Errors
    /// [`Error`](crate::Error) with what cannot be opened or is not usable.
    pub fn from_config<S>(
        config: &Config,
        keys: impl Into<HostKeys>,
        store: S,
    ) -> crate::Result<RepoHostBuilder>
    where
        S: RepoStore + BlobIndex + 'static,
    {
        let public_url = config.public_url();
        let hostname = known_as(&config.hostname, &public_url);
        let mut builder = Self::builder(hostname, keys, store)
            .public_url(public_url)
            .directory(Arc::new(DirectoryClient::new(config.plc_url.as_str())?))
            .crawlers(Crawlers::new(config.crawlers.iter().cloned()))
            .blob_bytes(config.blob_upload_limit)
            .import_bytes(config.max_repo_import_size)
            .backfill(config.repo_backfill_limit)
            .backfill_events(config.rollback_window)
            .supported_collections(config.collections())
            .exports(config.exports())
            .unknown_lexicons(config.unknown_lexicons)
            .lexicon_wait(config.lexicon_wait);
        builder.finds_lexicons = config.resolve_lexicons;
        builder.lexicon_authority.clone_from(&config.lexicon_authority_did);
        if let Some(directory) = config.blob_location() {
            builder = builder.blobs(Blobs::dir(directory)?);
        }
        if let Some(directory) = &config.data_directory {
            std::fs::create_dir_all(directory)?;
            builder = builder.spool_directory(directory);
        }
        if config.allows_loopback() {
            builder = builder.allow_loopback();
        }
        Ok(builder)
    }
}

/// The name that relays are told: on localhost the port belongs to it.
pub(crate) fn known_as(hostname: &str, public_url: &str) -> String {
    match public_url.strip_prefix("http://") {
        Some(host) => host.trim_end_matches('/').to_owned(),
        None => hostname.to_owned(),
    }
}

impl RepoHostBuilder {
    /// The address that DID documents name, if it is not `https://` and the host's name.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Where the bytes of blobs are kept; in memory unless this is called.
    #[must_use]
    pub fn blobs(mut self, blobs: Blobs) -> Self {
        self.blobs = Some(blobs);
        self
    }

    /// Blobs that live elsewhere, kept in the same store: `getBlob` answers with their URLs, `listBlobs` lists them, and records may
    /// refer to them. The host has none unless this is called.
    #[must_use]
    pub fn remote_blobs(mut self, blobs: RemoteBlobs) -> Self {
        self.remote_blobs = Some(blobs);
        self
    }

    /// The directory for did:plc operations; the public one unless this is called.
    #[must_use]
    pub fn directory(mut self, directory: Arc<dyn PlcDirectory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// The resolver of DIDs and handles; one over the directory and the public network unless this is called.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// How names are resolved, where no resolver is given and for relays; by the machine's name servers unless this is called.
    #[must_use]
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.dns = Some(dns);
        self
    }

    /// Lets the host ask addresses on loopback when others name them, where no resolver is given: for development only.
    #[must_use]
    pub const fn allow_loopback(mut self) -> Self {
        self.guard = Guard::AllowLoopback;
        self
    }

    /// The lexicons that records are checked against; those of the reference server unless this is called.
    #[must_use]
    pub fn catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// What becomes of records whose lexicon is not known: allowed unless this is called, and said to be unknown.
    ///
    /// With [`Unknown::Refuse`] the host takes no record of a collection that it does not know, whatever the request says of
    /// validation; deleting works, and so does importing a repo that has such records.
    #[must_use]
    pub const fn unknown_lexicons(mut self, unknown: Unknown) -> Self {
        self.unknown = unknown;
        self
    }

    /// Resolves the lexicons of records that are written to collections that the host does not know, and checks the records
    /// against what is published. Off unless this is called: the network then has a say in which records are valid.
    ///
    /// A write waits for it no longer than [`lexicon_wait`](Self::lexicon_wait), before it takes its repo's turn, and a
    /// call to write resolves 8 lexicons at most. Where the lexicon does not resolve, or not in time, or refers where the record
    /// has something to one that does not resolve, the record is treated as one of unknown type: it is taken with the status
    /// unknown, unless the writer asked for a check or the host refuses unknown lexicons. A resolution that takes longer goes on,
    /// and the next write finds its answer. The lexicons of [`catalog`](Self::catalog) are never asked for.
    #[must_use]
    pub fn resolve_lexicons(mut self, resolver: LexiconResolver) -> Self {
        self.lexicons = Some(resolver);
        self
    }

    /// How long a write may wait for lexicons to be resolved; 2 seconds unless this is called.
    #[must_use]
    pub const fn lexicon_wait(mut self, wait: Duration) -> Self {
        self.limits.lexicon_wait = wait;
        self
    }

    /// The clock; the system's unless this is called.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of keys and names; the system's unless this is called.
    #[must_use]
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// The relays to tell of new events; none unless this is called.
    #[must_use]
    pub fn crawlers(mut self, crawlers: Crawlers) -> Self {
        self.crawlers = Some(crawlers);
        self
    }

    /// The largest blob, in bytes; 5 MiB unless this is called.
    #[must_use]
    pub const fn blob_bytes(mut self, bytes: u64) -> Self {
        self.limits.blob_bytes = bytes;
        self
    }

    /// The largest CAR file that is imported, in bytes; 1 GiB unless this is called. No more may its records have together, where those
    /// that are one block count each.
    #[must_use]
    pub const fn import_bytes(mut self, bytes: u64) -> Self {
        self.limits.import_bytes = bytes;
        self
    }

    /// Where an import that is too large for memory waits until it is whole: a directory on a disk, with room for it. The system's
    /// directory of temporary files unless this is called, which on some systems is in memory.
    #[must_use]
    pub fn spool_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool_directory = Some(directory.into());
        self
    }

    /// The records that methods write and read; all of them unless this is called.
    #[must_use]
    pub fn supported_collections(mut self, collections: Collections) -> Self {
        self.policies.collections = collections;
        self
    }

    /// Who may export whole repos; everybody unless this is called.
    #[must_use]
    pub fn exports(mut self, exports: Exports) -> Self {
        self.policies.exports = exports;
        self
    }

    /// Limits of the event stream's connections.
    #[must_use]
    pub fn subscriptions(mut self, options: SubscriptionOptions) -> Self {
        self.subscriptions = options;
        self
    }

    /// How many events back subscribers may ask, if that is less than the time says; no limit unless this is called.
    #[must_use]
    pub const fn backfill_events(mut self, events: Option<u64>) -> Self {
        self.limits.firehose.backfill_events = events;
        self
    }

    /// How far back subscribers may ask; a day unless this is called.
    #[must_use]
    pub const fn backfill(mut self, window: Duration) -> Self {
        self.limits.firehose.backfill = window;
        self
    }
}

impl RepoHostBuilder {
    pub(crate) fn name_servers(&self) -> Result<Arc<dyn Dns>, HostError> {
        Ok(match &self.dns {
            Some(dns) => Arc::clone(dns),
            None => Arc::new(SystemDns::new().map_err(|error| HostError::Network(error.into()))?),
        })
    }

    pub(crate) fn identity_clock(&self) -> arroba_identity::Clock {
        let clock = Arc::clone(&self.clock);
        arroba_identity::Clock::new(move || clock.now_micros() / 1000)
    }

    /// Builds the host, and finishes or takes back what a crash interrupted.
    ///
    /// # Errors
    ///
    /// [`HostError::Store`] if the store cannot be read or written; [`HostError::Network`] if the system's name servers
    /// cannot be found and no resolver was given.
    pub async fn build(self) -> Result<RepoHost, HostError> {
        let public_url = self.public_url.clone().unwrap_or_else(|| format!("https://{}", self.hostname));
        let directory = match &self.directory {
            Some(directory) => Arc::clone(directory),
            None => {
                let public = DirectoryClient::new(PUBLIC_DIRECTORY);
                Arc::new(public.map_err(|error| HostError::Network(error.into()))?)
            }
        };
        let resolver = match &self.resolver {
            Some(resolver) => resolver.clone(),
            None => {
                let dns = self.name_servers()?;
                let client = GuardedClient::new(self.guard, Arc::clone(&dns));
                let client = client.map_err(|error| HostError::Network(error.into()))?;
                Resolver::builder(Arc::clone(&directory), client, dns).build()
            }
        };
        let lexicons = match &self.lexicons {
            None if self.finds_lexicons => {
                let dns = self.name_servers()?;
                let lexicons = LexiconResolver::builder(resolver.clone(), resolver.client().clone(), dns);
                let lexicons = match &self.lexicon_authority {
                    Some(authority) => lexicons.authority(authority.clone()),
                    None => lexicons,
                };
                Some(lexicons.clock(self.identity_clock()).build())
            }
            given => given.clone(),
        };
        let mut clock_id = [0; 2];
        self.randomness.fill(&mut clock_id);
        let firehose = Firehose::new(Arc::clone(&self.store), Arc::clone(&self.clock), self.limits.firehose);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let crawling = match self.crawlers {
            Some(crawlers) => crawlers.ready(&self.hostname, self.dns)?,
            None => None,
        };
        if let Some(crawling) = &crawling {
            let work = Arc::clone(crawling).run(self.store.tail());
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(work).await });
        }
        let host = RepoHost(Arc::new(Inner {
            hostname: self.hostname,
            public_url,
            store: self.store,
            blob_index: self.blob_index,
            blobs: self.blobs.unwrap_or_else(Blobs::memory),
            remote_blobs: self.remote_blobs,
            rotation_key: self.keys.rotation,
            directory,
            resolver,
            catalog: self.catalog.unwrap_or_else(arroba_lexicons::catalog),
            unknown: self.unknown,
            lexicons,
            clock: self.clock,
            randomness: self.randomness,
            clock_id: u16::from_be_bytes(clock_id) % 1024,
            newest_rkey: Mutex::new(None),
            limits: self.limits,
            policies: self.policies,
            subscriptions: Subscriptions::new(self.subscriptions),
            spool_directory: self.spool_directory.unwrap_or_else(std::env::temp_dir),
            keys: Keys::new(self.keys.sealing, self.limits.cached_keys),
            turns: Turns::default(),
            firehose,
            crawling,
            tasks,
            stop,
        }));
        host.finish_interrupted().await?;
        let sweeps = super::sweep::run(Arc::downgrade(&host.0));
        let stop = host.0.stop.clone();
        host.0.tasks.spawn(async move { stop.run_until_cancelled(sweeps).await });
        Ok(host)
    }
}
