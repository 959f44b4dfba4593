//! What every record must satisfy whatever its schema says.

use thiserror::Error;

use super::MAX_DEPTH;
use super::blob_ref::{BlobRef, BlobRefError};
use super::value::{Map, Value};

/// Checks the rules of the data model that hold for every record and message: the top is a map; each `$type`
/// is text and not empty; whatever says it is a blob is a well-formed blob reference; no key is empty; no map
/// could be taken for a link or bytes in JSON; no nesting beyond [`MAX_DEPTH`].
///
/// # Errors
/// The first rule broken.
pub fn check<'v, 'a>(value: &'v Value<'a>) -> Result<&'v Map<'a>, RecordError> {
    let Value::Map(top) = value else { return Err(RecordError::NotAMap) };
    let mut todo = vec![(value, 0)];
    while let Some((value, depth)) = todo.pop() {
        match value {
            Value::List(_) | Value::Map(_) if depth >= MAX_DEPTH => return Err(RecordError::TooDeep),
            Value::List(list) => todo.extend(list.iter().map(|item| (item, depth + 1))),
            Value::Map(map) => {
                check_map(map)?;
                todo.extend(map.iter().map(|(_, item)| (item, depth + 1)));
            }
            _ => {}
        }
    }
    Ok(top)
}

fn check_map(map: &Map<'_>) -> Result<(), RecordError> {
    if let Some(kind) = map.get("$type") {
        match kind.as_text() {
            None | Some("") => return Err(RecordError::Type),
            Some("blob") => drop(BlobRef::from_map(map)?),
            Some(_) => {}
        }
    }
    if map.contains_key("") {
        return Err(RecordError::EmptyKey);
    }
    for key in ["$link", "$bytes"] {
        if map.contains_key(key) {
            return Err(RecordError::ReservedKey(key));
        }
    }
    Ok(())
}

/// Why a value is no record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The top is no map.
    #[error("record is not an object")]
    NotAMap,
    /// A `$type` is not text, or empty.
    #[error("$type is not a non-empty string")]
    Type,
    /// A key is empty.
    #[error("empty key")]
    EmptyKey,
    /// A map has a key that means something else in JSON.
    #[error("reserved key {0} in an object")]
    ReservedKey(&'static str),
    /// Nesting deeper than [`MAX_DEPTH`].
    #[error("nesting too deep")]
    TooDeep,
    /// A blob reference is malformed.
    #[error(transparent)]
    Blob(#[from] BlobRefError),
}
