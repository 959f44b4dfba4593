//! Every released schema still opens.

use std::path::Path;

use arroba_core::{
    data::{BlobRef, Cid},
    mst::Loader,
    repo::Write,
    syntax::{Did, Nsid},
};
use arroba_store::{
    ApplyError, BacklinkPiece, Backlinks, BlobIndex, Change, ChangeKind, RecordQuery, RemoteAttempt,
    RemoteBlobIndex, RemoteContent, RepoRow, RepoStatus, RepoStore, Retention, Sqlite, StoreError,
    conformance::Author,
};
use bytes::Bytes;

use crate::files::{blocks, write};

async fn open(directory: &Path, name: &str) -> Sqlite {
    let path = directory.join("old.sqlite");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::copy(fixture, &path).unwrap();
    Sqlite::open(&path).await.unwrap()
}

#[tokio::test]
async fn version_2() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "v2.sqlite").await;
    let author = Author::new(1);
    let start = 1_u64 << 40;
    let page = store.events(0, 100).await.unwrap();
    assert_eq!((page.start, page.oldest), (start, start));
    // Creation and commit of the first, the takedown of the second, the deletion of the third: the rest is hidden.
    let seqs: Vec<u64> = page.events.iter().map(|event| event.seq - start).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 9, 14]);
    let records = store.records(&author.did, RecordQuery::all(None, 10)).await.unwrap().unwrap();
    let keys: Vec<&str> = records.records.iter().map(|record| record.path.rkey.as_str()).collect();
    assert_eq!(keys, ["1", "3", "4"]);
    let blob = store.blob(&author.did, &Cid::for_raw(b"blob")).await.unwrap().unwrap();
    assert_eq!((blob.object.as_str(), blob.temporary, blob.size), ("object/1", false, 4));
    blocks(&store, &author).await.unwrap();
    let taken = store.repo(&Author::new(2).did).await.unwrap().unwrap();
    assert_eq!((taken.status, taken.takedown.as_deref()), (RepoStatus::Takendown, Some("case")));
    let deleted = store.repo(&Author::new(3).did).await.unwrap().unwrap();
    assert_eq!((deleted.status, deleted.handle), (RepoStatus::Deleted, None));
    assert_eq!(author.commit(&store, vec![write(1)]).await.seqs.start, start + 15);
    let loaded = store.load(&author.did, Loader::for_all()).await.unwrap().unwrap();
    assert_eq!(loaded.tree.entries().count(), 3);
    blocks(&store, &author).await.unwrap();
}

const LIKE: &str = "app.bsky.feed.like";

/// Each of the old likes is of one of ten posts.
fn target(number: u32) -> String {
    format!("at://did:web:author9.test/app.bsky.feed.post/{}", number % 10)
}

async fn likes(store: &Sqlite, author: &Author, number: u32) -> Backlinks {
    let collection: Nsid = LIKE.parse().unwrap();
    store.backlinks(&author.did, &collection, &target(number), 100).await.unwrap()
}

fn found(keys: &[&str]) -> Backlinks {
    Backlinks::Found(keys.iter().map(|key| format!("{LIKE}/{key}").parse().unwrap()).collect())
}

/// What a host makes of a page of likes.
async fn piece(store: &Sqlite, author: &Author, limit: usize) -> BacklinkPiece {
    let Backlinks::Incomplete { after } = likes(store, author, 0).await else { panic!("it is complete") };
    let query = RecordQuery::collection(
        LIKE.parse().unwrap(),
        after.clone().map(|after| after.rkey),
        limit,
        arroba_store::Order::Ascending,
    );
    let page = store.records(&author.did, query).await.unwrap().unwrap();
    let links = page.records.iter().map(|record| {
        let number = record.path.rkey.as_str().parse().unwrap();
        (record.path.clone(), record.cid, target(number))
    });
    let links: Vec<_> = links.collect();
    let up_to = links.last().filter(|_| page.more).map(|(path, ..)| path.clone());
    BacklinkPiece { after, links, up_to }
}

fn with_link(mut change: Change, key: &str, number: u32) -> Change {
    let ChangeKind::Commit(commit) = &mut change.kind else { unreachable!("it is a commit") };
    commit.backlinks = vec![(format!("{LIKE}/{key}").parse().unwrap(), target(number))];
    change
}

#[tokio::test]
async fn backlinks_of_version_2_are_filled_piece_by_piece() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "v2-likes.sqlite").await;
    let author = Author::new(1);
    assert_eq!(likes(&store, &author, 3).await, Backlinks::Incomplete { after: None });
    let first = piece(&store, &author, 8).await;
    assert_eq!(first.up_to, Some(format!("{LIKE}/007").parse().unwrap()));
    store.fill_backlinks(&author.did, first.clone()).await.unwrap();
    assert_eq!(likes(&store, &author, 3).await, Backlinks::Incomplete { after: first.up_to.clone() });

    // While a piece is on its way: one of its records goes, one is replaced, one comes behind, one before the mark.
    let second = piece(&store, &author, 8).await;
    let path = |key: &str| format!("{LIKE}/{key}").parse().unwrap();
    let value = Bytes::from_static(&[0xa0]);
    let gone = vec![Write::delete(path("013")), Write::put(path("009"), value.clone())];
    author.commit(&store, gone).await;
    for key in ["0135", "0015"] {
        let change =
            author.commit_change(&store, vec![Write::create(path(key), value.clone())], Vec::new()).await;
        store.apply(vec![with_link(change, key, 3)]).await.remove(0).unwrap();
    }
    store.fill_backlinks(&author.did, second).await.unwrap();
    // One that comes late joins nothing.
    store.fill_backlinks(&author.did, first).await.unwrap();
    store.close().await.unwrap();
    let store = Sqlite::open(directory.path().join("old.sqlite")).await.unwrap();
    assert_eq!(likes(&store, &author, 3).await, Backlinks::Incomplete { after: Some(path("015")) });
    while let Backlinks::Incomplete { .. } = likes(&store, &author, 3).await {
        let next = piece(&store, &author, 8).await;
        store.fill_backlinks(&author.did, next).await.unwrap();
    }
    assert_eq!(likes(&store, &author, 3).await, found(&["0015", "003", "0135", "023"]));
    assert_eq!(likes(&store, &author, 9).await, found(&["019"]), "a record that was replaced has no link");
    assert_eq!(likes(&store, &author, 4).await, found(&["004", "014", "024"]));
    assert!(blocks(&store, &author).await.unwrap() > 30);
}

#[tokio::test]
async fn version_3_takes_remote_blobs() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "v3.sqlite").await;
    let (author, deleted) = (Author::new(1), Author::new(2));
    // Its index of backlinks is complete, and one of them is about the same post as another.
    let post = "at://did:web:author9.test/app.bsky.feed.post/1";
    let links = store.backlinks(&author.did, &LIKE.parse().unwrap(), post, 9).await;
    assert_eq!(links.unwrap(), found(&["001", "004"]));
    let blob = store.blob(&author.did, &Cid::for_raw(b"blob")).await.unwrap().unwrap();
    assert!(!blob.temporary);
    let (url, far) = ("https://media.test/a", Cid::for_raw(b"far"));
    store.use_remote_blob(url, Some(&author.did), 5).await.unwrap();
    let content = RemoteContent {
        cid: far,
        size: 3,
        mime_type: "image/png".into(),
        width: Some(1),
        height: Some(2),
        duration_ms: None,
    };
    store.record_attempt(url, 6, RemoteAttempt::Fetched(content)).await.unwrap();
    let refused = store.use_remote_blob(url, Some(&deleted.did), 7).await;
    assert!(matches!(refused, Err(ApplyError::Inactive(RepoStatus::Deleted))));
    let reference = BlobRef { cid: far, mime_type: "image/png".into(), size: 3 };
    let uses = vec![("a.b.c/2".parse().unwrap(), reference)];
    let change = author.commit_change(&store, vec![write(2)], uses).await;
    store.apply(vec![change]).await.remove(0).unwrap();
    store.close().await.unwrap();
    let store = Sqlite::open(directory.path().join("old.sqlite")).await.unwrap();
    let known = store.remote_blobs_with(&far, 9).await.unwrap();
    assert_eq!((known.len(), known[0].url.as_str(), known[0].updated), (1, url, 6));
    assert_eq!(store.references(&author.did, &far, 9).await.unwrap().len(), 1);

    // Deletion and a new account under the same DID: nothing of the old one comes back.
    store.apply(vec![author.change(ChangeKind::Delete, Vec::new())]).await.remove(0).unwrap();
    let loaded = store.load(&author.did, Loader::for_all()).await.unwrap();
    store.apply(vec![author.creation(&store, Vec::new(), loaded.as_ref()).await]).await.remove(0).unwrap();
    assert!(store.remote_blobs_of(&author.did, None, 9).await.unwrap().is_empty());
    while store.sweep(Retention::default()).await.unwrap().more {}
    let left = store.read(|connection| {
        let uses = connection.query_row("SELECT count(*) FROM remote_use", [], |row| row.get(0))?;
        Ok::<u64, StoreError>(uses)
    });
    assert_eq!(left.await.unwrap(), 0);
}

#[tokio::test]
async fn version_4_keeps_rotation_keys() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "v4.sqlite").await;
    let [author, mover, plain] = [1, 2, 3].map(Author::new);
    // Keys come back as they were sealed: an own rotation key, also of an account that is still being made, or none.
    let repo = |did: &Did| {
        let (store, did) = (store.clone(), did.clone());
        async move { store.repo(&did).await.unwrap().unwrap() }
    };
    assert_eq!(repo(&author.did).await.keys, author.sealed_keys());
    let coming = repo(&mover.did).await;
    assert_eq!((coming.status, &coming.keys), (RepoStatus::Creating, &mover.sealed_keys()));
    let without = repo(&plain.did).await.keys;
    assert_eq!((without.rotation, without.signing), (None, plain.sealed_keys().signing));
    let unfinished = store.unfinished(None, 9).await.unwrap();
    let unfinished: Vec<_> = unfinished.repos.iter().map(|entry| &entry.repo.did).collect();
    assert_eq!(unfinished, [&mover.did]);

    // What was there is there, and can be written on.
    assert_eq!(store.events(0, 100).await.unwrap().start, 1 << 40);
    let links = store.backlinks(&author.did, &LIKE.parse().unwrap(), &target(1), 9).await;
    assert_eq!(links.unwrap(), found(&["001", "003"]));
    assert!(!store.blob(&author.did, &Cid::for_raw(b"blob")).await.unwrap().unwrap().temporary);
    author.commit(&store, vec![write(9)]).await;
    store.apply(vec![mover.creation(&store, vec![write(1)], None).await]).await.remove(0).unwrap();
    for author in [&author, &mover, &plain] {
        blocks(&store, author).await.unwrap();
    }
    store.use_remote_blob("https://media.test/a", Some(&author.did), 5).await.unwrap();
    store.close().await.unwrap();
    let store = Sqlite::open(directory.path().join("old.sqlite")).await.unwrap();
    assert_eq!(store.remote_blobs_of(&author.did, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.repo(&mover.did).await.unwrap().unwrap().keys, mover.sealed_keys());
}

async fn unfinished(store: &Sqlite) -> Vec<RepoRow> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.unfinished(after.as_ref(), 1).await.unwrap();
        found.extend(page.repos.into_iter().map(|entry| entry.repo));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn version_5_knows_what_was_not_finished() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "v5.sqlite").await;
    let [second, third, fourth] = [2, 3, 4].map(Author::new);
    let dids = async || unfinished(&store).await.into_iter().map(|row| row.did).collect::<Vec<_>>();
    assert_eq!(dids().await, [second.did.clone(), fourth.did.clone()]);
    // One is finished, one given up, one begun, and one changes its status without having to do with it.
    let loaded = store.load(&second.did, Loader::for_all()).await.unwrap();
    store
        .apply(vec![second.creation(&store, vec![write(1)], loaded.as_ref()).await])
        .await
        .remove(0)
        .unwrap();
    store.apply(vec![fourth.change(ChangeKind::Delete, Vec::new())]).await.remove(0).unwrap();
    let sixth = Author::new(6);
    let kind = ChangeKind::Reserve { handle: None, keys: sixth.sealed_keys() };
    store.apply(vec![sixth.change(kind, Vec::new())]).await.remove(0).unwrap();
    let status = ChangeKind::Status { status: RepoStatus::Deactivated };
    store.apply(vec![third.change(status, Vec::new())]).await.remove(0).unwrap();
    assert!(dids().await == [sixth.did]);
    let author = Author::new(1);
    let records = store.records(&author.did, RecordQuery::all(None, 10)).await.unwrap().unwrap();
    assert_eq!(records.records.len(), 3);
    assert_eq!(store.remote_blobs_of(&author.did, None, 9).await.unwrap().len(), 1);
    author.commit(&store, vec![write(4)]).await;
    assert!(blocks(&store, &author).await.unwrap() > 5);
}
