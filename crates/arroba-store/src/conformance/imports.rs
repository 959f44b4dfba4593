//! Staged imports.

use std::sync::Arc;

use arroba_core::{
    data::Cid,
    mst::{Builder, Key, Loader, NodePut, Tree},
    repo::{self, SignedCommit, Write},
};

use super::{
    author::{Author, Model, agrees, apply, create, export, path, record},
    blobs::{blob, upload},
};
use crate::{
    ApplyError, BlobIndex, BlockQuery, Change, ChangeKind, RepoStatus, RepoStore, Retention, Stage,
    StagedRecord,
};

pub(super) fn staged(text: &str, blobs: Vec<Cid>) -> StagedRecord {
    let value = record(&format!("imported {text}"));
    StagedRecord { path: path(text), cid: Cid::for_cbor(&value), value, blobs, backlinks: Vec::new() }
}

/// Stages records and the tree of what the stage says it holds; gives the nodes.
pub(super) async fn fill(stage: &mut dyn Stage, records: Vec<StagedRecord>) -> Vec<NodePut> {
    for piece in records.chunks(16) {
        stage.put_records(piece.to_vec()).await.unwrap();
    }
    let mut builder = Builder::new();
    let mut nodes = Vec::new();
    let mut after = None;
    loop {
        let entries = stage.entries(after, 10).await.unwrap();
        let Some((last, _)) = entries.last() else { break };
        after = Some(last.clone());
        for (path, cid) in entries {
            builder.push(Key::new(&path.to_bytes()).unwrap(), cid.into()).unwrap();
        }
        nodes.extend(builder.drain());
    }
    nodes.extend(builder.finish());
    for piece in nodes.chunks(16) {
        stage.put_nodes(piece.to_vec()).await.unwrap();
    }
    nodes
}

/// A commit on the current head for the staged tree, with a `#sync`.
pub(super) async fn closing<S: RepoStore + ?Sized>(
    store: &S,
    author: &Author,
    root: &NodePut,
) -> (SignedCommit, Change) {
    let loaded = store.load(&author.did, Loader::for_read([])).await.unwrap().unwrap();
    let mut loader = Loader::for_read([]);
    loader.start(Some((root.cid, root.position.height)));
    let request = loader.wants()[0].clone();
    loader.supply(&request, root.bytes.clone()).unwrap();
    let tree: Tree = loader.finish().unwrap();
    let staged = repo::resign(&tree).unwrap();
    let (signed, reservation) = author.sign(store, staged, Some(&loaded), (0, 1)).await;
    let mut change = author.commit_of((signed.clone(), reservation), &loaded, Vec::new());
    change.events = vec![author.sync(&signed)];
    (signed, change)
}

fn model(records: &[StagedRecord]) -> Model {
    records.iter().map(|record| (record.path.clone(), record.value.clone())).collect()
}

pub(super) async fn an_import_replaces_everything_at_once<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, vec![create("a.b.c/1"), create("old.old.old/1")]).await;
    let before = Model::from(["a.b.c/1", "old.old.old/1"].map(|text| (path(text), record(text))));
    let old_rev = store.repo(&author.did).await.unwrap().unwrap().rev.unwrap();
    let records: Vec<_> =
        (0..100).rev().map(|number| staged(&format!("a.b.c/{number}"), Vec::new())).collect();
    for status in [RepoStatus::Active, RepoStatus::Deactivated] {
        apply(&*store, author.change(ChangeKind::Status { status }, Vec::new())).await.unwrap();
        let was = export(&*store, &author.did, BlockQuery::All).await;
        let mut stage = store.stage(&author.did).await.unwrap();
        let mut input = records.clone();
        input.push(staged("a.b.c/5", Vec::new()));
        let nodes = fill(&mut *stage, input).await;
        assert_eq!(export(&*store, &author.did, BlockQuery::All).await, was, "rule 10: a stage is invisible");
        let (signed, change) = closing(&*store, &author, nodes.last().unwrap()).await;
        let applied = stage.finish(change).await.unwrap();
        assert_eq!(applied.seqs.count(), 1);
        agrees(&*store, &author.did, &model(&records)).await;
        assert_ne!(before, model(&records));
        let row =
            store.records(&author.did, crate::RecordQuery::one(path("a.b.c/7"))).await.unwrap().unwrap();
        assert_eq!(row.records[0].rev, signed.rev, "an imported record has the rev of the import");
    }
    let all = export(&*store, &author.did, BlockQuery::All).await;
    assert_eq!(export(&*store, &author.did, BlockQuery::Since(old_rev)).await, all, "all of it is newer");
    let rev = store.repo(&author.did).await.unwrap().unwrap().rev.unwrap();
    assert_eq!(export(&*store, &author.did, BlockQuery::Since(rev)).await.len(), 1);
    while store.sweep(Retention::default()).await.unwrap().more {}
    agrees(&*store, &author.did, &model(&records)).await;
    // And it goes on from there.
    let status = RepoStatus::Active;
    apply(&*store, author.change(ChangeKind::Status { status }, Vec::new())).await.unwrap();
    author.commit(&*store, vec![create("x.y.z/1"), Write::delete(path("a.b.c/50"))]).await;
    let mut after = model(&records);
    after.insert(path("x.y.z/1"), record("x.y.z/1"));
    after.remove(&path("a.b.c/50"));
    agrees(&*store, &author.did, &after).await;
    let few = export(&*store, &author.did, BlockQuery::Since(rev)).await;
    assert!(few.len() > 2 && few.len() < 30, "{} blocks are newer than the import", few.len());
}

pub(super) async fn a_wrong_or_late_import_changes_nothing<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    assert!(matches!(store.stage(&author.did).await, Err(ApplyError::NotFound)));
    author.create(&*store, vec![create("a.b.c/1")]).await;
    let mut expected: Model = [(path("a.b.c/1"), record("a.b.c/1"))].into();
    let records: Vec<_> = (0..20).map(|number| staged(&format!("a.b.c/{number}"), Vec::new())).collect();

    // Given up.
    let mut stage = store.stage(&author.did).await.unwrap();
    fill(&mut *stage, records.clone()).await;
    drop(stage);
    // The head moves on meanwhile.
    let mut stage = store.stage(&author.did).await.unwrap();
    let nodes = fill(&mut *stage, records.clone()).await;
    let (_, change) = closing(&*store, &author, nodes.last().unwrap()).await;
    author.commit(&*store, vec![create("a.b.c/2")]).await;
    expected.insert(path("a.b.c/2"), record("a.b.c/2"));
    assert!(matches!(stage.finish(change).await, Err(ApplyError::Conflict { .. })));
    // Another root than was staged.
    let mut stage = store.stage(&author.did).await.unwrap();
    let nodes = fill(&mut *stage, records[1..].to_vec()).await;
    let mut other = Builder::new();
    other.push(Key::new(b"a.b.c/other").unwrap(), nodes[0].cid.into()).unwrap();
    let (_, change) = closing(&*store, &author, other.finish().last().unwrap()).await;
    assert!(matches!(stage.finish(change).await, Err(ApplyError::Malformed(_))));
    // A change that is no commit, and one of another account.
    let stage = store.stage(&author.did).await.unwrap();
    let announce = author.change(ChangeKind::Announce, Vec::new());
    assert!(matches!(stage.finish(announce).await, Err(ApplyError::Malformed(_))));
    let mut stage = store.stage(&author.did).await.unwrap();
    let nodes = fill(&mut *stage, records.clone()).await;
    let (_, mut change) = closing(&*store, &author, nodes.last().unwrap()).await;
    change.did = Author::new(2).did;
    assert!(matches!(stage.finish(change).await, Err(ApplyError::Malformed(_))));
    // Taken down meanwhile.
    let mut stage = store.stage(&author.did).await.unwrap();
    let nodes = fill(&mut *stage, records).await;
    let (_, change) = closing(&*store, &author, nodes.last().unwrap()).await;
    let reference = Some("case".to_owned());
    apply(&*store, author.change(ChangeKind::Takedown { reference }, Vec::new())).await.unwrap();
    assert!(matches!(stage.finish(change).await, Err(ApplyError::Inactive(RepoStatus::Takendown))));
    assert!(store.stage(&author.did).await.is_err());

    agrees(&*store, &author.did, &expected).await;
    while store.sweep(Retention::default()).await.unwrap().more {}
    agrees(&*store, &author.did, &expected).await;
}

pub(super) async fn blobs_follow_an_import<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let (lost, kept, later, never) = (blob("lost"), blob("kept"), blob("later"), blob("never"));
    for (blob, object) in [(&lost, "object/lost"), (&kept, "object/kept")] {
        upload(&*store, &author, blob, object).await;
    }
    let uses = vec![(path("a.b.c/1"), lost.clone())];
    let change = author.commit_change(&*store, vec![create("a.b.c/1")], uses).await;
    apply(&*store, change).await.unwrap();
    let mut stage = store.stage(&author.did).await.unwrap();
    let records =
        vec![staged("a.b.c/1", vec![kept.cid, later.cid]), staged("a.b.c/2", vec![never.cid, later.cid])];
    let nodes = fill(&mut *stage, records).await;
    let (_, change) = closing(&*store, &author, nodes.last().unwrap()).await;
    stage.finish(change).await.unwrap();
    assert!(!store.blob(&author.did, &kept.cid).await.unwrap().unwrap().temporary, "blob rule 2");
    assert!(store.blob(&author.did, &lost.cid).await.unwrap().is_none(), "rule 9");
    assert_eq!(store.garbage(10).await.unwrap(), ["object/lost"]);
    let missing = store.missing(&author.did, None, 10).await.unwrap();
    let mut cids: Vec<_> = missing.iter().map(|missing| missing.cid).collect();
    let mut expected = vec![later.cid, never.cid];
    expected.sort();
    assert_eq!(cids, expected);
    assert_eq!(missing.iter().find(|missing| missing.cid == later.cid).unwrap().path, path("a.b.c/1"));
    assert_eq!(store.missing(&author.did, Some(expected[0]), 10).await.unwrap().len(), 1);
    let counts = store.counts(&author.did).await.unwrap().unwrap();
    assert_eq!((counts.blobs_expected, counts.blobs_stored), (3, 1));
    let rev = store.repo(&author.did).await.unwrap().unwrap().rev;
    assert!(
        store.list(&author.did, rev, None, 10).await.unwrap().is_empty(),
        "nothing is newer than the import"
    );
    assert!(
        !upload(&*store, &author, &later, "object/later").await.temporary,
        "blob rule 2: it was waited for"
    );
    cids = store.missing(&author.did, None, 10).await.unwrap().iter().map(|missing| missing.cid).collect();
    assert_eq!(cids, [never.cid]);
    assert_eq!(
        store.list(&author.did, None, None, 10).await.unwrap().len(),
        3,
        "also what is missing is listed"
    );
}
