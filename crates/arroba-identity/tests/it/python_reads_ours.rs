//! What we make, for the Python library to read: `e2e/python-parity/reads_ours.py` verifies the file with arroba 3.1.
//!
//! Signatures on K-256 are deterministic, so the file is always the same. `ARROBA_WRITE_OURS=1` writes it anew.

use super::support::Hands;
use arroba_core::{
    crypto::{Curve, PrivateKey, Signer as _, jwt::ServiceClaims},
    data::{Cid, Map, Value as Data, cbor, json as data_json},
    did, handle, nsid,
    repo::Commit,
    signed,
    syntax::{AtUri, Audience, Datetime, Tid},
};
use arroba_identity::plc::{self, Directory, State};
use serde_json::{Value, json};
use std::path::Path;

fn key(seed: u128) -> PrivateKey {
    PrivateKey::from_seed(Curve::K256, seed).unwrap()
}

async fn identity() -> Value {
    let directory = Directory::without_rate_limits(Hands::new().clock());
    let (rotation, signing) = (key(11), key(13));
    let state = State::account(
        [rotation.public_key()],
        &signing.public_key(),
        &handle!("alice.test"),
        "https://pds.test",
    );
    let created = plc::create(&directory, state, &rotation).await.unwrap();
    let did = created.did;
    plc::update(&directory, &did, &rotation, |state| state.with_handle(&handle!("bob.test"))).await.unwrap();
    plc::roll_back(&directory, &did, 1, &rotation).await.unwrap();
    let log = directory.log(&did).unwrap();
    let operations = log.entries().iter().map(|entry| {
        json!({
            "operation": entry.operation.to_json(),
            "cid": entry.cid.to_string(),
            "document": entry.operation.state().unwrap().to_document(&did),
        })
    });
    json!({ "did": did.as_str(), "rotation_seed": 11, "operations": operations.collect::<Vec<_>>() })
}

fn object() -> Value {
    let mut object: Map<'static> =
        [("text", Data::from("hello")), ("n", Data::from(-3)), ("bytes", Data::Bytes(vec![0, 1].into()))]
            .into_iter()
            .collect();
    signed::sign(&mut object, &key(21));
    let cid = Cid::for_cbor(&cbor::encode(&Data::Map(object.clone())));
    json!({ "seed": 21, "signed": data_json::to_json(&Data::Map(object)), "cid": cid.to_string() })
}

fn commit() -> Value {
    let data = Cid::parse("bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm").unwrap();
    let commit = Commit::sign(did!("did:web:a.test"), data, Tid::from_micros(5, 0), None, &key(21)).encode();
    let decoded = cbor::decode(&commit).unwrap();
    json!({ "seed": 21, "signed": data_json::to_json(&decoded), "cid": Cid::for_cbor(&commit).to_string() })
}

fn token() -> Value {
    let audience = Audience::parse("did:web:relay.test").unwrap();
    let claims = ServiceClaims::new(&did!("did:web:a.test"), &audience, 4_000_000_000)
        .method(&nsid!("com.atproto.sync.requestCrawl"))
        .claim("via", "bridge.test");
    json!({
        "seed": 31,
        "token": claims.sign(&key(31)).unwrap(),
        "audience": audience.as_str(),
        "claims": serde_json::to_value(&claims).unwrap(),
    })
}

fn identifiers() -> Value {
    let datetime = Datetime::parse("2023-06-30T15:03:01.887007Z").unwrap();
    let tid = Tid::from_datetime(&datetime, 0).unwrap();
    let p256 = PrivateKey::from_seed(Curve::P256, 15).unwrap().public_key();
    let uri = AtUri::record(&did!("did:web:a.test"), &"a.b.c/self".parse().unwrap());
    json!({
        "tid": tid.to_string(),
        "micros": tid.micros(),
        "datetime": datetime.as_str(),
        "uri": uri.as_str(),
        "did_keys": { "K256": key(13).public_key().to_did_key(), "P256": p256.to_did_key() },
    })
}

#[tokio::test]
async fn the_file_is_what_we_make() {
    let ours = json!({
        "identity": identity().await,
        "objects": [object(), commit()],
        "token": token(),
        "identifiers": identifiers(),
    });
    if std::env::var_os("ARROBA_WRITE_OURS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/ours.json");
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&ours).unwrap())).unwrap();
    }
    let file: Value = serde_json::from_str(include_str!("../python/ours.json")).unwrap();
    assert_eq!(ours, file);
}
