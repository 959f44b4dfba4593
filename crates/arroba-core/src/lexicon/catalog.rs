//! Many documents, to be found by name.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Def, Document, Reference};
use crate::syntax::Nsid;

/// A set of lexicon documents.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    documents: BTreeMap<Box<str>, Document>,
}

impl Catalog {
    /// A catalog of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { documents: BTreeMap::new() }
    }

    /// Adds a document.
    ///
    /// # Errors
    /// [`CatalogError::Duplicate`] if there is one of this name, which then stays.
    pub fn add(&mut self, document: Document) -> Result<(), CatalogError> {
        if self.documents.contains_key(document.id().as_str()) {
            return Err(CatalogError::Duplicate(document.id().clone()));
        }
        self.documents.insert(document.id().as_str().into(), document);
        Ok(())
    }

    /// The document of this name.
    #[must_use]
    pub fn get(&self, nsid: &Nsid) -> Option<&Document> {
        self.documents.get(nsid.as_str())
    }

    /// The main definition of this name.
    #[must_use]
    pub fn main(&self, nsid: &Nsid) -> Option<&Def> {
        self.get(nsid)?.def("main")
    }

    /// Whether the schema of a record type is known.
    #[must_use]
    pub fn knows_record(&self, collection: &Nsid) -> bool {
        matches!(self.main(collection), Some(Def::Record(_)))
    }

    /// The definition that a reference names.
    #[must_use]
    pub fn resolve(&self, reference: &Reference) -> Option<&Def> {
        let (nsid, name) = reference.as_str().split_once('#').unwrap_or((reference.as_str(), "main"));
        self.documents.get(nsid)?.def(name)
    }

    /// All documents by name.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// The references that lead nowhere, in order of name.
    #[must_use]
    pub fn dangling(&self) -> Vec<Reference> {
        let mut dangling: Vec<_> = self.iter().flat_map(Document::references).collect();
        dangling.retain(|reference| !matches!(self.resolve(reference), Some(Def::Data(_) | Def::Record(_))));
        dangling.sort_unstable();
        dangling.dedup();
        dangling
    }
}

/// Why a document was not added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// There is one of this name already.
    #[error("a document {0} is there already")]
    Duplicate(Nsid),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> Document {
        Document::from_slice(json.as_bytes()).unwrap()
    }

    #[test]
    fn finds_definitions_and_reports_dangling_references() {
        let mut catalog = Catalog::new();
        catalog
            .add(document(
                r##"{"lexicon":1,"id":"com.example.a","defs":{"x":{"type":"object","properties":{
                "b":{"type":"ref","ref":"com.example.b"},"c":{"type":"ref","ref":"com.example.b#token"},
                "d":{"type":"array","items":{"type":"union","refs":["com.example.b#gone","#x"]}}}}}}"##,
            ))
            .unwrap();
        let b = document(
            r#"{"lexicon":1,"id":"com.example.b","defs":{"main":{"type":"integer"},"token":{"type":"token"}}}"#,
        );
        catalog.add(b.clone()).unwrap();
        assert_eq!(catalog.add(b.clone()), Err(CatalogError::Duplicate(b.id().clone())));
        assert!(catalog.main(b.id()).is_some());
        assert!(!catalog.knows_record(b.id()));
        let dangling: Vec<_> = catalog.dangling().iter().map(ToString::to_string).collect();
        assert_eq!(dangling, ["com.example.b#gone", "com.example.b#token"]);
    }
}
