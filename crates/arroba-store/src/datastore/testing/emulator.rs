//! The emulator as a process beside the tests.

use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    super::{Client, ClientOptions, Connection, ConnectionOptions, Database, Reads},
    Strict, StrictOptions,
};

/// A running `datastore-emulator`, on a free port of the loopback interface; killed when dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Mutex<Child>,
    host: String,
    projects: AtomicU32,
}

impl Emulator {
    /// The emulator that all tests of this process share: started for the first that asks, stopped after the last.
    ///
    /// The binary is `$ARROBA_DATASTORE_EMULATOR`, else `datastore-emulator` on the path. Without it there is nothing to test against: that
    /// is said on standard error, and the caller returns.
    ///
    /// # Panics
    /// Without the binary when `CI` is set, and if it does not start.
    pub async fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Emulator>> = Mutex::new(Weak::new());
        let binary = find()?;
        let shared = {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let started = Arc::new(Self::spawn(&binary));
                *shared = Arc::downgrade(&started);
                started
            })
        };
        shared.answers().await;
        Some(shared)
    }

    /// `host:port`, as in `DATASTORE_EMULATOR_HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// An empty database: a project that no other test has.
    pub fn database(&self) -> Database {
        let number = self.projects.fetch_add(1, Ordering::Relaxed);
        let project = format!("test-{}-{number}-{:08x}", std::process::id(), rand::random::<u32>());
        Database::new(project, "").expect("letters, digits and hyphens")
    }

    /// A connection to a database.
    ///
    /// # Panics
    /// Never: an emulator is connected to by the first call.
    pub async fn connection(&self, database: Database) -> Connection {
        let options = ConnectionOptions::new(database, Some(self.host.clone()));
        Connection::open(options).await.expect("the address of a running emulator")
    }

    /// A client of an empty database.
    pub async fn client(&self) -> Client {
        let connection = self.connection(self.database()).await;
        let options = ClientOptions { seed: 1, ..ClientOptions::default() };
        Client::new(Arc::new(connection), options)
    }

    /// A service that is as strict as the real one, on an empty database.
    pub async fn strict(&self, options: StrictOptions) -> Arc<Strict<Connection>> {
        Arc::new(Strict::new(self.connection(self.database()).await, options))
    }

    fn spawn(binary: &Path) -> Self {
        // The port is free now; if another process takes it first, the emulator ends and the tests say so.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let host = format!("127.0.0.1:{port}");
        let child = Command::new(binary)
            .args(["--host-port", &host, "--no-store-on-disk"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        Self { child: Mutex::new(child), host, projects: AtomicU32::new(0) }
    }

    async fn answers(&self) {
        let options =
            ClientOptions { attempts: 1, call_limit: Duration::from_secs(1), ..ClientOptions::default() };
        let started = Instant::now();
        loop {
            let database = self.database();
            let key = database.key("Probe", "probe");
            let client = Client::new(Arc::new(self.connection(database).await), options);
            let answer = client.lookup(vec![key], Reads::Strong).await;
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            if let Ok(Some(status)) = ended {
                panic!("the Datastore emulator on {} ended with {status}", self.host);
            }
            match answer {
                Ok(_) => return,
                Err(error) if started.elapsed() > Duration::from_secs(30) => {
                    panic!("the Datastore emulator on {} does not answer: {error:?}", self.host)
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn find() -> Option<PathBuf> {
    let named = env::var_os("ARROBA_DATASTORE_EMULATOR").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named {
        assert!(path.is_file(), "ARROBA_DATASTORE_EMULATOR: there is no {}", path.display());
        return Some(path);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).map(|folder| folder.join("datastore-emulator")).find(|path| path.is_file());
    if found.is_none() {
        assert!(
            env::var_os("CI").is_none(),
            "no datastore-emulator: cargo install datastore-emulator --version 0.1.14 --locked"
        );
        eprintln!(
            "SKIPPED: no datastore-emulator on the path nor in ARROBA_DATASTORE_EMULATOR; nothing was tested"
        );
    }
    found
}
