//! Keys, signatures and JSON web tokens.
//!
//! Both curves of the protocol are served: secp256k1 ([`Curve::K256`], the default) and NIST P-256
//! ([`Curve::P256`]). A signature is ECDSA over the SHA-256 of the message, 64 bytes `r || s`, low-S.
//! There is no domain separation between the things that are signed (commits, labels, PLC operations,
//! tokens), so nothing may ever sign a structure that a caller supplies.
//!
//! Spec: <https://atproto.com/specs/cryptography>

mod base58;
mod blinding;
mod error;
pub mod jwt;
mod private_key;
mod public_key;
mod signature;

pub use self::{
    base58::{Base58Error, decode as base58_decode, encode as base58_encode},
    blinding::blind,
    error::{KeyError, SignatureError},
    private_key::{PrivateKey, Signer},
    public_key::{Curve, PublicKey},
    signature::Signature,
};
