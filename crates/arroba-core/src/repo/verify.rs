//! Verification: what a relay, a mirror, an importer or a careful client checks before it believes a repository.
//!
//! - [`frame`] and [`commit`]: a `#commit` from the bytes of its frame and the account's key alone. Undoing its
//!   operations must lead back to the tree it says it came from.
//! - [`sync`]: a `#sync`.
//! - [`record_proof`]: that a record is there, or is not.
//! - [`car`] and [`CarVerifier`]: a whole repository in one pass.
//!
//! ```
//! use arroba_core::{crypto::{Curve, PrivateKey, Signer}, did, record_key, nsid, repo, syntax::{Datetime, RecordPath, Tid}};
//! use arroba_core::repo::{CommitParams, Write, verify::{self, Order}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (did, key) = (did!("did:plc:yk4dd2qkboz2yv6tpubpc6co"), PrivateKey::from_bytes(Curve::K256, &[1; 32])?);
//! let path = RecordPath::new(nsid!("com.example.note"), record_key!("self"));
//! let (rev, time) = (Tid::from_micros(1_700_000_000_000_000, 0), Datetime::from_unix_millis(1_700_000_000_000));
//! let commit = repo::create(vec![Write::create(path, vec![0xa0].into())])?.sign(
//!     CommitParams { did: did.clone(), rev, since: None, prev_data: None, prev_commit: None, time },
//!     &key,
//! )?;
//! let verified = verify::frame(&commit.event.fill(1), &did, &key.public_key(), Order::Relay)?;
//! assert_eq!(verified.commit.data, commit.data);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is shared with the code that edits repositories but the codecs of commits and nodes, so neither can
//! hide the other's mistakes.

mod car;
mod error;
mod frame;
mod partial;
mod record_proof;

pub use car::{CarLimits, CarVerifier, Found, VerifiedCar, car};
pub use error::VerifyError;
pub use frame::{Order, VerifiedCommit, commit, frame, sync};
pub use record_proof::{RecordProof, record_proof};

use bytes::Bytes;

use super::Commit;
use crate::crypto::PublicKey;
use crate::data::{Cid, MAX_FOREIGN_RECORD_BYTES, cbor};
use crate::syntax::Did;

/// Reads a commit block and checks version, owner and signature.
fn signed_commit(block: &[u8], owner: &Did, key: &PublicKey) -> Result<Commit, VerifyError> {
    let commit = Commit::decode(block)?;
    if commit.version != Commit::VERSION {
        return Err(VerifyError::CommitVersion(commit.version));
    }
    if commit.did != *owner {
        return Err(VerifyError::Owner(commit.did));
    }
    commit.verify(key)?;
    Ok(commit)
}

/// The block under a CID of a CAR file in memory.
fn block<'a>(car: &'a crate::car::Car, cid: &Cid) -> Result<&'a Bytes, VerifyError> {
    car.blocks.get(cid).ok_or(VerifyError::MissingBlock(*cid))
}

/// Whether bytes can be a record: a map in strict DAG-CBOR, not too large.
fn is_record(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_FOREIGN_RECORD_BYTES
        && bytes.first().is_some_and(|first| first >> 5 == 5)
        && cbor::check(bytes).is_ok()
}
