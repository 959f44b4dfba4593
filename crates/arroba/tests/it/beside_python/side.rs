//! Both programs on one empty database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::repo::verify::{self, CarLimits};
use arroba::core::syntax::Did;
use arroba::identity::plc::Directory;
use arroba::store::RecordQuery;
use arroba::store::datastore::Numbering;
use arroba::store::datastore::testing::Emulator;
use arroba::store::datastore::{Client, Datastore, DatastoreOptions, EncryptedPropertyKeys};
use arroba::{HostKeys, NewRepo, RemoteBlobs, Repo, RepoHost};
use base64::Engine as _;
use futures::TryStreamExt;
use serde_json::json;

use super::super::remote_blobs::client as guarded_client;
use super::accounts::{did, handle, private_key, private_key_hex, public_key};
use super::follower::Follower;
use super::interpreter;
use super::python::Python;

/// How things are set up.
pub(super) struct Setup {
    pub(super) numbering: Numbering,
    /// `host:port` of the server that the Python library takes its numbers from, if it does.
    pub(super) memcached: Option<String>,
    /// How many seconds either reader of the log waits for a number that is left out.
    pub(super) skipped_delay: u64,
    /// The address in DID documents, and the directory that has them.
    pub(super) public: Option<(String, Directory)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { numbering: Numbering::Datastore, memcached: None, skipped_delay: 120, public: None }
    }
}

pub(super) struct Side {
    pub(super) python: Python,
    pub(super) client: Client,
    pub(super) store: Datastore,
    pub(super) host: RepoHost,
    /// Where our host is served.
    pub(super) url: String,
    // Last: it is stopped when everybody else has gone.
    _emulator: Arc<Emulator>,
}

impl Side {
    /// Nothing without the emulator or the Python library.
    pub(super) async fn start(setup: Setup) -> Option<Self> {
        let interpreter = interpreter()?;
        let emulator = Emulator::shared().await?;
        let client = emulator.client().await;
        let property_key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        let python = Python::start(&interpreter, emulator.host(), &property_key, setup.skipped_delay);
        let project = client.database().project();
        python.call("start", json!({"project": project, "memcached": setup.memcached})).await;

        let mut options = DatastoreOptions::new(setup.numbering);
        options.log.skipped_delay = Duration::from_secs(setup.skipped_delay);
        let store = Datastore::open(client.clone(), options).await.unwrap();
        let rotation = PrivateKey::from_bytes(Curve::K256, &[8; 32]).unwrap();
        let keys = HostKeys::new(EncryptedPropertyKeys::parse(&property_key).unwrap(), rotation);
        let remote = RemoteBlobs::builder(store.clone(), guarded_client()).build();
        let mut builder = RepoHost::builder("pds.test", keys, store.clone()).remote_blobs(remote);
        if let Some((url, directory)) = setup.public {
            builder = builder.public_url(url).directory(Arc::new(directory));
        }
        let host = builder.build().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = host.router().into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Some(Self { python, client, store, host, url, _emulator: emulator })
    }

    /// A repo that the Python library makes.
    pub(super) async fn python_repo(&self, number: u64) -> Did {
        let did = did(number);
        let arguments =
            json!({"did": did.as_str(), "handle": handle(number), "key": private_key_hex(number)});
        self.python.call("create", arguments).await;
        did
    }

    /// A repo that we make.
    pub(super) async fn rust_repo(&self, number: u64) -> Repo {
        let new = NewRepo::existing(did(number), Some(handle(number).parse().unwrap()));
        let new = new.active().signing_key(private_key(number)).own_rotation_key(private_key(number));
        self.host.create_repo(new).await.unwrap()
    }

    /// Everything that is in a repo, by our own eyes: read from the store, and verified from an export.
    pub(super) async fn read(&self, did: &Did) -> (String, BTreeMap<String, String>) {
        let key = public_key(did);
        let repo = self.host.repo(did);
        let pieces: Vec<_> = repo.export(None).await.unwrap().try_collect().await.unwrap();
        let verified = verify::car(&pieces.concat(), did, &key, CarLimits::default()).unwrap();
        let mut records = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.records(did, after).await;
            after = page.records.last().map(|record| record.path.clone());
            for record in page.records {
                records.insert(record.path.to_string(), record.cid.to_string());
            }
            if !page.more {
                assert_eq!(page.head.cid, verified.commit_cid, "written to while it is read");
                break;
            }
        }
        assert_eq!(verified.records, records.len() as u64);
        (verified.commit_cid.to_string(), records)
    }

    async fn records(
        &self,
        did: &Did,
        after: Option<arroba::core::syntax::RecordPath>,
    ) -> arroba::store::RecordPage {
        self.host.store().records(did, RecordQuery::all(after, 500)).await.unwrap().unwrap()
    }

    /// Reads a repo in every way that there is, and demands that all agree.
    pub(super) async fn agreed(&self, did: &Did) -> BTreeMap<String, String> {
        let (head, records) = self.read(did).await;
        let there = self.python.call("read", json!({"did": did.as_str()})).await;
        let served = self.python.call("read_url", json!({"url": self.url, "did": did.as_str()})).await;
        for seen in [&there, &served] {
            assert_eq!(seen["head"], head.as_str(), "{did}");
            assert_eq!(seen["records"], json!(records), "{did}");
        }
        assert_eq!(there["key"], public_key(did).to_did_key(), "{did}");
        records
    }

    /// The commits of a repo as the Python library reads them, (CID, rev, seq), all verified.
    pub(super) async fn chain(&self, did: &Did) -> Vec<(String, String, u64)> {
        let chain = self.python.call("chain", json!({"did": did.as_str()})).await;
        serde_json::from_value(chain).unwrap()
    }

    /// The Python library's server.
    pub(super) async fn python_url(&self) -> String {
        self.python.call("serve", json!({})).await["url"].as_str().unwrap().to_owned()
    }

    /// Reads our firehose from the beginning.
    pub(super) async fn follow(&self) -> Follower {
        Follower::connect(&self.url).await
    }
}
