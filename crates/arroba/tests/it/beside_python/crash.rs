//! Numbers that we reserved and never used.

use std::time::{Duration, Instant};

use arroba::store::RepoStore;
use serde_json::json;

use super::accounts::{COLLECTION, post};
use super::follower::Follower;
use super::side::{Setup, Side};

/// A process that is killed between reserving and committing: nobody uses the number, and the Python library's collector goes on after
/// its delay.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_python_collector_goes_on() {
    let Some(side) = Side::start(Setup { skipped_delay: 2, ..Setup::default() }).await else { return };
    let did = side.python_repo(1).await;
    let mut python = Follower::connect(&side.python_url().await).await;
    let reservation = side.store.reserve(&did, 1, None).await.unwrap();
    let lost = reservation.seqs().unwrap().start;
    // A killed process gives nothing back.
    std::mem::forget(reservation);
    let seq = python_commits(&side, did.as_str()).await;
    assert!(seq > lost);
    let started = Instant::now();
    python.reach(seq).await;
    println!("the Python collector went on {:?} after its commit", started.elapsed());
    assert!(!python.verified().contains_key(&lost));
    let mut rust = side.follow().await;
    rust.reach(seq).await;
    assert_eq!(rust.verified(), python.verified());
    side.host.close().await;
}

/// A commit that fails gives its number back, and the collector need not wait for its 120 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_given_back_holds_nobody_up() {
    let Some(side) = Side::start(Setup::default()).await else { return };
    let did = side.python_repo(1).await;
    let mut python = Follower::connect(&side.python_url().await).await;
    let reservation = side.store.reserve(&did, 1, None).await.unwrap();
    let unused = reservation.seqs().unwrap().start;
    let seq = python_commits(&side, did.as_str()).await;
    drop(reservation);
    // Well below the 120 s that the collector would wait.
    tokio::time::timeout(Duration::from_secs(30), python.reach(seq)).await.unwrap();
    let seen = python.verified();
    assert_eq!((seen[&unused].kind, &seen[&unused].did), ("identity", &did));
    let mut rust = side.follow().await;
    rust.reach(seq).await;
    assert_eq!(rust.verified(), seen);
    side.host.close().await;
}

async fn python_commits(side: &Side, did: &str) -> u64 {
    let writes = json!([["create", COLLECTION, "one", post("one")]]);
    side.python.commit(did, writes).await["seq"].as_u64().unwrap()
}
