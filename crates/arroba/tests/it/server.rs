//! A whole server on loopback, for tests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arroba::environment::FixedClock;
use arroba::identity::Clock as DirectoryClock;
use arroba::identity::plc::Directory;
use arroba::store::accounts::Passwords;
use arroba::store::{Sqlite, SqliteOptions};
use arroba::{Pds, PdsBuilder, RepoHost, Secrets};
use arroba_net::{Dns, DnsError};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) const ADMIN: &str = "a:very/secret";
pub(super) const START_MICROS: u64 = 1_750_000_000_000_000;

/// Knows no names: everything that resolves in these tests does so by the server itself.
#[derive(Debug)]
struct NoDns;

#[async_trait]
impl Dns for NoDns {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, DnsError> {
        Err(DnsError::NotFound)
    }

    async fn txt(&self, _: &str) -> Result<Vec<String>, DnsError> {
        Err(DnsError::NotFound)
    }
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) address: SocketAddr,
    pub(super) directory: Directory,
    pub(super) clock: Arc<FixedClock>,
    pub(super) store: Sqlite,
    pub(super) secrets: Secrets,
    pub(super) host: RepoHost,
    http: reqwest::Client,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<arroba::Result>,
}

/// An answer: status, headers, JSON (null if it is none) and text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) json: Value,
    pub(super) text: String,
}

impl Answer {
    #[track_caller]
    pub(super) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    #[track_caller]
    pub(super) fn refused(&self, status: u16, error: &str, message: &str) {
        assert_eq!((self.status, self.json["error"].as_str()), (status, Some(error)), "{}", self.text);
        let shown = self.json["message"].as_str().unwrap_or_default();
        assert!(shown.contains(message), "{shown:?} does not contain {message:?}");
    }
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub(super) async fn with(change: impl FnOnce(PdsBuilder) -> PdsBuilder) -> Self {
        let directory = Directory::without_rate_limits(DirectoryClock::system());
        let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
        Self::over(store, directory, Secrets::generate().unwrap(), change).await
    }

    pub(super) async fn over(
        store: Sqlite,
        directory: Directory,
        secrets: Secrets,
        change: impl FnOnce(PdsBuilder) -> PdsBuilder,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://localhost:{}", address.port());
        let clock = Arc::new(FixedClock::new(START_MICROS));
        let builder = Pds::builder("localhost", secrets.clone(), store.clone())
            .public_url(url.clone())
            .handle_domains([".test"])
            .invite_required(false)
            .admin_password(ADMIN)
            .directory(Arc::new(directory.clone()))
            .dns(Arc::new(NoDns))
            .passwords(Passwords::weak_for_tests().unwrap())
            .clock(clock.clone())
            .allow_loopback();
        let pds = change(builder).build().await.unwrap();
        let host = pds.host().clone();
        let stop = CancellationToken::new();
        let task = tokio::spawn(pds.serve_on(listener, stop.clone().cancelled_owned()));
        let http = reqwest::Client::new();
        let url = format!("http://{address}");
        Self { url, address, directory, clock, store, secrets, host, http, stop, task }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(super) async fn raw(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(super) async fn get(&self, token: &str, nsid: &str, params: &[(&str, &str)]) -> Answer {
        let query: Vec<String> =
            params.iter().map(|(n, v)| format!("{n}={}", v.replace('#', "%23"))).collect();
        let path = format!("/xrpc/{nsid}?{}", query.join("&"));
        self.raw(with_token(self.request(reqwest::Method::GET, &path), token)).await
    }

    pub(super) async fn post(&self, token: &str, nsid: &str, body: Value) -> Answer {
        let request = self.request(reqwest::Method::POST, &format!("/xrpc/{nsid}"));
        let request = if body.is_null() { request } else { request.json(&body) };
        self.raw(with_token(request, token)).await
    }

    pub(super) async fn admin(&self, nsid: &str, body: Value) -> Answer {
        let request = self.request(reqwest::Method::POST, &format!("/xrpc/{nsid}")).json(&body);
        self.raw(request.basic_auth("admin", Some(ADMIN))).await
    }

    pub(super) async fn admin_get(&self, nsid: &str, query: &str) -> Answer {
        let request = self.request(reqwest::Method::GET, &format!("/xrpc/{nsid}?{query}"));
        self.raw(request.basic_auth("admin", Some(ADMIN))).await
    }

    pub(super) async fn create(&self, name: &str) -> Account {
        let input = json!({"handle": format!("{name}.test"), "email": format!("{name}@Mail.test"), "password": "hunter2"});
        let made = self.post("", "com.atproto.server.createAccount", input).await.ok();
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Account {
            did: text("did"),
            access: text("accessJwt"),
            refresh: text("refreshJwt"),
            handle: text("handle"),
        }
    }
}

fn with_token(request: reqwest::RequestBuilder, token: &str) -> reqwest::RequestBuilder {
    if token.is_empty() { request } else { request.bearer_auth(token) }
}

pub(super) struct Account {
    pub(super) did: String,
    pub(super) handle: String,
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Account {
    pub(super) fn post(&self, text: &str) -> Value {
        json!({
            "repo": self.did, "collection": "app.bsky.feed.post",
            "record": {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2025-01-01T00:00:00.000Z"},
        })
    }
}
