//! Commits beside the Python library, which stores them before it moves the head.

use super::*;

#[tokio::test]
async fn beside_python_a_commit_that_the_head_has_not_reached_is_not_told_yet() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, beside_python(), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..3 {
        repo.commit(&writer, Some(vec![Write::create(path(&format!("a.b.c/{number}")), record("x"))])).await;
    }
    // As while the Python library is between its two transactions.
    let head = |head: Cid| AtpRepo {
        did: did(1),
        handles: Vec::new(),
        head,
        encrypted_signing_key: vec![1],
        encrypted_rotation_key: None,
        status: Some(StoredStatus::Deactivated),
        created: None,
        updated: None,
    };
    let last = repo.head.as_ref().unwrap();
    let set = async |to: Cid| {
        client.put(vec![upsert(head(to).to_entity(client.database()).unwrap())]).await.unwrap()
    };
    set(last.1.prev.unwrap()).await;
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // It was interrupted and tried again under the same number: two commits, one of which the head names.
    let twin = Commit::sign(did(1), last.1.data, last.1.rev, None, &repo.key);
    let encoded = Bytes::from(twin.encode());
    let cid = Cid::for_cbor(&encoded);
    put(&client, &AtpBlock { cid, repo: Some(did(1)), encoded, seq: 3, ops: Vec::new(), created: Some(1) })
        .await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // A read that has the twin alone, and then the head that names the other: it is neither told nor given up.
    let mut half = read::read(&client, None, 2, None, 10).await.unwrap();
    for number in &mut half.numbers {
        number.commits.retain(|commit| commit.cid == cid);
    }
    set(last.0).await;
    let (made, open) = reader.log.0.follower.made(half, true).await.unwrap();
    assert!(made.is_empty() && open.contains(&3), "{made:?}");
    assert_eq!(reader.all(0, 10).await, repo.told);
    repo.commit(&writer, None).await;
    let later =
        Program::start(&client, beside_python(), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    assert_eq!(later.all(0, 10).await, repo.told, "the same one when the head is further");
}
