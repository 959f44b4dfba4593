//! The vectors that arroba 3.1 (Python) made: `fixtures/arroba/vectors.json`. (Its sealed keys are the Datastore's.)

use super::fixtures;
use arroba_core::{
    crypto::{Curve, PrivateKey, Signer as _},
    data::{Cid, Value, cbor, json},
    mst::Tree,
    repo::Commit,
    signed,
    syntax::{RecordPath, Tid},
};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn vectors() {
    let Some(vectors) = fixtures::json("arroba/vectors.json") else { return };
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut assertions = 0;
    let mut same = |ours: String, theirs: String| {
        assert_eq!(ours, theirs);
        assertions += 1;
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();

    let record = &vectors["record0"];
    let value = json::from_slice(record["record"].to_string().as_bytes()).unwrap().into_owned();
    let encoded = cbor::encode(&value);
    same(hex(&encoded), text(&record["dag_cbor_hex"]));
    same(Cid::for_cbor(&encoded).to_string(), text(&record["cid"]));
    same(RecordPath::parse(&text(&record["key"])).unwrap().to_string(), text(&record["key"]));

    same(Tree::empty().root_cid().to_string(), text(&vectors["empty_mst_cid"]));

    for (seq, rev) in vectors["rev_of_seq"].as_object().unwrap() {
        let tid = Tid::from_micros(seq.parse().unwrap(), 0);
        same(tid.to_string(), text(rev));
        same(Tid::parse(&text(rev)).unwrap().micros().to_string(), seq.clone());
    }

    let signature = &vectors["signature"];
    let key =
        PrivateKey::from_seed(Curve::K256, signature["secret_scalar"].as_u64().unwrap().into()).unwrap();
    same(key.public_key().to_did_key(), text(&signature["did_key"]));
    let unsigned = bytes(&text(&signature["unsigned_commit_dag_cbor_hex"]));
    same(hex(key.sign(&unsigned).as_bytes()), text(&signature["sig_hex_rfc6979_low_s"]));
    let Value::Map(mut commit) = cbor::decode(&unsigned).unwrap().into_owned() else { panic!("no map") };
    signed::sign(&mut commit, &key);
    let signed = cbor::encode(&Value::Map(commit));
    same(Cid::for_cbor(&signed).to_string(), text(&signature["signed_commit_cid"]));
    let commit = Commit::decode(&signed).unwrap();
    commit.verify(&key.public_key()).unwrap();
    let again = Commit::sign(commit.did.clone(), commit.data, commit.rev, commit.prev, &key);
    same(hex(&again.encode()), hex(&signed));

    assert_eq!(assertions, 20);
    println!("vectors: arroba 3.1 (Python): {assertions} assertions");
}
