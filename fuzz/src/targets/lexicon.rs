//! Lexicon schemas.

use std::error::Error;

use arroba_core::data::{Value, cbor, json};
use arroba_core::lexicon::{Catalog, Document, Payload, Reference, Unknown, Validator};
use arroba_core::syntax::{Nsid, RecordKey};

use crate::fixtures;

/// Documents from strangers: as JSON, and as the record that they are published in, in DAG-CBOR and as data-model JSON. One that is
/// accepted is the same by every way, and validates the data behind it: what stands after the first line feed.
pub fn target(data: &[u8]) {
    let (document, record) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &data[data.len()..]),
    };
    published(cbor::decode(document).ok());
    published(json::from_slice(document).ok());
    let document = match Document::from_slice(document) {
        Ok(document) => document,
        Err(error) => return check_messages(&error),
    };
    let id = document.id().clone();
    for (name, _) in document.defs() {
        let _ = document.references_of(name);
    }
    let _ = document.references();
    let mut catalog = Catalog::new();
    if catalog.add(document).is_err() {
        return;
    }
    let _ = catalog.dangling();
    for name in ["main", "view"] {
        let _ = catalog.field(&Reference::new(&id, name), &["nested", "list", "a", "text"]);
    }
    let text =
        format!(r#"{{"$type":"{id}","a":1,"text":"x","nested":{{"$type":"{id}#view"}},"list":[1,null]}}"#);
    let fixed = json::from_str(&text).ok();
    let given = json::from_slice(record).ok();
    for value in [fixed, given].into_iter().flatten() {
        validate(&catalog, &id, &value);
    }
}

/// Reads a record as a published document.
fn published(record: Option<Value<'_>>) {
    let Some(record) = record else { return };
    let Some(name) = record.get("id").and_then(|id| Nsid::parse(id.as_text()?).ok()) else { return };
    match Document::from_record(&name, &record) {
        Ok(document) => {
            assert_eq!(document.id(), &name);
            let again = Document::from_json(json::to_json(&record)).expect("the same document");
            assert_eq!(document, again);
        }
        Err(error) => check_messages(&error),
    }
}

/// Holds a value to everything that a document may say, in both ways to treat what is not known.
fn validate(catalog: &Catalog, id: &Nsid, value: &Value<'_>) {
    let key = RecordKey::literal("self");
    for unknown in [Unknown::Allow, Unknown::Refuse] {
        let validator = Validator::new(catalog).unknown(unknown);
        let encoding = "application/json";
        let pairs = [("a", "1"), ("text", "x"), ("list", "true"), ("list[]", "2")];
        for result in [
            validator.record(id, &key, value),
            validator.input(id, value),
            validator.output(id, value),
            validator.request(id, Payload::Json { encoding, value }),
            validator.response(id, Payload::Bytes { encoding }),
            validator.error(id, "Gone"),
            validator.message(id, "#view", value),
            validator.params(id, pairs),
        ] {
            if let Err(error) = result {
                check_messages(&error);
            }
        }
    }
}

/// Whatever a document or a value holds, what is said of it is short.
fn check_messages(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(text.len() < 20_000, "a message of {} bytes", text.len());
        next = error.source();
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![br#"{"lexicon":1,"id":"com.example.note","defs":{"main":{"type":"record","key":"any","record":{"type":"object","required":["text"],"properties":{"text":{"type":"string","maxGraphemes":3},"nested":{"type":"ref","ref":"com.example.note"}}}}}}"#.to_vec()];
    seeds.push(br##"{"$type":"com.atproto.lexicon.schema","lexicon":1,"id":"com.example.published","defs":{"main":{"type":"procedure","parameters":{"type":"params","properties":{"a":{"type":"integer","default":1},"list":{"type":"array","items":{"type":"string"}}}},"input":{"encoding":"application/json","schema":{"type":"ref","ref":"#view"}},"errors":[{"name":"Gone"}]},"view":{"type":"object","nullable":["a"],"properties":{"a":{"type":"string","enum":["x","y"]},"list":{"type":"array","items":{"type":"union","refs":["#view","com.example.gone"]}},"nested":{"type":"blob","accept":["image/*"],"maxSize":9}}}}}
{"$type":"com.example.published","a":null,"list":[{"$type":"com.example.published#view","a":"x"}]}"##.to_vec());
    let published = br#"{"$type":"com.atproto.lexicon.schema","lexicon":1,"id":"com.example.note","defs":{"main":{"type":"token"}}}"#;
    seeds.extend(json::from_slice(published).map(|record| cbor::encode(&record)));
    seeds.extend(fixtures::folder("atproto-interop-tests/lexicon/catalog"));
    for name in ["lexicon-valid", "lexicon-invalid"] {
        seeds.extend(fixtures::items(&format!("atproto-interop-tests/lexicon/{name}.json"), "lexicon"));
    }
    seeds
}
