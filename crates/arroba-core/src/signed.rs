//! Signed objects: maps whose field `sig` signs the rest of them, as commits, labels and did:plc operations do.
//!
//! Commits have a type of their own, [`repo::Commit`](crate::repo::Commit); this is for everything else. There is no
//! domain separation in the protocol: whoever signs a map that someone else has made may have signed a commit.
//! So sign only what you have built yourself.

use thiserror::Error;

use crate::crypto::{PublicKey, Signature, SignatureError, Signer};
use crate::data::{Map, Value, cbor};

/// The field with the signature.
pub const FIELD: &str = "sig";

/// Why an object's signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignedError {
    /// There is no field `sig`.
    #[error("object is not signed")]
    Unsigned,
    /// The field `sig` is no bytes.
    #[error("signature is not bytes")]
    NotBytes,
    /// The signature is malformed, in high-S form, or not this key's.
    #[error("invalid signature")]
    Signature(#[from] SignatureError),
}

/// Signs an object: sets its field `sig`, instead of one that is there.
///
/// What is signed is the DAG-CBOR of the object without that field; the signature is low-S.
/// Spec: <https://atproto.com/specs/cryptography#signature-computation>
pub fn sign(object: &mut Map<'_>, signer: &dyn Signer) {
    object.remove(FIELD);
    let signature = signer.sign(&encode(object));
    object.insert(FIELD, Value::Bytes(signature.to_bytes().to_vec().into()));
}

/// Checks an object's signature.
///
/// # Errors
/// [`SignedError`].
pub fn verify(object: &Map<'_>, key: &PublicKey) -> Result<(), SignedError> {
    let signature = match object.get(FIELD) {
        None => return Err(SignedError::Unsigned),
        Some(Value::Bytes(bytes)) => Signature::from_slice(bytes)?,
        Some(_) => return Err(SignedError::NotBytes),
    };
    let mut unsigned = object.clone();
    unsigned.remove(FIELD);
    Ok(key.verify(&encode(&unsigned), &signature)?)
}

fn encode(object: &Map<'_>) -> Vec<u8> {
    cbor::encode(&Value::Map(object.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Curve, PrivateKey};

    fn object() -> Map<'static> {
        [("text", Value::from("hello")), ("n", Value::from(-3))].into_iter().collect()
    }

    #[test]
    fn signs_and_verifies() {
        for curve in [Curve::K256, Curve::P256] {
            let key = PrivateKey::from_seed(curve, 5).unwrap();
            let mut signed = object();
            assert_eq!(verify(&signed, &key.public_key()), Err(SignedError::Unsigned));
            sign(&mut signed, &key);
            verify(&signed, &key.public_key()).unwrap();
            // Signed anew, not over its own signature.
            sign(&mut signed, &key);
            verify(&signed, &key.public_key()).unwrap();
            let other = PrivateKey::from_seed(curve, 6).unwrap().public_key();
            let mismatch = Err(SignedError::Signature(SignatureError::Mismatch));
            assert_eq!(verify(&signed, &other), mismatch);
            signed.insert("n", Value::from(3));
            assert_eq!(verify(&signed, &key.public_key()), mismatch);
        }
    }

    #[test]
    fn refuses_what_is_no_signature() {
        let key = PrivateKey::from_seed(Curve::K256, 5).unwrap().public_key();
        let mut signed = object();
        signed.insert(FIELD, Value::from("x"));
        assert_eq!(verify(&signed, &key), Err(SignedError::NotBytes));
        signed.insert(FIELD, Value::Bytes(vec![0; 63].into()));
        assert_eq!(verify(&signed, &key), Err(SignedError::Signature(SignatureError::Length(63))));
    }
}
