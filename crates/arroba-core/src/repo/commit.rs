//! Commits: the signed statement of what a repository is.
//!
//! Spec: <https://atproto.com/specs/repository#commit-objects>

use thiserror::Error;

use crate::crypto::{PublicKey, Signature, SignatureError, Signer};
use crate::data::cbor::{CborError, Reader, Writer};
use crate::data::{Cid, Codec};
use crate::syntax::{Did, SyntaxError, Tid};

/// A signed commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The account.
    pub did: Did,
    /// The version of the repository format: 3, or 2 in what others made long ago.
    pub version: u8,
    /// The root of the tree.
    pub data: Cid,
    /// The revision: grows with every commit of the account, for ever and on any host.
    pub rev: Tid,
    /// The commit before; in practice always `None`.
    pub prev: Option<Cid>,
    /// The signature over the commit without this field, by the account's signing key at the time.
    pub sig: Signature,
}

impl Commit {
    /// The version of the repository format that we write.
    pub const VERSION: u8 = 3;

    /// Makes and signs a commit.
    pub fn sign(did: Did, data: Cid, rev: Tid, prev: Option<Cid>, signer: &dyn Signer) -> Self {
        let sig = Signature::from_bytes([0; 64]);
        let mut commit = Self { did, version: Self::VERSION, data, rev, prev, sig };
        commit.sig = signer.sign(&commit.unsigned_bytes());
        commit
    }

    /// Decodes a commit, strictly: all fields, no others, in canonical form.
    ///
    /// # Errors
    /// [`CommitError`] for anything else. The signature is not checked: see [`Commit::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitError> {
        let mut reader = Reader::new(bytes);
        let mut fields = reader.map()?;
        fields.expect(&mut reader, "did")?;
        let did = Did::parse(reader.text()?)?;
        fields.expect(&mut reader, "rev")?;
        let rev = Tid::parse(reader.text()?)?;
        fields.expect(&mut reader, "sig")?;
        let sig = Signature::from_slice(reader.bytes()?)?;
        fields.expect(&mut reader, "data")?;
        let data = block_cid(reader.cid()?)?;
        fields.expect(&mut reader, "prev")?;
        let prev = if reader.take_null() { None } else { Some(block_cid(reader.cid()?)?) };
        fields.expect(&mut reader, "version")?;
        let version = match reader.int()? {
            2 => 2,
            3 => 3,
            version => return Err(CommitError::Version(version)),
        };
        fields.finish(&reader)?;
        reader.finish()?;
        Ok(Self { did, version, data, rev, prev, sig })
    }

    /// The commit's block. Its CID is the commit's.
    pub fn encode(&self) -> Vec<u8> {
        self.write(Some(&self.sig))
    }

    /// What is signed.
    pub fn unsigned_bytes(&self) -> Vec<u8> {
        self.write(None)
    }

    fn write(&self, sig: Option<&Signature>) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        out.map(if sig.is_some() { 6 } else { 5 });
        out.text("did");
        out.text(self.did.as_str());
        out.text("rev");
        let rev = self.rev.to_ascii();
        out.text(std::str::from_utf8(&rev).expect("a TID is ASCII"));
        if let Some(sig) = sig {
            out.text("sig");
            out.bytes(sig.as_bytes());
        }
        out.text("data");
        out.cid(&self.data);
        out.text("prev");
        out.nullable_cid(self.prev.as_ref());
        out.text("version");
        out.uint(self.version.into());
        out.into_bytes()
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// If it is not this key's, or not in low-S form.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(&self.unsigned_bytes(), &self.sig)
    }
}

fn block_cid(cid: Cid) -> Result<Cid, CommitError> {
    if cid.codec() == Codec::DagCbor { Ok(cid) } else { Err(CommitError::Codec(cid)) }
}

/// Why a block is no commit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The block is not canonical, or not of this shape.
    #[error("commit is malformed")]
    Cbor(#[from] CborError),
    /// The DID or the revision is malformed.
    #[error("commit names a malformed DID or revision")]
    Syntax(#[from] SyntaxError),
    /// The signature is not 64 bytes.
    #[error("commit has a malformed signature")]
    Signature(#[from] SignatureError),
    /// The version is not 2 or 3.
    #[error("commit has unknown version {0}")]
    Version(i64),
    /// A link is not to a DAG-CBOR block.
    #[error("commit links to {0}, which is no CBOR block")]
    Codec(Cid),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Curve, PrivateKey};

    fn commit(curve: Curve) -> (Commit, PrivateKey) {
        let key = PrivateKey::from_bytes(curve, &[7; 32]).unwrap();
        let did = Did::parse("did:plc:yk4dd2qkboz2yv6tpubpc6co").unwrap();
        let data = Cid::for_cbor(b"tree");
        (Commit::sign(did, data, Tid::from_micros(1_700_000_000_000_000, 7), None, &key), key)
    }

    #[test]
    fn signs_and_verifies_on_both_curves() {
        for curve in [Curve::K256, Curve::P256] {
            let (commit, key) = commit(curve);
            let decoded = Commit::decode(&commit.encode()).unwrap();
            assert_eq!(decoded, commit);
            decoded.verify(&key.public_key()).unwrap();
            let forged = Commit { rev: Tid::from_micros(1, 1), ..commit };
            assert!(forged.verify(&key.public_key()).is_err());
        }
    }

    #[test]
    fn prev_is_there_and_null() {
        let (commit, _) = commit(Curve::K256);
        let bytes = commit.encode();
        assert!(bytes.windows(6).any(|window| window == b"dprev\xf6"));
        let with = Commit { prev: Some(Cid::for_cbor(b"before")), ..commit };
        assert_eq!(Commit::decode(&with.encode()).unwrap(), with);
    }

    #[test]
    fn refuses_other_shapes() {
        let (commit, _) = commit(Curve::K256);
        let bytes = commit.encode();
        for end in 0..bytes.len() {
            assert!(Commit::decode(&bytes[..end]).is_err());
        }
        assert!(Commit::decode(&[&bytes[..], &[0]].concat()).is_err());
        let raw = Commit { data: Cid::for_raw(b"x"), ..commit.clone() };
        assert_eq!(Commit::decode(&raw.encode()), Err(CommitError::Codec(raw.data)));
        assert_eq!(Commit::decode(&Commit { version: 2, ..commit.clone() }.encode()).unwrap().version, 2);
        let old = Commit { version: 1, ..commit.clone() }.encode();
        assert_eq!(Commit::decode(&old), Err(CommitError::Version(1)));
        assert!(Commit::decode(&commit.unsigned_bytes()).is_err());
    }
}
