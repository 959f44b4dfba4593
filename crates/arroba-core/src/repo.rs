//! Repositories: commits, edits, verification.

pub mod verify;
