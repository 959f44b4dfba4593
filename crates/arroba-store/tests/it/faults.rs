//! What happens when something fails.

use std::{sync::Arc, time::Duration};

use arroba_store::{ApplyError, ChangeKind, RepoStore, Sqlite, StoreError, conformance::Author};

use crate::files::{blocks, write};

async fn pragma(store: &Sqlite, pragma: &'static str) -> Result<(), StoreError> {
    store.write(move |connection| Ok(connection.query_row(pragma, [], |_| Ok(()))?)).await
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_serves_reads() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("pds.sqlite")).await.unwrap();
    let author = Author::new(1);
    author.create(&store, vec![write(1)]).await;
    pragma(&store, "PRAGMA max_page_count = 1").await.unwrap();
    let mut acknowledged = vec![1];
    let mut refused = 0;
    for number in 2..60 {
        let change = author.commit_change(&store, vec![write(number)], Vec::new()).await;
        match store.apply(vec![change]).await.remove(0) {
            Ok(_) => acknowledged.push(number),
            Err(ApplyError::Store(error)) => {
                assert!(error.retry_after().is_some(), "a full disk is a reason to come back: {error}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        let head = store.repo(&author.did).await.unwrap().unwrap();
        assert!(head.rev.is_some(), "reads go on");
    }
    assert!(refused > 0, "the file was to be full");
    pragma(&store, "PRAGMA max_page_count = 1000000").await.unwrap();
    author.commit(&store, vec![write(100)]).await;
    acknowledged.push(100);
    let page = store.events(0, 1000).await.unwrap();
    assert_eq!(
        page.events.len(),
        acknowledged.len() + 3,
        "one event for each acknowledged commit, none for others"
    );
    assert!(
        page.events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1),
        "no gap where changes were refused"
    );
    let records =
        store.records(&author.did, arroba_store::RecordQuery::all(None, 1000)).await.unwrap().unwrap();
    let mut found: Vec<u32> =
        records.records.iter().map(|record| record.path.rkey.as_str().parse().unwrap()).collect();
    found.sort();
    assert_eq!(found, acknowledged);
    assert!(blocks(&store, &author).await.is_ok());
}

#[tokio::test]
async fn a_full_queue_sends_callers_away() {
    let store = Sqlite::in_memory(Default::default()).await.unwrap();
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (started, start) = tokio::sync::oneshot::channel();
    let blocked = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write(move |_| {
                    started.send(()).map_err(|()| StoreError::unavailable("nobody waits"))?;
                    released.recv_timeout(Duration::from_secs(60)).map_err(StoreError::backend)
                })
                .await
        }
    });
    start.await.unwrap();
    let changes = (0..3000).map(|_| author.change(ChangeKind::Announce, vec![author.identity()])).collect();
    let answers = store.apply(changes);
    let (answers, ()) = tokio::join!(answers, async {
        release.send(()).unwrap();
    });
    blocked.await.unwrap().unwrap();
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(ApplyError::Store(error)) if error.retry_after().is_some()))
        .count();
    assert!(made >= 1000 && refused >= 1000 && made + refused == 3000, "{made} made, {refused} refused");
    let page = store.events(0, 5000).await.unwrap();
    assert_eq!(page.events.len(), made + 4, "what was refused left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_change_nothing_half() {
    let store = Sqlite::in_memory(Default::default()).await.unwrap();
    let author = Arc::new(Author::new(1));
    author.create(&store, Vec::new()).await;
    for number in 0..100 {
        let change = author.commit_change(&store, vec![write(number)], Vec::new()).await;
        let apply = tokio::spawn({
            let store = store.clone();
            async move { store.apply(vec![change]).await }
        });
        if number % 3 == 0 {
            tokio::task::yield_now().await;
        }
        apply.abort();
        let _ = apply.await;
    }
    // Everything queued before this is done when it answers.
    store.write(|_| Ok::<_, StoreError>(())).await.unwrap();
    let records = store.counts(&author.did).await.unwrap().unwrap().records;
    let page = store.events(0, 1000).await.unwrap();
    assert_eq!(page.events.len() as u64, records + 4, "each record came with its event");
    blocks(&store, &author).await.unwrap();
}

#[tokio::test]
async fn a_panic_undoes_one_change_only() {
    let store = Sqlite::in_memory(Default::default()).await.unwrap();
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let before = store.events(0, 10).await.unwrap();
    let panicked: Result<(), StoreError> = store
        .write(|connection| {
            connection.execute("DELETE FROM event", [])?;
            panic!("on purpose")
        })
        .await;
    assert!(panicked.is_err());
    let applied = author.commit(&store, vec![write(1)]).await;
    assert_eq!(applied.seqs.start, before.newest + 1);
    assert_eq!(
        store
            .read(|connection| {
                Ok::<u64, StoreError>(
                    connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?,
                )
            })
            .await
            .unwrap(),
        5
    );
}
