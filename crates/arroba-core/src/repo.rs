//! Repositories: commits, edits, verification.
//!
//! [`edit`] turns writes into a [`Staged`] commit, which [`Staged::sign`] turns into a [`SignedCommit`]: the
//! commit block, the rows to change and the event, all at once.

mod commit;
mod edit;
mod staged;
pub mod verify;
mod write;

pub use commit::{Commit, CommitError};
pub use edit::{EditError, create, edit, edit_keys, key, resign};
pub use staged::{CommitParams, SignedCommit, Staged};
pub use write::{RecordChange, Write};

pub use crate::event::{Action, RepoOp};
