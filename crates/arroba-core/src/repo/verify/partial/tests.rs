use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::{PartialTree, Refusal};
use crate::car::{Car, Limits, read_all};
use crate::data::{Cid, Link};
use crate::mst::{Builder, Key};

#[path = "../../../../tests/it/fixtures.rs"]
#[expect(dead_code, reason = "one file for all tests, of which these need a part")]
mod fixtures;

/// The root of a whole tree, and all its nodes.
fn whole(entries: &BTreeMap<Key, Cid>) -> (Cid, Car) {
    let mut builder = Builder::new();
    for (key, value) in entries {
        builder.push(key.clone(), Link::Cid(*value)).unwrap();
    }
    let puts = builder.finish();
    let root = puts.iter().max_by_key(|put| put.position.height).unwrap().cid;
    let blocks = puts.into_iter().map(|put| (put.cid, put.bytes)).collect();
    (root, Car { roots: vec![root], blocks })
}

fn load(root: Cid, car: &Car) -> PartialTree {
    PartialTree::load(&car.blocks[&root], car).unwrap()
}

/// The proofs that everyone publishes for: what is added comes away in any order, what is gone comes back.
#[test]
fn commit_proof_vectors() {
    let Some(cases) = fixtures::json("atproto-interop-tests/firehose/commit-proof-fixtures.json") else {
        return;
    };
    let mut assertions = 0;
    for case in cases.as_array().unwrap() {
        let list = |name: &str| -> Vec<String> {
            case[name].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let keys = |name: &str| -> Vec<Key> {
            list(name).iter().map(|key| Key::try_from(&**key).unwrap()).collect()
        };
        let cid = |name: &str| Cid::parse(case[name].as_str().unwrap()).unwrap();
        let value = cid("leafValue");
        let before: BTreeMap<_, _> = keys("keys").into_iter().map(|key| (key, value)).collect();
        let mut after = before.clone();
        after.extend(keys("adds").into_iter().map(|key| (key, value)));
        for key in keys("dels") {
            after.remove(&key);
        }
        assert_eq!(whole(&before).0, cid("rootBeforeCommit"), "{}", case["comment"]);
        let (root, mut car) = whole(&after);
        assert_eq!(root, cid("rootAfterCommit"), "{}", case["comment"]);
        let proof: Vec<_> = list("blocksInProof").iter().map(|cid| Cid::parse(cid).unwrap()).collect();
        car.blocks.retain(|cid, _| proof.contains(cid));
        assertions += 2;
        let dels = keys("dels").into_iter().map(|key| (key, true));
        let ops: Vec<_> = dels.chain(keys("adds").into_iter().map(|key| (key, false))).collect();
        for reversed in [false, true] {
            let mut tree = load(root, &car);
            let mut order = ops.clone();
            if reversed {
                order.reverse();
            }
            for (key, deleted) in order {
                if deleted {
                    tree.insert(key, Link::Cid(value)).unwrap();
                } else {
                    assert_eq!(tree.remove(&key), Ok(Link::Cid(value)));
                }
            }
            assert_eq!(tree.root(), Ok(cid("rootBeforeCommit")), "{}", case["comment"]);
            assertions += 1;
        }
    }
    println!("vectors: commit proofs, verifier: {assertions} assertions");
    assert!(assertions >= 24, "{assertions}");
}

fn key(number: u16) -> Key {
    Key::try_from(&*format!("a.b.c/{number}")).unwrap()
}

fn value(number: u16) -> Cid {
    Cid::for_raw(&number.to_be_bytes())
}

proptest! {
    #![proptest_config(fixtures::cases(400))]

    /// Whatever is hidden: a change succeeds only if it means what it means in the whole tree.
    #[test]
    fn never_a_wrong_tree(
        keys in prop::collection::btree_set(0u16..400, 0..120),
        hidden in prop::collection::vec(any::<u8>(), 16),
        ops in prop::collection::vec((0u16..400, any::<u16>(), 0u8..3), 1..12),
    ) {
        let mut model: BTreeMap<_, _> = keys.iter().map(|n| (key(*n), value(*n))).collect();
        let (root, mut car) = whole(&model);
        let lot = |cid: &Cid| hidden[usize::from(cid.digest()[0]) % 16] % 3 > 0;
        let all = car.blocks.len();
        car.blocks.retain(|cid, _| *cid == root || lot(cid));
        let complete = car.blocks.len() == all;
        let mut tree = load(root, &car);
        prop_assert_eq!(tree.root(), Ok(root));
        for (number, new, action) in ops {
            let (key, new) = (key(number), value(new));
            let result = match action {
                0 => tree.insert(key.clone(), new.into()).map(|()| None),
                1 => tree.replace(&key, new.into()).map(Some),
                _ => tree.remove(&key).map(Some),
            };
            let before = model.get(&key).copied();
            match result {
                Err(Refusal::Unknown) => {
                    prop_assert!(!complete);
                    continue;
                }
                Err(Refusal::Presence) => {
                    prop_assert_eq!(before.is_some(), action == 0);
                    continue;
                }
                Ok(found) => prop_assert_eq!(found, before.map(Link::Cid)),
            }
            if action < 2 {
                model.insert(key, new);
            } else {
                model.remove(&key);
            }
            if tree.leaves.is_empty() && tree.first.is_some() {
                // Trimmed to a subtree that is not known: it may have no keys at its top, and then be no root.
                break;
            }
            prop_assert_eq!(tree.root(), Ok(whole(&model).0));
        }
    }
}

#[test]
fn an_empty_tree_can_be_reached_and_left() {
    let (root, car) = whole(&BTreeMap::from([(key(1), value(1))]));
    let mut tree = load(root, &car);
    tree.remove(&key(1)).unwrap();
    let empty = tree.root().unwrap();
    assert_eq!(empty, whole(&BTreeMap::new()).0);
    assert_eq!(tree.remove(&key(1)), Err(Refusal::Presence));
    tree.insert(key(1), value(1).into()).unwrap();
    assert_eq!(tree.insert(key(1), value(1).into()), Err(Refusal::Presence));
    assert_eq!(tree.root(), Ok(root));
}

/// Every pair of the suite's trees, undone from the nodes that the suite says suffice, in its order.
#[test]
fn every_inversion_of_the_suite() {
    let Some(archive) = fixtures::path("mst-test-suite.tar.xz") else { return };
    let folder = std::env::temp_dir().join(format!("arroba-verify-suite-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let status = std::process::Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&folder).status();
    assert!(status.unwrap().success());
    let files = |name: &str| std::fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path());
    let trees: BTreeMap<String, Car> = files("cars/exhaustive")
        .map(|path| {
            let car = read_all(&std::fs::read(&path).unwrap(), &Limits::REPOSITORY).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), car)
        })
        .collect();
    let (mut reversed, mut others) = (0, 0);
    for path in files("tests/diff/exhaustive") {
        let case: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let tree = |name: &str| &trees[case["inputs"][name].as_str().unwrap().rsplit('/').next().unwrap()];
        let (before, after) = (tree("mst_a").roots[0], tree("mst_b"));
        let list = |name: &str| case["results"][name].as_array().unwrap();
        let proof: HashSet<Cid> = list("inductive_proof_nodes")
            .iter()
            .map(|cid| Cid::parse(cid.as_str().unwrap()).unwrap())
            .collect();
        let blocks = after.blocks.iter().filter(|(cid, _)| proof.contains(cid));
        let car = Car {
            roots: after.roots.clone(),
            blocks: blocks.map(|(cid, data)| (*cid, data.clone())).collect(),
        };
        if !car.blocks.contains_key(&after.roots[0]) {
            assert_eq!(before, after.roots[0], "{}", path.display());
            continue;
        }
        let link = |value: &serde_json::Value| value.as_str().map(|cid| Link::parse(cid).unwrap());
        let ops: Vec<_> = list("record_ops")
            .iter()
            .map(|op| {
                let key = Key::try_from(op["rpath"].as_str().unwrap()).unwrap();
                (key, link(&op["old_value"]), link(&op["new_value"]))
            })
            .collect();
        let undo = |ops: &mut dyn Iterator<Item = &(Key, Option<Link>, Option<Link>)>| {
            let mut tree = load(after.roots[0], &car);
            for (key, old, new) in ops {
                let found = match (old, new) {
                    (Some(old), None) => tree.insert(key.clone(), old.clone()).map(|()| None),
                    (Some(old), Some(_)) => tree.replace(key, old.clone()).map(Some),
                    (None, _) => tree.remove(key).map(Some),
                }?;
                assert_eq!(found, *new);
            }
            tree.root()
        };
        assert_eq!(undo(&mut ops.iter().rev()), Ok(before), "{}", path.display());
        reversed += 1;
        // The suite promises nothing for other orders; where its nodes suffice, the tree must be the same.
        match undo(&mut ops.iter()) {
            Ok(root) => assert_eq!(root, before, "{}", path.display()),
            Err(refusal) => assert_eq!(refusal, Refusal::Unknown, "{}", path.display()),
        }
        others += 1;
    }
    std::fs::remove_dir_all(&folder).unwrap();
    println!("vectors: mst-suite inversion, verifier: {} assertions", reversed + others);
    assert!(reversed >= 16_384 - 128, "{reversed}");
}
