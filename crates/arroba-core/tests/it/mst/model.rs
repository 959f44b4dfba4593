//! Random batches against a `BTreeMap` and a from-scratch build.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Key, KeyEdit, Loader, MstError, Tree, diff};

use super::table::NodeTable;
use super::twins;
use crate::it::random::Random;

const COLLECTIONS: [&str; 5] =
    ["app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.graph.follow", "com.example.a", "z.example.b"];

fn random_key(random: &mut Random, spread: u64) -> Key {
    let collection = COLLECTIONS[random.below(COLLECTIONS.len() as u64) as usize];
    Key::try_from(format!("{collection}/{:x}", random.below(spread)).as_str()).unwrap()
}

fn random_value(random: &mut Random) -> Link {
    Cid::for_cbor(&random.below(50).to_be_bytes()).into()
}

fn random_batch(random: &mut Random, model: &BTreeMap<Key, Link>, spread: u64) -> Vec<KeyEdit> {
    let size = match random.below(20) {
        0 => random.below(200) + 1,
        1..6 => random.below(20) + 1,
        _ => random.below(3) + 1,
    };
    let deleting = random.below(100);
    let mut batch = BTreeMap::new();
    for _ in 0..size {
        let edit = if random.below(100) < deleting && !model.is_empty() {
            let near = random_key(random, spread);
            let key = model.range(near..).next().or_else(|| model.first_key_value()).unwrap().0.clone();
            (key, None)
        } else {
            (random_key(random, spread), Some(random_value(random)))
        };
        batch.insert(edit.0, edit.1);
    }
    batch.into_iter().map(|(key, value)| KeyEdit { key, value }).collect()
}

/// Every batch goes through a tree that is loaded only as far as the loader says, and the table that the row
/// changes maintain must equal one built from nothing.
#[test]
fn node_table_equals_a_build_from_scratch() {
    let mut random = Random::new(1);
    let mut batches = 0;
    for round in 0..60 {
        let spread = [2, 5, 30, 300, 3000][round % 5];
        let mut model = BTreeMap::new();
        let mut table = NodeTable::build(&model);
        for _ in 0..60 {
            let batch = random_batch(&mut random, &model, spread);
            let (before, rows_before) = (model.clone(), table.clone());
            for edit in &batch {
                match &edit.value {
                    Some(value) => model.insert(edit.key.clone(), value.clone()),
                    None => model.remove(&edit.key),
                };
            }
            let (old, edited) = table.edit(&batch).unwrap();
            assert_eq!(table, NodeTable::build(&model));
            assert_eq!((edited.tree.root_cid(), edited.tree.height()), table.root());

            let expected = twins::ops(&before, &model);
            assert_eq!(edited.ops, expected);
            let changed: Vec<Key> = expected.iter().map(|op| op.key.clone()).collect();
            let proven: BTreeSet<_> = edited.proof.iter().map(|(cid, _)| *cid).collect();
            if spread <= 300 {
                assert_eq!(proven, twins::proof(&table, &model, &changed));
                let whole = table.load(Loader::for_all());
                let found = diff(&rows_before.load(Loader::for_all()), &whole).unwrap();
                assert_eq!(found.ops, expected);
                assert_eq!(found.created, twins::only_in(&table, &rows_before));
                assert_eq!(found.deleted, twins::only_in(&rows_before, &table));
            }

            // Every new node is in the proof, and the proof alone is enough to undo the batch.
            let proof: HashMap<_, _> = edited.proof.iter().cloned().collect();
            assert_eq!(proof.len(), edited.proof.len());
            for put in &edited.puts {
                let known = old.nodes().flatten().any(|visit| visit.cid == put.cid);
                assert!(proof.contains_key(&put.cid) || known);
            }
            let slice = Tree::from_blocks(edited.tree.root_cid(), |cid| proof.get(cid).cloned());
            if edited.ops.is_empty() {
                assert!(edited.puts.is_empty() && edited.removes.is_empty());
            }
            let undo: Vec<_> =
                edited.ops.iter().map(|op| KeyEdit { key: op.key.clone(), value: op.old.clone() }).collect();
            let mut editor = arroba_core::mst::Editor::new(&slice.unwrap());
            for edit in undo.iter().rev() {
                match &edit.value {
                    Some(value) => editor.put(&edit.key, value).unwrap(),
                    None => editor.delete(&edit.key).unwrap(),
                };
            }
            assert_eq!(editor.finish().unwrap().root_cid(), old.root_cid());
            batches += 1;
        }
        let whole = table.load(Loader::for_all());
        assert!(whole.entries().map(Result::unwrap).eq(model.iter()));
        assert_eq!(whole.nodes().count(), table.rows.len());
        let positions: Vec<_> = whole.nodes().map(|visit| visit.unwrap().position).collect();
        assert!(positions.iter().eq(table.rows.keys()), "a walk is in the order of positions");
    }
    println!("properties: node table against a build from scratch: {batches} batches");
}

/// A tree that lacks nodes either does the same as the whole one, or says what it lacks.
#[test]
fn partial_trees_never_answer_wrongly() {
    let mut random = Random::new(2);
    let (mut missing, mut right) = (0, 0);
    for _ in 0..300 {
        let mut model = BTreeMap::new();
        for _ in 0..random.below(60) {
            model.insert(random_key(&mut random, 40), random_value(&mut random));
        }
        let table = NodeTable::build(&model);
        let whole = table.load(Loader::for_all());
        let blocks: HashMap<_, _> = table.rows.values().cloned().collect();
        let hole = random.below(4) + 1;
        let part = Tree::from_blocks(whole.root_cid(), |cid| {
            blocks.get(cid).filter(|_| *cid == whole.root_cid() || random.below(4) >= hole).cloned()
        })
        .unwrap();
        for _ in 0..20 {
            let batch = random_batch(&mut random, &model, 40);
            for edit in &batch {
                match part.value(&edit.key) {
                    Ok(value) => assert_eq!(value, model.get(&edit.key)),
                    Err(error) => assert!(matches!(error, MstError::Missing(_)), "{error}"),
                }
            }
            let expected = whole.edit(&batch).unwrap();
            match part.edit(&batch) {
                Ok(edited) => {
                    assert_eq!(edited.tree.root_cid(), expected.tree.root_cid());
                    assert_eq!((edited.puts, edited.removes), (expected.puts, expected.removes));
                    assert_eq!((edited.ops, edited.proof), (expected.ops, expected.proof));
                    right += 1;
                }
                Err(MstError::Missing(request)) => {
                    assert!(blocks.contains_key(&request.cid));
                    missing += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(missing > 500 && right > 500, "{missing} missing, {right} right");
}
