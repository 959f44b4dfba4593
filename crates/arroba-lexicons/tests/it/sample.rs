//! Data made from schemas: as little as they demand, or everything that they name.

use arroba_core::lexicon::{Catalog, Def, ObjectSchema, Reference, Schema, StringFormat, StringSchema};
use serde_json::{Map, Value, json};

/// A text that every type takes that a plain string has in this crate, a TID included.
pub(crate) const TEXT: &str = "3jzfcijpj2z2a";

const BLOB_CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const RECORD_CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";

/// How much of an object to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The required fields.
    Minimal,
    /// All fields.
    Full,
}

/// How deeply schemas that contain themselves are unrolled.
const DEPTH: usize = 12;

/// Values of a schema. There is more than one where a union stands outside of an array.
pub(crate) fn values(catalog: &Catalog, schema: &Schema, extent: Extent) -> Vec<Value> {
    Maker { catalog, extent }.values(schema, 0)
}

/// Objects of a schema.
pub(crate) fn objects(catalog: &Catalog, schema: &ObjectSchema, extent: Extent) -> Vec<Value> {
    Maker { catalog, extent }.object(schema, None, 0)
}

struct Maker<'c> {
    catalog: &'c Catalog,
    extent: Extent,
}

impl Maker<'_> {
    fn values(&self, schema: &Schema, depth: usize) -> Vec<Value> {
        match schema {
            Schema::Boolean(_) => vec![json!(true)],
            Schema::Integer(integer) => {
                vec![json!(7.max(integer.minimum.unwrap_or(7)).min(integer.maximum.unwrap_or(7)))]
            }
            Schema::String(string) => vec![text(string).into()],
            Schema::Bytes(_) => vec![json!({"$bytes": "YWJj"})],
            Schema::CidLink => vec![json!({"$link": RECORD_CID})],
            Schema::Blob(blob) => {
                let accepted = blob.accept.iter().flatten().next().map_or("image/png", String::as_str);
                let mime_type = accepted.replace("*/*", "image/png").replace('*', "png");
                vec![json!({"$type": "blob", "ref": {"$link": BLOB_CID}, "mimeType": mime_type, "size": 5})]
            }
            Schema::Array(array) => {
                let mut items = self.values(&array.items, depth + 1);
                items.truncate(array.max_length.unwrap_or(usize::MAX));
                vec![items.into()]
            }
            Schema::Object(object) => self.object(object, None, depth),
            Schema::Ref(reference) => self.referred(reference, false, depth),
            Schema::Union(union) => {
                union.refs.iter().flat_map(|reference| self.referred(reference, true, depth)).collect()
            }
            Schema::Unknown => vec![json!({"any": [1, "thing"]})],
            other => panic!("a schema without samples: {other:?}"),
        }
    }

    fn referred(&self, reference: &Reference, typed: bool, depth: usize) -> Vec<Value> {
        let name = typed.then_some(reference.as_str());
        match self.catalog.resolve(reference) {
            Some(Def::Data(Schema::Object(object))) => self.object(object, name, depth),
            Some(Def::Data(schema)) => self.values(schema, depth),
            Some(Def::Record(record)) => self.object(&record.record, Some(reference.as_str()), depth),
            _ => panic!("dangling {reference}"),
        }
    }

    /// One object, or more where the fields have alternatives: then each alternative occurs.
    fn object(&self, schema: &ObjectSchema, name: Option<&str>, depth: usize) -> Vec<Value> {
        let all = self.extent == Extent::Full && depth < DEPTH;
        let fields: Vec<_> = schema
            .properties
            .iter()
            .filter(|(name, _)| all || schema.required.contains(name))
            .map(|(name, field)| (name, self.values(field, depth + 1)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let count = fields.iter().map(|(_, values)| values.len()).max().unwrap_or(1);
        (0..count)
            .map(|index| {
                let typed = name.map(|name| ("$type".to_owned(), Value::from(name)));
                let fields = fields
                    .iter()
                    .map(|(name, values)| ((*name).clone(), values[index % values.len()].clone()));
                Value::Object(typed.into_iter().chain(fields).collect::<Map<_, _>>())
            })
            .collect()
    }
}

fn text(schema: &StringSchema) -> String {
    if let Some(value) = schema.constant.as_ref().or_else(|| schema.values.as_ref()?.first()) {
        return value.clone();
    }
    match schema.format {
        None | Some(StringFormat::Tid) => TEXT,
        Some(StringFormat::AtIdentifier | StringFormat::Did) => "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        Some(StringFormat::AtUri) => "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a",
        Some(StringFormat::Cid) => RECORD_CID,
        Some(StringFormat::Datetime) => "2026-01-02T03:04:05.678Z",
        Some(StringFormat::Handle) => "alice.example.com",
        Some(StringFormat::Language) => "pt-BR",
        Some(StringFormat::Nsid) => "app.bsky.feed.post",
        Some(StringFormat::RecordKey) => "self",
        Some(StringFormat::Uri) => "https://example.com/a",
        Some(other) => panic!("a format without samples: {other:?}"),
    }
    .to_owned()
}
