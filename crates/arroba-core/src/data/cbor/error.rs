use std::fmt;

use thiserror::Error;

use crate::data::cid::CidError;

/// Why bytes are not the DAG-CBOR that was expected, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CborError {
    at: usize,
    kind: CborErrorKind,
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.at)
    }
}

/// The cause is that of the kind, whose message is in ours already.
impl std::error::Error for CborError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

impl CborError {
    /// An error at this offset.
    pub const fn new(at: usize, kind: CborErrorKind) -> Self {
        Self { at, kind }
    }

    /// The offset of the item at fault, in bytes.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// What is wrong.
    pub const fn kind(&self) -> &CborErrorKind {
        &self.kind
    }
}

/// What is wrong with some DAG-CBOR.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CborErrorKind {
    /// The input ends inside an item, or a length goes beyond its end.
    #[error("input ends early")]
    Truncated,
    /// There are bytes after the value.
    #[error("bytes after the value")]
    Trailing,
    /// An integer or length is not in its shortest form.
    #[error("integer not in its shortest form")]
    NotShortest,
    /// An item has an indefinite length.
    #[error("indefinite length")]
    Indefinite,
    /// A float.
    #[error("float")]
    Float,
    /// A tag other than 42.
    #[error("tag {0}")]
    Tag(u64),
    /// A simple value other than `false`, `true` and `null`.
    #[error("simple value")]
    Simple,
    /// A reserved encoding.
    #[error("reserved encoding")]
    Reserved,
    /// An integer outside 64 signed bits, or outside the range a field allows.
    #[error("integer out of range")]
    IntegerRange,
    /// Text that is not UTF-8.
    #[error("text that is not utf-8")]
    Utf8,
    /// A map key that is not text.
    #[error("map key that is not text")]
    KeyNotText,
    /// A map key longer than [`MAX_KEY_BYTES`](crate::data::MAX_KEY_BYTES).
    #[error("map key too long")]
    KeyTooLong,
    /// A map key that does not come after the one before it.
    #[error("map keys out of order")]
    KeyOrder,
    /// A map key that is there twice.
    #[error("duplicate map key")]
    DuplicateKey,
    /// Nesting deeper than [`MAX_DEPTH`](crate::data::MAX_DEPTH).
    #[error("nesting too deep")]
    TooDeep,
    /// A list or map with more than [`MAX_CONTAINER_ELEMENTS`](crate::data::MAX_CONTAINER_ELEMENTS).
    #[error("too many elements")]
    TooManyElements,
    /// A link that is no acceptable CID.
    #[error("invalid link")]
    Link(#[source] CidError),
    /// An item of another type than expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A map lacks a field that it must have.
    #[error("missing field {0}")]
    MissingField(&'static str),
    /// A map has a field that it must not have.
    #[error("unexpected field")]
    UnexpectedField,
}
