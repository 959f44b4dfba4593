//! The Python library by itself: our verifiers believe its server, and our types read what it stores.

use arroba::core::crypto::Signer;
use arroba::core::repo::verify::{self, CarLimits};
use arroba::store::datastore::entity::{AtpBlock, AtpRepo, AtpSequence};
use arroba::store::datastore::testing::Emulator;
use arroba::store::datastore::{EncryptedPropertyKeys, Reads, Select};
use base64::Engine as _;
use serde_json::json;

use super::accounts::{COLLECTION, did, handle, post, private_key_hex, public_key};
use super::follower::Follower;
use super::interpreter;
use super::python::Python;

#[tokio::test(flavor = "multi_thread")]
async fn its_server_is_believed_and_its_entities_are_read() {
    let Some(interpreter) = interpreter() else { return };
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let property_key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    let python = Python::start(&interpreter, emulator.host(), &property_key, 120);
    python.call("start", json!({"project": client.database().project()})).await;
    let mut heads = Vec::new();
    for number in 0..5 {
        let did = did(number);
        let key = private_key_hex(number);
        python.call("create", json!({"did": did.as_str(), "handle": handle(number), "key": key})).await;
        let creates: Vec<_> =
            (0..20).map(|rkey| json!(["create", COLLECTION, format!("r{rkey}"), post("one")])).collect();
        python.commit(did.as_str(), json!(creates)).await;
        let changes = json!([["update", COLLECTION, "r1", post("two")], ["delete", COLLECTION, "r2", null]]);
        let made = python.commit(did.as_str(), changes).await;
        heads.push((did, made["cid"].as_str().unwrap().to_owned(), made["seq"].as_u64().unwrap()));
    }
    let url = python.call("serve", json!({})).await["url"].as_str().unwrap().to_owned();
    let mut follower = Follower::connect(&url).await;
    follower.reach(heads.last().unwrap().2).await;
    let seen = follower.verified();
    assert_eq!(seen.len(), 5 * 6);
    assert_eq!(seen.values().filter(|seen| seen.kind == "commit").count(), 5 * 3);
    for (did, head, seq) in &heads {
        assert_eq!(seen[seq].cid.as_ref(), Some(head));
        let answer = reqwest::get(format!("{url}/xrpc/com.atproto.sync.getRepo?did={did}")).await.unwrap();
        let file = answer.error_for_status().unwrap().bytes().await.unwrap();
        let verified = verify::car(&file, did, &public_key(did), CarLimits::default()).unwrap();
        assert_eq!((verified.commit_cid.to_string(), verified.records), (head.clone(), 19));
    }

    let keys = EncryptedPropertyKeys::parse(&property_key).unwrap();
    let stored = async |kind: &str| {
        let results = client.query(Select::from(kind).into(), Reads::Strong).await.unwrap().results;
        results.into_iter().filter_map(|result| result.entity).collect::<Vec<_>>()
    };
    let rows: Vec<_> =
        stored("AtpRepo").await.into_iter().map(|row| AtpRepo::from_entity(row).unwrap()).collect();
    assert_eq!(rows.len(), 5);
    for (row, (did, head, _)) in rows.iter().zip(&heads) {
        assert_eq!((&row.did, &row.head.to_string()), (did, head));
        let key = keys.decrypt_private_key(&row.encrypted_signing_key).unwrap();
        assert_eq!(key.public_key(), public_key(did));
    }
    let blocks = stored("AtpBlock").await;
    assert!(blocks.len() > 5 * 6);
    for block in blocks {
        assert!(AtpBlock::from_entity(block).unwrap().is_intact());
    }
    let [sequence] = &stored("AtpSequence").await[..] else { panic!("one counter") };
    assert_eq!(
        AtpSequence::from_entity(sequence.clone()).unwrap().next,
        seen.last_key_value().unwrap().0 + 1
    );
}
