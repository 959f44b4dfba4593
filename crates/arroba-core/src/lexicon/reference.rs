//! References to definitions.

use std::{fmt, sync::Arc};

use super::error::{SchemaError, shown};
use crate::syntax::Nsid;

/// A definition's full name: `nsid` for the main one, `nsid#name` for another.
///
/// The main definition's name never ends in `#main`, so that equal names are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(Arc<str>);

impl Reference {
    /// Reads a reference as it stands in a document: `nsid`, `nsid#name`, or `#name` for a neighbour.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str, home: &Nsid) -> Result<Self, SchemaError> {
        let malformed = || SchemaError::Reference(shown(text));
        let named = |nsid| Nsid::parse(nsid).map_err(|_| malformed());
        let (nsid, name) = match text.split_once('#') {
            None => (named(text)?, "main"),
            Some(("", name)) => (home.clone(), name),
            Some((nsid, name)) => (named(nsid)?, name),
        };
        if !is_def_name(name) {
            return Err(malformed());
        }
        Ok(Self::new(&nsid, name))
    }

    /// The name of the definition `name` in the document `nsid`.
    #[must_use]
    pub fn new(nsid: &Nsid, name: &str) -> Self {
        if name == "main" { Self(nsid.as_str().into()) } else { Self(format!("{nsid}#{name}").into()) }
    }

    /// The document's name and the definition's name in it.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('#').unwrap_or((&self.0, "main"))
    }

    /// The name as it stands in the `$type` field of data.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whether a definition may bear this name.
pub(super) fn is_def_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['#', '.']) && !name.chars().any(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_is_the_document_itself() {
        let home = Nsid::parse("com.example.home").unwrap();
        for (text, full) in [
            ("#main", "com.example.home"),
            ("#other", "com.example.home#other"),
            ("com.example.away", "com.example.away"),
            ("com.example.away#main", "com.example.away"),
            ("com.example.away#x", "com.example.away#x"),
        ] {
            assert_eq!(Reference::parse(text, &home).unwrap().as_str(), full);
        }
        for text in ["", "#", "other", "com.example.away#", "com.example.away#a#b", "#a.b", "#a b", "a.b#c"] {
            assert!(Reference::parse(text, &home).is_err(), "{text:?}");
        }
    }
}
