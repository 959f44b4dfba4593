//! A bridge: a server of your own that hosts repos and writes to them.
//!
//! `cargo run --example bridge -- sqlite 1000` makes a thousand repos in `data/bridge.sqlite` (`memory` keeps them in memory), writes to
//! all of them, and serves them. Then
//! `curl --json '{"to": "user7", "text": "hi"}' http://localhost:8080/inbox`,
//! `curl 'http://localhost:8080/xrpc/com.atproto.sync.listRepos'`, or with `REPO_TOKEN=towel` in the bridge's environment
//! `curl -H 'Authorization: Bearer towel' --json '{"repo": "user7.bridge.example.com", "collection": "app.bsky.feed.post", "record":
//! {"text": "hi", "createdAt": "2026-01-01T00:00:00.000Z"}}' http://localhost:8080/xrpc/com.atproto.repo.createRecord`.
//!
//! `cargo run --example bridge --features datastore -- datastore 1000` keeps them in Google Cloud Datastore, as the Python library does. What it
//! is told by variables: `GOOGLE_CLOUD_PROJECT`, `ENCRYPTED_PROPERTY_KEY`, `PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX`,
//! `PDS_HOSTNAME=bridge.example.com`, and `DATASTORE_EMULATOR_HOST` for an emulator; it says which are missing.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arroba::auth::StaticToken;
use arroba::core::nsid;
use arroba::core::syntax::{Handle, Nsid};
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::methods::{Call, MethodError};
use arroba::store::{Memory, Sqlite};
use arroba::{Batch, HostError, NewRepo, Repo, RepoHost, RepoHostBuilder, Secrets, Write};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::{Value, json};

const POST: Nsid = nsid!("app.bsky.feed.post");
const DOMAIN: &str = "bridge.example.com";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().unwrap_or_else(|| "sqlite".to_owned());
    let repos = arguments.next().map_or(Ok(1), |count| count.parse())?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let variables = arroba::config::environment()?;
    let bridge = Bridge::open(&store, Path::new("data"), variables).await?;
    bridge.fill(repos).await?;
    let app = routes(&bridge.host, StaticToken::from_env()?)?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("{repos} repos on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(arroba::stop_signal()).await?;
    bridge.close().await
}

/// The host of the bridge, and its store, which is closed after it.
pub(crate) struct Bridge {
    pub(crate) host: RepoHost,
    store: Store,
}

enum Store {
    Memory,
    Sqlite(Sqlite),
    #[cfg(feature = "datastore")]
    Datastore(arroba::store::datastore::Datastore),
}

impl Bridge {
    /// A bridge that keeps its repos in the store of this name. Only Datastore asks for settings.
    pub(crate) async fn open(
        store: &str,
        directory: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Box<dyn Error>> {
        match store {
            "memory" => {
                let host = RepoHost::builder(DOMAIN, Secrets::generate()?, Memory::default());
                Self::new(host, Store::Memory).await
            }
            "sqlite" => {
                std::fs::create_dir_all(directory)?;
                let secrets = Secrets::load_or_create(directory.join("secrets.toml"))?;
                let store = Sqlite::open(directory.join("bridge.sqlite")).await?;
                Self::new(RepoHost::builder(DOMAIN, secrets, store.clone()), Store::Sqlite(store)).await
            }
            "datastore" => Self::on_datastore(variables).await,
            _ => Err(format!("{store} is no store: memory, sqlite or datastore").into()),
        }
    }

    #[cfg(feature = "datastore")]
    async fn on_datastore(variables: impl Iterator<Item = (String, String)>) -> Result<Self, Box<dyn Error>> {
        use arroba::config::{Config, Program};
        let loaded = Config::from_env_for(Program::DatastoreHost, variables)?;
        for warning in loaded.warnings {
            eprintln!("warning: {warning}");
        }
        let config = loaded.config;
        let store = config.datastore().await?;
        let host = RepoHost::from_config(&config, config.datastore_keys()?, store.clone())?
            .remote_blobs(config.remote_blobs(store.clone())?);
        Self::new(host, Store::Datastore(store)).await
    }

    #[cfg(not(feature = "datastore"))]
    async fn on_datastore(_: impl Iterator<Item = (String, String)>) -> Result<Self, Box<dyn Error>> {
        Err("this bridge is built without Datastore: cargo run --example bridge --features datastore".into())
    }

    async fn new(host: RepoHostBuilder, store: Store) -> Result<Self, Box<dyn Error>> {
        // Identities of this process alone. Without this line they go to the public directory.
        let directory = Directory::without_rate_limits(Clock::system());
        Ok(Self { host: host.directory(Arc::new(directory)).build().await?, store })
    }

    /// Makes so many repos, where they are not there yet, and writes to all of them at once.
    pub(crate) async fn fill(&self, count: usize) -> Result<Vec<Repo>, HostError> {
        let step = self.step(count, "made or found");
        let repos: Vec<Repo> = futures::stream::iter(0..count)
            .map(|n| user(&self.host, format!("user{n}")))
            .buffered(16)
            .inspect(|_| step.bar.inc(1))
            .try_collect()
            .await?;
        step.done(self);
        let step = self.step(count, "written to");
        for some in repos.chunks(200) {
            let text = "hello from the bridge";
            let hello = || Write::create(POST, json!({ "text": text, "createdAt": self.host.now() }));
            let batches = some.iter().map(|repo| Batch::new(repo.did().clone(), [hello()]));
            for result in self.host.commit_many(batches).await {
                result?;
            }
            step.bar.inc(some.len() as u64);
        }
        step.done(self);
        Ok(repos)
    }

    fn step(&self, count: usize, what: &'static str) -> Step {
        Step { bar: ProgressBar::new(count as u64), what, started: Instant::now(), calls: self.calls() }
    }

    /// Calls to Datastore until now; none elsewhere.
    fn calls(&self) -> Option<u64> {
        match &self.store {
            Store::Memory | Store::Sqlite(_) => None,
            #[cfg(feature = "datastore")]
            Store::Datastore(store) => Some(store.client().counts().total()),
        }
    }

    /// Ends the tasks of the host and of its store.
    pub(crate) async fn close(self) -> Result<(), Box<dyn Error>> {
        self.host.close().await;
        match self.store {
            Store::Memory => {}
            Store::Sqlite(store) => store.close().await?,
            #[cfg(feature = "datastore")]
            Store::Datastore(store) => store.close().await,
        }
        Ok(())
    }
}

/// A part of the work, with a bar that shows how far it is.
struct Step {
    bar: ProgressBar,
    what: &'static str,
    started: Instant,
    calls: Option<u64>,
}

impl Step {
    fn done(self, bridge: &Bridge) {
        let Self { bar, what, started, calls } = self;
        let seconds = started.elapsed().as_secs_f64();
        bar.finish_and_clear();
        print!("{} repos {what} in {seconds:.1} s", bar.position());
        match calls.zip(bridge.calls()) {
            Some((before, now)) => println!(", {} calls to Datastore", now - before),
            None => println!(),
        }
    }
}

async fn user(host: &RepoHost, name: String) -> Result<Repo, HostError> {
    // Names of the other network are no handles yet: one that cannot be a part of a handle is refused.
    let handle = Handle::parse(&format!("{name}.{DOMAIN}")).map_err(|_| HostError::NoHandle)?;
    match host.repo_of(&handle).await? {
        Some(repo) => Ok(repo),
        None => host.create_repo(NewRepo::plc(handle)).await,
    }
}

/// Routes of the bridge's own, a method of its own, and everything that the network asks of a host.
pub(crate) fn routes(host: &RepoHost, token: StaticToken) -> Result<Router, MethodError> {
    let ours = host.clone();
    let atproto =
        host.routes().authenticator(token).method(nsid!("com.example.bridge.count"), move |_: Call| {
            let host = ours.clone();
            async move { Ok(json!({ "repos": host.repo_stream().count().await })) }
        });
    Ok(Router::new().route("/inbox", post(inbox)).with_state(host.clone()).merge(atproto.router()?))
}

/// Something arrives from the other network and becomes a post.
async fn inbox(
    State(host): State<RepoHost>,
    Json(message): Json<Value>,
) -> Result<String, (StatusCode, String)> {
    let refused = |error: HostError| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n"));
    let repo = user(&host, message["to"].as_str().unwrap_or("user0").to_owned()).await.map_err(refused)?;
    let text = message["text"].as_str().unwrap_or_default();
    let post = Write::create(POST, json!({ "text": text, "createdAt": host.now() }));
    let outcome = repo.commit([post]).await.map_err(refused)?;
    Ok(format!("{:?}\n", outcome.commit))
}
