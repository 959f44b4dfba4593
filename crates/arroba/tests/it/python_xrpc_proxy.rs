//! `arroba.xrpc_proxy` of arroba 3.1 (Python): what it made of answers and newest writes (`e2e/python-parity`), beside what
//! this library makes of them.

use arroba::core::data::{Cid, cbor, json};
use arroba::core::syntax::{AtUri, Datetime, Did, Nsid, RecordPath, Tid};
use arroba::lexicons::QueryPairs;
use arroba::read_after_write::{LocalRecord, LocalWrites, patch};
use serde_json::Value;

const FACTS: &str = include_str!("../python/xrpc_proxy.json");
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const NOW: u64 = 1_750_000_000_000;

fn cid(record: &Value) -> Cid {
    Cid::for_cbor(&cbor::encode(&json::from_json_value(record).unwrap()))
}

fn local(fact: &Value) -> LocalWrites {
    let did = Did::parse(DID).unwrap();
    let params = fact["params"].as_object().unwrap();
    let params: QueryPairs =
        params.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap())).collect();
    let cdn = "https://cdn.bsky.app/img/%s/plain/%s/%s@jpeg".to_owned();
    let profile = RecordPath::parse("app.bsky.actor.profile/self").unwrap();
    let value = fact["profile"].clone();
    let (uri, rev) = (AtUri::record(&did, &profile), Tid::from_micros(NOW * 1000 - 1000, 0));
    let mut local = LocalWrites::new(did.clone(), Datetime::from_unix_millis(NOW))
        .with_handle(Some("alice.test".parse().unwrap()))
        .with_params(params)
        .with_pictures((fact["service"] == "did:web:appview.test").then_some(cdn), "https://pds.test")
        .with_profile(LocalRecord::new(uri, cid(&value), rev, value));
    let mut number = 0;
    for (collection, records) in fact["writes"].as_object().unwrap() {
        for (rkey, record) in records.as_object().unwrap() {
            let path = RecordPath::parse(&format!("{collection}/{rkey}")).unwrap();
            number += 1;
            match record {
                Value::Null => local.delete(&AtUri::record(&did, &path)),
                record => local.write(
                    &path,
                    cid(record),
                    Tid::from_micros(NOW * 1000 - 500 + number, 0),
                    record.clone(),
                ),
            }
        }
    }
    local
}

/// What differs and may: Python says for each post that it looked at that the caller did nothing with it, and gives a new
/// post the time of the request instead of that of its commit.
fn comparable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !(name == "viewer" && value.as_object().is_some_and(|fields| fields.is_empty()))
            });
            if fields.get("author").is_some_and(|author| author["did"] == DID) {
                fields.shift_remove("indexedAt");
            }
            for (_, value) in fields.iter_mut() {
                *value = comparable(value.take());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = comparable(item.take())),
        _ => {}
    }
    value
}

#[test]
fn read_after_write() {
    let facts: Vec<Value> = serde_json::from_str(FACTS).unwrap();
    let (mut patched, mut methods) = (0, std::collections::BTreeSet::new());
    for fact in &facts {
        let method: Nsid = fact["method"].as_str().unwrap().parse().unwrap();
        let mut answer = fact["answer"].clone();
        let changed = patch(&method, &mut answer, &local(fact));
        assert_eq!(changed, answer != fact["answer"], "{fact}");
        assert_eq!(comparable(answer), comparable(fact["patched"].clone()), "{method} {}", fact["params"]);
        patched += usize::from(changed);
        methods.insert(method.to_string());
    }
    assert_eq!((facts.len(), methods.len()), (38, 7));
    assert!(patched > 20, "{patched}");
}
