//! `mst`, `diff`, and the walker.

use std::collections::BTreeSet;

use arroba::core::data::Link;
use arroba::core::mst::{
    Diff, Key, KeyEdit, MstError, Tree, WalkItem, Walker, common_prefix, diff, height_of,
};
use arroba::core::repo::{self, EditError, Write};
use arroba::core::syntax::RecordPath;
use serde_json::{Value, json};

use super::{python, texts, value};

fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

fn cid_of(link: &Link) -> String {
    link.to_string()
}

/// The tree after each step of the workload, whose root must be the one that Python has.
fn replay(facts: &Value) -> Vec<Tree> {
    let mut tree = Tree::empty();
    let mut trees = Vec::new();
    for step in facts["steps"].as_array().unwrap() {
        let n = step["n"].as_i64();
        let edit = KeyEdit { key: key(step["key"].as_str().unwrap()), value: n.map(|n| value(n).into()) };
        tree = tree.edit(&[edit]).unwrap().tree;
        assert_eq!(tree.root_cid().to_string(), step["root"], "{step}");
        trees.push(tree.clone());
    }
    trees
}

fn last() -> (Value, Tree) {
    let facts = python()["trees"].take();
    let tree = replay(&facts).pop().unwrap();
    (facts, tree)
}

fn keys(tree: &Tree, from: &str) -> Vec<String> {
    tree.entries_from(&key(from)).unwrap().map(|entry| entry.unwrap().0.to_string()).collect()
}

#[test]
fn add_update_delete() {
    let facts = python()["trees"].take();
    assert_eq!(replay(&facts).len(), 255);
}

#[test]
fn get() {
    let (facts, tree) = last();
    for (path, expected) in facts["names"]["get"].as_object().unwrap() {
        let found = tree.value(&key(path)).unwrap().map(cid_of);
        assert_eq!(json!(found), *expected, "{path}");
    }
}

#[test]
fn list_and_leaves() {
    let (facts, tree) = last();
    let names = &facts["names"];
    let all: Vec<_> =
        tree.entries().map(Result::unwrap).map(|(k, v)| json!([k.to_string(), cid_of(v)])).collect();
    assert_eq!(json!(all), names["list"]);
    assert_eq!(json!(all.len()), names["leaves"]);
    assert_eq!(json!(all.len()), names["leaf_count"]);
    let between = &names["list_between"];
    let (after, before) = (between["after"].as_str().unwrap(), between["before"].as_str().unwrap());
    let mut found = keys(&tree, after);
    found.retain(|key| key != after && key.as_str() < before);
    assert_eq!(found, texts(&between["keys"]));
    let from = &names["walk_leaves_from"];
    assert_eq!(keys(&tree, from["from"].as_str().unwrap()), texts(&from["keys"]));
}

#[test]
fn list_with_prefix() {
    let (facts, tree) = last();
    for (prefix, expected) in facts["names"]["list_with_prefix"].as_object().unwrap() {
        let found: Vec<_> =
            keys(&tree, prefix).into_iter().take_while(|key| key.starts_with(prefix)).collect();
        assert_eq!(found, texts(expected), "{prefix}");
    }
}

fn shown(item: &WalkItem) -> Value {
    match item {
        WalkItem::Node(request) => json!(["node", request.cid.to_string()]),
        WalkItem::Entry { key, .. } => json!(["leaf", key.to_string()]),
    }
}

#[test]
fn walk_and_all_nodes() {
    let (facts, tree) = last();
    let mut walker = Walker::new(&tree);
    let mut items = Vec::new();
    while let Some(item) = walker.item() {
        items.push(shown(&item));
        walker.advance().unwrap();
    }
    assert_eq!(json!(items), facts["names"]["walk"]);
    assert_eq!(json!(items.len()), facts["names"]["all_nodes"]);
}

#[test]
fn walker_steps() {
    let (facts, tree) = last();
    let mut walker = Walker::new(&tree);
    for step in facts["walks"].as_array().unwrap() {
        assert_eq!(shown(&walker.item().unwrap()), step["item"]);
        match step["step"].as_str().unwrap() {
            "over" => walker.step_over(),
            "into" => walker.step_into().unwrap(),
            _ => walker.advance().unwrap(),
        }
    }
    assert!(walker.item().is_none());
}

#[test]
fn layers_and_prefixes() {
    let (facts, tree) = last();
    let names = &facts["names"];
    assert_eq!(json!(tree.height()), names["layer"]);
    for (path, zeros) in names["leading_zeros_on_hash"].as_object().unwrap() {
        assert_eq!(json!(height_of(path.as_bytes())), *zeros, "{path}");
    }
    for case in names["common_prefix_len"].as_array().unwrap() {
        let (a, b) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        assert_eq!(json!(common_prefix(a.as_bytes(), b.as_bytes())), case[2], "{case}");
    }
}

#[test]
fn ensure_valid_key() {
    let facts = python()["trees"].take();
    for (path, valid) in facts["names"]["ensure_valid_key"].as_object().unwrap() {
        // The specification allows the tilde, and record keys of up to 512 characters.
        let wider = path.ends_with('~') || path.len() > 256;
        assert_eq!(RecordPath::parse(path).is_ok(), valid.as_bool().unwrap() || wider, "{path}");
    }
}

#[test]
fn cids_for_path() {
    let (facts, tree) = last();
    for (path, expected) in facts["names"]["cids_for_path"].as_object().unwrap() {
        let mut found: Vec<_> =
            tree.proof(&key(path)).unwrap().into_iter().map(|(cid, _)| cid.to_string()).collect();
        found.extend(tree.value(&key(path)).unwrap().map(cid_of));
        assert_eq!(found, texts(expected), "{path}");
    }
}

/// Python counts the CIDs of new records among the new ones; here `created` has nodes only.
fn assert_same(found: &Diff, expected: &Value) {
    let changes = |pick: fn(&Option<Link>, &Option<Link>) -> Option<Value>| -> Value {
        let picked = found.ops.iter().filter_map(|op| Some((op.key.to_string(), pick(&op.old, &op.new)?)));
        Value::Object(picked.collect())
    };
    let adds = changes(|old, new| (old.is_none()).then(|| json!(cid_of(new.as_ref().unwrap()))));
    let deletes = changes(|old, new| (new.is_none()).then(|| json!(cid_of(old.as_ref().unwrap()))));
    let updates = changes(|old, new| match (old, new) {
        (Some(old), Some(new)) => Some(json!([cid_of(old), cid_of(new)])),
        _ => None,
    });
    assert_eq!((&adds, &updates, &deletes), (&expected["adds"], &expected["updates"], &expected["deletes"]));
    let records = found.ops.iter().filter_map(|op| op.new.as_ref().map(cid_of));
    let created: BTreeSet<_> = found.created.iter().map(ToString::to_string).chain(records).collect();
    assert_eq!(json!(created), expected["new_cids"]);
    let removed: BTreeSet<_> = found.deleted.iter().map(ToString::to_string).collect();
    assert_eq!(json!(removed), expected["removed_cids"]);
}

#[test]
fn mst_diff() {
    let facts = python()["trees"].take();
    let trees = replay(&facts);
    let of = |root: &Value| trees.iter().find(|tree| tree.root_cid().to_string() == *root).unwrap();
    let diffs = facts["diffs"].as_array().unwrap();
    assert_eq!(diffs.len(), 4);
    for expected in diffs.iter().filter(|expected| !expected["prev"].is_null()) {
        assert_same(&diff(of(&expected["prev"]), of(&expected["cur"])).unwrap(), expected);
    }
}

#[test]
fn null_diff() {
    let (facts, tree) = last();
    let expected = &facts["diffs"][3];
    let mut found = diff(&Tree::empty(), &tree).unwrap();
    // A tree without entries has a node here, and is nothing there.
    assert!(found.deleted.remove(&Tree::empty().root_cid()));
    assert_same(&found, expected);
}

#[test]
fn errors_of_trees() {
    let (facts, tree) = last();
    assert_eq!(facts["errors"].as_object().unwrap().len(), 4);
    let path = |text: &str| RecordPath::parse(text).unwrap();
    let bytes = bytes::Bytes::from_static(&[0xa0]);
    let present = facts["names"]["list"][0][0].as_str().unwrap();
    let create = |path| Write::Create { path, value: bytes.clone(), cid: value(1) };
    let update = |path| Write::Update { path, value: bytes.clone(), cid: value(1) };
    let failed = |write| repo::edit(&tree, vec![write]).unwrap_err();
    assert_eq!(failed(create(path(present))), EditError::RecordExists(path(present)));
    let missing = path("com.example.note/missing");
    assert_eq!(failed(update(missing.clone())), EditError::RecordMissing(missing.clone()));
    assert_eq!(failed(Write::delete(missing.clone())), EditError::RecordMissing(missing));
    let mut walker = Walker::new(&tree);
    while !matches!(walker.item(), Some(WalkItem::Entry { .. })) {
        walker.step_into().unwrap();
    }
    assert!(matches!(walker.step_into(), Err(MstError::NoNode(_))));
}
