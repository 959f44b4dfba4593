use super::{Base58Error, Curve};
use thiserror::Error;

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text does not begin with `did:key:`.
    #[error("no did:key prefix")]
    NotDidKey,
    /// The multibase prefix is not `z` (base58btc), the only one in use for keys.
    #[error("multibase prefix is not 'z'")]
    Multibase,
    /// The text after the multibase prefix is not base58.
    #[error("malformed base58")]
    Base58(#[source] Base58Error),
    /// The multicodec prefix names neither of the two curves.
    #[error("multicodec names neither a K-256 nor a P-256 public key")]
    Multicodec,
    /// The bytes are no point of the curve, or in a form that is not accepted here.
    #[error("no valid {0} public key")]
    Point(Curve),
    /// The bytes are no scalar of the curve: zero, or not below the group's order.
    #[error("no valid {0} private key")]
    Scalar(Curve),
    /// The text is not 64 hexadecimal digits.
    #[error("private key is not 64 hexadecimal digits")]
    Hex,
}

/// Why a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not 64 bytes; so is DER, as a rule.
    #[error("signature is {0} bytes long, not 64")]
    Length(usize),
    /// Not strict base64url.
    #[error("signature is malformed base64url")]
    Encoding,
    /// `s` lies in the upper half: a second valid signature that anybody could derive from the first.
    #[error("signature is not in low-S form")]
    HighS,
    /// The signature is not this key's signature of this message.
    #[error("signature does not match")]
    Mismatch,
}
