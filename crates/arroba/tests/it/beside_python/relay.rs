//! The production relay follows one host name, behind which the Python library and we take turns.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arroba::NewRepo;
use arroba::core::syntax::Did;
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::store::RepoStore;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::accounts::{COLLECTION, create, handle, post, private_key, private_key_hex};
use super::program;
use super::side::{Setup, Side};

const REPOS: u64 = 4;

/// What the relay says of a commit that it has had before. It asks for some again whenever it connects anew, because it notes where it is
/// before the event at hand is done, and not while an older one is at work.
const HAD_BEFORE: &str = "dropping commit with old rev";

/// What the relay says when an event is refused, or does not follow from what it knows. It also says that `since` is missing from the
/// Python library's commits, which it never sends.
const COMPLAINTS: [&str; 10] = [
    HAD_BEFORE,
    "commit message failed verification",
    "failed handling event",
    "got events out of order from stream",
    "dropping message for inactive account",
    "commit with miss-matching prevData",
    "failed to invert commit MST",
    "invalid account event",
    "skipping commit signature validation",
    "error event from upstream",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_follows_a_host_that_changes_programs() {
    let Some(binary) = program("ARROBA_RELAY", "e2e/setup relay") else { return };
    let front = Front::start().await;
    let directory = Directory::without_rate_limits(Clock::system());
    let setup = Setup { public: Some((front.url.clone(), directory.clone())), ..Setup::default() };
    let Some(side) = Side::start(setup).await else { return };
    let mut dids = Vec::new();
    for number in 0..REPOS {
        dids.push(python_identity(&side, &directory, number).await);
    }
    let python: SocketAddr = address(&side.python_url().await);
    let rust: SocketAddr = address(&side.url);
    front.turn_to(python);
    // It begins with what comes next: it asks for what was before only of a host that it has a cursor of.
    let relay = Relay::start(&binary, &front, &directory).await;

    let mut had = 0;
    for (turn, here) in [false, true, false, true].into_iter().enumerate() {
        front.turn_to(if here { rust } else { python });
        for commit in 0..5 {
            for did in &dids {
                let rkey = format!("t{turn}c{commit}");
                if here {
                    side.host.repo(did).commit([create(&rkey, &rkey)]).await.unwrap();
                } else {
                    let writes = json!([["create", COLLECTION, rkey, post(&rkey)]]);
                    side.python.commit(did.as_str(), writes).await;
                }
            }
        }
        if here {
            let new = NewRepo::plc(handle(100 + turn as u64).parse().unwrap());
            dids.push(side.host.create_repo(new).await.unwrap().did().clone());
        }
        relay.knows(&side, &dids).await;
        let again = relay.complains_of_nothing_new(had);
        println!("turn {turn}: the relay is up to date; it was sent {again} commits again so far");
        had = side.store.newest_given().await.unwrap();
    }
    side.host.close().await;
}

/// An identity in the directory and its repo, made by the Python library.
async fn python_identity(side: &Side, directory: &Directory, number: u64) -> Did {
    let new = NewRepo::plc(handle(number).parse().unwrap()).signing_key(private_key(number));
    let plan = side.host.plan_repo(new).unwrap();
    directory.accept(plan.did(), plan.genesis().unwrap().clone()).unwrap();
    let arguments =
        json!({"did": plan.did().as_str(), "handle": handle(number), "key": private_key_hex(number)});
    side.python.call("create", arguments).await;
    plan.did().clone()
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// One address, and who is behind it.
struct Front {
    url: String,
    host: String,
    behind: Arc<Mutex<Behind>>,
}

#[derive(Default)]
struct Behind {
    target: Option<SocketAddr>,
    connections: JoinSet<()>,
}

impl Front {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let behind = Arc::<Mutex<Behind>>::default();
        let shared = Arc::clone(&behind);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut behind = shared.lock().unwrap();
                let Some(target) = behind.target else { continue };
                behind.connections.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    // Either side may go away.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { url: format!("http://{host}"), host, behind }
    }

    /// Cuts all connections; new ones go to `target`.
    fn turn_to(&self, target: SocketAddr) {
        let mut behind = self.behind.lock().unwrap();
        if behind.target.replace(target) != Some(target) {
            behind.connections.abort_all();
        }
    }
}

struct Relay {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Relay {
    /// Its HTTP interface takes public hosts only, so the host goes into its database between two starts.
    async fn start(binary: &Path, front: &Front, directory: &Directory) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plc = format!("http://{}", listener.local_addr().unwrap());
        let router = directory.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let first = Self::launch(binary, folder, &plc).await;
        let folder = first.stop();
        let insert = format!(
            "insert into host(created_at,updated_at,hostname,no_ssl,account_limit,trusted,status,last_seq) \
             values(datetime(),datetime(),'{}',1,100000,1,'active',0)",
            front.host
        );
        let database = folder.path().join("relay.sqlite");
        assert!(Command::new("sqlite3").arg(database).arg(insert).status().unwrap().success());
        Self::launch(binary, folder, &plc).await
    }

    async fn launch(binary: &Path, folder: tempfile::TempDir, plc: &str) -> Self {
        let port = || StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{}", port());
        let log =
            std::fs::File::options().create(true).append(true).open(folder.path().join("relay.log")).unwrap();
        let child = Command::new(binary)
            .arg("serve")
            .args(["--db-url", &format!("sqlite://{}", folder.path().join("relay.sqlite").display())])
            .args(["--bind", &address, "--metrics-listen", &format!("127.0.0.1:{}", port())])
            .arg("--persist-dir")
            .arg(folder.path().join("persist"))
            .args(["--allow-insecure-hosts", "--default-account-limit", "100000"])
            .env("RELAY_ADMIN_PASSWORD", "relay-pw")
            .env("RELAY_PLC_HOST", plc)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let relay = Self { child, url: format!("http://{address}"), folder };
        relay.until("the relay answers", async || relay.get("_health", "").await.is_some()).await;
        relay
    }

    fn stop(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    async fn get(&self, method: &str, query: &str) -> Option<Value> {
        let answer = reqwest::get(format!("{}/xrpc/{method}?{query}", self.url)).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !done().await {
            assert!(started.elapsed() < Duration::from_secs(90), "not in time: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the relay has the newest commit of every repo.
    async fn knows(&self, side: &Side, dids: &[Did]) {
        for did in dids {
            let (cid, rev) = side.host.repo(did).head().await.unwrap();
            let head = json!({"cid": cid.to_string(), "rev": rev.to_string()});
            let there = async || {
                let answer = self.get("com.atproto.sync.getLatestCommit", &format!("did={did}")).await;
                answer.is_some_and(|answer| answer["cid"] == head["cid"] && answer["rev"] == head["rev"])
            };
            self.until(&format!("the relay knows {head} of {did}"), there).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("relay.log")).unwrap()
    }

    /// Of nothing but commits up to the number `had`, which it was sent again after it had connected anew: it gives how many.
    fn complains_of_nothing_new(&self, had: u64) -> usize {
        let log = self.log();
        let complaints = log.lines().filter(|line| COMPLAINTS.iter().any(|text| line.contains(text)));
        let (again, new): (Vec<_>, Vec<_>) = complaints.partition(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["msg"] == HAD_BEFORE && line["seq"].as_u64().is_some_and(|seq| seq <= had)
        });
        assert!(new.is_empty(), "after {had}: {new:#?}");
        again.len()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
