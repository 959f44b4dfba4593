//! Resolution with caches.

use super::{
    Lexicon, LexiconError,
    fetch::{Sources, TOTAL_TIMEOUT},
};
use crate::{
    Clock, Resolver,
    cache::{Cache, Times},
};
use arroba_core::syntax::{Did, Nsid};
use arroba_net::{Dns, GuardedClient};
use futures::FutureExt as _;
use std::{fmt, sync::Arc, time::Duration};

/// DNS tells nobody that it has changed, so that an answer is fresh for five minutes only, as the reference has it for
/// permission sets; an old one serves for a day while a new one is fetched, and when that fails.
const TIMES: Times = Times {
    fresh: 5 * 60 * 1000,
    stale: 24 * 60 * 60 * 1000,
    error: 2 * 60 * 1000,
    failure: 30 * 1000,
    refetch_floor: 10 * 1000,
};

/// All cached lexicons together, in bytes of memory by estimate.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// How many bytes of memory the schemas of a document take for each byte of its record, at the most.
const MEMORY_FACTOR: usize = 16;

/// Resolves the names of lexicons, with caches.
///
/// - A lexicon is fresh for five minutes. Up to a day's age it still serves while a new answer is fetched, and when that
///   fails.
/// - A definite "no" (no authority, an absent record, a wrong proof, a document that breaks the rules) holds for two
///   minutes, and takes the place of what was known. No answer at all is remembered for 30 seconds.
/// - One question for a name is under way at a time, and 1,024 in all. It goes on when the one who asked has left, and ends
///   within 20 seconds: 5 for DNS, 10 for the record, whose proof may have a megabyte.
/// - The cache takes 32 MiB by estimate.
///
/// A clone shares the caches.
///
/// ```no_run
/// use arroba_core::nsid;
/// use arroba_identity::{LexiconResolver, Resolver, plc::{DirectoryClient, PUBLIC_DIRECTORY}};
/// use arroba_net::{Guard, GuardedClient, SystemDns};
/// use std::sync::Arc;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let dns = Arc::new(SystemDns::new()?);
/// let client = GuardedClient::new(Guard::Public, dns.clone())?;
/// let directory = Arc::new(DirectoryClient::new(PUBLIC_DIRECTORY)?);
/// let resolver = Resolver::builder(directory, client.clone(), dns.clone()).build();
/// let lexicons = LexiconResolver::builder(resolver, client, dns).build();
/// let lexicon = lexicons.resolve(&nsid!("com.example.note")).await?;
/// println!("{} says {:?}", lexicon.authority, lexicon.document.def("main"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LexiconResolver {
    sources: Sources,
    cache: Arc<Cache<Nsid, Arc<Lexicon>, LexiconError>>,
}

/// Collects what a [`LexiconResolver`] may be given.
#[must_use]
pub struct LexiconResolverBuilder {
    sources: Sources,
    clock: Clock,
}

impl LexiconResolverBuilder {
    /// Takes the time from this clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Takes this account for the authority over every name, and asks no DNS.
    pub fn authority(mut self, authority: Did) -> Self {
        self.sources.authority = Some(authority);
        self
    }

    /// How long the whole way to one lexicon may take; 20 seconds unless this is called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.sources.timeout = timeout;
        self
    }

    /// The resolver.
    #[must_use]
    pub fn build(self) -> LexiconResolver {
        let weight = |name: &Nsid, lexicon: Option<&Arc<Lexicon>>| {
            let bytes = lexicon.map_or(0, |lexicon| lexicon.record.len().saturating_mul(MEMORY_FACTOR));
            u32::try_from(bytes + name.as_str().len() + 2000).unwrap_or(u32::MAX)
        };
        let cache = Arc::new(Cache::new(self.clock, TIMES, CACHE_BYTES, weight));
        LexiconResolver { sources: self.sources, cache }
    }
}

impl LexiconResolver {
    /// Begins a resolver over one for DIDs, a client for records, and DNS.
    pub fn builder(resolver: Resolver, client: GuardedClient, dns: Arc<dyn Dns>) -> LexiconResolverBuilder {
        let sources = Sources { resolver, client, dns, authority: None, timeout: TOTAL_TIMEOUT };
        LexiconResolverBuilder { sources, clock: Clock::system() }
    }

    /// The lexicon of this name, proven by the account that the name's domain trusts.
    ///
    /// # Errors
    /// [`LexiconError`], which names the step that failed.
    pub async fn resolve(&self, name: &Nsid) -> Result<Arc<Lexicon>, LexiconError> {
        let fetch = || {
            let (sources, name) = (self.sources.clone(), name.clone());
            async move { sources.lexicon(&name).await }.boxed()
        };
        self.cache.answer(name, u64::MAX, fetch).await
    }

    /// Forgets what is cached about a name.
    pub fn purge(&self, name: &Nsid) {
        self.cache.purge(name);
    }
}

impl fmt::Debug for LexiconResolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LexiconResolver")
    }
}

impl fmt::Debug for LexiconResolverBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LexiconResolverBuilder")
    }
}
