//! A host with a directory of its own, a clock that stands still, and keys that are always the same.

use std::net::SocketAddr;
use std::sync::Arc;

use arroba::core::crypto::{Curve, PrivateKey, PublicKey};
use arroba::core::event::Frame;
use arroba::core::repo::verify::{self, Order};
use arroba::core::syntax::{Did, Handle};
use arroba::environment::{FixedClock, SeededRandomness};
use arroba::firehose::Delivery;
use arroba::identity::Resolver;
use arroba::identity::plc::{Directory, PlcDirectory};
use arroba::remote_blobs::RemoteBlobLimits;
use arroba::store::seal::MasterKey;
use arroba::store::{BlobIndex, Memory, RemoteBlobIndex, RepoStore, Sqlite, SqliteOptions, StoredEvent};
use arroba::{HostKeys, NewRepo, RemoteBlobs, Repo, RepoHost, RepoHostBuilder};
use arroba_net::{Dns, Guard, GuardedClient, SystemDns};
use futures::StreamExt;

/// 2026-01-01T00:00:00Z
pub(crate) const START_MICROS: u64 = 1_767_225_600_000_000;

/// The first sequence number.
pub(crate) const START_SEQ: u64 = 5_000_000_000;

/// A store that tests run on.
pub(crate) trait Backend: RepoStore + BlobIndex + Clone {
    /// A store with nothing in it, whose numbers begin at [`START_SEQ`].
    async fn empty() -> Self;
}

impl Backend for Memory {
    async fn empty() -> Self {
        Self::with_start_seq(START_SEQ)
    }
}

impl Backend for Sqlite {
    async fn empty() -> Self {
        let mut options = SqliteOptions::default();
        options.start_seq = Some(START_SEQ);
        Self::in_memory(options).await.unwrap()
    }
}

pub(crate) struct World<S> {
    pub(crate) host: RepoHost,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: S,
}

pub(crate) fn keys() -> HostKeys {
    let rotation = PrivateKey::from_bytes(Curve::K256, &[8; 32]).unwrap();
    HostKeys::new(MasterKey::from_bytes([7; 32]), rotation)
}

impl<S: RepoStore + BlobIndex + RemoteBlobIndex + Clone> World<S> {
    /// A host that has remote blobs.
    pub(crate) async fn with_remote_blobs(store: S, client: GuardedClient, limits: RemoteBlobLimits) -> Self {
        let clock = Arc::new(FixedClock::new(START_MICROS));
        let directory = Arc::new(directory(&clock));
        let blobs = RemoteBlobs::builder(store.clone(), client).clock(Arc::clone(&clock) as _).limits(limits);
        let host = builder(&store, 1, &clock, &directory).remote_blobs(blobs.build()).build().await.unwrap();
        Self { host, directory, clock, store }
    }
}

impl<S> World<S> {
    /// A new account.
    pub(crate) async fn account(&self, name: &str) -> Repo {
        let handle: Handle = format!("{name}.pds.test").parse().unwrap();
        self.host.create_repo(NewRepo::plc(handle)).await.unwrap()
    }
}

impl<S: Backend> World<S> {
    /// A host over an empty store in memory.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(FixedClock::new(START_MICROS));
        let directory = Arc::new(directory(&clock));
        Self::with(S::empty().await, 1, clock, directory).await
    }

    /// Another host over the same store.
    pub(crate) async fn other(&self) -> Self {
        Self::with(self.store.clone(), 2, Arc::clone(&self.clock), Arc::clone(&self.directory)).await
    }

    async fn with(store: S, seed: u8, clock: Arc<FixedClock>, directory: Arc<Directory>) -> Self {
        let host = builder(&store, seed, &clock, &directory).build().await.unwrap();
        Self { host, directory, clock, store }
    }

    /// A host that takes imports of so many bytes.
    pub(crate) async fn importing(max_bytes: u64) -> Self {
        let clock = Arc::new(FixedClock::new(START_MICROS));
        let directory = Arc::new(directory(&clock));
        let store = S::empty().await;
        let host = builder(&store, 1, &clock, &directory).import_bytes(max_bytes).build().await.unwrap();
        Self { host, directory, clock, store }
    }

    /// The key that the directory knows for an account.
    pub(crate) async fn key(&self, did: &Did) -> PublicKey {
        self.directory.state(did).await.unwrap().signing_key().unwrap()
    }

    /// Every event that a subscriber from the beginning is sent.
    pub(crate) async fn events(&self) -> Vec<StoredEvent> {
        self.events_after(0).await
    }

    pub(crate) async fn events_after(&self, cursor: u64) -> Vec<StoredEvent> {
        let newest = self.host.newest_seq();
        let mut events = Vec::new();
        let mut subscription = self.host.subscribe(Some(cursor));
        if newest < START_SEQ {
            return events;
        }
        while events.last().is_none_or(|event: &StoredEvent| event.seq < newest) && cursor < newest {
            match subscription.next().await.unwrap().unwrap() {
                Delivery::Event(event) => events.push(event),
                other => panic!("{other:?}"),
            }
        }
        events
    }

    /// Verifies every commit among `events` from its frame alone, in every order of undoing.
    pub(crate) async fn verify(&self, events: &[StoredEvent]) -> usize {
        let mut commits = 0;
        for event in events {
            let frame = Frame::decode(&event.frame).unwrap();
            assert_eq!(frame.seq(), Some(event.seq));
            let key = self.key(&event.did).await;
            match frame {
                Frame::Commit(..) => {
                    for order in [Order::Relay, Order::Given, Order::Reversed] {
                        verify::frame(&event.frame, &event.did, &key, order).unwrap();
                    }
                    commits += 1;
                }
                Frame::Sync(_, sync) => {
                    verify::sync(&sync, &event.did, &key).unwrap();
                }
                Frame::Identity(..) | Frame::Account(..) => {}
                other => panic!("{other:?}"),
            }
        }
        commits
    }
}

fn builder<S: RepoStore + BlobIndex + Clone>(
    store: &S,
    seed: u8,
    clock: &Arc<FixedClock>,
    directory: &Arc<Directory>,
) -> RepoHostBuilder {
    RepoHost::builder("pds.test", keys(), store.clone())
        .directory(Arc::clone(directory) as Arc<dyn PlcDirectory>)
        .resolver(resolver(directory))
        .clock(Arc::clone(clock) as _)
        .randomness(Arc::new(SeededRandomness::new([seed; 32])))
}

pub(crate) fn directory(clock: &Arc<FixedClock>) -> Directory {
    use arroba::environment::Clock as _;
    let clock = Arc::clone(clock);
    Directory::without_rate_limits(arroba::identity::Clock::new(move || clock.now_micros() / 1000))
}

/// The kinds of events, as the wire names them.
pub(crate) fn kinds(events: &[StoredEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

/// A resolver that reaches the directory and loopback, and nothing else.
fn resolver(directory: &Arc<Directory>) -> Resolver {
    let nobody = SystemDns::with_servers([SocketAddr::from(([127, 0, 0, 1], 1))]).unwrap();
    let dns: Arc<dyn Dns> = Arc::new(nobody);
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns)).unwrap();
    Resolver::builder(Arc::clone(directory) as _, client, dns).build()
}
