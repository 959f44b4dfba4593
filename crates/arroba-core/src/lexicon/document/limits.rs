//! What a lexicon document may cost before anything is made of it.
//!
//! Documents come from strangers when lexicons are resolved. Everything that is later done with one, by recursion or by comparing
//! lists, is bounded by what is checked here; none of these checks recurses itself.

use crate::{
    data::{MAX_DEPTH, Value},
    lexicon::SchemaError,
};

/// The longest document, in bytes of JSON. The largest that is published takes 40 KB.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The most definitions in one document. The most that are published have 61.
pub const MAX_DEFINITIONS: usize = 1000;

/// Checks JSON text.
pub(super) fn text(json: &[u8]) -> Result<(), SchemaError> {
    if json.len() > MAX_DOCUMENT_BYTES {
        return Err(SchemaError::TooLarge);
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep);
        }
    }
    Ok(())
}

/// Checks JSON that was parsed already, or a value of the data model, before anything recurses into it.
pub(super) fn tree<T: Tree>(root: &T) -> Result<(), SchemaError> {
    let mut bytes = 0_usize;
    let mut todo = vec![(root, 0_usize)];
    while let Some((node, depth)) = todo.pop() {
        bytes = bytes.saturating_add(node.bytes());
        if bytes > MAX_DOCUMENT_BYTES {
            return Err(SchemaError::TooLarge);
        }
        if depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep);
        }
        node.parts(&mut |part| todo.push((part, depth + 1)));
    }
    Ok(())
}

/// Takes JSON apart that may be nested so deeply that dropping it would recurse without end.
pub(super) fn unravel(json: serde_json::Value) {
    let mut todo = vec![json];
    while let Some(json) = todo.pop() {
        match json {
            serde_json::Value::Array(list) => todo.extend(list),
            serde_json::Value::Object(map) => todo.extend(map.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// A value with parts.
pub(super) trait Tree: Sized {
    /// How many bytes it takes in JSON, at the least, its parts apart but their names counted.
    fn bytes(&self) -> usize;

    /// Hands over each part.
    fn parts<'t>(&'t self, each: &mut dyn FnMut(&'t Self));
}

/// The quotation marks, the colon and the comma of an entry.
const ENTRY: usize = 4;

impl Tree for serde_json::Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 1,
            Self::String(text) => text.len() + 2,
            Self::Array(list) => list.len() + 2,
            Self::Object(map) => map.keys().map(|name| name.len() + ENTRY).sum(),
        }
    }

    fn parts<'t>(&'t self, each: &mut dyn FnMut(&'t Self)) {
        match self {
            Self::Array(list) => list.iter().for_each(each),
            Self::Object(map) => map.values().for_each(each),
            _ => {}
        }
    }
}

impl Tree for Value<'_> {
    fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Link(_) => 1,
            Value::Text(text) => text.len() + 2,
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len() + 2,
            Value::Map(map) => map.iter().map(|(name, _)| name.len() + ENTRY).sum(),
        }
    }

    fn parts<'t>(&'t self, each: &mut dyn FnMut(&'t Self)) {
        match self {
            Value::List(list) => list.iter().for_each(each),
            Value::Map(map) => map.iter().map(|(_, value)| value).for_each(each),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_do_not_count() {
        let quoted = format!(r#"{{"a":"{}","b":"\\"}}"#, r#"[{\"["#.repeat(200));
        assert!(text(quoted.as_bytes()).is_ok());
        assert!(text("[".repeat(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(text("[".repeat(MAX_DEPTH + 1).as_bytes()), Err(SchemaError::TooDeep)));
        assert!(matches!(text(&vec![b' '; MAX_DOCUMENT_BYTES + 1]), Err(SchemaError::TooLarge)));
    }

    #[test]
    fn values_are_measured_without_recursion() {
        let mut deep = serde_json::Value::Null;
        for _ in 0..=MAX_DEPTH {
            deep = serde_json::Value::Array(vec![deep]);
        }
        assert!(matches!(tree(&deep), Err(SchemaError::TooDeep)));
        let long = serde_json::Value::from("x".repeat(MAX_DOCUMENT_BYTES));
        assert!(matches!(tree(&long), Err(SchemaError::TooLarge)));
        let wide = Value::List(vec![Value::Null; MAX_DOCUMENT_BYTES]);
        assert!(matches!(tree(&wide), Err(SchemaError::TooLarge)));
        assert!(tree(&Value::List(vec![Value::Null; 1000])).is_ok());
    }
}
