//! All 16,384 cases of the MST test suite: every pair of 128 small trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arroba_core::car;
use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Editor, EntryChange, Key, KeyEdit, Tree, diff};
use bytes::Bytes;

use crate::it::fixtures;

const CASES: usize = 16_384;

/// Unpacks the suite and removes it again.
struct Suite(PathBuf);

impl Suite {
    fn unpack(archive: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("arroba-mst-suite-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let status = Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(&folder).status().unwrap();
        assert!(status.success());
        Self(folder)
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

struct Whole {
    tree: Tree,
    cids: BTreeSet<Cid>,
}

fn load(path: &Path) -> Whole {
    let car = car::read_all(&std::fs::read(path).unwrap(), &car::Limits::REPOSITORY).unwrap();
    let tree = Tree::from_blocks(car.roots[0], |cid| car.blocks.get(cid).cloned()).unwrap();
    let cids = tree.nodes().map(|visit| visit.unwrap().cid).collect();
    Whole { tree, cids }
}

fn cids(value: &serde_json::Value) -> BTreeSet<Cid> {
    value.as_array().unwrap().iter().map(|cid| Cid::parse(cid.as_str().unwrap()).unwrap()).collect()
}

fn link(value: &serde_json::Value) -> Option<Link> {
    value.as_str().map(|cid| Link::parse(cid).unwrap())
}

/// Undoes operations one by one, in the order given.
fn invert<'a>(tree: &Tree, ops: impl IntoIterator<Item = &'a EntryChange>) -> Cid {
    let mut editor = Editor::new(tree);
    for op in ops {
        let found = match &op.old {
            Some(value) => editor.put(&op.key, value).unwrap(),
            None => editor.delete(&op.key).unwrap(),
        };
        assert_eq!(found, op.new);
    }
    editor.finish().unwrap().root_cid()
}

#[derive(Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn check(&mut self, kind: &'static str, holds: bool, case: &Path) {
        assert!(holds, "{kind} of {}", case.display());
        *self.0.entry(kind).or_default() += 1;
    }
}

fn check(case: &Path, trees: &HashMap<String, Whole>, tally: &mut Tally) {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(case).unwrap()).unwrap();
    let tree = |name: &str| &trees[json["inputs"][name].as_str().unwrap().rsplit('/').next().unwrap()];
    let (old, new) = (tree("mst_a"), tree("mst_b"));
    let results = &json["results"];
    let created = cids(&results["created_nodes"]);
    let ops: Vec<EntryChange> = results["record_ops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|op| EntryChange {
            key: Key::try_from(op["rpath"].as_str().unwrap()).unwrap(),
            old: link(&op["old_value"]),
            new: link(&op["new_value"]),
        })
        .collect();

    let found = diff(&old.tree, &new.tree).unwrap();
    tally.check("ops", found.ops == ops, case);
    tally.check("created-nodes", found.created == created, case);
    tally.check("deleted-nodes", found.deleted == cids(&results["deleted_nodes"]), case);

    let batch: Vec<_> = ops.iter().map(|op| KeyEdit { key: op.key.clone(), value: op.new.clone() }).collect();
    let edited = old.tree.edit(&batch).unwrap();
    let put: BTreeSet<Cid> = edited.puts.iter().map(|put| put.cid).collect();
    let fresh: BTreeSet<Cid> = put.difference(&old.cids).copied().collect();
    tally.check("edit", edited.tree.root_cid() == new.tree.root_cid() && edited.ops == ops, case);
    tally.check("edit-nodes", fresh == created && put.is_subset(&new.cids), case);

    let proof: HashMap<Cid, Bytes> = edited.proof.into_iter().collect();
    let inductive = cids(&results["inductive_proof_nodes"]);
    let has = |wanted: &BTreeSet<Cid>| wanted.iter().all(|cid| proof.contains_key(cid));
    tally.check("proof-nodes", has(&created) && has(&cids(&results["proof_nodes"])), case);
    tally.check("inductive-proof-nodes", has(&inductive), case);

    if ops.is_empty() {
        return;
    }
    let (old, new) = (old.tree.root_cid(), &new.tree);
    let ours = Tree::from_blocks(new.root_cid(), |cid| proof.get(cid).cloned()).unwrap();
    tally.check("inversion-reverse", invert(&ours, ops.iter().rev()) == old, case);
    tally.check("inversion-given", invert(&ours, &ops) == old, case);
    let (deletes, others): (Vec<_>, Vec<_>) = ops.iter().partition(|op| op.new.is_none());
    tally.check("inversion-relay", invert(&ours, deletes.into_iter().chain(others)) == old, case);
    let theirs = Tree::from_blocks(new.root_cid(), |cid| {
        inductive.contains(cid).then(|| proof.get(cid).cloned()).flatten()
    });
    tally.check("inversion-inductive", invert(&theirs.unwrap(), ops.iter().rev()) == old, case);
}

#[test]
fn every_case_of_the_suite() {
    let Some(archive) = fixtures::path("mst-test-suite.tar.xz") else { return };
    let suite = Suite::unpack(&archive);
    let files = |folder: &str| -> Vec<PathBuf> {
        std::fs::read_dir(suite.0.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let trees: HashMap<String, Whole> = files("cars/exhaustive")
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), load(&path)))
        .collect();
    let cases = files("tests/diff/exhaustive");
    assert_eq!((trees.len(), cases.len()), (128, CASES));

    let next = Arc::new(AtomicUsize::new(0));
    let workers = std::thread::available_parallelism().map_or(2, |count| count.get().min(8));
    let total = std::thread::scope(|scope| {
        let worker = || {
            let mut tally = Tally::default();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                check(case, &trees, &mut tally);
            }
            tally
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let mut total = Tally::default();
        for handle in handles {
            for (kind, count) in handle.join().unwrap().0 {
                *total.0.entry(kind).or_default() += count;
            }
        }
        total.0
    });
    for (kind, count) in &total {
        println!("vectors: mst-suite-{kind}: {count} assertions");
        let expected = if kind.starts_with("inversion") { CASES - trees.len() } else { CASES };
        assert_eq!(*count, expected, "{kind}");
    }
    assert_eq!(total.len(), 11);
}
