//! Many documents, to be found by name.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::{Def, Document, Reference, Schema};
use crate::{data::MAX_DEPTH, syntax::Nsid};

/// A set of lexicon documents, alone or on top of another.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    documents: BTreeMap<Box<str>, Arc<Document>>,
    base: Option<Arc<Self>>,
}

impl Catalog {
    /// A catalog of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { documents: BTreeMap::new(), base: None }
    }

    /// A catalog of what another has, to which documents are added without changing or copying that one.
    #[must_use]
    pub const fn over(base: Arc<Self>) -> Self {
        Self { documents: BTreeMap::new(), base: Some(base) }
    }

    /// Adds a document.
    ///
    /// # Errors
    /// [`CatalogError::Duplicate`] if there is one of this name, which then stays.
    pub fn add(&mut self, document: impl Into<Arc<Document>>) -> Result<(), CatalogError> {
        let document = document.into();
        if self.get(document.id()).is_some() {
            return Err(CatalogError::Duplicate(document.id().clone()));
        }
        self.documents.insert(document.id().as_str().into(), document);
        Ok(())
    }

    fn named(&self, nsid: &str) -> Option<&Document> {
        let mut catalog = self;
        loop {
            match (catalog.documents.get(nsid), &catalog.base) {
                (Some(document), _) => return Some(document),
                (None, Some(base)) => catalog = base,
                (None, None) => return None,
            }
        }
    }

    /// The document of this name.
    #[must_use]
    pub fn get(&self, nsid: &Nsid) -> Option<&Document> {
        self.named(nsid.as_str())
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
        let (nsid, name) = reference.parts();
        self.named(nsid)?.def(name)
    }

    /// The schema of a field inside a record type or a shape of data: the names of the fields on the way there, where
    /// references and the items of lists are stepped into.
    ///
    /// ```
    /// # use arroba_core::{lexicon::{Catalog, Document, Reference, Schema}, nsid};
    /// let mut catalog = Catalog::new();
    /// catalog.add(Document::from_slice(br##"{"lexicon": 1, "id": "com.example.album", "defs": {"main": {"type": "object",
    ///     "properties": {"pages": {"type": "array", "items": {"type": "ref", "ref": "#page"}}}}, "page": {"type":
    ///     "object", "properties": {"photo": {"type": "blob", "accept": ["image/*"], "maxSize": 1000}}}}}"##)?)?;
    /// let album = Reference::new(&nsid!("com.example.album"), "main");
    /// let Some(Schema::Blob(photo)) = catalog.field(&album, &["pages", "photo"]) else { panic!() };
    /// assert!(photo.check("image/png", 999).is_ok() && photo.check("text/plain", 1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn field(&self, of: &Reference, path: &[&str]) -> Option<&Schema> {
        let mut names = path.iter();
        let mut schema = match self.resolve(of)? {
            Def::Record(record) => record.record.properties.get(*names.next()?)?,
            Def::Data(schema) => schema,
            _ => return None,
        };
        // A list of itself never comes to a field.
        for _ in 0..MAX_DEPTH * (path.len() + 1) {
            schema = match schema {
                Schema::Array(array) => &array.items,
                Schema::Ref(reference) => match self.resolve(reference)? {
                    Def::Record(record) => record.record.properties.get(*names.next()?)?,
                    Def::Data(schema) => schema,
                    _ => return None,
                },
                Schema::Object(object) => match names.next() {
                    Some(name) => object.properties.get(*name)?,
                    None => return Some(schema),
                },
                other => return names.next().is_none().then_some(other),
            }
        }
        None
    }

    /// The documents that were added to this one, by name: those of a catalog underneath are not among them.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.documents.values().map(|document| &**document)
    }

    /// The references in the documents of this one that lead nowhere, in order of name.
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

    #[test]
    fn one_lies_on_top_of_another() {
        let mut base = Catalog::new();
        let low = document(r#"{"lexicon":1,"id":"com.example.low","defs":{"main":{"type":"integer"}}}"#);
        base.add(low.clone()).unwrap();
        let mut catalog = Catalog::over(Arc::new(base));
        let high = r#"{"lexicon":1,"id":"com.example.high","defs":{"main":{"type":"object","properties":{
            "low":{"type":"ref","ref":"com.example.low"}}}}}"#;
        catalog.add(document(high)).unwrap();
        assert_eq!(catalog.get(low.id()), Some(&low));
        assert_eq!(catalog.add(low.clone()), Err(CatalogError::Duplicate(low.id().clone())));
        assert_eq!(catalog.iter().count(), 1);
        assert_eq!(catalog.dangling(), []);
    }

    #[test]
    fn fields_are_found_through_circles_and_no_further() {
        let mut catalog = Catalog::new();
        catalog
            .add(document(
                r##"{"lexicon":1,"id":"com.example.loop","defs":{"list":{"type":"array","items":{"type":"ref","ref":"#list"}},
                "node":{"type":"object","properties":{"next":{"type":"ref","ref":"#node"},"n":{"type":"integer"}}},
                "main":{"type":"record","key":"any","record":{"type":"object","properties":{
                "list":{"type":"ref","ref":"#list"},"node":{"type":"ref","ref":"#node"}}}}}}"##,
            ))
            .unwrap();
        let id = Nsid::parse("com.example.loop").unwrap();
        let field = |name: &str, path: &[&str]| catalog.field(&Reference::new(&id, name), path).cloned();
        assert!(matches!(field("main", &["node", "next", "next", "n"]), Some(Schema::Integer(_))));
        for (name, path) in [
            ("main", &[][..]),
            ("main", &["list"]),
            ("list", &["a"]),
            ("main", &["node", "n", "n"]),
            ("gone", &["a"]),
        ] {
            assert_eq!(field(name, path), None, "{name} {path:?}");
        }
    }
}
