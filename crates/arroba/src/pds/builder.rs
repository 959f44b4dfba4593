//! How a server is put together.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arroba_core::lexicon::Unknown;
use arroba_core::syntax::{Did, Nsid};
use arroba_identity::plc::{DirectoryClient, PUBLIC_DIRECTORY, PlcDirectory};
use arroba_identity::{DidDocument, LexiconResolver, Resolver};
use arroba_lexicons::com_atproto::sync::{GetRepo, SubscribeRepos};
use arroba_net::{Dns, Guard, GuardedClient, SystemDns};
use arroba_store::accounts::{Accounts, Passwords};
use arroba_store::blobs::Blobs;
use arroba_store::{RepoStore, Sqlite};
use arroba_xrpc::{Layers, ProxyLimits, RateLimits, ServiceAuth, SubscriptionOptions, UnixClock};
use tokio::net::ToSocketAddrs;
use url::Url;

use super::{AppState, Pds};
use crate::accounts::{HostedHandles, LoginParts, Logins, Offer, ResolverKeys};
use crate::auth::{Authenticator, Authority, SecretDigest, StaticToken};
use crate::config::Config;
use crate::crawlers::Crawlers;
use crate::environment::{Clock, Randomness, SystemClock, SystemRandomness};
use crate::error::{Error, Result};
use crate::host::{Collections, Exports, HostPolicies, RepoHost};
use crate::methods::{MethodHandler, Methods};
use crate::metrics::Metrics;
use crate::proxy::{Proxy, ProxyBuilder, ProxyService};
use crate::rate_limits::GLOBAL;
use crate::read_after_write::LocalWrites;
use crate::remote_blobs::{RemoteBlobLimits, RemoteBlobs};
use crate::routes::service_document;
use crate::secrets::Secrets;
use crate::service::Service;
use crate::session::SessionTokens;

/// Puts a [`Pds`] together; made by [`Pds::builder`].
#[must_use]
pub struct PdsBuilder {
    hostname: String,
    secrets: Secrets,
    store: Sqlite,
    public_url: Option<String>,
    service_did: Option<Did>,
    handle_domains: Vec<String>,
    invite_required: bool,
    admin_password: Option<SecretDigest>,
    imports: bool,
    blobs: Option<Blobs>,
    remote_blobs: Option<RemoteBlobLimits>,
    blob_bytes: Option<u64>,
    import_bytes: Option<u64>,
    spool_directory: Option<PathBuf>,
    backfill: Option<Duration>,
    crawlers: Vec<String>,
    unknown_lexicons: Unknown,
    resolve_lexicons: bool,
    lexicon_wait: Option<Duration>,
    lexicon_authority: Option<Did>,
    directory: Option<Arc<dyn PlcDirectory>>,
    dns: Option<Arc<dyn Dns>>,
    guard: Guard,
    rate_limits: bool,
    passwords: Option<Passwords>,
    subscriptions: SubscriptionOptions,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    proxy: ProxyBuilder,
    authenticator: Option<Arc<dyn Authenticator>>,
    policies: HostPolicies,
    backfill_events: Option<u64>,
    methods: Methods,
}

impl Pds {
    /// Starts a server that is reached as `hostname` and keeps everything but blobs in `store`.
    pub fn builder(hostname: impl Into<String>, secrets: Secrets, store: Sqlite) -> PdsBuilder {
        PdsBuilder {
            hostname: hostname.into(),
            secrets,
            store,
            public_url: None,
            service_did: None,
            handle_domains: Vec::new(),
            invite_required: true,
            admin_password: None,
            imports: true,
            blobs: None,
            remote_blobs: None,
            blob_bytes: None,
            import_bytes: None,
            spool_directory: None,
            backfill: None,
            crawlers: Vec::new(),
            unknown_lexicons: Unknown::Allow,
            resolve_lexicons: false,
            lexicon_wait: None,
            lexicon_authority: None,
            directory: None,
            dns: None,
            guard: Guard::Public,
            rate_limits: false,
            passwords: None,
            subscriptions: SubscriptionOptions::default(),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            proxy: Proxy::builder(),
            authenticator: None,
            policies: HostPolicies::default(),
            backfill_events: None,
            methods: Methods::new(),
        }
    }

    /// Starts a server as a configuration says: opens its store and directories, makes its master key at the first start.
    ///
    /// # Errors
    /// [`Error`] with what cannot be opened or is not usable.
    pub async fn from_config(config: &Config) -> Result<PdsBuilder> {
        std::fs::create_dir_all(&config.data_directory)?;
        let secrets = Secrets::from_config(config)?;
        let store = Sqlite::open(config.data_directory.join("pds.sqlite")).await?;
        let blobs = Blobs::dir(config.blob_location())?;
        let directory = DirectoryClient::new(config.plc_url.as_str())?;
        // Relays know a development server by its port too.
        let mut builder = Self::builder(&config.hostname, secrets, store)
            .public_url(config.public_url())
            .handle_domains(config.service_handle_domains())
            .invite_required(config.invite_required)
            .admin_password(config.admin_password.expose())
            .imports(config.accepting_repo_imports)
            .blobs(blobs)
            .blob_bytes(config.blob_upload_limit)
            .remote_blobs(
                RemoteBlobLimits::default()
                    .max_bytes(config.blob_max_bytes)
                    .refetch(config.blob_refetch_days.0, &config.blob_refetch_types),
            )
            .import_bytes(config.max_repo_import_size)
            .spool_directory(&config.data_directory)
            .backfill(config.repo_backfill_limit)
            .crawlers(config.crawlers.iter().map(Url::as_str))
            .directory(Arc::new(directory))
            .rate_limits(config.rate_limits_enabled)
            .proxy_limits(config.proxy_limits())
            .supported_collections(config.collections())
            .exports(config.exports())
            .backfill_events(config.rollback_window)
            .unknown_lexicons(config.unknown_lexicons)
            .lexicon_wait(config.lexicon_wait);
        if config.resolve_lexicons {
            builder = builder.resolve_lexicons();
        }
        if let Some(did) = &config.lexicon_authority_did {
            builder = builder.lexicon_authority(did.clone());
        }
        if let Some(token) = &config.repo_token {
            builder = builder.authenticator(StaticToken::new(token.expose()));
        }
        for (prefix, service) in config.services() {
            builder = builder.proxy(prefix, service);
        }
        if let Some(did) = &config.service_did {
            builder = builder.service_did(did.clone());
        }
        if config.allows_loopback() {
            builder = builder.allow_loopback();
        }
        Ok(builder)
    }
}

impl PdsBuilder {
    /// Where clients reach the server, if not at `https://` and the host's name.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The server's own DID; `did:web:` and the host's name unless this is called.
    pub fn service_did(mut self, did: Did) -> Self {
        self.service_did = Some(did);
        self
    }

    /// The domains under which handles are given out, each with its leading dot; the host's subdomains unless this is
    /// called.
    pub fn handle_domains(mut self, domains: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.handle_domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a new account needs an invite code; it does unless this is called.
    pub const fn invite_required(mut self, required: bool) -> Self {
        self.invite_required = required;
        self
    }

    /// The password of the user `admin`. Without one nobody is the operator.
    pub fn admin_password(mut self, password: &str) -> Self {
        self.admin_password = Some(SecretDigest::of(password));
        self
    }

    /// Whether repositories may be imported; they may unless this is called.
    pub const fn imports(mut self, accepted: bool) -> Self {
        self.imports = accepted;
        self
    }

    /// Where the bytes of blobs are kept; in memory unless this is called.
    pub fn blobs(mut self, blobs: Blobs) -> Self {
        self.blobs = Some(blobs);
        self
    }

    /// Lets accounts use blobs that live elsewhere, at a public URL, within these limits: [`RepoHost::remote_blobs`] fetches them, and
    /// the server answers with their URLs. There are none unless this is called.
    pub fn remote_blobs(mut self, limits: RemoteBlobLimits) -> Self {
        self.remote_blobs = Some(limits);
        self
    }

    /// The largest blob, in bytes; 5 MiB unless this is called.
    pub const fn blob_bytes(mut self, bytes: u64) -> Self {
        self.blob_bytes = Some(bytes);
        self
    }

    /// The largest CAR file that is imported, in bytes; 1 GiB unless this is called.
    pub const fn import_bytes(mut self, bytes: u64) -> Self {
        self.import_bytes = Some(bytes);
        self
    }

    /// Where an import waits until it is whole; see [`RepoHostBuilder::spool_directory`](crate::RepoHostBuilder::spool_directory).
    pub fn spool_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool_directory = Some(directory.into());
        self
    }

    /// How far back subscribers may ask; a day unless this is called.
    pub const fn backfill(mut self, window: Duration) -> Self {
        self.backfill = Some(window);
        self
    }

    /// The relays to tell of new events; none unless this is called.
    pub fn crawlers(mut self, relays: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.crawlers = relays.into_iter().map(Into::into).collect();
        self
    }

    /// What becomes of records whose lexicon is not known; see
    /// [`RepoHostBuilder::unknown_lexicons`](crate::RepoHostBuilder::unknown_lexicons).
    pub const fn unknown_lexicons(mut self, unknown: Unknown) -> Self {
        self.unknown_lexicons = unknown;
        self
    }

    /// Holds records of types that the server does not know to the lexicons that are published; see
    /// [`RepoHostBuilder::resolve_lexicons`](crate::RepoHostBuilder::resolve_lexicons). Off unless this is called.
    pub const fn resolve_lexicons(mut self) -> Self {
        self.resolve_lexicons = true;
        self
    }

    /// How long a write may wait for lexicons to be resolved; 2 seconds unless this is called.
    pub const fn lexicon_wait(mut self, wait: Duration) -> Self {
        self.lexicon_wait = Some(wait);
        self
    }

    /// The account that publishes every lexicon that is resolved; whom DNS names for each unless this is called.
    pub fn lexicon_authority(mut self, authority: Did) -> Self {
        self.lexicon_authority = Some(authority);
        self
    }

    /// The PLC directory; the public one unless this is called.
    pub fn directory(mut self, directory: Arc<dyn PlcDirectory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// How names are resolved; by the machine's name servers unless this is called.
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.dns = Some(dns);
        self
    }

    /// Lets the server ask addresses on loopback when others name them: for development only.
    pub const fn allow_loopback(mut self) -> Self {
        self.guard = Guard::AllowLoopback;
        self
    }

    /// Whether requests are limited in rate, by the reference server's numbers; they are not unless this is called.
    pub const fn rate_limits(mut self, on: bool) -> Self {
        self.rate_limits = on;
        self
    }

    /// How passwords are hashed; argon2id, four at a time, unless this is called.
    pub fn passwords(mut self, passwords: Passwords) -> Self {
        self.passwords = Some(passwords);
        self
    }

    /// Limits of the event stream's connections.
    pub fn subscriptions(mut self, options: SubscriptionOptions) -> Self {
        self.subscriptions = options;
        self
    }

    /// Forwards the methods under a prefix to a service; see [`ProxyBuilder::proxy`].
    pub fn proxy(mut self, prefix: impl Into<String>, service: ProxyService) -> Self {
        self.proxy = self.proxy.proxy(prefix, service);
        self
    }

    /// What a forwarded call may cost.
    pub fn proxy_limits(mut self, limits: ProxyLimits) -> Self {
        self.proxy = self.proxy.limits(limits);
        self
    }

    /// Changes answers of forwarded calls by the caller's newest writes; see [`ProxyBuilder::read_after_write`].
    pub fn read_after_write(
        mut self,
        method: Nsid,
        patch: impl Fn(&mut serde_json::Value, &LocalWrites) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.proxy = self.proxy.read_after_write(method, patch);
        self
    }

    /// The clock; the system's unless this is called.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The source of keys, names and tokens; the system's unless this is called.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Who else may write, besides the accounts that log in here: asked first, for writes and reads of repos. What is about an
    /// account itself stays for its logins.
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// The records that methods write and read; all of them unless this is called.
    pub fn supported_collections(mut self, collections: Collections) -> Self {
        self.policies.collections = collections;
        self
    }

    /// Who may export whole repos; everybody unless this is called.
    pub fn exports(mut self, exports: Exports) -> Self {
        self.policies.exports = exports;
        self
    }

    /// How many events back subscribers may ask, if that is less than the time says; no limit unless this is called.
    pub const fn backfill_events(mut self, events: Option<u64>) -> Self {
        self.backfill_events = events;
        self
    }

    /// Serves a method of your own, or one of the library's in its place; see [`methods`](crate::methods). Two handlers for one name are
    /// refused by [`build`](Self::build).
    pub fn method(mut self, nsid: Nsid, handler: impl MethodHandler) -> Self {
        self.methods = self.methods.with(nsid, handler);
        self
    }

    /// Builds the server, and puts in order what a crash left.
    ///
    /// # Errors
    /// [`Error`] with the setting that is not usable, or the store's failure.
    pub async fn build(self) -> Result<Pds> {
        self.methods.check(&arroba_lexicons::catalog())?;
        let service_did = self.own_did()?;
        let public_url = self.public_url.clone().unwrap_or_else(|| format!("https://{}", self.hostname));
        let domains = match self.handle_domains.is_empty() {
            true => vec![format!(".{}", self.hostname)],
            false => self.handle_domains.clone(),
        };
        let directory = match &self.directory {
            Some(directory) => Arc::clone(directory),
            None => Arc::new(DirectoryClient::new(PUBLIC_DIRECTORY)?),
        };
        let resolver = self.resolver(&directory, &domains, &service_did, &public_url)?;
        let host = self.host(&directory, &resolver, public_url).await?;
        let proxy = match &self.dns {
            Some(dns) => self.proxy.dns(Arc::clone(dns)).build(&host)?,
            None => self.proxy.build(&host)?,
        };

        let clock = Arc::clone(&self.clock);
        let unix: UnixClock = Arc::new(move || Duration::from_micros(clock.now_micros()));
        let audiences = [service_did.to_string(), format!("{service_did}#atproto_pds")];
        let services =
            ServiceAuth::new(audiences, Arc::new(ResolverKeys(resolver.clone())), Arc::clone(&unix));
        let (clock, randomness) = (Arc::clone(&self.clock), Arc::clone(&self.randomness));
        let tokens = SessionTokens::new(self.secrets.session(), service_did.clone(), clock, randomness);
        let logins = Logins::new(LoginParts {
            host: host.clone(),
            accounts: Accounts::new(self.store.clone()),
            passwords: match self.passwords {
                Some(passwords) => passwords,
                None => Passwords::new(4)?,
            },
            tokens: tokens.ok_or(crate::SecretsError::Session)?,
            services,
            resolver: resolver.clone(),
            directory,
            secrets: self.secrets,
            admin_password: self.admin_password,
            offer: Offer {
                service_did,
                handle_domains: domains,
                invite_required: self.invite_required,
                imports: self.imports,
            },
            clock: self.clock,
            randomness: self.randomness,
        });
        logins.recover().await?;

        let metrics = Metrics::new()?;
        let observer = metrics.clone();
        let limits = if self.rate_limits { RateLimits::new(unix) } else { RateLimits::off() };
        let layers = Layers::new(limits)
            .global_limit(GLOBAL)
            .unmetered::<GetRepo>()
            .unmetered::<SubscribeRepos>()
            .observer(Arc::new(move |observed| observer.request(observed)));
        let subscriptions = host.subscriptions().clone();
        let state = AppState {
            service: Service::new(host.clone()),
            authority: Authority::with_sessions(Arc::new(logins.clone()), self.authenticator),
            logins,
            subscriptions: subscriptions.clone(),
        };
        let methods = self.methods;
        Ok(Pds { state, host, store: self.store, resolver, layers, metrics, subscriptions, methods, proxy })
    }

    /// Builds the server and serves it until the process is told to stop (SIGTERM, Ctrl-C).
    ///
    /// # Errors
    /// As [`PdsBuilder::build`], and an address that cannot be listened on.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<()> {
        self.build().await?.serve(address).await
    }

    fn own_did(&self) -> Result<Did> {
        match &self.service_did {
            Some(did) => Ok(did.clone()),
            None => Did::parse(&format!("did:web:{}", self.hostname.replace(':', "%3A")))
                .map_err(|_| Error::Setting { name: "hostname", expected: "a host name" }),
        }
    }

    fn resolver(
        &self,
        directory: &Arc<dyn PlcDirectory>,
        domains: &[String],
        service_did: &Did,
        public_url: &str,
    ) -> Result<Resolver> {
        let (client, dns) = self.network()?;
        let service = OnceLock::new();
        if let Ok(document) = DidDocument::from_json(service_did, service_document(service_did, public_url))
            && service_did.method() == "web"
        {
            let _ = service.set(document);
        }
        let store: Arc<dyn RepoStore> = Arc::new(self.store.clone());
        let local = HostedHandles { store, domains: domains.to_vec(), service };
        Ok(Resolver::builder(Arc::clone(directory), client, dns)
            .local(Arc::new(local))
            .clock(self.identity_clock())
            .build())
    }

    /// How others are asked whom someone else names.
    fn network(&self) -> Result<(GuardedClient, Arc<dyn Dns>)> {
        let dns = self.name_servers()?;
        Ok((GuardedClient::new(self.guard, Arc::clone(&dns))?, dns))
    }

    fn identity_clock(&self) -> arroba_identity::Clock {
        let clock = Arc::clone(&self.clock);
        arroba_identity::Clock::new(move || clock.now_micros() / 1000)
    }

    async fn host(
        &self,
        directory: &Arc<dyn PlcDirectory>,
        resolver: &Resolver,
        public_url: String,
    ) -> Result<RepoHost> {
        let crawlers: Result<Vec<Url>, _> = self.crawlers.iter().map(|relay| Url::parse(relay)).collect();
        let crawlers = crawlers.map_err(|_| Error::Setting { name: "crawlers", expected: "addresses" })?;
        let mut builder =
            RepoHost::builder(self.crawled_as(&public_url), self.secrets.clone(), self.store.clone())
                .directory(Arc::clone(directory))
                .resolver(resolver.clone())
                .public_url(public_url)
                .clock(Arc::clone(&self.clock))
                .randomness(Arc::clone(&self.randomness))
                .crawlers(match &self.dns {
                    Some(dns) => Crawlers::new(crawlers).dns(Arc::clone(dns)),
                    None => Crawlers::new(crawlers),
                })
                .supported_collections(self.policies.collections.clone())
                .exports(self.policies.exports.clone())
                .backfill_events(self.backfill_events)
                .subscriptions(self.subscriptions.clone())
                .unknown_lexicons(self.unknown_lexicons);
        if self.resolve_lexicons {
            let (client, dns) = self.network()?;
            let lexicons = LexiconResolver::builder(resolver.clone(), client, dns);
            let lexicons = match &self.lexicon_authority {
                Some(authority) => lexicons.authority(authority.clone()),
                None => lexicons,
            };
            builder = builder.resolve_lexicons(lexicons.clock(self.identity_clock()).build());
        }
        if let Some(wait) = self.lexicon_wait {
            builder = builder.lexicon_wait(wait);
        }
        if let Some(blobs) = &self.blobs {
            builder = builder.blobs(blobs.clone());
        }
        if let Some(limits) = &self.remote_blobs {
            builder = builder.remote_blobs(self.remote(limits)?);
        }
        if let Some(bytes) = self.blob_bytes {
            builder = builder.blob_bytes(bytes);
        }
        if let Some(bytes) = self.import_bytes {
            builder = builder.import_bytes(bytes);
        }
        if let Some(directory) = &self.spool_directory {
            builder = builder.spool_directory(directory);
        }
        if let Some(window) = self.backfill {
            builder = builder.backfill(window);
        }
        Ok(builder.build().await?)
    }

    fn remote(&self, limits: &RemoteBlobLimits) -> Result<RemoteBlobs> {
        let client = GuardedClient::new(self.guard, self.name_servers()?)?;
        let blobs = RemoteBlobs::builder(self.store.clone(), client).clock(Arc::clone(&self.clock));
        let blobs = blobs.limits(limits.clone());
        Ok(match &self.spool_directory {
            Some(directory) => blobs.spool_directory(directory).build(),
            None => blobs.build(),
        })
    }

    fn name_servers(&self) -> Result<Arc<dyn Dns>> {
        Ok(match &self.dns {
            Some(dns) => Arc::clone(dns),
            None => Arc::new(SystemDns::new()?),
        })
    }

    /// The name that relays are told: on localhost the port belongs to it.
    fn crawled_as(&self, public_url: &str) -> String {
        match public_url.strip_prefix("http://") {
            Some(host) => host.trim_end_matches('/').to_owned(),
            None => self.hostname.clone(),
        }
    }
}

impl fmt::Debug for PdsBuilder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PdsBuilder").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}
