use std::fmt;

use super::text::parsed_type;
use super::{Nsid, RecordKey, SyntaxError};

/// Where a record stands in its repository: `app.bsky.feed.post/3jzfcijpj2z2a`.
///
/// The bytes of the text are its key in the tree, and so the order is the order of the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordPath {
    /// The collection.
    pub collection: Nsid,
    /// The key within it.
    pub rkey: RecordKey,
}

impl RecordPath {
    /// A path of its two parts.
    pub const fn new(collection: Nsid, rkey: RecordKey) -> Self {
        Self { collection, rkey }
    }

    /// Reads `collection/rkey`.
    ///
    /// # Errors
    /// If it is no such path.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let (collection, rkey) = text.split_once('/').ok_or(SyntaxError::new("record path", "no slash"))?;
        Ok(Self { collection: Nsid::parse(collection)?, rkey: RecordKey::parse(rkey)? })
    }

    /// The key in the tree.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl Ord for RecordPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        fn bytes(path: &RecordPath) -> impl Iterator<Item = u8> {
            path.collection.as_str().bytes().chain([b'/']).chain(path.rkey.as_str().bytes())
        }
        bytes(self).cmp(bytes(other))
    }
}

impl PartialOrd for RecordPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RecordPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.rkey)
    }
}

impl fmt::Debug for RecordPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordPath({self})")
    }
}

parsed_type!(RecordPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_text() {
        let mut paths: Vec<_> = ["a.b.c-d.e/x", "a.b.c/y", "a.b.cd/x", "a.b.c/x", "a.b.c/xx"]
            .map(|text| RecordPath::parse(text).unwrap())
            .into();
        paths.sort();
        let texts: Vec<_> = paths.iter().map(ToString::to_string).collect();
        let mut sorted = texts.clone();
        sorted.sort();
        assert_eq!(texts, sorted);
    }

    #[test]
    fn refuses_other_shapes() {
        for text in ["", "/", "a.b.c", "a.b.c/", "/x", "a.b.c/x/y", "/a.b.c/x", "a.b/x", "a.b.c/.."] {
            assert!(RecordPath::parse(text).is_err(), "{text}");
        }
    }
}
