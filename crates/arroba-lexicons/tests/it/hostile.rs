//! Nonsense from the network: refused or taken, never a panic.

use arroba_core::{
    data::{Cid, Map, Value},
    lexicon::{BlobRule, Catalog, Document, Validator},
    syntax::{Nsid, RecordKey},
};
use arroba_lexicons::{
    FromQuery, QueryPairs, ToQuery, catalog,
    com_atproto::{repo::list_records, sync::list_blobs},
    schemas::RECORDS,
};
use proptest::{collection, prelude::*};
use std::sync::{Arc, LazyLock};

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(catalog);

/// Values whose fields have names that the schemas know.
fn value() -> impl Strategy<Value = Value<'static>> {
    let names = "(\\$type|text|embed|images|image|subject|uri|cid|labels|values|reply|root|facets|features|[a-z]{0,3})";
    let texts = prop_oneof![
        ".{0,8}",
        Just("blob".to_owned()),
        Just("app.bsky.embed.images".to_owned()),
        Just("app.bsky.embed.record#main".to_owned()),
        Just("com.atproto.label.defs#selfLabels".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        texts.prop_map(|text| Value::Text(text.into())),
        collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u8>().prop_map(|byte| Value::from(Cid::for_raw(&[byte]))),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            collection::vec((names, inner), 0..6)
                .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map<'_>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_record_has_a_verdict(record in value(), index in 0..RECORDS.len(), lenient: bool) {
        let catalog = &*CATALOG;
        let key = RecordKey::parse("self").expect("a record key");
        let rule = if lenient { BlobRule::Lenient } else { BlobRule::Strict };
        let mut record = record;
        if let Value::Map(map) = &mut record {
            map.insert("$type", RECORDS[index].as_str());
        }
        if let Err(error) = Validator::new(catalog).blobs(rule).record(&RECORDS[index], &key, &record) {
            prop_assert!(error.to_string().len() < 10_000);
        }
    }

    #[test]
    fn any_input_and_parameters_have_a_verdict(
        body in value(),
        pairs in collection::vec(("(did|cids|cids\\[\\]|limit|cursor|.{0,4})", ".{0,8}"), 0..6),
    ) {
        let catalog = &*CATALOG;
        let validator = Validator::new(catalog);
        let names: Vec<Nsid> = catalog.iter().map(|document| document.id().clone()).collect();
        for name in &names {
            let _ = validator.input(name, &body);
            let _ = validator.output(name, &body);
            let _ = validator.message(name, "#commit", &body);
            let _ = validator.params(name, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
    }

    #[test]
    fn damaged_documents_are_refused_or_taken(
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in collection::vec(any::<u8>(), 0..4),
        cut in 0_usize..4,
    ) {
        let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"))
            .expect("the schemas")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        let mut json = std::fs::read(&files[index.index(files.len())]).expect("a file");
        let at = at.index(json.len());
        let end = json.len().min(at + cut);
        json.splice(at..end, bytes);
        let _ = Document::from_slice(&json);
    }

    #[test]
    fn any_query_string_has_a_verdict(text in "[a-z=&%+\\[\\]0-9é]{0,60}") {
        if let Ok(pairs) = QueryPairs::parse(&text) {
            prop_assert_eq!(&QueryPairs::parse(&pairs.to_string()).expect("what was written"), &pairs);
            let _ = list_records::Params::from_query(&pairs);
        }
    }

    #[test]
    fn what_is_read_is_what_was_written(limit in 1_u32..=1000, cursor in proptest::option::of(".{0,20}")) {
        let params = list_blobs::Params {
            did: "did:web:a.test".parse().expect("a DID"),
            since: None,
            limit,
            cursor,
        };
        let text = params.to_query().to_string();
        prop_assert!(text.is_ascii());
        let read = list_blobs::Params::from_query(&QueryPairs::parse(&text).expect("what was written"));
        prop_assert_eq!(read.expect("what was written"), params);
    }
}
