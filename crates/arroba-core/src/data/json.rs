//! The JSON form of the data model: links are `{"$link": "bafy.."}`, bytes are `{"$bytes": "base64"}`.
//!
//! Duplicate keys are refused, and numbers must be integers within 64 signed bits (`123.0` is one, `1.5` is
//! none). Base64 is of the standard alphabet; padding and trailing bits are optional on reading, neither is
//! written.
//!
//! Spec: <https://atproto.com/specs/data-model#json-representation>

mod read;
mod write;

pub use read::{from_json_value, from_slice, from_str};
pub use write::{from_cbor, to_json, write, write_text};

use thiserror::Error;

use super::cid::CidError;

/// Why JSON is no value of the data model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is no JSON, or breaks a rule of the data model (the message says which).
    #[error("invalid json: {0}")]
    Syntax(serde_json::Error),
    /// A rule of the data model is broken in a JSON value that was parsed already.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Which rule of the data model some JSON breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A number with a fraction, or so large that it is no exact integer.
    #[error("number that is not an integer")]
    Float,
    /// An integer outside 64 signed bits.
    #[error("integer out of range")]
    IntegerRange,
    /// The same key twice in one object.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// A key longer than [`MAX_KEY_BYTES`](super::MAX_KEY_BYTES).
    #[error("key too long")]
    KeyTooLong,
    /// Nesting deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("nesting too deep")]
    TooDeep,
    /// A list or object with more than [`MAX_CONTAINER_ELEMENTS`](super::MAX_CONTAINER_ELEMENTS).
    #[error("too many elements")]
    TooManyElements,
    /// An object with `$link` or `$bytes` and other keys, or without text there.
    #[error("malformed {0} object")]
    Special(&'static str),
    /// A `$link` whose text is no CID.
    #[error("invalid $link")]
    Link(#[from] CidError),
    /// A `$bytes` whose text is no base64.
    #[error("invalid base64 in $bytes")]
    Base64(#[from] base64::DecodeError),
}
