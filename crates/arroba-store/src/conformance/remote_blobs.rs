//! Blobs that live elsewhere.

use std::{collections::BTreeSet, sync::Arc};

use arroba_core::{
    data::{BlobRef, Cid},
    mst::Loader,
    repo::Write,
    syntax::Did,
};

use super::{
    author::{Author, apply, create, now, path, record},
    blobs::{blob, upload},
};
use crate::{
    ApplyError, BlobIndex, ChangeKind, RemoteAttempt, RemoteBlob, RemoteBlobIndex, RemoteContent, RepoStore,
    Retention, conformance::Traits,
};

const URL: &str = "https://media.test/one.png";

fn content(blob: &BlobRef) -> RemoteAttempt {
    RemoteAttempt::Fetched(RemoteContent {
        cid: blob.cid,
        size: blob.size,
        mime_type: blob.mime_type.clone(),
        width: Some(3),
        height: None,
        duration_ms: Some(1 << 40),
    })
}

async fn fetched<S: RemoteBlobIndex>(store: &S, url: &str, user: &Author, blob: &BlobRef) -> RemoteBlob {
    store.use_remote_blob(url, Some(&user.did), now()).await.unwrap();
    store.record_attempt(url, now(), content(blob)).await.unwrap()
}

async fn users<S: RemoteBlobIndex>(store: &S, url: &str) -> BTreeSet<Did> {
    let mut users = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.remote_blob_users(url, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { return users };
        after = Some(last.clone());
        for user in page {
            assert!(users.insert(user), "each user once");
        }
    }
}

/// The URLs of an account, read in pages.
async fn listed<S: RemoteBlobIndex>(store: &S, user: &Author, limit: usize) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    loop {
        let after = urls.last().map(|url| RemoteBlob::key_of(url).to_owned());
        let page = store.remote_blobs_of(&user.did, after.as_deref(), limit).await.unwrap();
        if page.is_empty() {
            return urls;
        }
        urls.extend(page.into_iter().map(|blob| blob.url));
    }
}

pub(super) async fn one_blob_for_a_url<S: RepoStore + RemoteBlobIndex>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    assert_eq!(store.remote_blob(URL).await.unwrap(), None);
    let time = now();
    let new = store.use_remote_blob(URL, None, time).await.unwrap();
    assert_eq!(new, RemoteBlob::new(URL, time));
    assert_eq!(store.use_remote_blob(URL, None, now()).await.unwrap(), new, "remote rule 3: no change");
    let time = now();
    let used = store.use_remote_blob(URL, Some(&author.did), time).await.unwrap();
    assert_eq!(used, RemoteBlob { updated: time, ..new.clone() });
    assert_eq!(store.use_remote_blob(URL, Some(&author.did), now()).await.unwrap(), used, "remote rule 3");
    store.use_remote_blob(URL, Some(&other.did), now()).await.unwrap();
    assert_eq!(users(&*store, URL).await, [&author, &other].map(|author| author.did.clone()).into());
    let time = now();
    store.set_remote_id(URL, time, Some("media 7")).await.unwrap();
    store.set_remote_id(URL, now(), Some("media 7")).await.unwrap();
    let named = store.remote_blob(URL).await.unwrap().unwrap();
    assert_eq!((named.remote_id.as_deref(), named.updated), (Some("media 7"), time));

    let unknown = Author::new(3);
    let refused = store.use_remote_blob("https://media.test/2", Some(&unknown.did), now()).await;
    assert!(matches!(refused, Err(ApplyError::NotFound)), "{refused:?}");
    assert_eq!(store.remote_blob("https://media.test/2").await.unwrap(), None, "nothing is left of it");
    let refused = store.record_attempt("https://media.test/2", now(), RemoteAttempt::Gone).await;
    assert!(matches!(refused, Err(ApplyError::NotFound)));
}

pub(super) async fn urls_are_told_apart_by_their_keys<S: RepoStore + RemoteBlobIndex>(
    store: Arc<S>,
    traits: Traits,
) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let mut known = 0;
    for letter in ["x", "é"] {
        // Two that differ behind the key are one, and the URL is the one named last.
        let long = |end: &str| format!("https://media.test/{}{end}", letter.repeat(RemoteBlob::KEY_CHARS));
        let first = store.use_remote_blob(&long("1"), Some(&author.did), now()).await;
        if first.is_err() && !traits.long_keys && RemoteBlob::key_of(&long("")).len() > RemoteBlob::KEY_CHARS
        {
            assert!(matches!(first, Err(ApplyError::Store(_))), "{first:?}");
            assert_eq!(listed(&*store, &author, 1).await.len(), known, "nothing is left of it");
            continue;
        }
        first.unwrap();
        known += 1;
        let last = store.use_remote_blob(&long("2"), Some(&author.did), now()).await.unwrap();
        assert_eq!(last.url, long("2"));
        assert_eq!(store.remote_blob(&long("1")).await.unwrap(), Some(last), "remote rule 1");
        assert_eq!(listed(&*store, &author, 1).await.len(), known);
    }
    // Whoever reads may go on from anything.
    store.use_remote_blob(URL, Some(&author.did), now()).await.unwrap();
    for after in ["", "__x__", "_", "https", "zzz", &"é".repeat(2_000)] {
        let found = store.remote_blobs_of(&author.did, Some(after), 100).await.unwrap();
        assert!(found.len() <= known + 1, "{after}");
    }
}

pub(super) async fn callers_at_once_lose_no_user<S: RepoStore + RemoteBlobIndex>(store: Arc<S>) {
    let authors: Vec<_> = (1..9).map(Author::new).collect();
    for author in &authors {
        author.create(&*store, Vec::new()).await;
    }
    let calls = authors.iter().flat_map(|author| {
        [1, 2].map(|_| {
            let (store, did) = (Arc::clone(&store), author.did.clone());
            async move { store.use_remote_blob(URL, Some(&did), now()).await.unwrap() }
        })
    });
    let made = futures::future::join_all(calls).await;
    assert!(made.iter().all(|blob| blob.created == made[0].created), "remote rule 1: one of them made it");
    let expected = authors.into_iter().map(|author| author.did).collect();
    assert_eq!(users(&*store, URL).await, expected, "remote rule 1: no user is lost");
}

pub(super) async fn attempts_decide_what_is_active<S: RepoStore + RemoteBlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let (one, two) = (blob("one"), blob("two!"));
    store.use_remote_blob(URL, Some(&author.did), now()).await.unwrap();
    let attempt = async |attempt: RemoteAttempt| {
        let time = now();
        let blob = store.record_attempt(URL, time, attempt).await.unwrap();
        assert_eq!((blob.last_fetched, blob.updated), (Some(time), time));
        assert_eq!(store.remote_blob(URL).await.unwrap().as_ref(), Some(&blob));
        blob
    };
    let too_large = || RemoteAttempt::TooLarge { mime_type: "image/png".into(), size: 1 << 50 };
    let large = attempt(too_large()).await;
    assert_eq!((large.cid, large.size, large.mime_type.as_str()), (None, Some(1 << 50), "image/png"));
    assert!(!large.inactive && large.blob_ref().is_none(), "remote rule 2");
    assert!(attempt(RemoteAttempt::Failed).await.inactive, "remote rule 2: nothing was ever there");
    let first = attempt(content(&one)).await;
    assert_eq!(first.blob_ref(), Some(one.clone()));
    assert_eq!((first.width, first.height, first.duration_ms), (Some(3), None, Some(1 << 40)));
    assert!(!first.inactive, "remote rule 2: it is there again");
    let failed = attempt(RemoteAttempt::Failed).await;
    assert!(!failed.inactive && failed.blob_ref() == Some(one.clone()), "remote rule 2: it may come back");
    assert_eq!(attempt(too_large()).await.blob_ref(), Some(one.clone()), "remote rule 2: what was, stays");
    let gone = attempt(RemoteAttempt::Gone).await;
    assert!(gone.inactive && gone.blob_ref() == Some(one.clone()));
    let changed = attempt(content(&two)).await;
    assert!(!changed.inactive && changed.blob_ref() == Some(two.clone()));
    assert!(store.remote_blobs_with(&one.cid, 9).await.unwrap().is_empty(), "it has other bytes now");
    assert_eq!(store.remote_blobs_with(&two.cid, 9).await.unwrap(), [changed]);
}

pub(super) async fn found_by_cid_and_by_account<S: RepoStore + RemoteBlobIndex>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    let (one, two) = (blob("one"), blob("two"));
    let url = |number: u32| format!("https://media.test/{number}");
    for number in [3, 1, 4, 2, 0] {
        fetched(&*store, &url(number), &author, if number < 2 { &two } else { &one }).await;
    }
    store.use_remote_blob(&url(5), Some(&author.did), now()).await.unwrap();
    store.use_remote_blob(&url(3), Some(&other.did), now()).await.unwrap();
    store.record_attempt(&url(4), now(), RemoteAttempt::Gone).await.unwrap();
    let with = async |blob: &BlobRef, limit| {
        let found = store.remote_blobs_with(&blob.cid, limit).await.unwrap();
        found.into_iter().map(|blob| blob.url).collect::<Vec<_>>()
    };
    assert_eq!(with(&one, 9).await, [url(4), url(3), url(2)], "those that changed last come first");
    assert_eq!(with(&one, 2).await, [url(4), url(3)]);
    assert_eq!(with(&two, 9).await, [url(0), url(1)]);
    assert!(with(&blob("none"), 9).await.is_empty());

    let all = listed(&*store, &author, 100).await;
    assert_eq!(all.iter().cloned().collect::<BTreeSet<_>>(), (0..6).map(url).collect());
    for limit in 1..6 {
        assert_eq!(listed(&*store, &author, limit).await, all, "pages join without gap or double");
    }
    assert_eq!(listed(&*store, &other, 1).await, [url(3)]);
    apply(&*store, other.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert!(listed(&*store, &other, 1).await.is_empty(), "remote rule 4");
    assert_eq!(users(&*store, &url(3)).await, [author.did.clone()].into(), "remote rule 4");
    assert!(store.remote_blob(&url(3)).await.unwrap().is_some(), "remote rule 4: the blob stays");
    let refused = store.use_remote_blob(&url(3), Some(&other.did), now()).await;
    assert!(matches!(refused, Err(ApplyError::Inactive(_))), "{refused:?}");
}

pub(super) async fn uses_end_with_the_account<S: RepoStore + BlobIndex + RemoteBlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let one = blob("one");
    fetched(&*store, URL, &author, &one).await;
    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert!(users(&*store, URL).await.is_empty(), "remote rule 4");
    // Swept or not: an account that comes back has nothing of what it had.
    let loaded = store.load(&author.did, Loader::for_read([])).await.unwrap();
    let back = author.creation(&*store, Vec::new(), loaded.as_ref()).await;
    apply(&*store, back).await.unwrap();
    assert!(users(&*store, URL).await.is_empty(), "remote rule 4");
    assert!(listed(&*store, &author, 9).await.is_empty(), "remote rule 4");
    let write = async |key: &str| {
        let change = author.commit_change(&*store, vec![create(key)], vec![(path(key), one.clone())]).await;
        apply(&*store, change).await.map(|_| ())
    };
    assert!(matches!(write("a.b.c/1").await, Err(ApplyError::MissingBlob(_))), "remote rule 4");
    store.use_remote_blob(URL, Some(&author.did), now()).await.unwrap();
    while store.sweep(Retention::default()).await.unwrap().more {}
    assert_eq!(users(&*store, URL).await, [author.did.clone()].into(), "what the new one uses stays");
    write("a.b.c/1").await.unwrap();
}

pub(super) async fn records_may_refer_to_them<S: RepoStore + BlobIndex + RemoteBlobIndex>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    let (far, both) = (blob("far"), blob("both"));
    let write = async |author: &Author, write: Write, blobs: &[&BlobRef]| {
        let at = write.path().clone();
        let blobs = blobs.iter().map(|blob| (at.clone(), (*blob).clone())).collect();
        let change = author.commit_change(&*store, vec![write], blobs).await;
        apply(&*store, change).await.map(|_| ())
    };
    fetched(&*store, URL, &other, &far).await;
    let refused = write(&author, create("a.b.c/1"), &[&far]).await;
    assert!(
        matches!(refused, Err(ApplyError::MissingBlob(cid)) if cid == far.cid),
        "remote rule 5: another account's"
    );
    store.use_remote_blob(URL, Some(&author.did), now()).await.unwrap();
    let wrong = BlobRef { size: 9, ..far.clone() };
    assert!(matches!(write(&author, create("a.b.c/1"), &[&wrong]).await, Err(ApplyError::MissingBlob(_))));
    let retyped = BlobRef { mime_type: "image/webp".into(), ..far.clone() };
    write(&author, create("a.b.c/1"), &[&retyped]).await.unwrap();
    assert!(store.missing(&author.did, None, 9).await.unwrap().is_empty(), "remote rule 5");
    let counts = store.counts(&author.did).await.unwrap().unwrap();
    assert_eq!((counts.blobs_expected, counts.blobs_stored), (1, 1), "remote rule 5");
    assert_eq!(store.list(&author.did, None, None, 9).await.unwrap(), [far.cid]);
    assert_eq!(store.references(&author.did, &far.cid, 9).await.unwrap(), [path("a.b.c/1")]);
    assert_eq!(store.blob(&author.did, &far.cid).await.unwrap(), None, "it is nobody's upload");

    // Gone is not forgotten: the record may be written again.
    store.record_attempt(URL, now(), RemoteAttempt::Gone).await.unwrap();
    let again = Write::put(path("a.b.c/1"), record("again"));
    write(&author, again, &[&far]).await.unwrap();
    // One that is uploaded too lives and dies as an upload.
    fetched(&*store, "https://media.test/both", &author, &both).await;
    assert!(upload(&*store, &author, &both, "object/1").await.temporary);
    write(&author, create("a.b.c/2"), &[&both]).await.unwrap();
    assert!(!store.blob(&author.did, &both.cid).await.unwrap().unwrap().temporary);
    write(&author, Write::delete(path("a.b.c/2")), &[]).await.unwrap();
    assert_eq!(store.garbage(9).await.unwrap(), ["object/1"]);
    write(&author, create("a.b.c/3"), &[&both]).await.unwrap();
    // A takedown covers it wherever it lives.
    let subject = crate::Subject::Blob(far.cid);
    let hide = ChangeKind::Hide { subject, reference: Some("case".into()) };
    apply(&*store, author.change(hide, Vec::new())).await.unwrap();
    let refused = write(&author, create("a.b.c/4"), &[&far]).await;
    assert!(matches!(refused, Err(ApplyError::MissingBlob(_))), "rule 9");
    // Nobody uploaded it, so nothing of it becomes garbage.
    write(&author, Write::delete(path("a.b.c/1")), &[]).await.unwrap();
    assert_eq!(store.garbage(9).await.unwrap(), ["object/1"]);
    assert_eq!(store.remote_blobs_with(&Cid::for_raw(b"far"), 9).await.unwrap().len(), 1);
}
