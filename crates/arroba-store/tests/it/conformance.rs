//! Every backend passes the public suite.

use arroba_store::{Memory, Sqlite, SqliteOptions, conformance};

fn traits() -> conformance::Traits {
    conformance::Traits::default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_file() {
    let directory = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    let checks = conformance::repo_store(|| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("{number}.sqlite"));
        async move { Sqlite::open(path).await.unwrap() }
    })
    .await;
    let remote = conformance::remote_blobs(traits(), || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(format!("{number}.sqlite"));
        async move { Sqlite::open(path).await.unwrap() }
    })
    .await;
    println!("vectors: store conformance (sqlite file): {} assertions", checks + remote);
}

/// Everything from the tables, nothing from memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_without_caches() {
    let checks = conformance::repo_store(|| async {
        let mut options = SqliteOptions::default();
        options.node_cache = 0;
        options.recent_events = 0;
        Sqlite::in_memory(options).await.unwrap()
    })
    .await;
    println!("vectors: store conformance (sqlite without caches): {checks} assertions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_in_memory() {
    let options = SqliteOptions::default;
    let checks = conformance::repo_store(|| async { Sqlite::in_memory(options()).await.unwrap() }).await;
    let remote =
        conformance::remote_blobs(traits(), || async { Sqlite::in_memory(options()).await.unwrap() }).await;
    println!("vectors: store conformance (sqlite in memory): {} assertions", checks + remote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    let checks = conformance::repo_store(|| async { Memory::new() }).await;
    let remote = conformance::remote_blobs(traits(), || async { Memory::new() }).await;
    println!("vectors: store conformance (memory): {} assertions", checks + remote);
}

#[cfg(feature = "datastore")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn datastore() {
    use arroba_store::datastore::{Datastore, DatastoreOptions, Numbering, testing::Emulator};

    let Some(emulator) = Emulator::shared().await else { return };
    let traits = conformance::Traits::default().with_holes().keeping_events();
    let make = || async {
        let options = DatastoreOptions::new(Numbering::exclusive());
        Datastore::open(emulator.client().await, options).await.unwrap()
    };
    let checks = conformance::repos(traits, make).await + conformance::blobs(make).await;
    let remote = conformance::remote_blobs(traits.with_short_keys(), make).await;
    println!("vectors: store conformance (datastore): {} assertions", checks + remote);
}
