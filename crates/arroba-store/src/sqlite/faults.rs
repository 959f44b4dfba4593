//! Commits that fail. A commit hook makes COMMIT itself fail, as a failing sync does.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use arroba_core::repo::Write;
use bytes::Bytes;
use futures::future::join_all;

use super::{Sqlite, SqliteOptions};
use crate::{ApplyError, BlockQuery, ChangeKind, RepoStore, StoreError, conformance::Author};

fn write(number: u8) -> Write {
    let value = Bytes::copy_from_slice(&[0xa1, 0x61, b'n', 0x18, number | 0x80]);
    Write::create(format!("a.b.c/{number}").parse().unwrap(), value)
}

/// What the hook counts, and whether it refuses.
#[derive(Default)]
struct Hook {
    commits: AtomicU32,
    fail: AtomicBool,
}

fn open(path: &Path) -> (Sqlite, Arc<Hook>) {
    let hook = Arc::new(Hook::default());
    let installed = Arc::clone(&hook);
    let store = Sqlite::open_file(path.to_owned(), &SqliteOptions::default(), move |connection| {
        let refuse = move || {
            installed.commits.fetch_add(1, Ordering::Relaxed);
            installed.fail.load(Ordering::Relaxed)
        };
        connection.commit_hook(Some(refuse)).map_err(StoreError::from)
    });
    (store.unwrap(), hook)
}

#[tokio::test]
async fn a_failed_commit_acknowledges_nothing_and_stops_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let (store, hook) = open(&path);
    let authors: Vec<_> = (0..5).map(Author::new).collect();
    for author in &authors {
        author.create(&store, vec![write(1)]).await;
    }
    let newest = store.events(0, 0).await.unwrap().newest;
    let changes = authors.iter().map(|author| author.commit_change(&store, vec![write(2)], Vec::new()));
    let changes = join_all(changes).await;
    let late = authors[0].change(ChangeKind::Announce, vec![authors[0].identity()]);
    hook.fail.store(true, Ordering::Relaxed);
    // All of the group fail, and whoever comes later.
    for answer in store.apply(changes).await {
        assert!(matches!(answer, Err(ApplyError::Store(StoreError::Stopped { .. }))), "{answer:?}");
    }
    hook.fail.store(false, Ordering::Relaxed);
    let answer = store.apply(vec![late]).await.remove(0);
    assert!(matches!(answer, Err(ApplyError::Store(StoreError::Stopped { .. }))), "{answer:?}");
    // Reading goes on, and shows nothing of it.
    let page = store.events(0, 1000).await.unwrap();
    assert_eq!((page.newest, *store.tail().borrow(), page.events.len()), (newest, newest, 20));
    for author in &authors {
        assert_eq!(store.counts(&author.did).await.unwrap().unwrap().records, 1);
    }
    store.close().await.unwrap();
    let (store, _) = open(&path);
    assert_eq!(store.events(0, 1000).await.unwrap().newest, newest);
    let applied = authors[0].commit(&store, vec![write(3)]).await;
    assert_eq!(applied.seqs.start, newest + 1);
    let mut stream = store.blocks(&authors[0].did, BlockQuery::All).await.unwrap().unwrap();
    assert!(stream.next_batch().await.unwrap().is_ok());
}

#[tokio::test]
async fn waiting_changes_share_one_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (store, hook) = open(&directory.path().join("pds.sqlite"));
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let before = hook.commits.load(Ordering::Relaxed);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let blocker =
        store.write(move |_| released.recv_timeout(Duration::from_secs(30)).map_err(StoreError::backend));
    let changes = (0..200).map(|_| author.change(ChangeKind::Announce, vec![author.identity()])).collect();
    let work = async { tokio::join!(blocker, store.apply(changes)) };
    let ((blocker, answers), ()) = tokio::join!(work, async { release.send(()).unwrap() });
    blocker.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let used = hook.commits.load(Ordering::Relaxed) - before;
    assert!(used <= 2, "{used} commits for 201 changes");
}
