//! Record proofs.

use arroba_core::repo::verify;

use crate::{repository, reseal};

/// A proof is checked as it is, and sealed anew.
pub fn target(data: &[u8]) {
    for file in [data.to_vec(), reseal::reseal(data)] {
        let proof =
            verify::record_proof(&file, &repository::owner(), &repository::public_key(), &repository::path());
        if let Ok(Some((cid, block))) = proof.map(|proof| proof.record) {
            assert!(cid.matches(&block));
        }
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    repository::proofs()
}
