//! Lexicons with what they refer to.

use super::publisher::{World, nsid, schema};
use arroba_core::{
    data::json,
    lexicon::{Catalog, Document, Unknown, Validator, Verdict},
    syntax::RecordKey,
};
use arroba_identity::{
    LexiconError,
    lexicon::{Gathered, MAX_GATHERED},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A lexicon of a record type whose fields are references.
fn referring(name: &str, to: &[&str]) -> Value {
    let properties: serde_json::Map<_, _> = to
        .iter()
        .enumerate()
        .map(|(index, reference)| (format!("f{index}"), json!({"type": "ref", "ref": reference})))
        .collect();
    schema(
        name,
        &json!({
            "main": {"type": "record", "key": "any", "record": {"type": "object", "properties": properties}},
            "unused": {"type": "object", "properties": {"x": {"type": "ref", "ref": "com.example.neverAsked"}}},
        }),
    )
}

fn verdict(gathered: &Gathered, record: &Value) -> Result<Verdict, String> {
    let name = nsid(record["$type"].as_str().unwrap());
    let record = json::from_json_value(record).unwrap();
    Validator::new(&gathered.catalog)
        .unknown(Unknown::Allow)
        .verdict(&name, &RecordKey::parse("a").unwrap(), &record)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn circles_end_and_what_is_known_is_not_asked_for() {
    let mut known = Catalog::new();
    let defs =
        br#"{"lexicon": 1, "id": "com.example.known", "defs": {"main": {"type": "object", "properties": {
        "n": {"type": "integer"}}}}}"#;
    known.add(Document::from_slice(defs).unwrap()).unwrap();
    let known = Arc::new(known);
    let world = World::new(&[
        referring("com.example.a", &["com.example.b", "com.example.known", "com.example.gone#it"]),
        referring("com.example.b", &["com.example.a", "com.example.b"]),
    ])
    .await;
    let gathered = world.lexicons.gather(&nsid("com.example.a"), &known).await.unwrap();
    // a, b and what is not there.
    assert_eq!(world.requests(), 3);
    let names: Vec<_> = gathered.catalog.iter().map(|document| document.id().as_str()).collect();
    assert_eq!(names, ["com.example.a", "com.example.b"]);
    assert!(
        matches!(&gathered.missing[..], [(name, LexiconError::NotFound)] if name.as_str() == "com.example.gone")
    );

    let b = |inner: Value| json!({"$type": "com.example.a", "f0": {"$type": "com.example.b", "f0": inner}});
    assert_eq!(verdict(&gathered, &b(json!({"$type": "com.example.a", "f1": {"n": 1}}))), Ok(Verdict::Valid));
    let wrong = verdict(&gathered, &b(json!({"$type": "com.example.a", "f1": {"n": "x"}})));
    assert_eq!(wrong, Err("Record/f0/f0/f1/n must be integer, not string".to_owned()));
    assert_eq!(verdict(&gathered, &json!({"$type": "com.example.a", "f2": 1})), Ok(Verdict::Unknown));

    let same = world.lexicons.gather(&nsid("com.example.known"), &known).await.unwrap();
    assert!(Arc::ptr_eq(&same.catalog, &known));
    let gone = world.lexicons.gather(&nsid("com.example.gone"), &known).await;
    assert!(matches!(gone, Err(LexiconError::NotFound)));
    assert_eq!(world.requests(), 3);
}

#[tokio::test]
async fn a_chain_without_end_is_cut() {
    let links: Vec<_> = (0..MAX_GATHERED + 20)
        .map(|n| referring(&format!("com.example.n{n}"), &[&format!("com.example.n{}", n + 1)]))
        .collect();
    let world = World::new(&links).await;
    let gathered = world.lexicons.gather(&nsid("com.example.n0"), &Arc::default()).await.unwrap();
    assert_eq!(world.requests(), MAX_GATHERED);
    assert!(matches!(&gathered.missing[..], [(_, LexiconError::TooMany)]));
}

#[tokio::test]
async fn many_long_ones_are_cut() {
    let names: Vec<_> = (0..8).map(|n| format!("com.example.long{n}")).collect();
    let text = "x".repeat(200_000);
    let mut records: Vec<_> = names
        .iter()
        .map(|name| schema(name, &json!({"main": {"type": "string", "default": text}})))
        .collect();
    let references: Vec<_> = names.iter().map(String::as_str).collect();
    records.push(referring("com.example.all", &references));
    let world = World::new(&records).await;
    let gathered = world.lexicons.gather(&nsid("com.example.all"), &Arc::default()).await.unwrap();
    assert_eq!(gathered.missing.len(), 6);
    assert_eq!(gathered.catalog.iter().count(), 3);
    assert_eq!(verdict(&gathered, &json!({"$type": "com.example.all", "f0": "a"})), Ok(Verdict::Valid));
    assert_eq!(verdict(&gathered, &json!({"$type": "com.example.all", "f7": "a"})), Ok(Verdict::Unknown));
}
