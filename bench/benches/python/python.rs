//! The Python library's side, a process driven by JSON lines; see `bench/python/side.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::op::{Measured, Op};
use crate::workload::Workload;

/// The version that the figures are of.
const VERSION: &str = "3.1";

/// The process; killed when dropped.
pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Where it finds its database.
pub(crate) struct Peer {
    /// `host:port` of the emulator.
    pub(crate) emulator: String,
    pub(crate) project: String,
    /// What keys are encrypted with, as in `ENCRYPTED_PROPERTY_KEY`.
    pub(crate) property_key: String,
}

/// What was measured.
#[derive(Debug, Deserialize)]
pub(crate) struct Versions {
    pub(crate) library: String,
    pub(crate) python: String,
}

impl Python {
    pub(crate) fn spawn(interpreter: &Path, peer: Option<&Peer>) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/side.py");
        let mut command = Command::new(interpreter);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        for variable in ["REPO_TOKEN", "GETREPO_TOKEN", "DISABLE_GETREPO", "DATASTORE_DB"] {
            command.env_remove(variable);
        }
        if let Some(peer) = peer {
            command
                .env("DATASTORE_EMULATOR_HOST", &peer.emulator)
                .env("ENCRYPTED_PROPERTY_KEY", &peer.property_key);
        }
        let mut child =
            command.spawn().with_context(|| format!("{} does not start", interpreter.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output })
    }

    /// Opens the store and makes the repo.
    pub(crate) fn start(&mut self, workload: &Workload, peer: Option<&Peer>) -> anyhow::Result<Versions> {
        let records: Vec<_> = workload.records.iter().map(|record| (record.path(), &record.json)).collect();
        let command = json!({
            "do": "start",
            "did": workload.did.as_str(),
            "handle": workload.handle,
            "key": Workload::key_hex(),
            "project": peer.map(|peer| &peer.project),
            "records": records,
        });
        let versions: Versions = serde_json::from_value(self.ask(&command)?)?;
        ensure!(
            versions.library == VERSION,
            "the Python library is {}, not {VERSION}: run e2e/datastore/setup",
            versions.library
        );
        Ok(versions)
    }

    /// Waits for the answer, however long it takes: this side has nothing to do meanwhile.
    pub(crate) fn run(&mut self, op: &Op) -> anyhow::Result<Measured> {
        let answer = self.ask(&serde_json::to_value(op)?)?;
        serde_json::from_value(answer).context("an answer of the Python side that is none")
    }

    fn ask(&mut self, command: &Value) -> anyhow::Result<Value> {
        let mut line = String::new();
        let asked = writeln!(self.input, "{command}").and_then(|()| self.output.read_line(&mut line));
        if asked.is_err() || line.is_empty() {
            bail!(
                "the Python side ended; has this interpreter arroba {VERSION}? e2e/datastore/setup makes one"
            );
        }
        let mut answer: Value = serde_json::from_str(&line)?;
        if let Some(error) = answer.get("error") {
            bail!("the Python side failed at {}: {error}", command["do"]);
        }
        Ok(answer["ok"].take())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
