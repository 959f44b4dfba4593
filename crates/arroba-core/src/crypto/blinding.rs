//! The context of the secp256k1 library: tables, and the blinding of secret scalars.

use secp256k1::{All, Secp256k1};
use std::sync::OnceLock;

// A cache of computed values, not state: signatures are the same bytes with any blinding.
static CONTEXT: OnceLock<Secp256k1<All>> = OnceLock::new();

/// Blinds secret K-256 arithmetic with 32 random bytes, against side channels, for the life of the process.
///
/// Servers call this once at their start. It changes no result. Returns `false`, having done nothing, if a
/// key was used before.
pub fn blind(seed: &[u8; 32]) -> bool {
    let mut context = Secp256k1::new();
    context.seeded_randomize(seed);
    CONTEXT.set(context).is_ok()
}

pub(super) fn context() -> &'static Secp256k1<All> {
    // Blinding anew before each signature, as the library's global functions do, would double its cost.
    CONTEXT.get_or_init(Secp256k1::new)
}
