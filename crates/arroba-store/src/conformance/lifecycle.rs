//! Accounts come, change and go.

use std::sync::Arc;

use arroba_core::{event::AccountStatus, mst::Loader, repo};

use super::author::{Author, Model, agrees, apply, create, path, record};
use crate::{
    ApplyError, BlobIndex, BlockQuery, Change, ChangeKind, CommitChange, RecordQuery, RepoStatus, RepoStore,
    Retention, seal::SealedKey,
};

fn reservation(author: &Author) -> Change {
    let kind = ChangeKind::Reserve { handle: Some(author.handle.clone()), keys: author.sealed_keys() };
    author.change(kind, Vec::new())
}

async fn status<S: RepoStore + ?Sized>(store: &S, author: &Author) -> Option<RepoStatus> {
    store.repo(&author.did).await.unwrap().map(|repo| repo.status)
}

pub(super) async fn reservations_hold_and_vanish<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    apply(&*store, reservation(&author)).await.unwrap();
    assert_eq!(status(&*store, &author).await, Some(RepoStatus::Creating));
    assert!(matches!(apply(&*store, reservation(&author)).await, Err(ApplyError::Exists)));
    let mut rival = Author::new(2);
    rival.handle = author.handle.clone();
    assert!(matches!(apply(&*store, reservation(&rival)).await, Err(ApplyError::HandleTaken)));
    assert!(store.load(&author.did, Loader::for_all()).await.unwrap().unwrap().head.is_none());
    let early = author.change(ChangeKind::Delete, vec![author.account(Some(AccountStatus::Deleted))]);
    assert!(matches!(apply(&*store, early).await, Err(ApplyError::Malformed(_))));
    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert_eq!(status(&*store, &author).await, None, "a reservation vanishes without a trace");
    apply(&*store, reservation(&rival)).await.unwrap();
    rival.create(&*store, vec![create("a.b.c/1")]).await;
    assert_eq!(status(&*store, &rival).await, Some(RepoStatus::Active));
    agrees(&*store, &rival.did, &[(path("a.b.c/1"), record("a.b.c/1"))].into()).await;
}

pub(super) async fn unfinished_creations_are_listed<S: RepoStore>(store: Arc<S>) {
    let authors: Vec<_> = (1..=7).map(Author::new).collect();
    let mut unfinished = Vec::new();
    for (index, author) in authors.iter().enumerate() {
        if index % 2 == 0 {
            apply(&*store, reservation(author)).await.unwrap();
            unfinished.push(author.did.clone());
        } else {
            author.create(&*store, Vec::new()).await;
        }
    }
    unfinished.sort();
    for limit in [1, 3, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.unfinished(after.as_ref(), limit).await.unwrap();
            assert!(page.repos.len() <= limit);
            seen.extend(page.repos.into_iter().map(|entry| entry.repo.did));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, unfinished, "in pages of {limit}");
    }
}

pub(super) async fn handles_are_unique<S: RepoStore>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    assert_eq!(store.by_handle(&author.handle).await.unwrap().unwrap().did, author.did);
    let rename = |handle: Option<&str>, key: Option<SealedKey>| {
        let handle = handle.map(|handle| handle.parse().unwrap());
        author.change(ChangeKind::Identity { handle, sealed_key: key }, vec![author.identity()])
    };
    let taken = apply(&*store, rename(Some(other.handle.as_str()), None)).await;
    assert!(matches!(taken, Err(ApplyError::HandleTaken)));
    apply(&*store, rename(Some(author.handle.as_str()), None)).await.unwrap();
    apply(&*store, rename(Some("new.test"), Some(SealedKey::from_bytes(*b"new")))).await.unwrap();
    assert!(store.by_handle(&author.handle).await.unwrap().is_none());
    let row = store.by_handle(&"new.test".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((&row.did, row.keys.signing.as_bytes()), (&author.did, &b"new"[..]));
    apply(&*store, rename(None, None)).await.unwrap();
    let row = store.repo(&author.did).await.unwrap().unwrap();
    assert_eq!(
        (row.handle, row.keys.signing.as_bytes()),
        (None, &b"new"[..]),
        "no new key leaves the old one"
    );
}

pub(super) async fn status_and_takedown_are_apart<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let set = |status| author.change(ChangeKind::Status { status }, Vec::new());
    let take = |reference: Option<&str>| {
        author.change(ChangeKind::Takedown { reference: reference.map(str::to_owned) }, Vec::new())
    };
    let pending = author.commit_change(&*store, vec![create("a.b.c/1")], Vec::new()).await;
    for (change, expected) in [
        (set(RepoStatus::Deactivated), RepoStatus::Deactivated),
        (take(Some("case")), RepoStatus::Takendown),
        (set(RepoStatus::Suspended), RepoStatus::Takendown),
        (take(None), RepoStatus::Suspended),
    ] {
        apply(&*store, change).await.unwrap();
        assert_eq!(status(&*store, &author).await, Some(expected));
        match apply(&*store, pending.clone()).await {
            Err(ApplyError::Inactive(status)) => assert_eq!(status, expected),
            other => panic!("only an active repository takes commits: {other:?}"),
        }
    }
    apply(&*store, set(RepoStatus::Active)).await.unwrap();
    apply(&*store, pending).await.unwrap();
    for status in [RepoStatus::Creating, RepoStatus::Deleted, RepoStatus::Takendown] {
        assert!(matches!(apply(&*store, set(status)).await, Err(ApplyError::Malformed(_))));
    }
    let row = store.repo(&author.did).await.unwrap().unwrap();
    assert_eq!((row.status, row.underlying, row.takedown), (RepoStatus::Active, RepoStatus::Active, None));
}

pub(super) async fn deletion_leaves_only_the_row<S: RepoStore + BlobIndex>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, vec![create("a.b.c/1")]).await;
    let rev = store.repo(&author.did).await.unwrap().unwrap().rev;
    let late = author.commit_change(&*store, vec![create("a.b.c/2")], Vec::new()).await;
    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    for swept in [false, true] {
        if swept {
            while store.sweep(Retention::default()).await.unwrap().more {}
        }
        let row = store.repo(&author.did).await.unwrap().expect("rule 8: the row stays");
        assert_eq!((row.status, row.handle, row.rev), (RepoStatus::Deleted, None, rev), "rule 8");
        assert!(row.keys.signing.as_bytes().is_empty(), "the key of a deleted account is gone");
        assert!(store.by_handle(&author.handle).await.unwrap().is_none(), "rule 8: the handle is free");
        assert!(store.load(&author.did, Loader::for_all()).await.unwrap().unwrap().head.is_none());
        assert!(store.records(&author.did, RecordQuery::all(None, 10)).await.unwrap().is_none());
        assert!(store.blocks(&author.did, BlockQuery::All).await.unwrap().is_none());
        assert!(store.collections(&author.did).await.unwrap().is_none());
        assert!(store.counts(&author.did).await.unwrap().is_none());
        assert!(store.list(&author.did, None, None, 10).await.unwrap().is_empty());
    }
    assert!(matches!(apply(&*store, late).await, Err(ApplyError::Inactive(RepoStatus::Deleted))));
    for kind in [
        ChangeKind::Delete,
        ChangeKind::Announce,
        ChangeKind::Status { status: RepoStatus::Active },
        ChangeKind::Takedown { reference: Some("late".into()) },
        ChangeKind::Identity { handle: None, sealed_key: None },
    ] {
        let answer = apply(&*store, author.change(kind, Vec::new())).await;
        assert!(matches!(answer, Err(ApplyError::Inactive(RepoStatus::Deleted))));
    }
    assert!(store.stage(&author.did).await.is_err());
    let mut heir = Author::new(2);
    heir.handle = author.handle.clone();
    heir.create(&*store, Vec::new()).await;
}

pub(super) async fn a_deleted_repository_can_come_back<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, vec![create("a.b.c/1"), create("a.b.c/2")]).await;
    let stale = author.creation(&*store, Vec::new(), None).await;
    author.commit(&*store, vec![create("a.b.c/3")]).await;
    apply(&*store, author.change(ChangeKind::Delete, Vec::new())).await.unwrap();
    assert!(
        matches!(apply(&*store, stale).await, Err(ApplyError::Conflict { head: None })),
        "rule 3: revs grow"
    );
    let loaded = store.load(&author.did, Loader::for_read([])).await.unwrap();
    let mut same = author.creation(&*store, Vec::new(), loaded.as_ref()).await;
    if let ChangeKind::Create { commit, .. } = &mut same.kind {
        commit.signed.rev = loaded.as_ref().unwrap().repo.rev.unwrap();
    }
    assert!(
        matches!(apply(&*store, same).await, Err(ApplyError::Conflict { head: None })),
        "rule 3: revs grow"
    );
    let back = author.creation(&*store, vec![create("x.y.z/1")], loaded.as_ref()).await;
    apply(&*store, back).await.unwrap();
    let model: Model = [(path("x.y.z/1"), record("x.y.z/1"))].into();
    agrees(&*store, &author.did, &model).await;
    while store.sweep(Retention::default()).await.unwrap().more {}
    agrees(&*store, &author.did, &model).await;
}

pub(super) async fn malformed_changes_change_nothing<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    for status in [RepoStatus::Creating, RepoStatus::Suspended, RepoStatus::Takendown, RepoStatus::Deleted] {
        let mut change = author.creation(&*store, Vec::new(), None).await;
        if let ChangeKind::Create { status: initial, .. } = &mut change.kind {
            *initial = status;
        }
        assert!(matches!(apply(&*store, change).await, Err(ApplyError::Malformed(_))));
        assert!(store.repo(&author.did).await.unwrap().is_none(), "rule 2: all or nothing");
    }
    let staged = repo::create(Vec::new()).unwrap();
    let (signed, reservation) = author.sign(&*store, staged, None, (0, 1)).await;
    let expect = Some(signed.commit_cid);
    let kind = ChangeKind::Create {
        handle: None,
        keys: author.sealed_keys(),
        status: RepoStatus::Deactivated,
        commit: Box::new(CommitChange { expect, signed, blobs: Vec::new(), backlinks: Vec::new() }),
    };
    let change = Change { reservation, ..author.change(kind, Vec::new()) };
    assert!(matches!(apply(&*store, change).await, Err(ApplyError::Conflict { .. })));
    assert!(store.repo(&author.did).await.unwrap().is_none(), "rule 2: all or nothing");
    assert!(store.events(0, 10).await.unwrap().events.is_empty());
}
