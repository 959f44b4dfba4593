use crate::{
    CacheSettings, Clock, DidDocument, HandleResolver, Local, LocalIdentities, ResolveError, cache::Cache,
    cache_settings::millis, did_web, plc::PlcDirectory,
};
use arroba_core::{
    crypto::PublicKey,
    syntax::{AtIdentifier, Did, Handle},
};
use arroba_net::{Dns, GuardedClient};
use futures::{FutureExt as _, future::BoxFuture};
use std::{fmt, sync::Arc, time::Duration};

/// What a document's claim of a handle has turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleStatus {
    /// The handle's domain names the DID, and the DID's document claims the handle.
    Verified(Handle),
    /// There is no claim, or the domain does not name the DID.
    Invalid,
    /// This claim could not be checked now; what was known before may still be true.
    Unknown(Handle),
}

impl HandleStatus {
    /// The handle to show: `handle.invalid` unless it is verified.
    #[must_use]
    pub fn or_invalid(&self) -> Handle {
        match self {
            Self::Verified(handle) => handle.clone(),
            Self::Invalid | Self::Unknown(_) => Handle::INVALID,
        }
    }
}

/// An identity, verified in both directions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The DID.
    pub did: Did,
    /// The handle.
    pub handle: HandleStatus,
    /// The DID document.
    pub document: Arc<DidDocument>,
}

/// Resolves DIDs and handles, with caches.
///
/// Answers are fresh for an hour; up to a day's age they still serve while a new answer is fetched, and when that
/// fails. A definite "no" holds for two minutes. [`CacheSettings`] change that. Everything is bounded: entries,
/// questions under way, and the time and size of each. A clone shares the caches.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    sources: Sources,
    local: Option<Arc<dyn LocalIdentities>>,
    plc: Cache<Did, Arc<DidDocument>>,
    /// On its own, so that slow hosts do not use up the questions that may be open to the directory.
    web: Cache<Did, Arc<DidDocument>>,
    handles: Cache<Handle, Did>,
}

impl Inner {
    fn documents(&self, did: &Did) -> &Cache<Did, Arc<DidDocument>> {
        if did.method() == "plc" { &self.plc } else { &self.web }
    }
}

#[derive(Clone)]
struct Sources {
    plc: Arc<dyn PlcDirectory>,
    client: GuardedClient,
    handles: HandleResolver,
}

/// Collects what a [`Resolver`] may be given.
#[derive(Debug)]
#[must_use]
pub struct ResolverBuilder {
    plc: Arc<dyn PlcDirectory>,
    client: GuardedClient,
    handles: HandleResolver,
    local: Option<Arc<dyn LocalIdentities>>,
    clock: Clock,
    cache: CacheSettings,
}

impl ResolverBuilder {
    /// Asks the host itself before the network.
    pub fn local(mut self, local: Arc<dyn LocalIdentities>) -> Self {
        self.local = Some(local);
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps answers so long, and so many.
    pub const fn cache(mut self, settings: CacheSettings) -> Self {
        self.cache = settings;
        self
    }

    /// See [`HandleResolver::development_port`].
    pub fn development_port(mut self, port: u16) -> Self {
        self.handles = self.handles.development_port(port);
        self
    }

    /// The resolver.
    #[must_use]
    pub fn build(self) -> Resolver {
        let (settings, times) = (self.cache, self.cache.times());
        let documents = || {
            Cache::new(self.clock.clone(), times, settings.document_bytes, move |did: &Did, document| {
                let bytes = document.map_or(0, |document: &Arc<DidDocument>| document.size());
                settings.weight(bytes + did.as_str().len() + 200)
            })
        };
        let (plc, web) = (documents(), documents());
        let handles = Cache::new(self.clock, times, settings.entries, |_, _| 1);
        let sources = Sources { plc: self.plc, client: self.client, handles: self.handles };
        Resolver { inner: Arc::new(Inner { sources, local: self.local, plc, web, handles }) }
    }
}

impl Resolver {
    /// Begins a resolver over a directory for did:plc, a client for did:web and HTTPS handles, and DNS.
    pub fn builder(plc: Arc<dyn PlcDirectory>, client: GuardedClient, dns: Arc<dyn Dns>) -> ResolverBuilder {
        let handles = HandleResolver::new(client.clone(), dns);
        let (clock, cache) = (Clock::system(), CacheSettings::REFERENCE);
        ResolverBuilder { plc, client, handles, local: None, clock, cache }
    }

    /// The client that hosts on the network are asked with.
    #[must_use]
    pub fn client(&self) -> &GuardedClient {
        &self.inner.sources.client
    }

    /// The document of a DID.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve_did(&self, did: &Did) -> Result<Arc<DidDocument>, ResolveError> {
        self.resolve_did_within(did, Duration::MAX).await
    }

    /// The document of a DID, no older than this; authorisation demands less than ten minutes.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve_did_within(
        &self,
        did: &Did,
        max_age: Duration,
    ) -> Result<Arc<DidDocument>, ResolveError> {
        if let Some(answer) = self.local_document(did).await {
            return answer;
        }
        self.inner.documents(did).answer(did, millis(max_age), || self.fetch_document(did)).await
    }

    /// A newly fetched document of a DID, for the case that the known one explains nothing: a signature that
    /// does not match. `None` if it was fetched within the last ten seconds.
    ///
    /// # Errors
    /// [`ResolveError`], without loss of the known document.
    pub async fn refresh_did(&self, did: &Did) -> Result<Option<Arc<DidDocument>>, ResolveError> {
        if self.local_document(did).await.is_some() {
            return Ok(None);
        }
        self.inner.documents(did).refetch(did, || self.fetch_document(did)).await.transpose()
    }

    /// The DID that a handle's domain names. Whether the DID claims the handle is another question, answered by
    /// [`resolve_identity`](Self::resolve_identity).
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve_handle(&self, handle: &Handle) -> Result<Did, ResolveError> {
        self.resolve_handle_within(handle, Duration::MAX).await
    }

    /// The DID that a handle's domain names, according to an answer no older than this.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve_handle_within(
        &self,
        handle: &Handle,
        max_age: Duration,
    ) -> Result<Did, ResolveError> {
        if let Some(local) = &self.inner.local {
            match local.did(handle).await {
                Local::Found(did) => return Ok(did),
                Local::Absent => return Err(ResolveError::NotFound),
                Local::Unavailable(error) => return Err(ResolveError::Unavailable(error)),
                Local::Elsewhere => {}
            }
        }
        let fetch = || {
            let (resolver, handle) = (self.inner.sources.handles.clone(), handle.clone());
            async move { resolver.resolve(&handle).await }.boxed()
        };
        self.inner.handles.answer(handle, millis(max_age), fetch).await
    }

    /// The identity behind a DID or a handle. Behind a handle there is one only if it is verified.
    ///
    /// # Errors
    /// [`ResolveError`]; [`ResolveError::NotFound`] also for a handle that its DID does not claim.
    pub async fn resolve_identity(&self, identifier: &AtIdentifier) -> Result<Identity, ResolveError> {
        match identifier {
            AtIdentifier::Did(did) => {
                let document = self.resolve_did(did).await?;
                let handle = self.handle_status(&document).await;
                Ok(Identity { did: did.clone(), handle, document })
            }
            AtIdentifier::Handle(handle) => {
                let did = self.resolve_handle(handle).await?;
                let mut document = self.resolve_did(&did).await?;
                if document.handle().as_ref() != Some(handle) {
                    // The handle may be newer than the document that is known.
                    document = self.refresh_did(&did).await?.ok_or(ResolveError::NotFound)?;
                }
                if document.handle().as_ref() != Some(handle) {
                    return Err(ResolveError::NotFound);
                }
                Ok(Identity { did, handle: HandleStatus::Verified(handle.clone()), document })
            }
        }
    }

    /// Checks a document's claim of a handle.
    pub async fn handle_status(&self, document: &DidDocument) -> HandleStatus {
        let Some(handle) = document.handle() else { return HandleStatus::Invalid };
        match self.resolve_handle(&handle).await {
            Ok(did) if did == *document.did() => HandleStatus::Verified(handle),
            Err(error) if !error.is_definite() => HandleStatus::Unknown(handle),
            Ok(_) | Err(_) => HandleStatus::Invalid,
        }
    }

    /// The account's signing key.
    ///
    /// # Errors
    /// [`ResolveError`]; [`ResolveError::NotFound`] also for a document without such a key.
    pub async fn signing_key(&self, did: &Did) -> Result<PublicKey, ResolveError> {
        self.resolve_did(did).await?.signing_key().ok_or(ResolveError::NotFound)
    }

    /// The account's signing key once more, for a signature that did not match [`signing_key`](Self::signing_key):
    /// from a new document, unless the known one is not ten seconds old.
    ///
    /// # Errors
    /// As [`signing_key`](Self::signing_key).
    pub async fn refreshed_signing_key(&self, did: &Did) -> Result<PublicKey, ResolveError> {
        match self.refresh_did(did).await? {
            Some(document) => document.signing_key().ok_or(ResolveError::NotFound),
            None => self.signing_key(did).await,
        }
    }

    /// Forgets what is cached about a DID, its handle included: an `#identity` event says that it has changed.
    pub fn purge(&self, did: &Did) {
        if let Some(handle) = self.inner.documents(did).cached(did).and_then(|document| document.handle()) {
            self.inner.handles.purge(&handle);
        }
        self.inner.documents(did).purge(did);
    }

    /// Forgets what is cached about a handle.
    pub fn purge_handle(&self, handle: &Handle) {
        self.inner.handles.purge(handle);
    }

    async fn local_document(&self, did: &Did) -> Option<Result<Arc<DidDocument>, ResolveError>> {
        match self.inner.local.as_ref()?.document(did).await {
            Local::Found(document) => Some(Ok(Arc::new(document))),
            Local::Absent => Some(Err(ResolveError::NotFound)),
            Local::Unavailable(error) => Some(Err(ResolveError::Unavailable(error))),
            Local::Elsewhere => None,
        }
    }

    fn fetch_document(&self, did: &Did) -> BoxFuture<'static, Result<Arc<DidDocument>, ResolveError>> {
        let (sources, did) = (self.inner.sources.clone(), did.clone());
        async move {
            let document = match did.method() {
                "plc" if is_plc(&did) => DidDocument::from_json(&did, sources.plc.document(&did).await?)?,
                "web" => did_web::document(&sources.client, &did).await?,
                _ => return Err(ResolveError::UnsupportedDid),
            };
            Ok(Arc::new(document))
        }
        .boxed()
    }
}

/// Whether the identifier has the form that every did:plc has, so that nothing else gets into the directory's URL.
fn is_plc(did: &Did) -> bool {
    let identifier = did.identifier().as_bytes();
    identifier.len() == 24 && identifier.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Resolver")
    }
}
