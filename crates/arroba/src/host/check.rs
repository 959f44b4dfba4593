//! What this host announces, looked at with the eyes of those who read it.

use arroba_core::crypto::PublicKey;
use arroba_core::repo::SignedCommit;
use arroba_core::repo::verify::{self, Order};

use super::HostError;

/// Of so many commits one is verified in production.
const SAMPLE: u64 = 512;

/// Verifies the event of a commit from its bytes alone, as a strict reader would: always in debug builds, in others
/// now and then.
///
/// The verifier shares nothing with the editor but the codecs of commits and tree nodes, so what one gets wrong the
/// other sees, before it is stored.
///
/// # Errors
///
/// [`HostError::Unverifiable`]: the event would be refused everywhere.
pub(super) fn own_commit(commit: &SignedCommit, key: &PublicKey) -> Result<(), HostError> {
    if !cfg!(debug_assertions) && !commit.rev.micros().is_multiple_of(SAMPLE) {
        return Ok(());
    }
    let verified = verify::frame(&commit.event.fill(1), commit.event.did(), key, Order::Relay);
    verified.map(drop).map_err(|source| {
        tracing::error!(did = %commit.event.did(), %source, "a commit of our own does not verify");
        HostError::Unverifiable { did: commit.event.did().clone(), source }
    })
}
