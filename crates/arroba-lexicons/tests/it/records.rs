//! The bundled record schemas on records as people write them.

use arroba_core::{
    data::json,
    lexicon::{Catalog, Def, KeyKind, Validator, validate_record},
    nsid,
    syntax::{Nsid, RecordKey},
};
use arroba_lexicons::{catalog, schemas::RECORDS};
use serde_json::{Value, json};

use super::sample::{self, Extent, TEXT};

fn error(catalog: &Catalog, collection: &Nsid, key: &str, record: &Value) -> Option<String> {
    let key = RecordKey::parse(key).expect("a record key");
    let record = json::from_json_value(record).expect("the data model");
    validate_record(catalog, collection, &key, &record).err().map(|error| error.to_string())
}

#[test]
fn every_record_type_takes_what_it_names_and_misses_what_it_demands() {
    let catalog = catalog();
    let mut demanded = 0;
    for collection in RECORDS {
        let Some(Def::Record(schema)) = catalog.main(collection) else { panic!("no record {collection}") };
        let key = match &schema.key {
            KeyKind::Literal(only) => only.as_str(),
            KeyKind::Nsid => "app.bsky.feed.post",
            _ => TEXT,
        };
        for extent in [Extent::Minimal, Extent::Full] {
            for mut record in sample::objects(&catalog, &schema.record, extent) {
                record["$type"] = collection.as_str().into();
                assert_eq!(error(&catalog, collection, key, &record), None, "{collection} {record}");
                for name in &schema.record.required {
                    let mut without = record.clone();
                    without.as_object_mut().expect("an object").remove(name);
                    let text = error(&catalog, collection, key, &without);
                    assert_eq!(text, Some(format!("Record/{name} must be there")), "{collection}");
                    demanded += 1;
                }
            }
        }
        if schema.key != KeyKind::Any {
            let text = error(&catalog, collection, "another-kind", &json!({}));
            assert!(
                text.is_some_and(|text| text.starts_with("record key another-kind is not")),
                "{collection}"
            );
        }
    }
    println!("schemas: {} record types, {demanded} demanded fields", RECORDS.len());
    assert!(demanded >= 40, "only {demanded}");
}

fn post(fields: &Value) -> Option<String> {
    let mut record =
        json!({"$type": "app.bsky.feed.post", "text": "hi", "createdAt": "2026-01-02T03:04:05.678Z"});
    record.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    error(&catalog(), &nsid!("app.bsky.feed.post"), TEXT, &record)
}

fn image(mime_type: &str, size: u64) -> Value {
    let cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    let blob = json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": mime_type, "size": size});
    json!({"embed": {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": blob}]}})
}

fn mention(did: &str) -> Value {
    let feature = json!({"$type": "app.bsky.richtext.facet#mention", "did": did});
    json!({"facets": [{"index": {"byteStart": 0, "byteEnd": 2}, "features": [feature]}]})
}

#[test]
fn posts() {
    for fields in [
        json!({}),
        json!({"langs": ["en", "pt-BR"], "via": "a client", "tags": ["a"]}),
        json!({"text": "👩‍👩‍👦‍👦".repeat(100)}),
        json!({"embed": {"$type": "com.example.embed", "anything": 1}}),
        image("image/png", 1_000_000),
        mention("did:web:a.test"),
    ] {
        assert_eq!(post(&fields), None);
    }
    for (fields, text) in [
        (json!({"text": "x".repeat(301)}), "Record/text must not be longer than 300 graphemes"),
        (json!({"text": "é".repeat(1501)}), "Record/text must not be longer than 3000 bytes"),
        (json!({"text": null}), "Record/text must be string, not null"),
        (json!({"createdAt": "yesterday"}), "Record/createdAt must be a valid datetime"),
        (json!({"langs": ["en", "de", "fr", "it"]}), "Record/langs must not have more than 3 items"),
        (json!({"langs": ["english"]}), "Record/langs/0 must be a valid language"),
        (json!({"reply": {"root": {}}}), "Record/reply/parent must be there"),
        (json!({"embed": {"images": []}}), "Record/embed must have a $type"),
        (image("text/plain", 5), "Record/embed/images/0/image must have a media type among image/*"),
        (image("image/png", 2_000_001), "Record/embed/images/0/image must not be larger than 2000000 bytes"),
        (mention("a"), "Record/facets/0/features/0/did must be a valid did"),
        (json!({"$type": "app.bsky.feed.like"}), "Record must have the $type app.bsky.feed.post"),
    ] {
        assert_eq!(post(&fields).as_deref(), Some(text));
    }
}

#[test]
fn firehose_messages() {
    let catalog = catalog();
    let stream = nsid!("com.atproto.sync.subscribeRepos");
    let check = |kind: &str, payload: &Value| {
        let payload = json::from_json_value(payload).expect("the data model");
        Validator::new(&catalog).message(&stream, kind, &payload).map_err(|error| error.to_string())
    };
    let link = json!({"$link": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq"});
    let mut commit = json!({"seq": 1, "rebase": false, "tooBig": false, "repo": "did:web:a.test", "commit": link,
        "rev": TEXT, "since": null, "blocks": {"$bytes": ""}, "blobs": [], "time": "2026-01-02T03:04:05.678Z",
        "ops": [{"action": "delete", "path": "a.b.c/d", "cid": null, "prev": link}]});
    assert_eq!(check("#commit", &commit), Ok(()));
    commit["ops"][0]["prev"] = Value::Null;
    assert_eq!(check("#commit", &commit), Err("Message/ops/0/prev must be cid-link, not null".to_owned()));
    assert_eq!(check("#sync", &json!({"seq": 1})), Err("Message/did must be there".to_owned()));
}
