//! The file: what survives, what is refused, what is cleared.

use std::path::Path;

use arroba_core::{mst::Loader, repo::Write};
use arroba_store::{
    BlobIndex, BlockQuery, ChangeKind, RecordQuery, RepoStore, Retention, Sqlite, SqliteOptions,
    StagedRecord, StoreError, conformance::Author,
};
use bytes::Bytes;
use futures::TryStreamExt;

pub(crate) fn write(number: u32) -> Write {
    let value = [&[0xa1, 0x61, b'n', 0x1a][..], &number.to_be_bytes().map(|byte| byte | 1)].concat();
    Write::put(format!("a.b.c/{number}").parse().unwrap(), Bytes::from(value))
}

pub(crate) async fn blocks(store: &Sqlite, author: &Author) -> Result<usize, StoreError> {
    let stream = store.blocks(&author.did, BlockQuery::All).await?.unwrap();
    let blocks: Vec<_> = stream.try_collect().await?;
    Ok(blocks.len())
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let author = Author::new(1);
    let store = Sqlite::open(&path).await.unwrap();
    author.create(&store, vec![write(1)]).await;
    for number in 2..40 {
        author.commit(&store, vec![write(number)]).await;
    }
    let before = (blocks(&store, &author).await.unwrap(), store.events(0, 1000).await.unwrap());
    let loaded = store.load(&author.did, Loader::for_all()).await.unwrap().unwrap();
    store.close().await.unwrap();
    let refused = store.apply(vec![author.change(ChangeKind::Announce, Vec::new())]).await.remove(0);
    assert!(refused.is_err(), "a closed store takes nothing");

    let store = Sqlite::open(&path).await.unwrap();
    assert_eq!((blocks(&store, &author).await.unwrap(), store.events(0, 1000).await.unwrap()), before);
    let again = store.load(&author.did, Loader::for_all()).await.unwrap().unwrap();
    assert_eq!((again.repo, again.head), (loaded.repo, loaded.head));
    assert_eq!(*store.tail().borrow(), before.1.newest);
    while store.sweep(Retention::default().events_before(u64::MAX >> 1)).await.unwrap().more {}
    store.close().await.unwrap();

    let store = Sqlite::open_with(&path, SqliteOptions::default()).await.unwrap();
    let page = store.events(0, 10).await.unwrap();
    assert!(page.events.is_empty() && page.lost_after(0));
    assert_eq!((page.newest, page.start), (before.1.newest, before.1.start));
    let next = author.commit(&store, vec![write(99)]).await;
    assert_eq!(
        next.seqs.start,
        before.1.newest + 1,
        "an emptied log does not start again, also after reopening"
    );
}

#[tokio::test]
async fn a_new_file_starts_late_or_where_it_is_told() {
    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let start = store.events(0, 1).await.unwrap().start;
    assert!(start > 1 << 32 && start < 1 << 53);
    let mut options = SqliteOptions::default();
    options.start_seq = Some(5);
    let store = Sqlite::in_memory(options).await.unwrap();
    let author = Author::new(1);
    assert_eq!(author.create(&store, Vec::new()).await.seqs, 5..9);
}

#[tokio::test]
async fn numbers_can_be_left_out_after_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let author = Author::new(1);
    let store = Sqlite::open(&path).await.unwrap();
    let first = author.create(&store, Vec::new()).await;
    let jump = first.seqs.end + 1_000_000;
    assert_eq!(store.advance_seq(jump).await.unwrap(), jump);
    assert_eq!(store.advance_seq(5).await.unwrap(), jump, "it never goes back");
    assert!(store.advance_seq(1 << 53).await.is_err());
    let page = store.events(first.seqs.end - 1, 10).await.unwrap();
    assert!(page.events.is_empty() && page.next == jump - 1 && page.newest == jump - 1, "{page:?}");
    store.close().await.unwrap();
    let store = Sqlite::open(&path).await.unwrap();
    assert_eq!(author.commit(&store, vec![write(1)]).await.seqs, jump..jump + 1);
    for limit in [1, 100] {
        let mut cursor = 0;
        let mut seen = Vec::new();
        while cursor < jump {
            let page = store.events(cursor, limit).await.unwrap();
            cursor = page.next;
            seen.extend(page.events.iter().map(|event| event.seq));
        }
        assert_eq!(seen, first.seqs.clone().chain([jump]).collect::<Vec<_>>());
    }
    #[cfg(unix)]
    for name in ["pds.sqlite", "pds.sqlite-wal"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} is private");
    }
}

#[tokio::test]
async fn what_a_crash_left_on_its_way_is_cleared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let author = Author::new(1);
    let store = Sqlite::open(&path).await.unwrap();
    author.create(&store, vec![write(1)]).await;
    store.begin_upload("object/lost", 1).await.unwrap();
    let mut stage = store.stage(&author.did).await.unwrap();
    let value = Bytes::from_static(&[0xa0]);
    let record = StagedRecord {
        path: "x.y.z/1".parse().unwrap(),
        cid: arroba_core::data::Cid::for_cbor(&value),
        value,
        blobs: Vec::new(),
        backlinks: Vec::new(),
    };
    stage.put_records(vec![record]).await.unwrap();
    // As after a crash: nobody gives the stage up.
    store.close().await.unwrap();
    drop(stage);
    let store = Sqlite::open(&path).await.unwrap();
    assert_eq!(store.garbage(10).await.unwrap(), ["object/lost"]);
    let mut rows = 0;
    loop {
        let swept = store.sweep(Retention::default()).await.unwrap();
        rows += swept.rows;
        if !swept.more {
            break;
        }
    }
    assert_eq!(rows, 1);
    assert_eq!(blocks(&store, &author).await.unwrap(), 3);
}

#[tokio::test]
async fn what_was_replaced_or_deleted_leaves_the_file() {
    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let (kept, gone) = (Author::new(1), Author::new(2));
    for author in [&kept, &gone] {
        author.create(&store, (0..50).map(write).collect()).await;
    }
    let count = |table: &'static str| {
        store.read(move |connection| {
            let query = format!("SELECT count(*) FROM {table}");
            Ok::<u64, StoreError>(connection.query_row(&query, [], |row| row.get(0))?)
        })
    };
    // An import of nothing takes the place of all records.
    let mut stage = store.stage(&kept.did).await.unwrap();
    let root = arroba_core::mst::Builder::new().finish();
    stage.put_nodes(root).await.unwrap();
    let loaded = store.load(&kept.did, Loader::for_read([])).await.unwrap().unwrap();
    let staged = arroba_core::repo::resign(&arroba_core::mst::Tree::empty()).unwrap();
    let signed = kept.sign(&store, staged, Some(&loaded), (0, 1)).await;
    let change = kept.commit_of(signed, &loaded, Vec::new());
    stage.finish(change).await.unwrap();
    store.apply(vec![gone.change(ChangeKind::Delete, Vec::new())]).await.remove(0).unwrap();
    assert_eq!(count("record").await.unwrap(), 100, "clearing is left to the sweep");
    while store.sweep(Retention::default()).await.unwrap().more {}
    assert_eq!(count("record").await.unwrap(), 0);
    assert_eq!(count("node").await.unwrap(), 1);
    assert_eq!(count("tree").await.unwrap(), 1);
    assert_eq!(blocks(&store, &kept).await.unwrap(), 2);
}

#[tokio::test]
async fn one_process_has_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let store = Sqlite::open(&path).await.unwrap();
    let refused = Sqlite::open(&path).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { path: locked } if *locked == path));
    assert!(refused.to_string().contains("pds.sqlite is in use"));
    store.close().await.unwrap();
    Sqlite::open(&path).await.unwrap();
}

fn raw(path: &Path, batch: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(batch).unwrap();
}

#[tokio::test]
async fn files_of_others_and_of_the_future_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(
        path("text"),
        "this is no database, but it is long enough to be read as a header of one ".repeat(9),
    )
    .unwrap();
    raw(&path("other"), "CREATE TABLE mine (id INTEGER PRIMARY KEY)");
    for name in ["text", "other"] {
        let before = std::fs::read(path(name)).unwrap();
        let refused = Sqlite::open(path(name)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Foreign { .. }), "{name}: {refused:?}");
        assert_eq!(std::fs::read(path(name)).unwrap(), before, "{name} is untouched");
    }
    Sqlite::open(path("new")).await.unwrap().close().await.unwrap();
    raw(&path("new"), "PRAGMA user_version = 4000");
    let refused = Sqlite::open(path("new")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 4000, .. }), "{refused:?}");
}

#[tokio::test]
async fn damage_is_told_and_not_served() {
    let author = Author::new(1);
    let damages = [
        "UPDATE node SET bytes = x'00' WHERE after = x''",
        "DELETE FROM node WHERE after <> x'' AND depth = (SELECT max(depth) FROM node WHERE after <> x'')",
        "UPDATE record SET value = x'a0' WHERE path = CAST('a.b.c/7' AS BLOB)",
        "DELETE FROM record WHERE path = CAST('a.b.c/7' AS BLOB)",
        "INSERT INTO record SELECT tree, CAST('a.b.c/x' AS BLOB), rev, cid, value FROM record LIMIT 1",
        "INSERT INTO node SELECT tree, CAST('zzz' AS BLOB), depth, rev, cid, bytes FROM node LIMIT 1",
        "UPDATE head SET block = x'a0'",
        "UPDATE head SET cid = x'00'",
    ];
    for damage in damages {
        let mut options = SqliteOptions::default();
        options.node_cache = 0;
        let store = Sqlite::in_memory(options).await.unwrap();
        author.create(&store, (0..60).map(write).collect()).await;
        let changed = store
            .write(move |connection| Ok::<_, StoreError>(connection.execute(damage, [])?))
            .await
            .unwrap();
        assert!(changed > 0, "{damage}");
        let told = blocks(&store, &author).await;
        assert!(matches!(told, Err(StoreError::Corrupt { .. })), "{damage}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_stays_bounded_under_load_and_slow_readers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pds.sqlite");
    let store = Sqlite::open(&path).await.unwrap();
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let payload = vec![7_u8; 32 << 10];
    let record = move |number: u32| {
        let mut value = vec![0xa1, 0x61, b'b', 0x59, 0x80, 0x00];
        value.extend_from_slice(&payload);
        Write::put(format!("a.b.c/{}", number % 40).parse().unwrap(), Bytes::from(value))
    };
    author.commit(&store, (0..40).map(&record).collect()).await;
    // Readers that never read hold nothing.
    let mut held = Vec::new();
    let wal = path.with_extension("sqlite-wal");
    let mut largest = 0;
    for number in 0..2_500_u32 {
        author.commit(&store, vec![write(number % 50 + 100)]).await;
        if number % 20 == 0 {
            let swap = if number % 40 == 0 { Write::delete("a.b.c/1".parse().unwrap()) } else { record(1) };
            author.commit(&store, vec![swap]).await;
        }
        if number % 500 == 0 {
            held.push(store.blocks(&author.did, BlockQuery::All).await.unwrap().unwrap());
        }
        largest = largest.max(std::fs::metadata(&wal).unwrap().len());
    }
    assert!(largest < 50 << 20, "the log grew to {largest} bytes");
    for stream in held {
        let blocks: Vec<_> = stream.try_collect().await.unwrap();
        assert!(blocks.len() > 40);
    }
    let page = store.records(&author.did, RecordQuery::all(None, 1000)).await.unwrap().unwrap();
    assert_eq!(page.records.len() as u64, store.counts(&author.did).await.unwrap().unwrap().records);
}
