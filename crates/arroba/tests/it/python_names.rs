//! The names of the Python library, compared with what arroba 3.1 itself gives (`e2e/python-parity/facts_repo.py`).
//!
//! `docs/python-names.md` says which test belongs to which name, and where the two differ on purpose.

mod http;
mod story;
mod trees;

use arroba::core::data::{Cid, Value as Data, cbor, json as data_json};
use arroba::core::syntax::Did;
use serde_json::{Value, json};

/// What the Python library gave.
fn python() -> Value {
    serde_json::from_str(include_str!("../python/repo.json")).unwrap()
}

const NOTE: &str = "com.example.note";

fn alice() -> Did {
    Did::parse("did:web:alice.test").unwrap()
}

/// The CID of `{"n": n}`, by which the trees of the workload tell values apart.
fn value(n: i64) -> Cid {
    let json = json!({"n": n});
    let data = data_json::from_json_value(&json).unwrap();
    Cid::for_cbor(&cbor::encode(&data))
}

fn as_json(data: &Data<'_>) -> Value {
    let mut text = Vec::new();
    data_json::from_cbor(&cbor::encode(data), &mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}
