//! What can be wrong with a schema, and with data.

use thiserror::Error;

use super::{BodyFault, KeyKind, Path, Violation};
use crate::syntax::{Nsid, RecordKey};

/// Why a lexicon document was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is not JSON, or not of the shape of a lexicon document.
    #[error("not a lexicon document")]
    Shape(#[source] ShapeError),
    /// It is longer than [`MAX_DOCUMENT_BYTES`](super::MAX_DOCUMENT_BYTES).
    #[error("document is longer than {} bytes", super::MAX_DOCUMENT_BYTES)]
    TooLarge,
    /// It is nested more deeply than a record may be.
    #[error("document is nested too deeply")]
    TooDeep,
    /// It defines more than [`MAX_DEFINITIONS`](super::MAX_DEFINITIONS).
    #[error("{0} definitions, more than {max}", max = super::MAX_DEFINITIONS)]
    TooManyDefinitions(usize),
    /// The record that should hold it is of another type.
    #[error("record is not of type com.atproto.lexicon.schema")]
    RecordType,
    /// The record that should hold it holds the document of another name.
    #[error("document is {0}")]
    OtherName(Nsid),
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
        Self::Within { part: shown(part), source: Box::new(self) }
    }
}

impl From<serde_json::Error> for SchemaError {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(ShapeError(shown(&error.to_string())))
    }
}

/// What the JSON of a document has that it should not have, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ShapeError(String);

/// As much of a text as a message repeats, without line feeds and the like: texts of documents may be long and strange,
/// and errors are kept and logged.
pub(super) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 160;
    let mut chars = text.chars();
    let plain =
        |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    let mut shown: String = chars.by_ref().take(MAX_CHARS).map(plain).collect();
    if chars.next().is_some() {
        shown += "...";
    }
    shown
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
    /// A body is not what the method takes or gives.
    #[error("{side} {fault}")]
    Body {
        /// Which body: `Input` or `Output`.
        side: &'static str,
        /// What is wrong with it.
        fault: BodyFault,
    },
    /// An error has a name that the method does not declare and that XRPC does not have for every method.
    #[error("{nsid} declares no error {name}")]
    UndeclaredError {
        /// The method.
        nsid: Nsid,
        /// The error.
        name: String,
    },
}
