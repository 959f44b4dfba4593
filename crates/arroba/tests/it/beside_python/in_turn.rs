//! One after the other: Python, Rust, Python, Rust.

use arroba::core::syntax::Did;
use arroba::store::RepoStatus;
use futures::StreamExt;
use serde_json::json;

use super::accounts::{COLLECTION, create, delete, did, post, update};
use super::follower::Follower;
use super::side::{Setup, Side};

const REPOS: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn what_one_writes_the_other_reads_and_goes_on_with() {
    // A commit that the Python library refuses leaves a number out, which our log waits for.
    let Some(side) = Side::start(Setup { skipped_delay: 3, ..Setup::default() }).await else { return };
    let dids = python_writes(&side).await;
    let records = side.agreed(&dids[0]).await;
    assert_eq!(records.len(), 1_002);

    // We take over: everything is read and served as it was written.
    let python_url = side.python_url().await;
    let mut python = Follower::connect(&python_url).await;
    let mut rust = side.follow().await;
    let last = same_events(&side, &mut python, &mut rust).await;
    println!("{last} events by Python, the same from both servers");
    for did in &dids {
        side.agreed(did).await;
    }

    rust_writes(&side, &dids).await;
    for did in dids.iter().chain([&did(900)]) {
        let records = side.agreed(did).await;
        assert!(records.contains_key("com.example.note/rust"), "{did}");
        assert!(!records.contains_key("com.example.note/2"), "{did}");
        grows(&side, did).await;
    }
    same_events(&side, &mut python, &mut rust).await;

    // And back.
    for did in &dids[..5] {
        let writes = json!([
            ["update", COLLECTION, "rust", post("Python again")],
            ["create", COLLECTION, "back", post("back")]
        ]);
        side.python.commit(did.as_str(), writes).await;
        side.agreed(did).await;
        side.host.repo(did).commit([delete("rust"), update("back", "ours")]).await.unwrap();
        side.agreed(did).await;
        grows(&side, did).await;
    }
    standing(&side, &dids[7]).await;
    same_events(&side, &mut python, &mut rust).await;
    side.host.close().await;
}

/// 50 repos of a few commits, one of them large.
async fn python_writes(side: &Side) -> Vec<Did> {
    let each = (0..REPOS).map(|number| async move {
        let did = side.python_repo(number).await;
        let [one, two, three] = ["1", "2", "3"]
            .map(|rkey| json!(["create", COLLECTION, rkey, post(&format!("{number} {rkey}"))]));
        side.python.commit(did.as_str(), json!([one])).await;
        side.python.commit(did.as_str(), json!([two, three])).await;
        let writes = json!([["update", COLLECTION, "1", post("changed")], ["delete", COLLECTION, "3", null]]);
        side.python.commit(did.as_str(), writes).await;
        did
    });
    let dids: Vec<Did> = futures::stream::iter(each).buffered(4).collect().await;
    for hundred in 0..10 {
        let writes: Vec<_> = (0..100)
            .map(|one| {
                json!(["create", COLLECTION, format!("r{hundred}x{one}"), post(&format!("{hundred} {one}"))])
            })
            .collect();
        side.python.commit(dids[0].as_str(), json!(writes)).await;
    }
    dids
}

async fn rust_writes(side: &Side, dids: &[Did]) {
    let before = side.client.counts();
    for did in dids {
        let repo = side.host.repo(did);
        repo.commit([create("rust", "ours"), create("gone", "soon")]).await.unwrap();
        repo.commit([update("1", "ours"), delete("2")]).await.unwrap();
        repo.commit([delete("gone")]).await.unwrap();
    }
    let calls = side.client.counts() - before;
    let commits = 3 * dids.len() as u64;
    println!("{commits} commits by us: {calls:?}, {:.1} calls each", calls.total() as f64 / commits as f64);
    let ours = side.rust_repo(900).await;
    ours.commit([create("rust", "ours"), create("2", "soon gone")]).await.unwrap();
    ours.commit([delete("2")]).await.unwrap();
}

/// Deactivated there, refused here; activated here, written to there.
async fn standing(side: &Side, did: &Did) {
    let name = json!({"did": did.as_str(), "active": false});
    side.python.call("set_active", name).await;
    let repo = side.host.repo(did);
    assert_eq!(repo.row().await.unwrap().unwrap().status, RepoStatus::Deactivated);
    repo.commit([create("never", "never")]).await.unwrap_err();
    repo.set_status(RepoStatus::Active).await.unwrap();
    side.python.commit(did.as_str(), json!([["create", COLLECTION, "active", post("again")]])).await;
    repo.set_status(RepoStatus::Deactivated).await.unwrap();
    let writes = json!([["create", COLLECTION, "never", post("never")]]);
    let refused = side.python.refused("commit", json!({"did": did.as_str(), "writes": writes})).await;
    assert!(refused.starts_with("InactiveRepo"), "{refused}");
    side.python.call("set_active", json!({"did": did.as_str(), "active": true})).await;
    assert_eq!(repo.row().await.unwrap().unwrap().status, RepoStatus::Active);
    assert!(side.agreed(did).await.contains_key("com.example.note/active"));
}

/// Both servers send the same events up to the newest, which is answered. All are verified.
async fn same_events(side: &Side, python: &mut Follower, rust: &mut Follower) -> u64 {
    let stored = side.python.call("events", json!({"start": 0})).await;
    let stored = stored.as_array().unwrap();
    let newest = stored.last().unwrap()["seq"].as_u64().unwrap();
    python.reach(newest).await;
    rust.reach(newest).await;
    let (there, here) = (python.verified(), rust.verified());
    assert_eq!(here.len(), stored.len());
    assert_eq!(there.keys().collect::<Vec<_>>(), here.keys().collect::<Vec<_>>());
    for ((seq, theirs), ours) in there.iter().zip(here.values()) {
        assert_eq!(theirs, ours, "the event {seq}");
    }
    newest
}

/// The revs of a repo grow from commit to commit.
async fn grows(side: &Side, did: &Did) {
    let chain = side.chain(did).await;
    assert!(chain.is_sorted_by(|(_, before, _), (_, after, _)| before < after), "{did}: {chain:?}");
}
