//! Lexicon documents: from JSON to definitions.

mod limits;
mod wire;

use std::collections::BTreeMap;

pub use limits::{MAX_DEFINITIONS, MAX_DOCUMENT_BYTES};

use super::{Def, Reference, SchemaError, check};
use crate::{
    data::{Value, json},
    syntax::Nsid,
};

/// The version of the lexicon language.
const LANGUAGE_VERSION: u32 = 1;

/// The type of the records that hold published documents.
const RECORD_TYPE: &str = "com.atproto.lexicon.schema";

/// A lexicon document whose definitions obey the language's rules.
///
/// A document may come from a stranger: it is never longer than [`MAX_DOCUMENT_BYTES`], has no more than
/// [`MAX_DEFINITIONS`] and is nested no more deeply than a record may be. Definitions may refer to each other in circles:
/// nothing follows them without going deeper into data.
///
/// ```
/// use arroba_core::lexicon::Document;
/// let json = br#"{"lexicon": 1, "id": "com.example.thing", "defs": {
///     "main": {"type": "record", "key": "tid", "record": {"type": "object", "properties": {}}}}}"#;
/// assert_eq!(Document::from_slice(json)?.id().as_str(), "com.example.thing");
/// # Ok::<(), arroba_core::lexicon::SchemaError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    id: Nsid,
    defs: BTreeMap<String, Def>,
}

impl Document {
    /// Parses a document.
    ///
    /// # Errors
    /// If it is too large, not JSON, has not the shape of a lexicon document, or breaks a rule of the language.
    pub fn from_slice(json: &[u8]) -> Result<Self, SchemaError> {
        limits::text(json)?;
        Self::from_wire(serde_json::from_slice(json)?)
    }

    /// Parses a document that is JSON already.
    ///
    /// # Errors
    /// If it is too large, has not the shape of a lexicon document or breaks a rule of the language.
    pub fn from_json(json: serde_json::Value) -> Result<Self, SchemaError> {
        match limits::tree(&json) {
            Ok(()) => Self::from_wire(serde_json::from_value(json)?),
            Err(error) => {
                limits::unravel(json);
                Err(error)
            }
        }
    }

    /// Parses a document that was published as a record, `com.atproto.lexicon.schema` under its own name.
    ///
    /// Spec: <https://atproto.com/specs/lexicon#lexicon-publication-and-resolution>
    ///
    /// # Errors
    /// [`SchemaError::RecordType`] if the record is of another type, [`SchemaError::OtherName`] if the document is not
    /// the one of this name; else as [`from_json`](Self::from_json).
    pub fn from_record(name: &Nsid, record: &Value<'_>) -> Result<Self, SchemaError> {
        if record.get("$type").and_then(Value::as_text) != Some(RECORD_TYPE) {
            return Err(SchemaError::RecordType);
        }
        limits::tree(record)?;
        let document = Self::from_wire(serde_json::from_value(json::to_json(record))?)?;
        if document.id != *name {
            return Err(SchemaError::OtherName(document.id));
        }
        Ok(document)
    }

    /// The document's name.
    #[must_use]
    pub const fn id(&self) -> &Nsid {
        &self.id
    }

    /// The definition of this name; `main` is the document's own.
    #[must_use]
    pub fn def(&self, name: &str) -> Option<&Def> {
        self.defs.get(name)
    }

    /// All definitions by name.
    pub fn defs(&self) -> impl Iterator<Item = (&str, &Def)> {
        self.defs.iter().map(|(name, def)| (name.as_str(), def))
    }

    /// The names of all definitions that this document refers to, its own and others', possibly repeated.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        check::references(self.defs.values())
    }

    /// The names of all definitions that this one refers to, possibly repeated; nothing if there is no such definition.
    #[must_use]
    pub fn references_of(&self, name: &str) -> Vec<Reference> {
        check::references(self.defs.get(name).into_iter())
    }

    fn from_wire(wire: wire::Document) -> Result<Self, SchemaError> {
        let wire::Document { lexicon, id, defs } = wire;
        if lexicon != LANGUAGE_VERSION {
            return Err(SchemaError::Version(lexicon));
        }
        if defs.is_empty() {
            return Err(SchemaError::Empty);
        }
        if defs.len() > MAX_DEFINITIONS {
            return Err(SchemaError::TooManyDefinitions(defs.len()));
        }
        let mut checked = BTreeMap::new();
        for (name, def) in defs {
            let def = def.into_def(&id).and_then(|def| check::def(&name, &def).map(|()| def));
            let def = def.map_err(|source| source.within(&name))?;
            checked.insert(name, def);
        }
        check::neighbours(&id, &checked)?;
        Ok(Self { id, defs: checked })
    }
}
