//! What can be wrong with a schema, and with data.

use thiserror::Error;

use super::{KeyKind, Path, Violation};
use crate::syntax::{Nsid, RecordKey};

/// Why a lexicon document was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is not JSON, or not of the shape of a lexicon document.
    #[error("not a lexicon document")]
    Shape(#[from] serde_json::Error),
    /// It is written in another version of the language.
    #[error("lexicon language version {0} instead of 1")]
    Version(u32),
    /// It defines nothing.
    #[error("no definitions")]
    Empty,
    /// A definition or error has a name that it may not have.
    #[error("invalid name {0:?}")]
    Name(String),
    /// A type stands where it may not.
    #[error("{0} is not allowed")]
    Misplaced(&'static str),
    /// A reference is malformed.
    #[error("invalid reference {0:?}")]
    Reference(String),
    /// A reference leads to nothing that data can have the shape of.
    #[error("reference to {0}, which is no shape of data")]
    Target(String),
    /// A record key kind is unknown.
    #[error("unknown kind of record key {0:?}")]
    KeyKind(String),
    /// A field is required or nullable and not defined.
    #[error("field {0:?} is required or nullable but not defined")]
    Undeclared(String),
    /// Constraints exclude each other.
    #[error("contradictory {0}")]
    Contradiction(&'static str),
    /// A pattern of media types is malformed.
    #[error("invalid media type pattern {0:?}")]
    MediaType(String),
    /// Something is wrong inside a part of the document.
    #[error("in {part}: {source}")]
    Within {
        /// The part: a definition or a field.
        part: String,
        /// What is wrong there.
        source: Box<Self>,
    },
}

impl SchemaError {
    pub(super) fn within(self, part: &str) -> Self {
        Self::Within { part: part.to_owned(), source: Box::new(self) }
    }
}

/// Why data was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// No schema of the wanted kind has this name.
    #[error("no {kind} schema is known for {nsid}")]
    UnknownSchema {
        /// The kind wanted: `record`, `input`, ...
        kind: &'static str,
        /// The name.
        nsid: Nsid,
    },
    /// The record key is not of the kind that the collection has.
    #[error("record key {key} is not {expected}")]
    RecordKey {
        /// The key.
        key: RecordKey,
        /// What it should be.
        expected: KeyKind,
    },
    /// A value breaks a rule.
    #[error("{path} {violation}")]
    Invalid {
        /// Where the value stands.
        path: Path,
        /// Which rule.
        violation: Violation,
    },
}
