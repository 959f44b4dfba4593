//! Blob references inside records.
//!
//! Spec: <https://atproto.com/specs/data-model#blob-type>

use thiserror::Error;

use super::cid::{Cid, Codec, Link};
use super::value::{Map, Value};

/// A reference to a blob, in the present form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// The CID of the bytes; [`Codec::Raw`] in what we write.
    pub cid: Cid,
    /// The media type, never empty.
    pub mime_type: String,
    /// The size in bytes.
    pub size: u64,
}

/// A blob reference found in a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FoundBlob {
    /// In the present form: `{$type: "blob", ref, mimeType, size}`.
    Typed(BlobRef),
    /// In the form of old records, `{cid, mimeType}`: to be read, never to be written anew.
    Legacy {
        /// The CID of the bytes.
        cid: Cid,
        /// The media type.
        mime_type: String,
    },
}

impl FoundBlob {
    /// The CID of the bytes.
    pub const fn cid(&self) -> Cid {
        match self {
            Self::Typed(blob) => blob.cid,
            Self::Legacy { cid, .. } => *cid,
        }
    }

    /// The media type.
    pub fn mime_type(&self) -> &str {
        match self {
            Self::Typed(blob) => &blob.mime_type,
            Self::Legacy { mime_type, .. } => mime_type,
        }
    }
}

impl BlobRef {
    /// Reads the present form.
    ///
    /// # Errors
    /// If the map is not exactly of that form.
    pub fn from_map(map: &Map<'_>) -> Result<Self, BlobRefError> {
        let field = |name| map.get(name).ok_or(BlobRefError::Missing(name));
        if field("$type")?.as_text() != Some("blob") {
            return Err(BlobRefError::Invalid("$type"));
        }
        let cid = field("ref")?.as_link().and_then(Link::cid).ok_or(BlobRefError::Invalid("ref"))?;
        let mime_type = field("mimeType")?.as_text().filter(|text| !text.is_empty());
        let mime_type = mime_type.ok_or(BlobRefError::Invalid("mimeType"))?.to_owned();
        let size = field("size")?.as_int().and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or(BlobRefError::Invalid("size"))?;
        if map.len() != 4 {
            return Err(BlobRefError::Surplus);
        }
        Ok(Self { cid, mime_type, size })
    }

    /// The reference as a value, in the present form.
    pub fn to_value(&self) -> Value<'static> {
        let mut map = Map::new();
        map.insert("$type", "blob");
        map.insert("ref", self.cid);
        map.insert("mimeType", self.mime_type.clone());
        map.insert("size", i64::try_from(self.size).unwrap_or(i64::MAX));
        Value::Map(map)
    }

    /// Whether the CID has the codec that blobs have.
    pub const fn is_raw(&self) -> bool {
        matches!(self.cid.codec(), Codec::Raw)
    }
}

/// All blob references in a value, at any depth, in order, duplicates included.
///
/// The legacy form is recognised by its shape alone: exactly the two keys `cid` (text that is a CID with the
/// raw codec) and `mimeType` (text).
///
/// # Errors
/// If a map says it is a blob but is malformed: such a record is invalid.
pub fn find(value: &Value<'_>) -> Result<Vec<FoundBlob>, BlobRefError> {
    let mut found = Vec::new();
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::List(list) => todo.extend(list.iter().rev()),
            Value::Map(map) if map.get("$type").and_then(Value::as_text) == Some("blob") => {
                found.push(FoundBlob::Typed(BlobRef::from_map(map)?));
            }
            Value::Map(map) => match legacy(map) {
                Some(blob) => found.push(blob),
                None => {
                    let at = todo.len();
                    todo.extend(map.iter().map(|(_, value)| value));
                    todo[at..].reverse();
                }
            },
            _ => {}
        }
    }
    Ok(found)
}

fn legacy(map: &Map<'_>) -> Option<FoundBlob> {
    if map.len() != 2 {
        return None;
    }
    let cid = Cid::parse(map.get("cid")?.as_text()?).ok().filter(|cid| cid.codec() == Codec::Raw)?;
    Some(FoundBlob::Legacy { cid, mime_type: map.get("mimeType")?.as_text()?.to_owned() })
}

/// Why a blob reference is malformed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlobRefError {
    /// A field is not there.
    #[error("blob reference without {0}")]
    Missing(&'static str),
    /// A field has a wrong value.
    #[error("blob reference with invalid {0}")]
    Invalid(&'static str),
    /// There are other fields besides the four.
    #[error("blob reference with surplus fields")]
    Surplus,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> BlobRef {
        BlobRef { cid: Cid::for_raw(b"x"), mime_type: "image/png".into(), size: 1 }
    }

    #[test]
    fn finds_both_forms_at_any_depth_in_order() {
        let legacy: Map<'_> =
            [("cid", Value::from(Cid::for_raw(b"y").to_string())), ("mimeType", Value::from("a/b"))]
                .into_iter()
                .collect();
        let inner: Map<'_> = [("a", Value::from(vec![blob().to_value(), Value::Null])), ("z", legacy.into())]
            .into_iter()
            .collect();
        let found = find(&Value::from(vec![Value::from(inner), blob().to_value()])).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], FoundBlob::Typed(blob()));
        assert_eq!(found[1], FoundBlob::Legacy { cid: Cid::for_raw(b"y"), mime_type: "a/b".into() });
    }

    #[test]
    fn refuses_malformed_references() {
        let good = blob().to_value();
        for (key, value) in [
            ("ref", Value::Null),
            ("mimeType", Value::from("")),
            ("size", Value::from("1")),
            ("size", Value::from(-1)),
            ("more", Value::Null),
        ] {
            let Value::Map(mut map) = good.clone() else { unreachable!() };
            map.insert(key, value);
            assert!(find(&Value::Map(map)).is_err(), "{key}");
        }
        for key in ["ref", "mimeType", "size"] {
            let Value::Map(mut map) = good.clone() else { unreachable!() };
            map.remove(key);
            assert_eq!(find(&Value::Map(map)), Err(BlobRefError::Missing(key)));
        }
    }
}
