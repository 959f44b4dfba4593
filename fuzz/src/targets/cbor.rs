//! DAG-CBOR.

use arroba_core::data::cbor::{self, Reader};
use arroba_core::data::{blob_ref, json, record};

use crate::{fixtures, repository};

/// What is accepted is canonical, and all ways of reading agree.
pub fn target(data: &[u8]) {
    let decoded = cbor::decode(data);
    let checked = cbor::check(data);
    let mut text = Vec::new();
    let transcoded = json::from_cbor(data, &mut text);
    assert_eq!(decoded.as_ref().err(), checked.as_ref().err());
    assert_eq!(decoded.as_ref().err(), transcoded.as_ref().err());
    let mut reader = Reader::new(data);
    let _ = reader.skip();
    let Ok(value) = decoded else { return };
    assert_eq!(cbor::encode(&value), data);
    let mut written = Vec::new();
    json::write(&value, &mut written);
    assert_eq!(written, text);
    let _ = blob_ref::find(&value);
    if record::check(&value).is_ok() {
        assert_eq!(json::from_slice(&text).expect("our own JSON"), value);
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (0..3).map(|n| repository::record(n << 20).to_vec()).collect();
    for [_, commit] in [repository::commits(1), repository::commits(10)] {
        seeds.push(commit.commit_bytes.to_vec());
        seeds.extend(commit.node_puts.iter().map(|put| put.bytes.to_vec()));
    }
    seeds.push(b"\x9b\x00\x00\x01\x00\x00\x00\x00\x00".to_vec());
    seeds.push(vec![0x81; 200]);
    seeds.extend(fixtures::read("indigo/repos/feedpost_record.cbor"));
    seeds.extend(fixtures::read("indigo/repos/post_richtext_link.cbor"));
    seeds
}
