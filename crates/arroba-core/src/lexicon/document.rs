//! Lexicon documents: from JSON to definitions.

mod wire;

use std::collections::BTreeMap;

use super::{Def, Reference, SchemaError, check};
use crate::syntax::Nsid;

/// The version of the lexicon language.
const LANGUAGE_VERSION: u32 = 1;

/// A lexicon document whose definitions obey the language's rules.
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
    /// If it is not JSON, has not the shape of a lexicon document, or breaks a rule of the language.
    pub fn from_slice(json: &[u8]) -> Result<Self, SchemaError> {
        Self::from_wire(serde_json::from_slice(json)?)
    }

    /// Parses a document that is JSON already.
    ///
    /// # Errors
    /// If it has not the shape of a lexicon document or breaks a rule of the language.
    pub fn from_json(json: serde_json::Value) -> Result<Self, SchemaError> {
        Self::from_wire(serde_json::from_value(json)?)
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

    fn from_wire(wire: wire::Document) -> Result<Self, SchemaError> {
        let wire::Document { lexicon, id, defs } = wire;
        if lexicon != LANGUAGE_VERSION {
            return Err(SchemaError::Version(lexicon));
        }
        if defs.is_empty() {
            return Err(SchemaError::Empty);
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
