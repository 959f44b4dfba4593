//! Values with parts, and the way to named schemas.

use super::{
    Violation,
    walk::{Fault, Walk, deeper, names},
};
use crate::{
    data::{Map, Value},
    lexicon::{ArraySchema, Def, ObjectSchema, RecordSchema, Reference, UnionSchema},
};

impl Walk<'_> {
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
        let check = |name: &str, field, value: &Value<'_>| match value {
            Value::Null if self.nullable(schema, name)? => Ok(()),
            value => self.value(field, value, depth).map_err(|fault| fault.at(&name)),
        };
        if schema.properties.len() <= map.len() {
            self.step(schema.properties.len())?;
            return schema.properties.iter().try_for_each(|(name, field)| {
                map.get(name).map_or(Ok(()), |value| check(name, field, value))
            });
        }
        // What is there decides what it costs, and not what the schema could have; the order stays that of the schema.
        let mut fields: Vec<_> = map
            .iter()
            .filter_map(|(name, value)| Some((schema.properties.get_key_value(name)?, value)))
            .collect();
        fields.sort_unstable_by_key(|((name, _), _)| *name);
        fields.into_iter().try_for_each(|((name, field), value)| check(name, field, value))
    }

    fn nullable(&self, schema: &ObjectSchema, name: &str) -> Result<bool, Fault> {
        self.step(schema.nullable.len())?;
        Ok(schema.nullable.iter().any(|nullable| nullable == name))
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
            _ => self.unresolved(reference),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::json,
        lexicon::{BlobRule, Catalog, Document, Unknown, Validator, Verdict},
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
    fn what_is_not_known_is_refused_or_said() {
        let mut catalog = Catalog::new();
        let document = r#"{"lexicon": 1, "id": "com.example.note", "defs": {"main": {"type": "record", "key": "any",
            "record": {"type": "object", "properties": {"n": {"type": "integer"},
                "there": {"type": "ref", "ref": "com.example.gone#it"},
                "any": {"type": "union", "refs": ["com.example.gone"]}}}}}}"#;
        catalog.add(Document::from_slice(document.as_bytes()).unwrap()).unwrap();
        let key = RecordKey::parse("self").unwrap();
        let verdict = |unknown, kind: &str, fields: &str| {
            let record = format!(r#"{{"$type": "{kind}"{fields}}}"#);
            let result = Validator::new(&catalog).unknown(unknown).verdict(
                &Nsid::parse(kind).unwrap(),
                &key,
                &json::from_str(&record).unwrap(),
            );
            result.map_err(|error| error.to_string())
        };
        let note = "com.example.note";
        for unknown in [Unknown::Allow, Unknown::Refuse] {
            assert_eq!(verdict(unknown, note, ""), Ok(Verdict::Valid));
            assert_eq!(
                verdict(unknown, note, r#", "any": {"$type": "com.example.more"}"#),
                Ok(Verdict::Valid)
            );
            assert!(
                verdict(unknown, note, r#", "n": "x", "there": 1"#)
                    .unwrap_err()
                    .starts_with("Record/n must be")
            );
        }
        for fields in [r#", "there": 1"#, r#", "any": {"$type": "com.example.gone"}"#] {
            assert_eq!(verdict(Unknown::Allow, note, fields), Ok(Verdict::Unknown));
            let error = verdict(Unknown::Refuse, note, fields).unwrap_err();
            assert!(error.contains("cannot be checked: no schema com.example.gone"), "{error}");
        }
        assert_eq!(verdict(Unknown::Allow, "com.example.other", ""), Ok(Verdict::Unknown));
        let error = verdict(Unknown::Refuse, "com.example.other", "").unwrap_err();
        assert_eq!(error, "no record schema is known for com.example.other");
    }

    /// A schema and a record of it that together would take hours.
    #[test]
    fn a_check_has_an_end() {
        let choices: Vec<_> = (0..8_000).map(|n| format!(r#""{n:05}""#)).collect();
        let document = format!(
            r##"{{"lexicon": 1, "id": "com.example.slow", "defs": {{"one": {{"type": "string", "enum": [{}]}},
                "main": {{"type": "record", "key": "any", "record": {{"type": "object", "properties": {{
                "all": {{"type": "array", "items": {{"type": "ref", "ref": "#one"}}}}}}}}}}}}}}"##,
            choices.join(",")
        );
        let mut catalog = Catalog::new();
        catalog.add(Document::from_slice(document.as_bytes()).unwrap()).unwrap();
        let (id, key) = (Nsid::parse("com.example.slow").unwrap(), RecordKey::parse("self").unwrap());
        let check = |count| {
            let mut record = Map::new();
            record.insert("$type", "com.example.slow");
            record.insert("all", Value::List(vec![Value::from("07999"); count]));
            let result = Validator::new(&catalog).record(&id, &key, &Value::Map(record));
            result.map_err(|error| error.to_string())
        };
        assert_eq!(check(1_000), Ok(()));
        assert_eq!(check(10_000), Err("Record/all/1249 takes too long to check".to_owned()));
        let mut record = Map::new();
        record.insert("$type", "com.example.slow");
        record.insert("all", Value::List(vec![Value::from("x")]));
        let error = Validator::new(&catalog).record(&id, &key, &Value::Map(record)).unwrap_err().to_string();
        assert!(error.ends_with(", ...") && error.len() < 1000, "{error}");
    }

    #[test]
    fn few_fields_cost_little_under_a_schema_of_many() {
        let fields: Vec<_> = (0..5_000).map(|n| format!(r#""f{n}": {{"type": "integer"}}"#)).collect();
        let names: Vec<_> = (0..5_000).map(|n| format!(r#""f{n}""#)).collect();
        let document = format!(
            r##"{{"lexicon": 1, "id": "com.example.wide", "defs": {{"one": {{"type": "object", "nullable": [{}],
                "properties": {{{}}}}}, "main": {{"type": "record", "key": "any", "record": {{"type": "object",
                "properties": {{"all": {{"type": "array", "items": {{"type": "ref", "ref": "#one"}}}}}}}}}}}}}}"##,
            names.join(","),
            fields.join(",")
        );
        let mut catalog = Catalog::new();
        catalog.add(Document::from_slice(document.as_bytes()).unwrap()).unwrap();
        let (id, key) = (Nsid::parse("com.example.wide").unwrap(), RecordKey::parse("self").unwrap());
        let check = |item: Value<'static>| {
            let mut record = Map::new();
            record.insert("$type", "com.example.wide");
            record.insert("all", Value::List(vec![item; 100_000]));
            let result = Validator::new(&catalog).record(&id, &key, &Value::Map(record));
            result.map_err(|error| error.to_string())
        };
        let mut item = Map::new();
        assert_eq!(check(Value::Map(item.clone())), Ok(()));
        item.insert("f2", 1);
        item.insert("f10", "x");
        assert!(check(Value::Map(item.clone())).unwrap_err().starts_with("Record/all/0/f10 must be integer"));
        item.insert("f10", Value::Null);
        assert!(check(Value::Map(item)).unwrap_err().ends_with("takes too long to check"));
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
