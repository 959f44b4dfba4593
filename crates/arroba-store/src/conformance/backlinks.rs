//! The index of backlinks (rule 13); a store without one has nothing to show.

use std::sync::Arc;

use arroba_core::{repo::Write, syntax::Nsid};

use super::{
    author::{Author, apply, create, path, record},
    imports::{closing, fill, staged},
};
use crate::{Backlinks, ChangeKind, RepoStore, Retention, StagedRecord};

const ALICE: &str = "did:web:alice.test";
const BOB: &str = "at://did:web:bob.test/a.b.c/1";

/// The keys of the records of `x.y.z` or another collection that link to the target; nothing without an index.
async fn find<S: RepoStore>(
    store: &S,
    author: &Author,
    collection: &str,
    target: &str,
) -> Option<Vec<String>> {
    let collection: Nsid = collection.parse().unwrap();
    match store.backlinks(&author.did, &collection, target, 100).await.unwrap() {
        Backlinks::NotIndexed => None,
        Backlinks::Found(paths) => Some(paths.iter().map(|path| path.rkey.to_string()).collect()),
        Backlinks::Incomplete { .. } => panic!("rule 13: a new repository is indexed from the start"),
    }
}

async fn commit<S: RepoStore>(store: &S, author: &Author, writes: Vec<Write>, links: &[(&str, &str)]) {
    let mut change = author.commit_change(store, writes, Vec::new()).await;
    let ChangeKind::Commit(commit) = &mut change.kind else { unreachable!("it is a commit") };
    commit.backlinks = links.iter().map(|(at, target)| (path(at), (*target).to_owned())).collect();
    apply(store, change).await.unwrap();
}

fn put(text: &str, version: u32) -> Write {
    Write::put(path(text), record(&format!("{text} {version}")))
}

pub(super) async fn they_live_with_their_records<S: RepoStore>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    if find(&*store, &author, "x.y.z", ALICE).await.is_none() {
        return;
    }
    for author in [&author, &other] {
        author.create(&*store, vec![create("x.y.z/0")]).await;
    }
    let writes = ["x.y.z/1", "x.y.z/2", "x.y.z/3", "x.y.zz/1"].map(create).into();
    let links = [("x.y.z/2", ALICE), ("x.y.z/1", ALICE), ("x.y.z/3", BOB), ("x.y.zz/1", ALICE)];
    commit(&*store, &author, writes, &links).await;
    let found = async |collection, target| find(&*store, &author, collection, target).await.unwrap();
    assert_eq!(found("x.y.z", ALICE).await, ["1", "2"], "rule 13: by collection and target, in order");
    assert_eq!(found("x.y.z", BOB).await, ["3"]);
    assert_eq!(found("x.y.zz", ALICE).await, ["1"]);
    assert!(found("x.y.zzz", ALICE).await.is_empty() && found("x.y.z", "did:web:alice.tes").await.is_empty());
    assert_eq!(find(&*store, &other, "x.y.z", ALICE).await.unwrap(), [""; 0], "each account has its own");
    let first = store.backlinks(&author.did, &"x.y.z".parse().unwrap(), ALICE, 1).await.unwrap();
    assert_eq!(first, Backlinks::Found(vec![path("x.y.z/1")]), "at most as many as asked for");

    // An update brings its own or none, a deletion ends them, a refused change does neither.
    commit(&*store, &author, vec![put("x.y.z/1", 2), put("x.y.z/2", 2)], &[("x.y.z/2", BOB)]).await;
    assert!(found("x.y.z", ALICE).await.is_empty());
    assert_eq!(found("x.y.z", BOB).await, ["2", "3"]);
    let stale = author.commit_change(&*store, vec![Write::delete(path("x.y.z/3"))], Vec::new()).await;
    commit(&*store, &author, vec![Write::delete(path("x.y.z/2"))], &[]).await;
    apply(&*store, stale).await.unwrap_err();
    assert_eq!(found("x.y.z", BOB).await, ["3"]);
    commit(&*store, &author, vec![create("x.y.z/2")], &[("x.y.z/2", BOB), ("x.y.z/2", ALICE)]).await;
    assert_eq!((found("x.y.z", ALICE).await, found("x.y.z", BOB).await.len()), (vec!["2".to_owned()], 2));

    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert!(found("x.y.z", BOB).await.is_empty(), "rule 13: deletion ends them at once");
    let loaded = store.load(&author.did, arroba_core::mst::Loader::for_all()).await.unwrap();
    let back = author.creation(&*store, vec![create("x.y.z/2")], loaded.as_ref()).await;
    apply(&*store, back).await.unwrap();
    assert!(found("x.y.z", BOB).await.is_empty(), "and they do not come back with the account");
    while store.sweep(Retention::default()).await.unwrap().more {}
    assert!(found("x.y.z", BOB).await.is_empty());
}

pub(super) async fn an_import_brings_its_own<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    if find(&*store, &author, "x.y.z", ALICE).await.is_none() {
        return;
    }
    author.create(&*store, Vec::new()).await;
    commit(&*store, &author, vec![create("x.y.z/old")], &[("x.y.z/old", ALICE)]).await;
    let with = |text: &str, target: &str| StagedRecord {
        backlinks: vec![target.to_owned()],
        ..staged(text, Vec::new())
    };
    let mut stage = store.stage(&author.did).await.unwrap();
    // The record that comes twice keeps the last.
    let records =
        vec![with("x.y.z/1", ALICE), with("x.y.z/2", BOB), with("x.y.z/3", ALICE), with("x.y.z/2", ALICE)];
    let nodes = fill(&mut *stage, records).await;
    let keys = async |target| find(&*store, &author, "x.y.z", target).await.unwrap();
    assert_eq!(keys(ALICE).await, ["old"], "rule 10: a stage is invisible");
    let (_, change) = closing(&*store, &author, nodes.last().unwrap()).await;
    stage.finish(change).await.unwrap();
    assert_eq!(keys(ALICE).await, ["1", "2", "3"], "rule 13: the import's, and no other");
    assert!(keys(BOB).await.is_empty());
    while store.sweep(Retention::default()).await.unwrap().more {}
    commit(&*store, &author, vec![Write::delete(path("x.y.z/2"))], &[]).await;
    assert_eq!(keys(ALICE).await, ["1", "3"]);
    let piece = crate::BacklinkPiece {
        after: None,
        links: vec![(path("x.y.z/3"), arroba_core::data::Cid::for_cbor(b""), BOB.to_owned())],
        up_to: None,
    };
    store.fill_backlinks(&author.did, piece).await.unwrap();
    assert!(keys(BOB).await.is_empty(), "rule 13: a complete index takes no piece");
}
