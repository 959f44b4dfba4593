//! How many calls a commit costs: counted, not timed.

use std::time::Duration;

use arroba_core::{mst::Loader, repo::Write, syntax::RecordPath};
use arroba_store::{
    RepoStore,
    conformance::Author,
    datastore::{Client, Datastore, DatastoreOptions, Numbering, testing::Emulator},
};

use bytes::Bytes;

use crate::files::write;

/// Commits that a mean is taken over.
const COMMITS: u32 = 100;

async fn store(client: &Client) -> Datastore {
    let mut options = DatastoreOptions::new(Numbering::exclusive());
    // What others write is not asked for while calls are counted.
    (options.log.poll, options.log.idle_poll) = (Duration::from_secs(3600), Duration::from_secs(3600));
    Datastore::open(client.clone(), options).await.unwrap()
}

/// A repository with this many records.
async fn grown(client: &Client, records: u32) -> Author {
    let author = Author::new(1);
    let store = store(client).await;
    author.create(&store, Vec::new()).await;
    let numbers: Vec<u32> = (0..records).collect();
    for part in numbers.chunks(200) {
        author.commit(&store, part.iter().map(|number| write(*number)).collect()).await;
    }
    author
}

/// The calls of one commit, on average: with a store that has just been opened each time, or with one that is warm.
async fn mean(client: &Client, author: &Author, cold: bool) -> f64 {
    let mut open = store(client).await;
    let warm_up: Vec<Write> = (0..20).map(|number| write(1_000_000 + number)).collect();
    for record in warm_up {
        author.commit(&open, vec![record]).await;
    }
    let mut calls = 0;
    for number in 0..COMMITS {
        if cold {
            open = store(client).await;
        }
        let record = write(2_000_000 + u32::from(cold) * 1_000_000 + number * 7919);
        let before = client.counts();
        author.commit(&open, vec![record]).await;
        let after = client.counts();
        calls += after.total() - before.total();
    }
    calls as f64 / f64::from(COMMITS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_costs_few_calls() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let author = grown(&client, 1_000).await;
    let (warm, cold) = (mean(&client, &author, false).await, mean(&client, &author, true).await);
    println!("calls of a commit at 1,000 records: warm {warm:.2}, cold {cold:.2}; {:?}", client.counts());
    assert!(warm <= 6.0, "{warm}");
    assert!(cold <= 12.0, "{cold}");
}

#[tokio::test]
async fn a_tree_is_counted_once() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let author = grown(&client, 400).await;
    let open = store(&client).await;
    let counted = open.counts(&author.did).await.unwrap().unwrap();
    assert_eq!(counted.records, 400);
    let before = client.counts();
    assert_eq!(open.counts(&author.did).await.unwrap(), Some(counted));
    let counts = client.counts() - before;
    assert!(counts.total() <= 3 && counts.keys <= 3, "rows and blobs, and no node: {counts:?}");
    author.commit(&open, vec![write(400)]).await;
    assert_eq!(open.counts(&author.did).await.unwrap().unwrap().records, 401);
}

fn path(number: u32) -> RecordPath {
    format!("a.b.c/{number}").parse().unwrap()
}

/// The largest commit that has an event: what it reads it reads level by level, whatever the number of its writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_200_writes_costs_few_calls() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let author = grown(&client, 10_000).await;
    let open = store(&client).await;
    let height = open.load(&author.did, Loader::for_read([])).await.unwrap().unwrap().tree.height();
    let creations = (0..100).map(|number| write(1_000_000 + number));
    let updates = (0..50).map(|number| Write::update(path(number * 151), Bytes::from_static(&[0xa0])));
    let deletions = (0..50).map(|number| Write::delete(path(8_000 + number * 17)));
    let open = store(&client).await;
    let before = client.counts();
    author.commit(&open, creations.chain(updates).chain(deletions).collect()).await;
    let counts = client.counts() - before;
    println!("a cold commit of 200 writes at 10,000 records, in a tree of height {height}: {counts:?}");
    // The number: two; rows and head: two; a level of the tree each, the root from our row or by itself; what is there of its blocks, in
    // portions of 1,000; the commit.
    assert!(counts.total() <= u64::from(height) + 8, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_costs_few_calls_in_a_large_repository() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let author = grown(&client, 100_000).await;
    let cold = mean(&client, &author, true).await;
    println!("calls of a commit at 100,000 records: cold {cold:.2}");
    assert!(cold <= 16.0, "{cold}");
}

#[tokio::test]
async fn a_number_counts_as_given_before_its_event_can_be_read() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let (one, other) = (store(&client).await, store(&client).await);
    let author = Author::new(1);
    let created = author.create(&one, Vec::new()).await;
    assert_eq!(one.newest_given().await.unwrap(), created.seqs.end - 1);
    let reserved = other.reserve(&author.did, 1, None).await.unwrap();
    let tail = *one.tail().borrow();
    assert_eq!(one.newest_given().await.unwrap(), reserved.seqs().unwrap().start, "whoever it was given to");
    assert!(tail < reserved.seqs().unwrap().start, "nobody can read it");
    reserved.settle();
}
