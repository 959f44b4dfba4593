//! A host of repositories: everything that changes a repo durably goes through here, and everything else reads.

mod announce;
mod builder;
mod check;
mod commit;
mod commit_many;
mod contents;
mod create;
mod delete;
mod duplicates;
mod error;
pub(crate) mod events;
mod hide;
mod identity;
mod keys;
mod learn;
mod list;
mod past;
mod policies;
mod repo;
mod resolve;
mod service_token;
mod status;
mod sweep;
mod tree;
pub(crate) mod turn;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arroba_core::crypto::{PrivateKey, Signer};
use arroba_core::lexicon::{Catalog, Unknown};
use arroba_core::syntax::{Datetime, Did, Handle, Tid};
use arroba_identity::plc::PlcDirectory;
use arroba_identity::{LexiconResolver, Resolver};
use arroba_store::blobs::Blobs;
use arroba_store::{BlobIndex, RepoRow, RepoStore};
use arroba_xrpc::Subscriptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::announce::Announcement;
pub(crate) use self::builder::known_as;
pub use self::builder::{HostKeys, HostLimits, RepoHostBuilder};
pub use self::commit_many::Batch;
pub use self::contents::Contents;
pub use self::create::{NewRepo, RepoPlan};
pub use self::error::HostError;
pub(crate) use self::error::Shown;
pub use self::past::WritesSince;
pub use self::policies::{Collections, Exports, HostPolicies, RestrictedExports};
pub use self::repo::Repo;
pub use self::tree::{RepoTree, TreeWalker};
pub use self::write::{CommitMeta, CommitOptions, CommitOutcome, Content, Write, WriteResult, Written};

use self::keys::Keys;
use self::turn::{Turn, Turns};
use crate::crawlers::Crawling;
use crate::environment::{Clock, Randomness};
use crate::firehose::{Events, Firehose, Subscription};
use crate::remote_blobs::RemoteBlobs;

/// How long subscribers may take to go when the host closes.
const DRAIN: Duration = Duration::from_secs(10);

/// A host of repositories over one store.
///
/// A host is a value: it has no global state, so two of them live in one process, and one in a unit test. Clones share the same
/// host. Holding it is the authority to write to every repo; what answers requests from outside should hold a
/// [`Service`](crate::Service) instead.
///
/// Every change is durable and announced on the firehose when its call returns. A call that is dropped half-way either
/// happened or did not.
#[derive(Clone)]
pub struct RepoHost(Arc<Inner>);

struct Inner {
    hostname: String,
    public_url: String,
    store: Arc<dyn RepoStore>,
    blob_index: Arc<dyn BlobIndex>,
    blobs: Blobs,
    remote_blobs: Option<RemoteBlobs>,
    rotation_key: Arc<dyn Signer>,
    directory: Arc<dyn PlcDirectory>,
    resolver: Resolver,
    catalog: Arc<Catalog>,
    unknown: Unknown,
    lexicons: Option<LexiconResolver>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    clock_id: u16,
    newest_rkey: Mutex<Option<Tid>>,
    limits: HostLimits,
    policies: HostPolicies,
    subscriptions: Subscriptions,
    spool_directory: PathBuf,
    keys: Keys,
    turns: Turns<Did>,
    firehose: Firehose,
    crawling: Option<Arc<Crawling>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl fmt::Debug for RepoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepoHost").field("hostname", &self.0.hostname).finish_non_exhaustive()
    }
}

impl RepoHost {
    /// The name under which the host is reached.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.0.hostname
    }

    /// The address that DID documents name as the account's server, such as `https://pds.example.com`.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.public_url
    }

    /// The time now, as records write it.
    #[must_use]
    pub fn now(&self) -> Datetime {
        crate::environment::datetime(self.0.clock.now_micros())
    }

    /// A handle on the repo of `did`, whether or not there is one.
    #[must_use]
    pub fn repo(&self, did: &Did) -> Repo {
        Repo::new(self.clone(), did.clone())
    }

    /// The repo that has this handle, if there is one.
    ///
    /// # Errors
    ///
    /// [`HostError::Store`] if the store cannot be read.
    pub async fn repo_of(&self, handle: &Handle) -> Result<Option<Repo>, HostError> {
        let row = self.0.store.by_handle(handle).await?;
        Ok(row.map(|row| self.repo(&row.did)))
    }

    /// The events after `cursor`, or from now on if there is none, as a stream that never ends by itself.
    #[must_use]
    pub fn subscribe(&self, cursor: Option<u64>) -> Subscription {
        self.0.firehose.subscribe(cursor)
    }

    /// The same, decoded: commits come with their writes and records.
    #[must_use]
    pub fn events(&self, cursor: Option<u64>) -> Events {
        Events::new(self.subscribe(cursor))
    }

    pub(crate) fn firehose(&self) -> &Firehose {
        &self.0.firehose
    }

    /// The sequence number of the newest event.
    #[must_use]
    pub fn newest_seq(&self) -> u64 {
        *self.0.firehose.tail().borrow()
    }

    /// How many sequence numbers each open subscription is behind the newest event, in no order.
    #[must_use]
    pub fn subscriber_lags(&self) -> Vec<u64> {
        self.0.firehose.lags()
    }

    /// The lexicons that records are checked against.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.0.catalog
    }

    /// The resolver of DIDs and handles.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        &self.0.resolver
    }

    /// The limits that the host was built with.
    #[must_use]
    pub fn limits(&self) -> &HostLimits {
        &self.0.limits
    }

    /// What the host serves to requests from outside.
    #[must_use]
    pub fn policies(&self) -> &HostPolicies {
        &self.0.policies
    }

    /// The connections of the host's event stream.
    pub(crate) fn subscriptions(&self) -> &Subscriptions {
        &self.0.subscriptions
    }

    pub(crate) fn spool_directory(&self) -> &Path {
        &self.0.spool_directory
    }

    /// The store of the repos.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn RepoStore> {
        &self.0.store
    }

    /// What is known of the blobs.
    #[must_use]
    pub fn blob_index(&self) -> &Arc<dyn BlobIndex> {
        &self.0.blob_index
    }

    /// The bytes of the blobs.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The blobs that live elsewhere, if the host has them.
    #[must_use]
    pub fn remote_blobs(&self) -> Option<&RemoteBlobs> {
        self.0.remote_blobs.as_ref()
    }

    /// Tells subscribers to go, stops the host's own tasks and waits for both. Writes still work afterwards; relays are no longer
    /// told of them. A subscriber who does not go keeps this waiting no longer than ten seconds.
    pub async fn close(&self) {
        if tokio::time::timeout(DRAIN, self.0.subscriptions.drain()).await.is_err() {
            tracing::warn!("some subscribers were still there at the deadline");
        }
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(crate) fn crawling(&self) -> Option<&Arc<Crawling>> {
        self.0.crawling.as_ref()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn directory(&self) -> &dyn PlcDirectory {
        &*self.0.directory
    }

    /// Waits until nobody else in this process writes to the repo of `did`.
    pub(crate) async fn turn(&self, did: &Did) -> Turn<Did> {
        self.0.turns.take(did).await
    }

    /// The key that signs the commits of a repo.
    pub(crate) fn signing_key(&self, repo: &RepoRow) -> Result<Arc<PrivateKey>, HostError> {
        self.0.keys.open(&repo.did, &repo.keys.signing)
    }

    /// A record key that no other call of this host returns: a TID, greater than those before.
    pub(crate) fn fresh_tid(&self) -> Tid {
        let mut newest = self.0.newest_rkey.lock().unwrap_or_else(PoisonError::into_inner);
        let tid = Tid::next_after(self.0.clock.now_micros(), self.0.clock_id, *newest);
        *newest = Some(tid);
        tid
    }

    /// The revision that follows `previous`.
    pub(crate) fn next_rev(&self, previous: Option<Tid>) -> Tid {
        Tid::next_after(self.0.clock.now_micros(), self.0.clock_id, previous)
    }
}
