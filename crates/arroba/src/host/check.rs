//! What this host announces, looked at with the eyes of those who read it.

use arroba_core::crypto::PublicKey;
use arroba_core::repo::SignedCommit;
use arroba_core::repo::verify::{self, Order};

/// In debug builds, verifies the event of a commit from its bytes alone, as a strict reader would.
///
/// The verifier shares nothing with the editor but the codecs of commits and tree nodes, so what one gets wrong the
/// other sees.
///
/// # Panics
///
/// If the event does not verify: it would be refused everywhere.
pub(super) fn own_commit(commit: &SignedCommit, key: &PublicKey) {
    if cfg!(debug_assertions) {
        let frame = commit.event.fill(1);
        if let Err(error) = verify::frame(&frame, commit.event.did(), key, Order::Relay) {
            panic!("the event of our own commit {} does not verify: {error}", commit.commit_cid);
        }
    }
}
