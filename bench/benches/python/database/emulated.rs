//! The emulator, and a database for either side there: seqs count from 1 for both, and no block of one is there for the other.

use std::sync::Arc;

use anyhow::Context as _;
use arroba::core::crypto::{Curve, PrivateKey};
use arroba::store::datastore::testing::Emulator;
use arroba::store::datastore::{Client, Datastore, DatastoreOptions, EncryptedPropertyKeys, Numbering};
use arroba::{HostKeys, RepoHost};

use crate::op::Calls;
use crate::python::Peer;

/// What private keys are encrypted with: 32 bytes in base64.
const PROPERTY_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// The running emulator.
pub(crate) struct Emulated(Arc<Emulator>);

/// Our database, and the name of Python's.
pub(crate) struct Database {
    client: Client,
    store: Option<Datastore>,
    emulator: Arc<Emulator>,
    python_project: String,
}

impl Emulated {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let emulator = Emulator::shared().await.context(
            "no datastore-emulator: set ARROBA_DATASTORE_EMULATOR (cargo install datastore-emulator --version 0.1.14 --locked), \
             or say --only memory",
        )?;
        Ok(Self(emulator))
    }

    pub(crate) async fn database(&self) -> anyhow::Result<Database> {
        let python_project = self.0.database().project().to_owned();
        let emulator = Arc::clone(&self.0);
        Ok(Database { client: emulator.client().await, store: None, emulator, python_project })
    }
}

impl Database {
    pub(crate) fn for_python(&self) -> Peer {
        Peer {
            emulator: self.emulator.host().to_owned(),
            project: self.python_project.clone(),
            property_key: PROPERTY_KEY.to_owned(),
        }
    }

    pub(crate) fn calls(&self) -> Calls {
        let counts = self.client.counts();
        Calls {
            lookups: counts.lookups,
            keys: counts.keys,
            queries: counts.queries,
            begins: counts.begins,
            commits: counts.commits,
            rollbacks: counts.rollbacks,
        }
    }

    /// Opens the database anew, as a process that was just started does: nothing of it is in memory.
    pub(crate) async fn open(&mut self) -> anyhow::Result<RepoHost> {
        self.close().await;
        let mut options = DatastoreOptions::new(Numbering::Datastore);
        // Else the newest events are read while it opens, which is not measured, and reading the past finds them in memory.
        options.log.skipped_window = Some(0);
        let store = Datastore::open(self.client.clone(), options).await?;
        self.store = Some(store.clone());
        let rotation = PrivateKey::from_bytes(Curve::K256, &[8; 32])?;
        let keys = HostKeys::new(EncryptedPropertyKeys::parse(PROPERTY_KEY)?, rotation);
        Ok(RepoHost::builder("pds.test", keys, store).build().await?)
    }

    pub(crate) async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }
}
