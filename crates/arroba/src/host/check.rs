//! What this host announces, looked at with the eyes of those who read it.

use arroba_core::crypto::PublicKey;
use arroba_core::event::Frame;
use arroba_core::repo::{Commit, SignedCommit};

/// In debug builds, verifies the event of a commit from its bytes alone, as a strict reader would.
///
/// The verifier shares nothing with the editor but the codec of tree nodes, so what one gets wrong the other sees.
///
/// # Panics
///
/// If the event does not verify: it would have been refused everywhere.
pub(super) fn own_commit(commit: &SignedCommit, key: &PublicKey) {
    if cfg!(debug_assertions) {
        let signed = Commit::decode(&commit.commit_bytes).map(|commit| commit.verify(key).is_ok());
        assert_eq!(signed, Ok(true), "the signature of our own commit {} is wrong", commit.commit_cid);
        if let Err(error) = Frame::decode(&commit.event.fill(1)) {
            panic!("the event of our own commit {} is malformed: {error}", commit.commit_cid);
        }
    }
}
