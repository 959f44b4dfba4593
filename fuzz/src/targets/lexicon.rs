//! Lexicon schemas.

use arroba_core::data::json;
use arroba_core::lexicon::{Catalog, Document, Validator};
use arroba_core::syntax::RecordKey;

use crate::fixtures;

/// Schemas are parsed, and one that is accepted validates some data.
pub fn target(data: &[u8]) {
    let Ok(document) = Document::from_slice(data) else { return };
    let id = document.id().clone();
    let _ = document.references();
    let mut catalog = Catalog::new();
    if catalog.add(document).is_err() {
        return;
    }
    let _ = catalog.dangling();
    let text =
        format!(r#"{{"$type":"{id}","a":1,"text":"x","nested":{{"$type":"{id}#view"}},"list":[1,null]}}"#);
    let Ok(value) = json::from_str(&text) else { return };
    let validator = Validator::new(&catalog);
    let _ = validator.record(&id, &RecordKey::literal("self"), &value);
    let _ = validator.input(&id, &value);
    let _ = validator.output(&id, &value);
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![br#"{"lexicon":1,"id":"com.example.note","defs":{"main":{"type":"record","key":"any","record":{"type":"object","required":["text"],"properties":{"text":{"type":"string","maxGraphemes":3},"nested":{"type":"ref","ref":"com.example.note"}}}}}}"#.to_vec()];
    seeds.extend(fixtures::folder("atproto-interop-tests/lexicon/catalog"));
    for name in ["lexicon-valid", "lexicon-invalid"] {
        seeds.extend(fixtures::items(&format!("atproto-interop-tests/lexicon/{name}.json"), "lexicon"));
    }
    seeds
}
