use super::{KeyError, Signature, SignatureError, base58, blinding};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

/// The two curves of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// secp256k1, the default for new keys; `ES256K` in tokens.
    K256,
    /// NIST P-256, also called secp256r1; `ES256` in tokens.
    P256,
}

impl Curve {
    /// The algorithm's name in the header of a token.
    #[must_use]
    pub const fn jwt_algorithm(self) -> &'static str {
        match self {
            Self::K256 => "ES256K",
            Self::P256 => "ES256",
        }
    }

    /// The multicodec prefix of public keys, a varint of two bytes.
    const fn multicodec(self) -> [u8; 2] {
        match self {
            Self::K256 => [0xe7, 0x01],
            Self::P256 => [0x80, 0x24],
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::K256 => "K-256",
            Self::P256 => "P-256",
        })
    }
}

/// A public key on one of the two curves, known to be a valid point.
///
/// Its text form (`Display`, `FromStr`, serde) is the `did:key`.
#[derive(Clone)]
pub struct PublicKey {
    curve: Curve,
    compressed: [u8; 33],
    point: Point,
}

#[derive(Clone)]
enum Point {
    K256(secp256k1::PublicKey),
    P256(Arc<ParsedPublicKey>),
}

impl PublicKey {
    /// Reads a point: 33 bytes compressed, or 65 bytes uncompressed.
    ///
    /// # Errors
    /// [`KeyError::Point`] when it is neither, or does not lie on the curve.
    pub fn from_bytes(curve: Curve, bytes: &[u8]) -> Result<Self, KeyError> {
        let (parity, x) = match bytes {
            // The first byte of the two forms; others (hybrid, infinity) are in no document.
            [0x02 | 0x03, ..] if bytes.len() == 33 => (bytes[0], &bytes[1..]),
            [0x04, .., last] if bytes.len() == 65 => (0x02 | (last & 1), &bytes[1..33]),
            _ => return Err(KeyError::Point(curve)),
        };
        let mut compressed = [parity; 33];
        compressed[1..].copy_from_slice(x);
        let point = match curve {
            Curve::K256 => secp256k1::PublicKey::from_slice(bytes).ok().map(Point::K256),
            Curve::P256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes)
                .ok()
                .map(|key| Point::P256(Arc::new(key))),
        };
        Ok(Self { curve, compressed, point: point.ok_or(KeyError::Point(curve))? })
    }

    /// Reads a `did:key:z...`.
    ///
    /// # Errors
    /// When it is malformed, of another kind of key, or no valid point.
    pub fn from_did_key(text: &str) -> Result<Self, KeyError> {
        Self::from_multibase(text.strip_prefix("did:key:").ok_or(KeyError::NotDidKey)?)
    }

    /// Reads the `publicKeyMultibase` of a `Multikey`: `z`, then base58 of the multicodec and a compressed point.
    ///
    /// # Errors
    /// When it is malformed, of another kind of key, or no valid compressed point.
    pub fn from_multibase(text: &str) -> Result<Self, KeyError> {
        let bytes = multibase(text)?;
        for curve in [Curve::K256, Curve::P256] {
            if let Some(point) = bytes.strip_prefix(&curve.multicodec()) {
                if point.len() != 33 {
                    return Err(KeyError::Point(curve));
                }
                return Self::from_bytes(curve, point);
            }
        }
        Err(KeyError::Multicodec)
    }

    /// Reads the `publicKeyMultibase` of the two older key types (`EcdsaSecp256k1VerificationKey2019` and
    /// `EcdsaSecp256r1VerificationKey2019`): a bare point without multicodec, uncompressed as a rule.
    ///
    /// # Errors
    /// When it is malformed or no valid point of the curve.
    pub fn from_legacy_multibase(curve: Curve, text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(curve, &multibase(text)?)
    }

    /// The key's curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The compressed point.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; 33] {
        self.compressed
    }

    /// The key as a `Multikey`'s `publicKeyMultibase`.
    #[must_use]
    pub fn to_multibase(&self) -> String {
        let mut bytes = [0; 35];
        bytes[..2].copy_from_slice(&self.curve.multicodec());
        bytes[2..].copy_from_slice(&self.compressed);
        format!("z{}", base58::encode(&bytes))
    }

    /// The key as a `did:key`.
    #[must_use]
    pub fn to_did_key(&self) -> String {
        format!("did:key:{}", self.to_multibase())
    }

    /// Verifies a signature of the message's SHA-256. Only the low-S form is accepted.
    ///
    /// # Errors
    /// [`SignatureError::HighS`], or [`SignatureError::Mismatch`] for everything else.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        if !signature.is_low_s(self.curve) {
            return Err(SignatureError::HighS);
        }
        self.verify_low_s(message, signature)
    }

    /// Verifies a token's signature, for which both forms of `s` are accepted: general JWT libraries do not
    /// normalise it.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`].
    pub fn verify_jwt(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        self.verify_low_s(message, &signature.to_low_s(self.curve))
    }

    fn verify_low_s(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let valid = match &self.point {
            Point::K256(key) => secp256k1::ecdsa::Signature::from_compact(signature.as_bytes())
                .and_then(|signature| blinding::context().verify_ecdsa(digest(message), &signature, key))
                .is_ok(),
            Point::P256(key) => key.verify_sig(message, signature.as_bytes()).is_ok(),
        };
        if valid { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

pub(super) fn digest(message: &[u8]) -> secp256k1::Message {
    secp256k1::Message::from_digest(Sha256::digest(message).into())
}

fn multibase(text: &str) -> Result<Vec<u8>, KeyError> {
    let digits = text.strip_prefix('z').ok_or(KeyError::Multibase)?;
    base58::decode(digits).map_err(KeyError::Base58)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.curve == other.curve && self.compressed == other.compressed
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.curve.hash(state);
        self.compressed.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_did_key())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_did_key(text)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
