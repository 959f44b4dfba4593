//! Values with parts, and the way to named schemas.

use super::{Fault, MAX_NESTING, Validator, Violation, names};
use crate::{
    data::{Map, Value},
    lexicon::{ArraySchema, Def, ObjectSchema, RecordSchema, Reference, UnionSchema},
};

impl Validator<'_> {
    pub(super) fn array(&self, schema: &ArraySchema, value: &Value<'_>, depth: usize) -> Result<(), Fault> {
        let list = value.as_list().ok_or_else(|| Fault::mistyped("array", value))?;
        if let Some(minimum) = schema.min_length.filter(|minimum| list.len() < *minimum) {
            return Err(Fault::new(Violation::TooFewItems(minimum)));
        }
        if let Some(maximum) = schema.max_length.filter(|maximum| list.len() > *maximum) {
            return Err(Fault::new(Violation::TooManyItems(maximum)));
        }
        let depth = deeper(depth)?;
        list.iter().enumerate().try_for_each(|(index, item)| {
            self.value(&schema.items, item, depth).map_err(|fault| fault.at(&index))
        })
    }

    pub(super) fn object(&self, schema: &ObjectSchema, value: &Value<'_>, depth: usize) -> Result<(), Fault> {
        let map = value.as_map().ok_or_else(|| Fault::mistyped("object", value))?;
        if let Some(name) = schema.required.iter().find(|name| !map.contains_key(name)) {
            return Err(Fault::new(Violation::Missing).at(name));
        }
        let depth = deeper(depth)?;
        schema.properties.iter().try_for_each(|(name, field)| match map.get(name) {
            None => Ok(()),
            Some(Value::Null) if schema.nullable.contains(name) => Ok(()),
            Some(value) => self.value(field, value, depth).map_err(|fault| fault.at(name)),
        })
    }

    /// What a reference leads to. It is never another reference, so that every step goes deeper into the value.
    pub(super) fn referred(
        &self,
        reference: &Reference,
        value: &Value<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        match self.catalog.resolve(reference) {
            Some(Def::Data(schema)) => self.value(schema, value, depth),
            Some(Def::Record(record)) => self.typed_record(reference.as_str(), record, value, depth),
            _ => Err(Fault::new(Violation::Unresolved(reference.to_string()))),
        }
    }

    pub(super) fn typed_record(
        &self,
        name: &str,
        schema: &RecordSchema,
        value: &Value<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        let map = value.as_map().ok_or_else(|| Fault::mistyped("object", value))?;
        if map.get("$type").and_then(Value::as_text) != Some(name) {
            return Err(Fault::new(Violation::TypeName(name.to_owned())));
        }
        self.object(&schema.record, value, depth)
    }

    pub(super) fn union(&self, schema: &UnionSchema, value: &Value<'_>, depth: usize) -> Result<(), Fault> {
        let map = value.as_map().ok_or_else(|| Fault::mistyped("object", value))?;
        let name = type_name(map)?;
        match schema.refs.iter().find(|reference| reference.as_str() == name) {
            Some(reference) => self.referred(reference, value, depth),
            None if schema.closed => Err(Fault::new(Violation::Closed(names(schema.refs.iter())))),
            None => Ok(()),
        }
    }
}

/// Any map but a blob reference. Bytes and links are no maps in the data model.
pub(super) fn unknown(value: &Value<'_>) -> Result<(), Fault> {
    let map = value.as_map().ok_or_else(|| Fault::mistyped("object", value))?;
    match map.get("$type").and_then(Value::as_text) {
        Some("blob") => Err(Fault::new(Violation::Type { expected: "object", found: "blob" })),
        _ => Ok(()),
    }
}

fn type_name<'v>(map: &'v Map<'_>) -> Result<&'v str, Fault> {
    let name = map.get("$type").and_then(Value::as_text).ok_or_else(|| Fault::new(Violation::Untyped))?;
    if name.is_empty() || name.ends_with("#main") {
        return Err(Fault::new(Violation::TypeSpelling));
    }
    Ok(name)
}

fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth < MAX_NESTING { Ok(depth + 1) } else { Err(Fault::new(Violation::TooDeep)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::json,
        lexicon::{BlobRule, Catalog, Document},
        syntax::{Nsid, RecordKey},
    };

    const TREE: &str = r##"{"lexicon": 1, "id": "com.example.tree", "defs": {
        "main": {"type": "record", "key": "literal:self", "record": {"type": "object", "required": ["root"],
            "properties": {"root": {"type": "ref", "ref": "#node"},
                "any": {"type": "union", "refs": ["com.example.tree", "#node"]}}}},
        "node": {"type": "object", "nullable": ["name"], "properties": {"name": {"type": "string"},
            "next": {"type": "ref", "ref": "#node"},
            "nodes": {"type": "array", "items": {"type": "ref", "ref": "#node"}, "maxLength": 2}}}}}"##;

    fn error(record: &Value<'_>) -> Option<String> {
        let mut catalog = Catalog::new();
        catalog.add(Document::from_slice(TREE.as_bytes()).unwrap()).unwrap();
        let collection = Nsid::parse("com.example.tree").unwrap();
        let key = RecordKey::parse("self").unwrap();
        let result = Validator::new(&catalog).blobs(BlobRule::Strict).record(&collection, &key, record);
        result.err().map(|error| error.to_string())
    }

    fn error_in(fields: &str) -> Option<String> {
        error(&json::from_str(&format!(r#"{{"$type": "com.example.tree", {fields}}}"#)).unwrap())
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(error_in(r#""root": {"nodes": [{}, {"next": {"name": null, "other": 1}}]}"#), None);
        assert_eq!(
            error_in(r#""root": {"nodes": [{}, {"next": {"name": 1}}]}"#).unwrap(),
            "Record/root/nodes/1/next/name must be string, not integer"
        );
        assert_eq!(error_in(r#""toor": {}"#).unwrap(), "Record/root must be there");
        assert_eq!(
            error_in(r#""root": {"nodes": [{}, {}, {}]}"#).unwrap(),
            "Record/root/nodes must not have more than 2 items"
        );
    }

    #[test]
    fn records_inside_records_are_typed() {
        let typed = |name: &str| format!(r#""root": {{}}, "any": {{"$type": "{name}", "root": 1}}"#);
        assert_eq!(error_in(&typed("com.example.other")), None);
        assert_eq!(error_in(&typed("com.example.tree#node")), None);
        assert!(error_in(&typed("com.example.tree")).unwrap().starts_with("Record/any/root must be object"));
        assert!(error_in(&typed("com.example.tree#main")).unwrap().contains("without #main"));
        assert!(error_in(r#""root": {}, "any": {"root": {}}"#).unwrap().contains("must have a $type"));
    }

    #[test]
    fn values_built_too_deep_are_refused_without_overflow() {
        let mut node = Map::new();
        for _ in 0..5_000 {
            let mut outer = Map::new();
            outer.insert("next", Value::Map(node));
            node = outer;
        }
        let mut record = Map::new();
        record.insert("$type", "com.example.tree");
        record.insert("root", Value::Map(node));
        assert!(error(&Value::Map(record)).unwrap().ends_with("is nested too deeply"));
    }
}
