//! The lexicon vectors, and rules that they do not cover.

use arroba_core::{
    data::json,
    lexicon::{
        BlobRule, Catalog, Def, Document, MAX_DEFINITIONS, MAX_DOCUMENT_BYTES, Schema, SchemaError,
        ValidationError, Validator, validate_input, validate_output, validate_record,
    },
    syntax::{Nsid, RecordKey},
};
use serde_json::{Value, json};

use super::fixtures;

const FOLDER: &str = "atproto-interop-tests/lexicon";

fn vectors(name: &str) -> Option<Vec<Value>> {
    let cases = fixtures::json(&format!("{FOLDER}/{name}.json"))?;
    Some(cases.as_array().expect("an array of cases").clone())
}

fn catalog() -> Option<Catalog> {
    let mut catalog = Catalog::new();
    for name in ["permission-set", "procedure", "query", "record", "subscription"] {
        let document = fixtures::read(&format!("{FOLDER}/catalog/{name}.json"))?;
        catalog.add(Document::from_slice(&document).expect(name)).expect("a new name");
    }
    Some(catalog)
}

fn nsid(text: &str) -> Nsid {
    Nsid::parse(text).expect("an NSID")
}

#[test]
fn documents() {
    let (Some(valid), Some(invalid), Some(catalog)) =
        (vectors("lexicon-valid"), vectors("lexicon-invalid"), catalog())
    else {
        return;
    };
    let mut assertions = catalog.iter().count();
    for case in &valid {
        Document::from_json(case["lexicon"].clone())
            .unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        assertions += 1;
    }
    for case in &invalid {
        assert!(Document::from_json(case["lexicon"].clone()).is_err(), "{}", case["name"]);
        assertions += 1;
    }
    println!("vectors: lexicon documents: {assertions} assertions");
    assert!(assertions >= 15, "only {assertions}");
}

/// What `record-data-invalid.json` must fail on, in its order.
const REASONS: [&str; 48] = [
    "Record/integer must be there",
    "Record/boolean must be boolean, not string",
    "Record/integer must be integer, not string",
    "Record/string must be string, not null",
    "Record/string must be string, not integer",
    "Record/bytes must be bytes, not string",
    "Record/bytes must be bytes, not object",
    "Record/bytes must be bytes, not object",
    "Record/cid-link must be cid-link, not string",
    "Record/blob must be blob, not string",
    "Record/blob must be a well-formed blob reference",
    "Record/array must be array, not integer",
    "Record/array/0 must be integer, not boolean",
    "Record/object must be object, not integer",
    "Record/object/a must be integer, not string",
    "Record/ref must be object, not integer",
    "Record/ref must be object, not string",
    "Record/formats/handle must be a valid handle",
    "Record/formats/did must be a valid did",
    "Record/formats/atidentifier must be a valid at-identifier",
    "Record/formats/nsid must be a valid nsid",
    "Record/formats/aturi must be a valid at-uri",
    "Record/formats/cid must be a valid cid",
    "Record/formats/datetime must be a valid datetime",
    "Record/formats/language must be a valid language",
    "Record/formats/uri must be a valid uri",
    "Record/formats/tid must be a valid tid",
    "Record/formats/recordkey must be a valid record-key",
    "Record/constInteger must be 42",
    "Record/enumInteger must be one of 4, 9, 16, 25",
    "Record/rangeInteger must not be greater than 20",
    "Record/lenString must not be shorter than 10 bytes",
    "Record/lenString must not be longer than 20 bytes",
    "Record/graphemeString must not be shorter than 10 graphemes",
    "Record/graphemeString must not be longer than 20 graphemes",
    "Record/enumString must be one of fish, tree, rock",
    "Record/sizeBytes must not be shorter than 10 bytes",
    "Record/sizeBytes must not be longer than 20 bytes",
    "Record/lenArray must not have fewer than 2 items",
    "Record/lenArray must not have more than 5 items",
    "Record/sizeBlob must not be larger than 20 bytes",
    "Record/acceptBlob must have a media type among image/*",
    "Record/union must be object, not integer",
    "Record/union must have a $type",
    "Record/closedUnion must have one of the $types example.lexicon.record#demoObject",
    "Record/closedUnion must have one of the $types example.lexicon.record#demoObject",
    "Record/union/a must be integer, not string",
    "Record/unknown must be object, not boolean",
];

/// The last two vectors lack a required field besides what they are about.
const MORE_REASONS: [&str; 2] =
    ["Record/unknown must be object, not bytes", "Record/unknown must be object, not blob"];

#[test]
fn record_data() {
    let (Some(valid), Some(invalid), Some(catalog)) =
        (vectors("record-data-valid"), vectors("record-data-invalid"), catalog())
    else {
        return;
    };
    let collection = nsid("example.lexicon.record");
    let lenient = Validator::new(&catalog).blobs(BlobRule::Lenient);
    let check = |case: &Value, data: &Value| {
        let key = RecordKey::parse(case["rkey"].as_str().expect("a key")).expect("a record key");
        let record = json::from_json_value(data).expect("the data model");
        lenient.record(&collection, &key, &record)
    };
    let mut assertions = 0;
    for case in &valid {
        check(case, &case["data"]).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
        assertions += 1;
    }
    let reasons = REASONS.iter().chain(&MORE_REASONS);
    assert_eq!(invalid.len(), reasons.clone().count());
    for (case, reason) in invalid.iter().zip(reasons) {
        check(case, &case["data"]).expect_err(reason);
        let mut data = case["data"].clone();
        if data["unknown"] != Value::Null {
            data["integer"] = 1.into();
        }
        assert_eq!(&check(case, &data).expect_err(reason).to_string(), reason, "{}", case["name"]);
        assertions += 1;
    }
    println!("vectors: lexicon record data: {assertions} assertions");
    assert!(assertions >= 53, "only {assertions}");
}

#[test]
fn records_have_their_type_and_key() {
    let Some(catalog) = catalog() else { return };
    let collection = nsid("example.lexicon.record");
    let key = |text| RecordKey::parse(text).expect("a record key");
    let check = |rkey, data: Value| {
        let record = json::from_json_value(&data).expect("the data model");
        validate_record(&catalog, &collection, &key(rkey), &record).map_err(|error| error.to_string())
    };
    let good = json!({"$type": "example.lexicon.record", "integer": 1});
    assert_eq!(check("demo", good.clone()), Ok(()));
    assert_eq!(check("other", good), Err("record key other is not the only one allowed, demo".to_owned()));
    for name in [json!("example.lexicon.record#main"), json!("example.lexicon.recorD"), json!(1), Value::Null]
    {
        let error = check("demo", json!({"$type": name, "integer": 1})).expect_err("another type");
        assert_eq!(error, "Record must have the $type example.lexicon.record");
    }
    assert!(check("demo", json!({"integer": 1})).is_err());
    assert!(check("demo", json!([])).is_err());
    let unknown = validate_record(&catalog, &nsid("example.lexicon.query"), &key("demo"), &"x".into());
    assert!(matches!(unknown, Err(ValidationError::UnknownSchema { kind: "record", .. })));
}

#[test]
fn methods_and_messages() {
    let Some(mut catalog) = catalog() else { return };
    let preferences = json!({"lexicon": 1, "id": "app.bsky.actor.defs", "defs": {
        "preferences": {"type": "array", "items": {"type": "unknown"}, "maxLength": 1}}});
    catalog.add(Document::from_json(preferences).expect("a document")).expect("a new name");
    let value = |data| json::from_json_value(&data).expect("the data model").into_owned();
    let procedure = nsid("example.lexicon.procedure");
    let text = |result: Result<(), ValidationError>| result.map_err(|error| error.to_string());

    assert!(validate_input(&catalog, &procedure, &value(json!({"preferences": [{}]}))).is_ok());
    let input = |data| text(validate_input(&catalog, &procedure, &value(data)));
    assert_eq!(input(json!({})), Err("Input/preferences must be there".to_owned()));
    assert_eq!(
        input(json!({"preferences": [{}, {}]})),
        Err("Input/preferences must not have more than 1 items".to_owned())
    );
    let output = |data| text(validate_output(&catalog, &procedure, &value(data)));
    assert_eq!(output(json!({"more": 1.0})), Ok(()));
    assert_eq!(
        output(json!({"object": {"b": "x"}})),
        Err("Output/object/b must be integer, not string".to_owned())
    );

    let stream = nsid("example.lexicon.subscription");
    let message = |kind, data| text(Validator::new(&catalog).message(&stream, kind, &value(data)));
    assert_eq!(message("#yo", json!({"seq": 1, "yo": true})), Ok(()));
    assert_eq!(message("#yo", json!({"seq": 1})), Err("Message/yo must be there".to_owned()));
    assert!(message("#oy", json!({})).expect_err("another kind").starts_with("Message must have one of"));
    assert!(message("", json!({})).is_err());

    let query = nsid("example.lexicon.query");
    let params = |pairs: &[(&'static str, &'static str)]| {
        text(Validator::new(&catalog).params(&query, pairs.iter().copied()))
    };
    assert_eq!(params(&[("stringField", "x"), ("array", "1"), ("array", "2")]), Ok(()));
    assert_eq!(params(&[("handle", "a.test")]), Err("Params/stringField must be there".to_owned()));
    assert_eq!(
        params(&[("stringField", "x"), ("array", "1"), ("array", "b")]),
        Err("Params/array/1 must be integer, not string".to_owned())
    );
    for nsid in [&stream, &nsid("example.lexicon.record")] {
        assert!(matches!(
            validate_input(&catalog, nsid, &"x".into()),
            Err(ValidationError::UnknownSchema { .. })
        ));
    }
}

fn with_field(schema: &Value) -> Value {
    json!({"lexicon": 1, "id": "com.example.bad", "defs": {"thing": {"type": "object", "properties": {"f": schema}}}})
}

fn with_defs(defs: &Value) -> Value {
    json!({"lexicon": 1, "id": "com.example.bad", "defs": defs})
}

#[test]
fn language_rules_beyond_the_vectors() {
    for schema in [
        json!({"type": "token"}),
        json!({"type": "params"}),
        json!({"type": "query"}),
        json!({"type": "record", "key": "any", "record": {"type": "object"}}),
        json!({"type": "permission", "resource": "repo"}),
        json!({"type": "number"}),
        json!({"type": "string", "format": "email"}),
        json!({"type": "string", "minLength": 3, "maxLength": 2}),
        json!({"type": "string", "minGraphemes": 3, "maxGraphemes": 2}),
        json!({"type": "string", "maxLength": -1}),
        json!({"type": "string", "default": "a", "const": "a"}),
        json!({"type": "integer", "minimum": 3, "maximum": 2}),
        json!({"type": "integer", "const": 1.5}),
        json!({"type": "bytes", "minLength": 3, "maxLength": 2}),
        json!({"type": "array"}),
        json!({"type": "array", "items": {"type": "integer"}, "minLength": 3, "maxLength": 2}),
        json!({"type": "array", "items": {"type": "token"}}),
        json!({"type": "object", "required": ["a"]}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "nullable": ["b"]}),
        json!({"type": "blob", "accept": ["text/ht*"]}),
        json!({"type": "blob", "accept": ["*"]}),
        json!({"type": "blob", "accept": ["*/png"]}),
        json!({"type": "ref", "ref": "nothing"}),
        json!({"type": "ref", "ref": "#gone"}),
        json!({"type": "union", "refs": [], "closed": true}),
        json!({"type": "union"}),
    ] {
        assert!(Document::from_json(with_field(&schema)).is_err(), "{schema}");
    }
    for defs in [
        json!({}),
        json!({"": {"type": "token"}}),
        json!({"a#b": {"type": "token"}}),
        json!({"a.b": {"type": "token"}}),
        json!({"a": {"type": "union", "refs": ["#b"]}, "b": {"type": "object"}}),
        json!({"a": {"type": "params"}}),
        json!({"a": {"type": "query"}}),
        json!({"a": {"type": "permission-set", "permissions": []}}),
        json!({"main": {"type": "permission-set", "permissions": [{"type": "object"}]}}),
        json!({"main": {"type": "record", "key": "uuid", "record": {"type": "object"}}}),
        json!({"main": {"type": "record", "key": "literal:a/b", "record": {"type": "object"}}}),
        json!({"main": {"type": "record", "key": "any", "record": {"type": "integer"}}}),
        json!({"main": {"type": "query", "output": {"schema": {"type": "object"}}}}),
        json!({"main": {"type": "query", "output": {"encoding": "a/b", "schema": {"type": "integer"}}}}),
        json!({"main": {"type": "query", "parameters": {"type": "object"}}}),
        json!({"main": {"type": "query", "parameters": {"type": "params", "required": ["a"]}}}),
        json!({"main": {"type": "query", "parameters": {"type": "params",
            "properties": {"a": {"type": "object"}}}}}),
        json!({"main": {"type": "query", "parameters": {"type": "params",
            "properties": {"a": {"type": "array", "items": {"type": "unknown"}}}}}}),
        json!({"main": {"type": "query", "errors": [{"name": "Not One"}]}}),
        json!({"main": {"type": "subscription", "message": {"schema": {"type": "object"}}}}),
        json!({"main": {"type": "subscription", "message": {"schema": {"type": "union", "refs": ["#t"]}}},
            "t": {"type": "token"}}),
    ] {
        assert!(Document::from_json(with_defs(&defs)).is_err(), "{defs}");
    }
    let version = json!({"lexicon": 2, "id": "com.example.bad", "defs": {"a": {"type": "token"}}});
    assert!(matches!(Document::from_json(version), Err(SchemaError::Version(2))));
}

#[test]
fn what_the_language_lets_pass() {
    for schema in [
        json!({"type": "string", "description": "x", "later": {"type": "number"}}),
        json!({"type": "union", "refs": []}),
        json!({"type": "union", "refs": ["com.example.elsewhere#it"], "closed": true}),
        json!({"type": "blob", "accept": ["*/*", "image/*", "application/vnd.ipld.car"]}),
        json!({"type": "object"}),
    ] {
        Document::from_json(with_field(&schema)).unwrap_or_else(|error| panic!("{schema}: {error}"));
    }
    let main = with_defs(&json!({"main": {"type": "object", "properties": {"f": {"type": "unknown"}}}}));
    let document = Document::from_json(main).expect("main may be no primary type");
    assert!(matches!(document.def("main"), Some(Def::Data(Schema::Object(_)))));
}

/// A document whose one definition is this.
fn with_def(def: &str) -> String {
    format!(r#"{{"lexicon":1,"id":"com.example.hostile","defs":{{"a":{def}}}}}"#)
}

#[test]
fn deep_documents_are_refused_without_overflow() {
    for depth in [40, 10_000] {
        let nested = format!(
            r#"{}{{"type":"integer"}}{}"#,
            r#"{"type":"array","items":"#.repeat(depth),
            "}".repeat(depth)
        );
        assert!(
            matches!(Document::from_slice(with_def(&nested).as_bytes()), Err(SchemaError::TooDeep)),
            "{depth}"
        );
    }
    let mut items = json!({"type": "integer"});
    for _ in 0..20_000 {
        let outer = [("type".to_owned(), "array".into()), ("items".to_owned(), items)];
        items = Value::Object(outer.into_iter().collect());
    }
    assert!(matches!(Document::from_json(items), Err(SchemaError::TooDeep)));
    // As deep as a record may be is not too deep.
    let nested =
        format!(r#"{}{{"type":"integer"}}{}"#, r#"{"type":"array","items":"#.repeat(28), "}".repeat(28));
    assert!(Document::from_slice(with_def(&nested).as_bytes()).is_ok());
}

#[test]
fn huge_documents_are_refused() {
    let long = with_def(&format!(r#"{{"type":"string","default":"{}"}}"#, "x".repeat(MAX_DOCUMENT_BYTES)));
    assert!(matches!(Document::from_slice(long.as_bytes()), Err(SchemaError::TooLarge)));
    let long = json!({"lexicon": 1, "id": "com.example.hostile", "defs": {
        "a": {"type": "string", "enum": vec!["x"; MAX_DOCUMENT_BYTES / 3]}}});
    assert!(matches!(Document::from_json(long), Err(SchemaError::TooLarge)));
    let many = |count: usize| {
        let defs: serde_json::Map<_, _> =
            (0..count).map(|n| (format!("d{n}"), json!({"type": "token"}))).collect();
        Document::from_json(json!({"lexicon": 1, "id": "com.example.hostile", "defs": defs}))
    };
    assert!(many(MAX_DEFINITIONS).is_ok());
    let too_many = MAX_DEFINITIONS + 1;
    assert!(matches!(many(too_many), Err(SchemaError::TooManyDefinitions(count)) if count == too_many));
}

#[test]
fn complaints_are_short() {
    let long = "x".repeat(100_000);
    for def in [
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"ref","ref":"{long}"}}"#),
        format!(r##"{{"type":"object","properties":{{"f":{{"type":"ref","ref":"#{long}"}}}}}}"##),
        format!(r#"{{"type":"object","required":["{long}"]}}"#),
        format!(r#"{{"type":"object","properties":{{"{long}":{{"type":"token"}}}}}}"#),
        format!(r#"{{"type":"blob","accept":["{long}"]}}"#),
        format!(r#"{{"type":"string","maxLength":"{long}"}}"#),
    ] {
        let error = Document::from_slice(with_def(&def).as_bytes()).expect_err("a bad document");
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(found) = source {
            assert!(found.to_string().len() < 1_000, "{found}");
            source = found.source();
        }
    }
}

#[test]
fn definitions_in_circles_are_taken_and_end() {
    let mut catalog = Catalog::new();
    for (name, other) in [("a", "b"), ("b", "a")] {
        let document = json!({"lexicon": 1, "id": format!("com.example.{name}"), "defs": {"main": {
            "type": "record", "key": "any", "record": {"type": "object", "properties": {
                "other": {"type": "ref", "ref": format!("com.example.{other}")},
                "list": {"type": "ref", "ref": "#list"}}}},
            "list": {"type": "array", "items": {"type": "ref", "ref": "#list"}}}});
        catalog.add(Document::from_json(document).expect("a document")).expect("a new name");
    }
    assert_eq!(catalog.dangling(), []);
    let record = json!({"$type": "com.example.a", "list": [[], [[]]],
        "other": {"$type": "com.example.b", "other": {"$type": "com.example.a", "list": [[1]]}}});
    let record = json::from_json_value(&record).expect("the data model");
    let error =
        validate_record(&catalog, &nsid("com.example.a"), &RecordKey::parse("x").expect("a key"), &record);
    assert_eq!(
        error.expect_err("an integer in a list of lists").to_string(),
        "Record/other/other/list/0/0 must be array, not integer"
    );
}

#[test]
fn documents_in_records() {
    let read = |name: &str, record: Value| {
        let record = json::from_json_value(&record).expect("the data model");
        Document::from_record(&nsid(name), &record)
    };
    let record = json!({"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": "com.example.note", "defs": {
        "main": {"type": "object", "properties": {"a": {"type": "integer"}}}}});
    let document = read("com.example.note", record.clone()).expect("a document");
    assert!(matches!(document.def("main"), Some(Def::Data(Schema::Object(_)))));
    let other = read("com.example.other", record.clone());
    assert!(matches!(other, Err(SchemaError::OtherName(name)) if name.as_str() == "com.example.note"));
    for kind in [Value::Null, json!("com.atproto.lexicon.schema#main"), json!(1)] {
        let mut record = record.clone();
        record["$type"] = kind;
        assert!(matches!(read("com.example.note", record), Err(SchemaError::RecordType)));
    }
    let mut broken = record;
    broken["defs"]["main"]["properties"]["a"] = json!({"type": "integer", "minimum": 2, "maximum": 1});
    assert!(matches!(read("com.example.note", broken), Err(SchemaError::Within { .. })));
}
