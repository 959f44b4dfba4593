//! Both sides, round by round in turn, so that whatever else the machine does hits both.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::database::Database;
use crate::figures::Line;
use crate::op::{Measured, Op, Outcome};
use crate::ours::Ours;
use crate::python::{Python, Versions};
use crate::workload::Workload;

/// A place, both sides there, and the lines so far.
pub(crate) struct Race<'a> {
    place: &'static str,
    python: Python,
    ours: Ours<'a>,
    versions: Versions,
    lines: Vec<Line>,
    has_calls: bool,
}

/// All lines of a place.
pub(crate) struct Done {
    pub(crate) place: &'static str,
    pub(crate) versions: Versions,
    pub(crate) lines: Vec<Line>,
    /// Whether there is anything to call.
    pub(crate) has_calls: bool,
}

impl<'a> Race<'a> {
    /// Both sides with an empty repo.
    pub(crate) async fn start(
        place: &'static str,
        interpreter: &Path,
        workload: &'a Workload,
        database: Option<Database>,
    ) -> anyhow::Result<Self> {
        let has_calls = database.is_some();
        let peer = database.as_ref().map(Database::for_python);
        let mut python = Python::spawn(interpreter, peer.as_ref())?;
        let versions = python.start(workload, peer.as_ref())?;
        let ours = Ours::start(workload, database).await?;
        Ok(Self { place, python, ours, versions, lines: Vec::new(), has_calls })
    }

    pub(crate) const fn has_calls(&self) -> bool {
        self.has_calls
    }

    /// Measures a line, an operation a round, and returns what the last one came to.
    pub(crate) async fn line(
        &mut self,
        name: &str,
        rounds: impl IntoIterator<Item = Op>,
    ) -> anyhow::Result<Outcome> {
        eprint!("{}: {name} ...", self.place);
        let started = Instant::now();
        let mut line = Line::new(name);
        let mut outcome = Outcome::default();
        for op in rounds {
            let (theirs, ours) = self.both(&op).await.with_context(|| format!("{}: {name}", self.place))?;
            outcome = ours.outcome.clone();
            line.push(theirs, ours);
        }
        self.lines.push(line);
        eprintln!(" {:.1} s", started.elapsed().as_secs_f64());
        Ok(outcome)
    }

    /// Demands that both sides come to the same.
    pub(crate) async fn check(&mut self, op: &Op) -> anyhow::Result<()> {
        self.both(op).await.map(drop)
    }

    async fn both(&mut self, op: &Op) -> anyhow::Result<(Measured, Measured)> {
        let theirs = self.python.run(op)?;
        let ours = self.ours.run(op).await?;
        ensure!(
            theirs.outcome == ours.outcome && theirs.operations == ours.operations,
            "the two sides did not do the same at {op:?}:\nPython: {} operations, {:?}\nours:   {} operations, {:?}",
            theirs.operations,
            theirs.outcome,
            ours.operations,
            ours.outcome
        );
        Ok((theirs, ours))
    }

    pub(crate) async fn finish(self) -> anyhow::Result<Done> {
        self.ours.close().await;
        Ok(Done { place: self.place, versions: self.versions, lines: self.lines, has_calls: self.has_calls })
    }
}
