//! Nothing that comes from the network makes a parser panic.

use arroba_core::did;
use arroba_identity::{
    DidDocument,
    plc::{LogEntry, Operation, verify_log},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "type",
        "prev",
        "sig",
        "rotationKeys",
        "services",
        "id",
        "controller",
        "publicKeyMultibase",
        "serviceEndpoint",
        "$link",
        "$bytes",
        "verificationMethods",
        "alsoKnownAs",
        "endpoint",
        "other",
    ]);
    let texts = prop::sample::select(vec![
        "plc_operation",
        "plc_tombstone",
        "create",
        "#atproto",
        "Multikey",
        "z",
        "zQ3sh",
        "at://",
        "at://a.test",
        "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
        "https://",
        "https://a.test",
        "",
        "\u{0}",
        "#",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn operations(json in any_json()) {
        if let Ok(operation) = Operation::from_json(json.to_string().as_bytes()) {
            let again = Operation::from_json(operation.to_json().to_string().as_bytes()).unwrap();
            prop_assert_eq!(again, operation);
        }
    }

    #[test]
    fn logs(operations in prop::collection::vec(any_json(), 0..4), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let entries: Vec<Value> = operations.into_iter().map(|operation| json!({
            "did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
            "operation": operation,
            "cid": "bafyreih2edkdbxj5kbuqstymemcu3r3mxj4gtgxcmuxpmj5mtnpazdocvm",
            "nullified": false,
            "createdAt": "2026-01-01T00:00:00.000Z",
        })).collect();
        if let Ok(entries) = LogEntry::list_from_json(Value::from(entries).to_string().as_bytes()) {
            prop_assert!(verify_log(&did!("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), entries).is_err());
        }
        let _ = LogEntry::list_from_json(&bytes);
        let _ = Operation::from_json(&bytes);
    }

    #[test]
    fn documents(methods in any_json(), services in any_json(), aliases in any_json()) {
        let did = did!("did:web:alice.example.com");
        let json = json!({
            "id": did.as_str(), "verificationMethod": methods, "service": services, "alsoKnownAs": aliases,
        });
        let document = DidDocument::from_json(&did, json).unwrap();
        let _ = (document.handle(), document.signing_key(), document.pds(), document.service("", None));
    }
}
