//! Blobs and the records that use them.

use std::sync::Arc;

use arroba_core::{
    data::{BlobRef, Cid},
    repo::Write,
    syntax::{RecordPath, Tid},
};

use super::author::{Author, apply, create, now, path, record};
use crate::{ApplyError, BlobIndex, ChangeKind, NewBlob, RepoStore, Retention, Subject};

pub(super) fn blob(text: &str) -> BlobRef {
    BlobRef { cid: Cid::for_raw(text.as_bytes()), mime_type: "text/plain".into(), size: text.len() as u64 }
}

pub(super) async fn upload<S: BlobIndex + ?Sized>(
    store: &S,
    author: &Author,
    blob: &BlobRef,
    object: &str,
) -> crate::BlobRow {
    store.begin_upload(object, now()).await.unwrap();
    assert!(
        !store.garbage(1000).await.unwrap().contains(&object.to_owned()),
        "blob rule 1: an upload is no garbage"
    );
    let new = NewBlob {
        cid: blob.cid,
        object: object.into(),
        mime_type: blob.mime_type.clone(),
        size: blob.size,
        uploaded: now(),
    };
    store.put_temporary(&author.did, new).await.unwrap()
}

async fn write<S: RepoStore + ?Sized>(
    store: &S,
    author: &Author,
    write: Write,
    blobs: &[&BlobRef],
) -> Result<(), ApplyError> {
    let path = write.path().clone();
    let blobs = blobs.iter().map(|blob| (path.clone(), (*blob).clone())).collect();
    let change = author.commit_change(store, vec![write], blobs).await;
    apply(store, change).await.map(|_| ())
}

fn put(text: &str, version: u32) -> Write {
    Write::put(path(text), record(&format!("{text} {version}")))
}

async fn garbage<S: BlobIndex + ?Sized>(store: &S) -> Vec<String> {
    store.garbage(1000).await.unwrap()
}

pub(super) async fn references_decide_what_lives<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let (one, two) = (blob("one"), blob("two"));
    assert!(upload(&*store, &author, &one, "object/1").await.temporary);
    upload(&*store, &author, &two, "object/2").await;
    assert_eq!(store.temporary_bytes(None).await.unwrap(), 6);
    assert!(
        store.list(&author.did, None, None, 10).await.unwrap().is_empty(),
        "temporary blobs are not listed"
    );
    write(&*store, &author, put("a.b.c/1", 1), &[&one, &two]).await.unwrap();
    write(&*store, &author, put("a.b.c/2", 1), &[&one]).await.unwrap();
    assert_eq!(store.temporary_bytes(Some(&author.did)).await.unwrap(), 0);
    assert!(!store.blob(&author.did, &one.cid).await.unwrap().unwrap().temporary, "blob rule 2");
    let users: Vec<RecordPath> = store.references(&author.did, &one.cid, 10).await.unwrap();
    assert_eq!(users, [path("a.b.c/1"), path("a.b.c/2")]);
    // An update that keeps a blob keeps it, one that drops it ends the reference.
    write(&*store, &author, put("a.b.c/1", 2), &[&one]).await.unwrap();
    assert!(
        store.blob(&author.did, &two.cid).await.unwrap().is_none(),
        "rule 9: the last reference takes the blob along"
    );
    assert_eq!(garbage(&*store).await, ["object/2"], "rule 9: the object is garbage");
    write(&*store, &author, Write::delete(path("a.b.c/1")), &[]).await.unwrap();
    assert!(store.blob(&author.did, &one.cid).await.unwrap().is_some(), "another record still uses it");
    write(&*store, &author, Write::delete(path("a.b.c/2")), &[]).await.unwrap();
    assert!(store.blob(&author.did, &one.cid).await.unwrap().is_none());
    assert_eq!(garbage(&*store).await, ["object/1", "object/2"]);
    store.collected(vec!["object/1".into(), "object/2".into()]).await.unwrap();
    assert!(garbage(&*store).await.is_empty());
    // A blob that moves from one record to another in one commit stays.
    upload(&*store, &author, &one, "object/3").await;
    write(&*store, &author, put("a.b.c/3", 1), &[&one]).await.unwrap();
    let moved = vec![Write::delete(path("a.b.c/3")), put("a.b.c/4", 1)];
    let change = author.commit_change(&*store, moved, vec![(path("a.b.c/4"), one.clone())]).await;
    apply(&*store, change).await.unwrap();
    assert!(store.blob(&author.did, &one.cid).await.unwrap().is_some());
    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert!(store.blob(&author.did, &one.cid).await.unwrap().is_none(), "deletion hides blobs at once");
    while store.sweep(Retention::default()).await.unwrap().more {}
    assert_eq!(garbage(&*store).await, ["object/3"], "and clears them in the end");
}

pub(super) async fn fresh_uploads_must_be_described_rightly<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    let real = blob("real");
    let refused = write(&*store, &author, create("a.b.c/1"), &[&real]).await;
    assert!(matches!(refused, Err(ApplyError::MissingBlob(cid)) if cid == real.cid), "rule 9");
    upload(&*store, &other, &real, "object/other").await;
    let refused = write(&*store, &author, create("a.b.c/1"), &[&real]).await;
    assert!(
        matches!(refused, Err(ApplyError::MissingBlob(_))),
        "blob rule 5: another account's upload does not count"
    );
    upload(&*store, &author, &real, "object/1").await;
    for wrong in
        [BlobRef { size: 9, ..real.clone() }, BlobRef { mime_type: "image/png".into(), ..real.clone() }]
    {
        match write(&*store, &author, create("a.b.c/1"), &[&wrong]).await {
            Err(ApplyError::BlobMismatch { cid, mime_type, size }) => {
                assert_eq!((cid, mime_type, size), (real.cid, real.mime_type.clone(), real.size));
            }
            other => panic!("rule 9: a wrong description is refused: {other:?}"),
        }
    }
    assert!(
        store.blob(&author.did, &real.cid).await.unwrap().unwrap().temporary,
        "rule 2: a refusal changes nothing"
    );
    assert!(
        store
            .records(&author.did, crate::RecordQuery::all(None, 9))
            .await
            .unwrap()
            .unwrap()
            .records
            .is_empty()
    );
    write(&*store, &author, create("a.b.c/1"), &[&real]).await.unwrap();
    assert!(store.blob(&other.did, &real.cid).await.unwrap().unwrap().temporary, "blob rule 5");
}

pub(super) async fn the_same_bytes_twice<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let one = blob("one");
    upload(&*store, &author, &one, "object/1").await;
    let retyped = BlobRef { mime_type: "text/html".into(), ..one.clone() };
    let row = upload(&*store, &author, &retyped, "object/2").await;
    assert_eq!(
        (row.object.as_str(), row.mime_type.as_str(), row.temporary),
        ("object/1", "text/html", true),
        "blob rule 3"
    );
    assert_eq!(garbage(&*store).await, ["object/2"]);
    write(&*store, &author, create("a.b.c/1"), &[&retyped]).await.unwrap();
    let row = upload(&*store, &author, &one, "object/3").await;
    assert_eq!(
        (row.object.as_str(), row.mime_type.as_str(), row.temporary),
        ("object/1", "text/html", false),
        "blob rule 3"
    );
    assert_eq!(garbage(&*store).await, ["object/2", "object/3"], "blob rule 4");
    store.begin_upload("object/4", now()).await.unwrap();
    store.abandon_upload("object/4").await.unwrap();
    assert_eq!(garbage(&*store).await.len(), 3);
    let two = blob("two");
    let late = |object: &str| NewBlob {
        cid: two.cid,
        object: object.into(),
        mime_type: "a/b".into(),
        size: 3,
        uploaded: now(),
    };
    for object in ["object/4", "object/never"] {
        let refused = store.put_temporary(&author.did, late(object)).await;
        assert!(
            matches!(refused, Err(ApplyError::Malformed(_))),
            "blob rule 4: a given-up upload is garbage"
        );
    }
    assert!(store.blob(&author.did, &two.cid).await.unwrap().is_none());
    let unknown = NewBlob {
        cid: one.cid,
        object: "object/5".into(),
        mime_type: "a/b".into(),
        size: 1,
        uploaded: now(),
    };
    let refused = store.put_temporary(&Author::new(2).did, unknown).await;
    assert!(matches!(refused, Err(ApplyError::NotFound)));
}

pub(super) async fn taken_down_blobs_cannot_be_used<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let bad = blob("bad");
    upload(&*store, &author, &bad, "object/1").await;
    let subject = Subject::Blob(bad.cid);
    let hide = |reference: Option<&str>| {
        let reference = reference.map(str::to_owned);
        author.change(ChangeKind::Hide { subject: subject.clone(), reference }, Vec::new())
    };
    apply(&*store, hide(Some("case"))).await.unwrap();
    assert_eq!(store.blob(&author.did, &bad.cid).await.unwrap().unwrap().takedown.as_deref(), Some("case"));
    assert_eq!(store.hidden(&author.did, &subject).await.unwrap().as_deref(), Some("case"));
    let refused = write(&*store, &author, create("a.b.c/1"), &[&bad]).await;
    assert!(matches!(refused, Err(ApplyError::MissingBlob(_))), "rule 9");
    // Uploading it again does not get around it.
    upload(&*store, &author, &bad, "object/2").await;
    assert!(matches!(
        write(&*store, &author, create("a.b.c/1"), &[&bad]).await,
        Err(ApplyError::MissingBlob(_))
    ));
    apply(&*store, hide(None)).await.unwrap();
    write(&*store, &author, create("a.b.c/1"), &[&bad]).await.unwrap();
}

pub(super) async fn lists_and_missing<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let mut blobs: Vec<BlobRef> = (0..5).map(|number| blob(&format!("blob {number}"))).collect();
    let mut revs: Vec<Tid> = Vec::new();
    for (number, blob) in blobs.iter().enumerate() {
        upload(&*store, &author, blob, &format!("object/{number}")).await;
        write(&*store, &author, create(&format!("a.b.c/{number}")), &[blob]).await.unwrap();
        revs.push(store.repo(&author.did).await.unwrap().unwrap().rev.unwrap());
    }
    let newer: Vec<Cid> = blobs[3..].iter().map(|blob| blob.cid).collect();
    let mut since = store.list(&author.did, Some(revs[2]), None, 10).await.unwrap();
    since.sort();
    assert_eq!(since, {
        let mut newer = newer;
        newer.sort();
        newer
    });
    blobs.sort_by_key(|blob| blob.cid);
    let cids: Vec<Cid> = blobs.iter().map(|blob| blob.cid).collect();
    assert_eq!(store.list(&author.did, None, None, 10).await.unwrap(), cids);
    assert_eq!(store.list(&author.did, None, Some(cids[1]), 2).await.unwrap(), cids[2..4]);
    assert!(store.missing(&author.did, None, 10).await.unwrap().is_empty());
    let counts = store.counts(&author.did).await.unwrap().unwrap();
    assert_eq!((counts.blobs_expected, counts.blobs_stored), (5, 5));
    assert!(store.list(&Author::new(2).did, None, None, 10).await.unwrap().is_empty());
}

pub(super) async fn old_uploads_are_swept<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let (kept, old, fresh) = (blob("kept"), blob("old"), blob("fresh"));
    upload(&*store, &author, &kept, "object/kept").await;
    write(&*store, &author, create("a.b.c/1"), &[&kept]).await.unwrap();
    upload(&*store, &author, &old, "object/old").await;
    store.begin_upload("object/lost", now()).await.unwrap();
    let cut = now();
    upload(&*store, &author, &fresh, "object/fresh").await;
    store.begin_upload("object/coming", now()).await.unwrap();
    let retention = Retention::default().temporary_blobs_before(cut).pending_uploads_before(cut);
    assert_eq!(store.sweep(retention).await.unwrap().blobs, 1);
    assert_eq!(garbage(&*store).await, ["object/lost", "object/old"]);
    assert!(store.blob(&author.did, &old.cid).await.unwrap().is_none());
    assert!(store.blob(&author.did, &kept.cid).await.unwrap().is_some());
    assert!(store.blob(&author.did, &fresh.cid).await.unwrap().is_some());
}
