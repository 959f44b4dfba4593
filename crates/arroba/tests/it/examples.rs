//! The examples, run.

#[path = "../../../../examples/bridge.rs"]
#[expect(dead_code, reason = "the test calls what main calls")]
mod bridge;
#[path = "../../../../examples/serve.rs"]
#[expect(dead_code, reason = "the test calls what main calls")]
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use arroba::auth::StaticToken;
use arroba::core::car::{self, Limits};
use arroba::core::event::Frame;
use arroba::core::syntax::Did;
use bridge::Bridge;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// How many repos the bridge makes; more by `ARROBA_BRIDGE_REPOS`.
fn repos() -> usize {
    std::env::var("ARROBA_BRIDGE_REPOS").map_or(30, |count| count.parse().unwrap())
}

/// A bridge that serves, on a port of its own.
struct Serving {
    bridge: Bridge,
    address: String,
    http: reqwest::Client,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

type Variables = Vec<(String, String)>;

impl Serving {
    async fn start(store: &str, directory: &Path, variables: &Variables) -> Self {
        let bridge = Bridge::open(store, directory, variables.clone().into_iter()).await.unwrap();
        let app = bridge::routes(&bridge.host, StaticToken::new("towel")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task =
            tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Self { bridge, address, http: reqwest::Client::new(), stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        drop(self.http);
        self.task.await.unwrap().unwrap();
        self.bridge.close().await.unwrap();
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let answer = self.http.get(format!("http://{}/{path}", self.address)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await).unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> u16 {
        let request = self.http.post(format!("http://{}/{path}", self.address)).bearer_auth("towel");
        request.json(&body).send().await.unwrap().status().as_u16()
    }

    /// Every repo that `listRepos` has, page by page; none twice.
    async fn listed(&self) -> BTreeSet<String> {
        let mut listed = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let path = format!("xrpc/com.atproto.sync.listRepos?limit=7{cursor}");
            let page = self.json(&path).await;
            for repo in page["repos"].as_array().unwrap() {
                assert!(listed.insert(repo["did"].as_str().unwrap().to_owned()), "listed twice: {repo}");
            }
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return listed,
            }
        }
    }

    /// The writes of each repo, as the event stream tells them from its beginning, until there are so many.
    async fn streamed(&self, writes: usize) -> BTreeMap<Did, usize> {
        let url = format!("ws://{}/xrpc/com.atproto.sync.subscribeRepos?cursor=0", self.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut of = BTreeMap::new();
        let (mut seen, mut last) = (0, 0);
        while seen < writes {
            let message = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
            let Some(Ok(message)) = message.expect("another event") else { panic!("the stream has ended") };
            let Message::Binary(frame) = message else { continue };
            let frame = Frame::decode(&frame).unwrap();
            let seq = frame.seq().unwrap();
            assert!(seq > last, "{seq} after {last}");
            last = seq;
            if let Frame::Commit(_, commit) = frame {
                seen += commit.ops.len();
                *of.entry(commit.repo).or_default() += commit.ops.len();
            }
        }
        of
    }
}

async fn bridge_works(store: &str, variables: Variables) {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(store, directory.path(), &variables).await;
    let host = serving.bridge.host.clone();
    let made = serving.bridge.fill(repos()).await.unwrap();
    assert_eq!(made.len(), repos());
    let again = serving.bridge.fill(2).await.unwrap();
    assert_eq!(again[1].did(), made[1].did(), "what is there is not made anew");
    let dids: BTreeSet<String> = made.iter().map(|repo| repo.did().to_string()).collect();
    assert_eq!(
        (dids.len(), serving.json("xrpc/com.example.bridge.count").await),
        (repos(), json!({"repos": repos()}))
    );
    assert_eq!(serving.listed().await, dids);
    for did in &dids {
        let file = serving.get(&format!("xrpc/com.atproto.sync.getRepo?did={did}")).await;
        let blocks = car::read_all(&file, &Limits::REPOSITORY).unwrap().blocks.len();
        // The commit, a tree node and a post at least.
        assert!(blocks >= 3, "{blocks}");
    }
    let streamed = serving.streamed(repos() + 2).await;
    assert_eq!(streamed.len(), repos());
    for (n, repo) in made.iter().enumerate() {
        assert_eq!(streamed[repo.did()], if n < 2 { 2 } else { 1 }, "posts of user{n}");
    }
    assert_eq!(serving.post("inbox", json!({"to": "user1", "text": "hi"})).await, 200);
    assert_eq!(serving.post("inbox", json!({"to": "no handle", "text": "hi"})).await, 422);
    let post = json!({"repo": "user0.bridge.example.com", "collection": "app.bsky.feed.post",
        "record": {"text": "hi", "createdAt": host.now()}});
    assert_eq!(serving.post("xrpc/com.atproto.repo.createRecord", post).await, 200);
    assert_eq!(made[0].contents(100).await.unwrap().values().next().unwrap().len(), 3);
    drop((made, again, host));
    serving.stop().await;
    if store == "memory" {
        return;
    }
    // Started anew, the bridge finds its repos and makes none.
    let serving = Serving::start(store, directory.path(), &variables).await;
    let found = serving.bridge.fill(repos()).await.unwrap();
    assert_eq!(found.iter().map(|repo| repo.did().to_string()).collect::<BTreeSet<_>>(), dids);
    assert_eq!(serving.listed().await, dids);
    assert_eq!(found[0].contents(100).await.unwrap().values().next().unwrap().len(), 4);
    drop(found);
    serving.stop().await;
}

#[tokio::test]
async fn the_bridge_in_memory() {
    bridge_works("memory", Variables::new()).await;
}

#[tokio::test]
async fn the_bridge_on_sqlite() {
    bridge_works("sqlite", Variables::new()).await;
}

#[cfg(feature = "datastore")]
#[tokio::test]
async fn the_bridge_on_datastore() {
    let Some(emulator) = arroba::store::datastore::testing::Emulator::shared().await else { return };
    let key = |byte: u8| format!("{byte:02x}").repeat(32);
    let variables = [
        ("GOOGLE_CLOUD_PROJECT", emulator.database().project().to_owned()),
        ("DATASTORE_EMULATOR_HOST", emulator.host().to_owned()),
        ("ENCRYPTED_PROPERTY_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_owned()),
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", key(1)),
        ("PDS_HOSTNAME", "bridge.example.com".to_owned()),
    ];
    bridge_works("datastore", variables.map(|(name, value)| (name.to_owned(), value)).to_vec()).await;
}

#[tokio::test]
async fn a_bridge_says_what_it_lacks() {
    let lacks = async |store: &str| {
        let opened = Bridge::open(store, Path::new("nowhere"), std::iter::empty()).await;
        opened.map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(lacks("postgres").await, "postgres is no store: memory, sqlite or datastore");
    let expected = if cfg!(feature = "datastore") {
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is required\nGOOGLE_CLOUD_PROJECT is required\n\
         ENCRYPTED_PROPERTY_KEY is required"
    } else {
        "this bridge is built without Datastore: cargo run --example bridge --features datastore"
    };
    assert_eq!(lacks("datastore").await, expected);
}

#[tokio::test]
async fn the_server() {
    let directory = tempfile::tempdir().unwrap();
    let pds = serve::server(directory.path()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/xrpc/_health", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(pds.serve_on(listener, stop.clone().cancelled_owned()));
    assert_eq!(reqwest::get(url).await.unwrap().status(), 200);
    stop.cancel();
    serving.await.unwrap().unwrap();
}
