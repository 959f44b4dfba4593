//! What either side is told to do, and what it answers; `bench/python/side.py` reads and writes the same.

use std::iter::Sum;
use std::ops::{Add, Range, Sub};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One round of one line.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Op {
    /// Inserts keys into an empty tree, one after the other; no store takes part.
    Insert { records: Range<usize> },
    /// The same into the repo's tree, which is read as far as it is needed; nothing is written.
    InsertStored { records: Range<usize> },
    /// Commits new records, `batch` at a time; `cold`: with nothing in memory but the host.
    Commit { records: Range<usize>, batch: usize, cold: bool },
    /// Exports the repo.
    Export,
    /// Reads the log behind a number, which is of so many commits, to frames.
    Events { after: u64, count: usize },
    /// Makes a repo from a CAR file.
    ImportRepo { did: String, handle: String, file: PathBuf },
    /// Reads the whole repo; nothing is measured.
    State,
}

/// What it took, and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Measured {
    /// Seconds of user and system time of all threads.
    pub(crate) cpu: f64,
    /// Seconds that passed.
    pub(crate) wall: f64,
    /// Over how many operations these are.
    pub(crate) operations: usize,
    pub(crate) calls: Calls,
    /// Must be the other side's too.
    pub(crate) outcome: Outcome,
}

/// What an operation comes to; what does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outcome {
    /// The CID of the tree's root.
    pub(crate) root: Option<String>,
    /// The number of the newest commit.
    pub(crate) seq: Option<u64>,
    /// The rev of the newest commit; on Datastore only, where revs are made of numbers by both.
    pub(crate) rev: Option<String>,
    /// How many records there are.
    pub(crate) records: Option<usize>,
    /// Digest of all paths and CIDs.
    pub(crate) listing: Option<String>,
    /// How many blocks an export has.
    pub(crate) blocks: Option<usize>,
    /// Digest of its CIDs but the commit's: signatures differ.
    pub(crate) cids: Option<String>,
    /// Digest of number, action, path and CID of the writes in the frames.
    pub(crate) writes: Option<String>,
}

/// Calls to Datastore, and the keys that lookups asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Calls {
    pub(crate) lookups: u64,
    pub(crate) keys: u64,
    pub(crate) queries: u64,
    pub(crate) begins: u64,
    pub(crate) commits: u64,
    pub(crate) rollbacks: u64,
}

impl Calls {
    pub(crate) const fn total(&self) -> u64 {
        self.lookups + self.queries + self.begins + self.commits + self.rollbacks
    }

    fn each(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            lookups: with(self.lookups, other.lookups),
            keys: with(self.keys, other.keys),
            queries: with(self.queries, other.queries),
            begins: with(self.begins, other.begins),
            commits: with(self.commits, other.commits),
            rollbacks: with(self.rollbacks, other.rollbacks),
        }
    }
}

impl Add for Calls {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }
}

impl Sub for Calls {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.each(earlier, u64::saturating_sub)
    }
}

impl Sum for Calls {
    fn sum<I: Iterator<Item = Self>>(calls: I) -> Self {
        calls.fold(Self::default(), Self::add)
    }
}
