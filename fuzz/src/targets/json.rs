//! Data-model JSON.

use arroba_core::data::{cbor, json};

use crate::fixtures;

/// What is accepted comes back the same through either form.
pub fn target(data: &[u8]) {
    let Ok(value) = json::from_slice(data) else { return };
    let mut text = Vec::new();
    json::write(&value, &mut text);
    assert_eq!(json::from_slice(&text).expect("our own JSON"), value);
    let bytes = cbor::encode(&value);
    assert_eq!(cbor::decode(&bytes).expect("our own CBOR"), value);
    let tree = json::to_json(&value);
    assert_eq!(json::from_json_value(&tree).expect("our own JSON"), value);
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        br#"{"a":[1,-2,123.0,true,null,"\u00e9\n"],"b":{"$bytes":"YQ=="},"c":{"$link":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"}}"#.to_vec(),
        [vec![b'['; 40], vec![b']'; 40]].concat(),
    ];
    for name in ["data-model-fixtures", "data-model-valid", "data-model-invalid"] {
        seeds.extend(fixtures::items(&format!("atproto-interop-tests/data-model/{name}.json"), "json"));
    }
    seeds
}
