//! How a server is put together.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arroba_core::lexicon::Unknown;
use arroba_core::syntax::{Did, Nsid};
use arroba_identity::plc::{DirectoryClient, PUBLIC_DIRECTORY, PlcDirectory};
use arroba_identity::{DidDocument, Resolver};
use arroba_lexicons::com_atproto::sync::{GetRepo, SubscribeRepos};
use arroba_net::{Dns, GuardedClient};
use arroba_store::accounts::{Accounts, Passwords};
use arroba_store::blobs::Blobs;
use arroba_store::{RepoStore, Sqlite};
use arroba_xrpc::{Layers, ProxyLimits, RateLimits, ServiceAuth, SubscriptionOptions, UnixClock};
use tokio::net::ToSocketAddrs;
use url::Url;

use super::{AppState, Pds};
use crate::accounts::{HostedHandles, LoginParts, Logins, Offer, ResolverKeys};
use crate::auth::{Authenticator, Authority, SecretDigest};
use crate::config::{Config, ConfigErrors, Program};
use crate::crawlers::Crawlers;
use crate::environment::{Clock, Randomness};
use crate::error::{Error, Result};
use crate::host::{Collections, Exports, RepoHost, RepoHostBuilder, known_as};
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
    /// Everything that a host has, with or without accounts.
    host: RepoHostBuilder,
    service_did: Option<Did>,
    handle_domains: Vec<String>,
    invite_required: bool,
    admin_password: Option<SecretDigest>,
    imports: bool,
    remote_blobs: Option<RemoteBlobLimits>,
    /// Relays that were named by text, which is looked at when the server is built.
    crawlers: Option<Vec<String>>,
    rate_limits: bool,
    passwords: Option<Passwords>,
    proxy: ProxyBuilder,
    authenticator: Option<Arc<dyn Authenticator>>,
    methods: Methods,
}

impl Pds {
    /// Starts a server that is reached as `hostname` and keeps everything but blobs in `store`.
    pub fn builder(hostname: impl Into<String>, secrets: Secrets, store: Sqlite) -> PdsBuilder {
        let hostname = hostname.into();
        let host = RepoHost::builder(&hostname, secrets.clone(), store.clone());
        PdsBuilder::around(host, hostname, secrets, store)
    }

    /// Starts a server as a configuration says: opens its store and directories, makes its master key at the first start.
    ///
    /// # Errors
    /// [`Error`] with what cannot be opened or is not usable; [`Error::Config`] with all that a server needs and a configuration for a
    /// host has left out.
    pub async fn from_config(config: &Config) -> Result<PdsBuilder> {
        let needed = Needed::of(config)?;
        std::fs::create_dir_all(needed.data_directory)?;
        let secrets = Secrets::from_config(config)?;
        let store = Sqlite::open(needed.data_directory.join("pds.sqlite")).await?;
        let host = RepoHost::from_config(config, secrets.clone(), store.clone())?;
        let mut builder = PdsBuilder::around(host, config.hostname.clone(), secrets, store)
            .handle_domains(config.service_handle_domains())
            .invite_required(config.invite_required)
            .admin_password(needed.admin_password)
            .imports(config.accepting_repo_imports)
            .remote_blobs(config.remote_blob_limits())
            .rate_limits(config.rate_limits_enabled);
        builder.proxy = config.proxy();
        if config.repo_token.is_some() {
            builder = builder.authenticator(config.static_token());
        }
        if let Some(did) = &config.service_did {
            builder = builder.service_did(did.clone());
        }
        Ok(builder)
    }
}

/// What a server has to have been given.
struct Needed<'a> {
    data_directory: &'a Path,
    admin_password: &'a str,
}

impl<'a> Needed<'a> {
    fn of(config: &'a Config) -> Result<Self, ConfigErrors> {
        let missing = Program::Pds.missing(config);
        match (&config.data_directory, &config.admin_password) {
            (Some(directory), Some(password)) if missing.is_empty() => {
                Ok(Self { data_directory: directory, admin_password: password.expose() })
            }
            _ => Err(ConfigErrors(missing)),
        }
    }
}

impl PdsBuilder {
    fn around(host: RepoHostBuilder, hostname: String, secrets: Secrets, store: Sqlite) -> Self {
        Self {
            hostname,
            secrets,
            store,
            host,
            service_did: None,
            handle_domains: Vec::new(),
            invite_required: true,
            admin_password: None,
            imports: true,
            remote_blobs: None,
            crawlers: None,
            rate_limits: false,
            passwords: None,
            proxy: Proxy::builder(),
            authenticator: None,
            methods: Methods::new(),
        }
    }

    /// Where clients reach the server, if not at `https://` and the host's name.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.host = self.host.public_url(url);
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
        self.host = self.host.blobs(blobs);
        self
    }

    /// Lets accounts use blobs that live elsewhere, at a public URL, within these limits: [`RepoHost::remote_blobs`] fetches them, and
    /// the server answers with their URLs. There are none unless this is called.
    pub fn remote_blobs(mut self, limits: RemoteBlobLimits) -> Self {
        self.remote_blobs = Some(limits);
        self
    }

    /// The largest blob, in bytes; 5 MiB unless this is called.
    pub fn blob_bytes(mut self, bytes: u64) -> Self {
        self.host = self.host.blob_bytes(bytes);
        self
    }

    /// The largest CAR file that is imported, in bytes; 1 GiB unless this is called.
    pub fn import_bytes(mut self, bytes: u64) -> Self {
        self.host = self.host.import_bytes(bytes);
        self
    }

    /// Where an import waits until it is whole; see [`RepoHostBuilder::spool_directory`](crate::RepoHostBuilder::spool_directory).
    pub fn spool_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.host = self.host.spool_directory(directory);
        self
    }

    /// How far back subscribers may ask; a day unless this is called.
    pub fn backfill(mut self, window: Duration) -> Self {
        self.host = self.host.backfill(window);
        self
    }

    /// The relays to tell of new events; none unless this is called.
    pub fn crawlers(mut self, relays: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.crawlers = Some(relays.into_iter().map(Into::into).collect());
        self
    }

    /// What becomes of records whose lexicon is not known; see
    /// [`RepoHostBuilder::unknown_lexicons`](crate::RepoHostBuilder::unknown_lexicons).
    pub fn unknown_lexicons(mut self, unknown: Unknown) -> Self {
        self.host = self.host.unknown_lexicons(unknown);
        self
    }

    /// Holds records of types that the server does not know to the lexicons that are published; see
    /// [`RepoHostBuilder::resolve_lexicons`](crate::RepoHostBuilder::resolve_lexicons). Off unless this is called.
    pub fn resolve_lexicons(mut self) -> Self {
        self.host.finds_lexicons = true;
        self
    }

    /// How long a write may wait for lexicons to be resolved; 2 seconds unless this is called.
    pub fn lexicon_wait(mut self, wait: Duration) -> Self {
        self.host = self.host.lexicon_wait(wait);
        self
    }

    /// The account that publishes every lexicon that is resolved; whom DNS names for each unless this is called.
    pub fn lexicon_authority(mut self, authority: Did) -> Self {
        self.host.lexicon_authority = Some(authority);
        self
    }

    /// The PLC directory; the public one unless this is called.
    pub fn directory(mut self, directory: Arc<dyn PlcDirectory>) -> Self {
        self.host = self.host.directory(directory);
        self
    }

    /// How names are resolved; by the machine's name servers unless this is called.
    pub fn dns(mut self, dns: Arc<dyn Dns>) -> Self {
        self.host = self.host.dns(dns);
        self
    }

    /// Lets the server ask addresses on loopback when others name them: for development only.
    pub fn allow_loopback(mut self) -> Self {
        self.host = self.host.allow_loopback();
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
        self.host = self.host.subscriptions(options);
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
        self.host = self.host.clock(clock);
        self
    }

    /// The source of keys, names and tokens; the system's unless this is called.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.host = self.host.randomness(randomness);
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
        self.host = self.host.supported_collections(collections);
        self
    }

    /// Who may export whole repos; everybody unless this is called.
    pub fn exports(mut self, exports: Exports) -> Self {
        self.host = self.host.exports(exports);
        self
    }

    /// How many events back subscribers may ask, if that is less than the time says; no limit unless this is called.
    pub fn backfill_events(mut self, events: Option<u64>) -> Self {
        self.host = self.host.backfill_events(events);
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
    pub async fn build(mut self) -> Result<Pds> {
        self.methods.check(&arroba_lexicons::catalog())?;
        let service_did = self.own_did()?;
        let public_url = self.host.public_url.clone().unwrap_or_else(|| format!("https://{}", self.hostname));
        let domains = match self.handle_domains.is_empty() {
            true => vec![format!(".{}", self.hostname)],
            false => self.handle_domains.clone(),
        };
        let directory = match &self.host.directory {
            Some(directory) => Arc::clone(directory),
            None => Arc::new(DirectoryClient::new(PUBLIC_DIRECTORY)?),
        };
        let resolver = self.resolver(&directory, &domains, &service_did, &public_url)?;
        if let Some(dns) = &self.host.dns {
            self.proxy = self.proxy.dns(Arc::clone(dns));
        }
        let (clock, randomness) = (Arc::clone(&self.host.clock), Arc::clone(&self.host.randomness));
        self = self.complete(&directory, &resolver, &public_url)?;
        let host = self.host.build().await?;
        let proxy = self.proxy.build(&host)?;

        let unix_clock = Arc::clone(&clock);
        let unix: UnixClock = Arc::new(move || Duration::from_micros(unix_clock.now_micros()));
        let audiences = [service_did.to_string(), format!("{service_did}#atproto_pds")];
        let services =
            ServiceAuth::new(audiences, Arc::new(ResolverKeys(resolver.clone())), Arc::clone(&unix));
        let tokens = SessionTokens::new(
            self.secrets.session(),
            service_did.clone(),
            Arc::clone(&clock),
            Arc::clone(&randomness),
        );
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
            clock,
            randomness,
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
            .clock(self.host.identity_clock())
            .build())
    }

    /// How others are asked whom someone else names.
    fn network(&self) -> Result<(GuardedClient, Arc<dyn Dns>)> {
        let dns = self.host.name_servers()?;
        Ok((GuardedClient::new(self.host.guard, Arc::clone(&dns))?, dns))
    }

    /// Gives the host what only the whole server knows.
    fn complete(
        mut self,
        directory: &Arc<dyn PlcDirectory>,
        resolver: &Resolver,
        public_url: &str,
    ) -> Result<Self> {
        let remote = self.remote_blobs.as_ref().map(|limits| self.remote(limits)).transpose()?;
        let mut host = self.host.directory(Arc::clone(directory)).resolver(resolver.clone());
        host.hostname = known_as(&self.hostname, public_url);
        host = host.public_url(public_url);
        if let Some(relays) = &self.crawlers {
            let relays: Result<Vec<Url>, _> = relays.iter().map(|relay| Url::parse(relay)).collect();
            let relays = relays.map_err(|_| Error::Setting { name: "crawlers", expected: "addresses" })?;
            host = host.crawlers(Crawlers::new(relays));
        }
        if let Some(remote) = remote {
            host = host.remote_blobs(remote);
        }
        self.host = host;
        Ok(self)
    }

    fn remote(&self, limits: &RemoteBlobLimits) -> Result<RemoteBlobs> {
        let client = GuardedClient::new(self.host.guard, self.host.name_servers()?)?;
        let blobs = RemoteBlobs::builder(self.store.clone(), client).clock(Arc::clone(&self.host.clock));
        let blobs = blobs.limits(limits.clone());
        Ok(match &self.host.spool_directory {
            Some(directory) => blobs.spool_directory(directory).build(),
            None => blobs.build(),
        })
    }
}

impl fmt::Debug for PdsBuilder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PdsBuilder").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}
