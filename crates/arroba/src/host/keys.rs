//! The signing keys of the repos: sealed in the store, unsealed for use.

use std::sync::Arc;

use arroba_core::crypto::{Curve, PrivateKey};
use arroba_core::syntax::Did;
use arroba_store::seal::{SealedKey, SealingKeys};
use moka::sync::Cache;

use super::HostError;
use crate::environment::Randomness;

/// Unseals signing keys and keeps the busiest ones at hand.
///
/// Entries are found by the sealed form, so a key that was replaced is never used for the one in its place.
#[derive(Debug)]
pub(super) struct Keys {
    sealing: Arc<dyn SealingKeys>,
    unsealed: Cache<(Did, Box<[u8]>), Arc<PrivateKey>>,
}

impl Keys {
    pub(super) fn new(sealing: Arc<dyn SealingKeys>, capacity: u64) -> Self {
        Self { sealing, unsealed: Cache::new(capacity) }
    }

    /// A key of `did`.
    pub(super) fn open(&self, did: &Did, sealed: &SealedKey) -> Result<Arc<PrivateKey>, HostError> {
        let slot = (did.clone(), sealed.as_bytes().into());
        if let Some(key) = self.unsealed.get(&slot) {
            return Ok(key);
        }
        let key =
            self.sealing.open(did, sealed).map_err(|source| HostError::Key { did: did.clone(), source })?;
        let key = Arc::new(key);
        self.unsealed.insert(slot, Arc::clone(&key));
        Ok(key)
    }

    /// A key in the form that the store keeps.
    pub(super) fn seal(&self, did: &Did, key: &PrivateKey) -> SealedKey {
        self.sealing.seal(did, key)
    }
}

/// A new signing key.
pub(super) fn generate(randomness: &dyn Randomness) -> PrivateKey {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    loop {
        randomness.fill(&mut *bytes);
        // A scalar outside of the curve's order turns up once in 2^128 draws.
        if let Ok(key) = PrivateKey::from_bytes(Curve::K256, &bytes) {
            return key;
        }
    }
}
