//! The tests of the host on SQLite.
#![expect(clippy::duplicate_mod, reason = "the same tests run on every store")]

#[path = "commits.rs"]
mod commits;
#[path = "determinism.rs"]
pub(super) mod determinism;
#[path = "export.rs"]
mod export;
#[path = "firehose.rs"]
mod firehose;
#[path = "history.rs"]
mod history;
#[path = "import.rs"]
mod import;
#[path = "lifecycle.rs"]
mod lifecycle;

/// What the tests call a world.
mod fixture {
    pub(super) use crate::it::fixture::{START_MICROS, START_SEQ, kinds};

    pub(super) type World = crate::it::fixture::World<arroba::store::Sqlite>;
}
