//! The resolver over a directory, hosts and DNS.

use super::support::{ALICE, FakeDns, Hands, key, serve, state};
use arroba_core::{
    crypto::Signer as _,
    did, handle,
    syntax::{AtIdentifier, Did, Handle},
};
use arroba_identity::{
    DidDocument, HandleStatus, Local, LocalIdentities, ResolveError, Resolver,
    plc::{Directory, LogEntry, Operation, PlcDirectory, PlcError, State, Unsigned, did_from_genesis},
};
use arroba_net::{Guard, GuardedClient};
use async_trait::async_trait;
use axum::{Json, Router, http::StatusCode, response::Redirect, routing::get};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A directory that counts its readers and can be down.
#[derive(Debug)]
struct Watched {
    directory: Directory,
    reads: AtomicUsize,
    down: AtomicBool,
}

#[async_trait]
impl PlcDirectory for Watched {
    async fn document(&self, did: &Did) -> Result<Value, PlcError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        // Lets everybody ask before anybody is answered.
        tokio::task::yield_now().await;
        if self.down.load(Ordering::SeqCst) {
            return Err(PlcError::Unavailable("down".into()));
        }
        self.directory.document(did).await
    }

    async fn state(&self, did: &Did) -> Result<State, PlcError> {
        self.directory.state(did).await
    }

    async fn audit_log(&self, did: &Did) -> Result<Vec<LogEntry>, PlcError> {
        self.directory.audit_log(did).await
    }

    async fn last_operation(&self, did: &Did) -> Result<Operation, PlcError> {
        self.directory.last_operation(did).await
    }

    async fn submit(&self, did: &Did, operation: &Operation) -> Result<(), PlcError> {
        self.directory.submit(did, operation).await
    }
}

struct World {
    hands: Hands,
    plc: Arc<Watched>,
    dns: Arc<FakeDns>,
    resolver: Resolver,
    alice: Did,
}

impl World {
    fn new() -> Self {
        Self::with(|_| None)
    }

    fn with(local: impl FnOnce(&Did) -> Option<Arc<dyn LocalIdentities>>) -> Self {
        let hands = Hands::new();
        let directory = Directory::new(hands.clock());
        let plc = Arc::new(Watched { directory, reads: AtomicUsize::new(0), down: AtomicBool::new(false) });
        let dns = Arc::new(FakeDns::default());
        let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns) as _).unwrap();
        let genesis = Unsigned::genesis(state(&[1])).sign(&key(1)).unwrap();
        let alice = did_from_genesis(&genesis);
        plc.directory.accept(&alice, genesis).unwrap();
        dns.set(ALICE.as_str(), &[&format!("did={alice}")]);
        let mut builder = Resolver::builder(Arc::clone(&plc) as _, client, Arc::clone(&dns) as _)
            .clock(hands.clock())
            .development_port(1);
        if let Some(local) = local(&alice) {
            builder = builder.local(local);
        }
        Self { hands, plc, dns, resolver: builder.build(), alice }
    }

    fn update(&self, change: impl FnOnce(State) -> State) {
        let last = self.plc.directory.log(&self.alice).unwrap().last().unwrap().cid;
        let operation = Unsigned::update(last, change(state(&[1]))).sign(&key(1)).unwrap();
        self.plc.directory.accept(&self.alice, operation).unwrap();
    }

    fn reads(&self) -> usize {
        self.plc.reads.load(Ordering::SeqCst)
    }

    async fn status(&self) -> HandleStatus {
        self.resolver.resolve_identity(&AtIdentifier::Did(self.alice.clone())).await.unwrap().handle
    }
}

#[tokio::test]
async fn an_identity_in_both_directions() {
    let world = World::new();
    for identifier in [AtIdentifier::Did(world.alice.clone()), AtIdentifier::Handle(ALICE)] {
        let identity = world.resolver.resolve_identity(&identifier).await.unwrap();
        assert_eq!(identity.did, world.alice);
        assert_eq!(identity.handle, HandleStatus::Verified(ALICE));
        assert_eq!(identity.document.pds().unwrap().as_str(), "https://pds.test/");
    }
    assert_eq!(world.resolver.signing_key(&world.alice).await.unwrap(), key(9).public_key());
    assert_eq!(world.reads(), 1);
    // Mallory's domain may name Alice's DID, but her document says nothing of it.
    world.dns.set("mallory.test", &[&format!("did={}", world.alice)]);
    let mallory = AtIdentifier::Handle(handle!("mallory.test"));
    assert!(matches!(world.resolver.resolve_identity(&mallory).await, Err(ResolveError::NotFound)));
}

#[tokio::test]
async fn a_claim_that_is_not_returned_is_invalid() {
    let world = World::new();
    world.dns.set(ALICE.as_str(), &["did=did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"]);
    assert_eq!(world.status().await, HandleStatus::Invalid);
    assert_eq!(world.status().await.or_invalid(), Handle::INVALID);
    let world = World::new();
    world.dns.down.store(true, Ordering::SeqCst);
    assert_eq!(world.status().await, HandleStatus::Unknown(ALICE));
    let world = World::new();
    world.update(|mut state| {
        state.also_known_as.clear();
        state
    });
    assert_eq!(world.status().await, HandleStatus::Invalid);
}

#[tokio::test]
async fn methods_and_forms() {
    let world = World::new();
    for text in [
        "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF",
        "did:plc:short",
        "did:plc:..",
        "did:plc:AAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let answer = world.resolver.resolve_did(&Did::parse(text).unwrap()).await;
        assert!(matches!(answer, Err(ResolveError::UnsupportedDid)), "{text}");
    }
    let nobody = world.resolver.resolve_did(&did!("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb")).await;
    assert!(matches!(nobody, Err(ResolveError::NotFound)));
    let last = world.plc.directory.log(&world.alice).unwrap().last().unwrap().cid;
    world.plc.directory.accept(&world.alice, Unsigned::tombstone(last).sign(&key(1)).unwrap()).unwrap();
    assert!(matches!(world.resolver.resolve_did(&world.alice).await, Err(ResolveError::Tombstoned)));
}

#[tokio::test]
async fn did_web() {
    let world = World::new();
    let document = |port: u16| async move { Json(json!({ "id": format!("did:web:localhost%3A{port}") })) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().route("/.well-known/did.json", get(move || document(port)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let did = Did::parse(&format!("did:web:localhost%3A{port}")).unwrap();
    assert_eq!(world.resolver.resolve_did(&did).await.unwrap().did(), &did);

    type Check = fn(&ResolveError) -> bool;
    let other = Json(json!({ "id": "did:web:example.com" }));
    let cases: [(Router, Check); 5] = [
        (Router::new(), |error| matches!(error, ResolveError::NotFound)),
        (Router::new().fallback(|| async { Redirect::to("/") }), |error| {
            matches!(error, ResolveError::Malformed(_))
        }),
        (Router::new().fallback(|| async { other }), |error| matches!(error, ResolveError::Malformed(_))),
        (Router::new().fallback(|| async { "x".repeat(300_000) }), |error| {
            matches!(error, ResolveError::Malformed(_))
        }),
        (Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE }), |error| !error.is_definite()),
    ];
    for (router, check) in cases {
        let did = Did::parse(&format!("did:web:localhost%3A{}", serve(router).await.port())).unwrap();
        let error = world.resolver.resolve_did(&did).await.unwrap_err();
        assert!(check(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_stampede_asks_once() {
    let world = World::new();
    let asking = (0..100).map(|_| world.resolver.resolve_did(&world.alice));
    assert!(futures::future::join_all(asking).await.iter().all(Result::is_ok));
    assert_eq!(world.reads(), 1);
    let nobody = did!("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb");
    for _ in 0..3 {
        world.resolver.resolve_did(&nobody).await.unwrap_err();
    }
    assert_eq!(world.reads(), 2);
}

#[tokio::test]
async fn an_outage_is_bridged() {
    let world = World::new();
    world.resolver.resolve_did(&world.alice).await.unwrap();
    world.plc.down.store(true, Ordering::SeqCst);
    world.hands.advance(Duration::from_secs(23 * 3600));
    world.resolver.resolve_did(&world.alice).await.unwrap();
    let strict = world.resolver.resolve_did_within(&world.alice, Duration::from_secs(600)).await;
    assert!(!strict.unwrap_err().is_definite());
    world.hands.advance(Duration::from_secs(3600));
    assert!(!world.resolver.resolve_did(&world.alice).await.unwrap_err().is_definite());
}

#[tokio::test]
async fn a_rotated_key_is_found_by_asking_again() {
    let world = World::new();
    assert_eq!(world.resolver.signing_key(&world.alice).await.unwrap(), key(9).public_key());
    world.update(|state| state.with_signing_key(&key(7).public_key()));
    assert_eq!(world.resolver.signing_key(&world.alice).await.unwrap(), key(9).public_key());
    // Not at once: somebody may be sending bad signatures by the thousand.
    assert_eq!(world.resolver.refreshed_signing_key(&world.alice).await.unwrap(), key(9).public_key());
    assert!(world.resolver.refresh_did(&world.alice).await.unwrap().is_none());
    assert_eq!(world.reads(), 1);
    world.hands.advance(Duration::from_secs(10));
    assert_eq!(world.resolver.refreshed_signing_key(&world.alice).await.unwrap(), key(7).public_key());
    assert_eq!(world.resolver.signing_key(&world.alice).await.unwrap(), key(7).public_key());
    assert_eq!(world.reads(), 2);
}

#[tokio::test]
async fn a_purge_forgets_the_document_and_the_handle() {
    let world = World::new();
    assert_eq!(world.status().await, HandleStatus::Verified(ALICE));
    world.dns.set(ALICE.as_str(), &["did=did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"]);
    world.dns.set("new.test", &[&format!("did={}", world.alice)]);
    world.update(|state| state.with_handle(&handle!("new.test")));
    assert_eq!(world.status().await, HandleStatus::Verified(ALICE));
    world.resolver.purge(&world.alice);
    assert_eq!(world.status().await, HandleStatus::Verified(handle!("new.test")));
    assert_eq!(
        world.resolver.resolve_handle(&ALICE).await.unwrap().as_str(),
        "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
    );
}

#[tokio::test]
async fn a_new_handle_is_found_with_an_old_document_in_the_cache() {
    let world = World::new();
    assert_eq!(world.status().await, HandleStatus::Verified(ALICE));
    world.update(|state| state.with_handle(&handle!("new.test")));
    world.dns.set("new.test", &[&format!("did={}", world.alice)]);
    let new = AtIdentifier::Handle(handle!("new.test"));
    assert!(matches!(world.resolver.resolve_identity(&new).await, Err(ResolveError::NotFound)));
    world.hands.advance(Duration::from_secs(10));
    assert_eq!(world.resolver.resolve_identity(&new).await.unwrap().did, world.alice);
    assert_eq!(world.reads(), 2);
}

/// Answers for everything under `test`, and for its own DID.
#[derive(Debug)]
struct Host {
    alice: Did,
}

const HOST: Did = did!("did:web:pds.test");

#[async_trait]
impl LocalIdentities for Host {
    async fn did(&self, handle: &Handle) -> Local<Did> {
        match handle.as_str() {
            "alice.test" => Local::Found(self.alice.clone()),
            "broken.test" => Local::Unavailable(Arc::new(std::io::Error::other("disk"))),
            name if name.ends_with(".test") => Local::Absent,
            _ => Local::Elsewhere,
        }
    }

    async fn document(&self, did: &Did) -> Local<DidDocument> {
        if *did == HOST {
            Local::Found(DidDocument::from_json(did, json!({ "id": HOST.as_str() })).unwrap())
        } else {
            Local::Elsewhere
        }
    }
}

#[tokio::test]
async fn a_host_knows_its_own() {
    let world = World::with(|alice| Some(Arc::new(Host { alice: alice.clone() })));
    assert_eq!(world.resolver.resolve_handle(&ALICE).await.unwrap(), world.alice);
    assert!(matches!(world.resolver.resolve_handle(&handle!("bob.test")).await, Err(ResolveError::NotFound)));
    let broken = world.resolver.resolve_handle(&handle!("broken.test")).await.unwrap_err();
    assert!(!broken.is_definite());
    assert_eq!(world.dns.lookups.load(Ordering::SeqCst), 0);
    assert_eq!(world.resolver.resolve_did(&HOST).await.unwrap().did(), &HOST);
    assert!(world.resolver.refresh_did(&HOST).await.unwrap().is_none());
    assert_eq!(world.status().await, HandleStatus::Verified(ALICE));
    assert_eq!(world.reads(), 1);
}
