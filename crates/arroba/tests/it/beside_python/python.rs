//! The Python library in a process of its own, driven by JSON lines; see `e2e/datastore/peer.py`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::oneshot;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// The process; killed when dropped.
pub(super) struct Python {
    child: Child,
    input: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
}

impl Python {
    /// Starts it on a database of an emulator.
    pub(super) fn start(interpreter: &Path, emulator: &str, property_key: &str, skipped_delay: u64) -> Self {
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/datastore/peer.py");
        let mut child = Command::new(interpreter)
            .arg(peer)
            .env("DATASTORE_EMULATOR_HOST", emulator)
            .env("ENCRYPTED_PROPERTY_KEY", property_key)
            .env("SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY", skipped_delay.to_string())
            .env_remove("REPO_TOKEN")
            .env_remove("GETREPO_TOKEN")
            .env_remove("DISABLE_GETREPO")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", interpreter.display()));
        let input = Mutex::new(child.stdin.take().unwrap());
        let output = child.stdout.take().unwrap();
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                let answer: Value = serde_json::from_str(&line).unwrap();
                let waiting = answered.lock().unwrap().remove(&answer["id"].as_u64().unwrap());
                // Whoever asked may be gone.
                let _ = waiting.unwrap().send(answer);
            }
            // Nobody is answered any more.
            answered.lock().unwrap().clear();
        });
        Self { child, input, waiting, next: AtomicU64::new(1) }
    }

    /// A command and its answer.
    pub(super) async fn call(&self, name: &str, mut arguments: Value) -> Value {
        let mut answer = self.ask(name, &mut arguments).await;
        assert!(answer.get("error").is_none(), "{name} {arguments}: {answer}");
        answer["ok"].take()
    }

    /// What the library says when it refuses a command.
    pub(super) async fn refused(&self, name: &str, mut arguments: Value) -> String {
        let answer = self.ask(name, &mut arguments).await;
        answer["error"].as_str().unwrap_or_else(|| panic!("{name} was not refused: {answer}")).to_owned()
    }

    async fn ask(&self, name: &str, arguments: &mut Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        arguments["id"] = id.into();
        arguments["do"] = name.into();
        writeln!(self.input.lock().unwrap(), "{arguments}").unwrap();
        answer.await.unwrap_or_else(|_| panic!("the Python process ended before it answered {name}"))
    }

    /// One commit.
    pub(super) async fn commit(&self, did: &str, writes: Value) -> Value {
        self.call("commit", json!({"did": did, "writes": writes})).await
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
