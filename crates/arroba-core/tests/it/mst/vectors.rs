//! The published vectors.

use std::collections::BTreeMap;

use arroba_core::data::Link;
use arroba_core::mst::{Key, KeyEdit, Tree, common_prefix, height_of};

use super::table::NodeTable;
use crate::it::fixtures;

const VALUE: &str = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454";

fn root_of(keys: &[&str]) -> String {
    let entries: BTreeMap<Key, Link> =
        keys.iter().map(|key| (Key::try_from(*key).unwrap(), Link::parse(VALUE).unwrap())).collect();
    let built = NodeTable::build(&entries).root().0;
    let batch: Vec<_> = entries.into_iter().map(|(key, value)| KeyEdit { key, value: Some(value) }).collect();
    assert_eq!(Tree::empty().edit(&batch).unwrap().tree.root_cid(), built);
    built.to_string()
}

#[test]
fn known_roots() {
    let mut checked = 0;
    let mut expect = |keys: &[&str], root: &str| {
        let keys: Vec<String> = keys.iter().map(|key| format!("com.example.record/{key}")).collect();
        assert_eq!(root_of(&keys.iter().map(String::as_str).collect::<Vec<_>>()), root);
        checked += 1;
    };
    expect(&[], "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm");
    expect(&["3jqfcqzm3fo2j"], "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu");
    expect(&["3jqfcqzm3fx2j"], "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai");
    expect(
        &["3jqfcqzm3fp2j", "3jqfcqzm3fr2j", "3jqfcqzm3fs2j", "3jqfcqzm3ft2j", "3jqfcqzm4fc2j"],
        "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m",
    );
    println!("vectors: mst-roots: {checked} assertions");
}

#[test]
fn key_heights() {
    let Some(vectors) = fixtures::json("atproto-interop-tests/mst/key_heights.json") else { return };
    let vectors = vectors.as_array().unwrap();
    for vector in vectors {
        let height = height_of(vector["key"].as_str().unwrap().as_bytes());
        assert_eq!(u64::from(height), vector["height"].as_u64().unwrap(), "{vector}");
    }
    println!("vectors: mst-key-heights: {} assertions", vectors.len());
}

#[test]
fn common_prefixes() {
    let Some(vectors) = fixtures::json("atproto-interop-tests/mst/common_prefix.json") else { return };
    let vectors = vectors.as_array().unwrap();
    for vector in vectors {
        let side = |name: &str| vector[name].as_str().unwrap().as_bytes();
        let shared = common_prefix(side("left"), side("right"));
        assert_eq!(shared as u64, vector["len"].as_u64().unwrap(), "{vector}");
    }
    println!("vectors: mst-common-prefix: {} assertions", vectors.len());
}

/// The digit of each key is its height.
#[test]
fn example_keys() {
    let Some(text) = fixtures::text("atproto-interop-tests/mst/example_keys.txt") else { return };
    let mut count = 0;
    for key in text.lines().filter(|line| !line.is_empty()) {
        let height = u8::try_from(key.chars().nth(1).unwrap().to_digit(10).unwrap()).unwrap();
        assert_eq!(height_of(key.as_bytes()), height, "{key}");
        count += 1;
    }
    assert_eq!(count, 156);
    root_of(&text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>());
    println!("vectors: mst-example-keys: {count} assertions");
}

#[test]
fn commit_proofs() {
    let Some(vectors) = fixtures::json("atproto-interop-tests/firehose/commit-proof-fixtures.json") else {
        return;
    };
    let mut assertions = 0;
    for vector in vectors.as_array().unwrap() {
        let value = Link::parse(vector["leafValue"].as_str().unwrap()).unwrap();
        let edits = |name: &str, value: Option<&Link>| -> Vec<KeyEdit> {
            let keys = vector[name].as_array().unwrap().iter();
            keys.map(|key| KeyEdit {
                key: Key::try_from(key.as_str().unwrap()).unwrap(),
                value: value.cloned(),
            })
            .collect()
        };
        let before = Tree::empty().edit(&edits("keys", Some(&value))).unwrap().tree;
        assert_eq!(before.root_cid().to_string(), vector["rootBeforeCommit"]);
        let mut batch = edits("adds", Some(&value));
        batch.extend(edits("dels", None));
        let after = before.edit(&batch).unwrap();
        assert_eq!(after.tree.root_cid().to_string(), vector["rootAfterCommit"]);
        let proof: Vec<String> = after.proof.iter().map(|(cid, _)| cid.to_string()).collect();
        for cid in vector["blocksInProof"].as_array().unwrap() {
            assert!(proof.iter().any(|ours| ours == cid), "{}: lacks {cid}", vector["comment"]);
            assertions += 1;
        }
        // Deletions first, insertions first, and back again: the proof alone decides.
        let slice = Tree::from_blocks(after.tree.root_cid(), |cid| {
            after.proof.iter().find(|(ours, _)| ours == cid).map(|(_, bytes)| bytes.clone())
        })
        .unwrap();
        let undo = edits("adds", None).into_iter().chain(edits("dels", Some(&value)));
        let undo: Vec<_> = undo.collect();
        for undo in [undo.clone(), undo.into_iter().rev().collect()] {
            assert_eq!(slice.edit(&undo).unwrap().tree.root_cid(), before.root_cid());
            assertions += 1;
        }
        assertions += 2;
    }
    assert_eq!(vectors.as_array().unwrap().len(), 6);
    println!("vectors: commit-proofs: {assertions} assertions");
}
