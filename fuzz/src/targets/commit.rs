//! Commits.

use arroba_core::repo::Commit;

use crate::repository;

/// A commit that is accepted is the only encoding of itself.
pub fn target(data: &[u8]) {
    let Ok(commit) = Commit::decode(data) else { return };
    assert_eq!(commit.encode(), data);
    let _ = commit.verify(&repository::public_key());
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    repository::commits(2).iter().map(|commit| commit.commit_bytes.to_vec()).collect()
}
