//! Likes of one thing: the index that finds them, its filling in an old account, and what happens without one.

use arroba::core::data::Cid;
use arroba::core::nsid;
use arroba::core::syntax::Nsid;
use arroba::store::{Backlinks, Order, RepoStore, Sqlite, StoreError};
use arroba::{CommitOptions, Repo, Write};
use futures::StreamExt;
use serde_json::json;

const LIKE: Nsid = nsid!("app.bsky.feed.like");
const FOLLOW: Nsid = nsid!("app.bsky.graph.follow");

type World = super::fixture::World<Sqlite>;

fn post(number: usize) -> String {
    format!("at://did:web:bob.test/app.bsky.feed.post/{number}")
}

fn like(world: &World, number: usize) -> Write {
    let uri = post(number);
    let subject = json!({"uri": uri, "cid": Cid::for_cbor(uri.as_bytes())});
    Write::create(LIKE, json!({"subject": subject, "createdAt": world.host.now()}))
}

fn follow(world: &World, who: &str) -> Write {
    Write::create(FOLLOW, json!({"subject": who, "createdAt": world.host.now()}))
}

async fn count(repo: &Repo, collection: Nsid) -> usize {
    let mut count = 0;
    let mut after = None;
    loop {
        let page = repo.records(collection.clone(), after, 1000, Order::Ascending).await.unwrap();
        count += page.records.len();
        after = page.records.last().map(|record| record.path.rkey.clone());
        if !page.more {
            return count;
        }
    }
}

fn replacing() -> CommitOptions {
    CommitOptions::default().replace_duplicates(true)
}

/// An account with so many likes of different posts, 3 of them twice, and two follows of one account.
async fn account(world: &World, likes: usize) -> Repo {
    let alice = world.account("alice").await;
    let mut writes: Vec<_> = (0..likes).chain([5, 5, 6]).map(|number| like(world, number)).collect();
    writes.extend(["did:web:bob.test"; 2].map(|who| follow(world, who)));
    while !writes.is_empty() {
        let rest = writes.split_off(writes.len().min(200));
        alice.commit(writes).await.unwrap();
        writes = rest;
    }
    alice
}

/// Makes the file what it was before there was an index.
async fn age(store: &Sqlite, and: &'static str) {
    let aged = store.write(move |connection| {
        connection.execute_batch("DELETE FROM backlink; UPDATE tree SET linked_to = x''")?;
        connection.execute_batch(and)?;
        Ok::<_, StoreError>(())
    });
    aged.await.unwrap();
}

async fn replaces_all(world: &World, alice: &Repo, likes: usize) {
    alice.commit_with([like(world, 5)], replacing()).await.unwrap();
    assert_eq!(count(alice, LIKE).await, likes + 1, "three likes became one");
    alice.commit_with([follow(world, "did:web:bob.test")], replacing()).await.unwrap();
    assert_eq!(count(alice, FOLLOW).await, 1);
    alice.commit_with([like(world, likes)], replacing()).await.unwrap();
    assert_eq!(count(alice, LIKE).await, likes + 2);
}

#[tokio::test]
async fn an_old_account_is_indexed_at_its_first_like() {
    let world = World::new().await;
    // More than the host looks at in one piece.
    let alice = account(&world, 1_100).await;
    age(&world.store, "").await;
    replaces_all(&world, &alice, 1_100).await;
    let known = world.store.backlinks(alice.did(), &LIKE, &post(6), 10).await.unwrap();
    assert!(matches!(known, Backlinks::Found(found) if found.len() == 2));
}

#[tokio::test]
async fn without_an_index_the_records_are_looked_through() {
    let world = World::new().await;
    let alice = account(&world, 30).await;
    // An index that never takes anything.
    let stuck = "CREATE TRIGGER stuck BEFORE UPDATE OF linked_to ON tree BEGIN SELECT RAISE(IGNORE); END;
                 CREATE TRIGGER empty BEFORE INSERT ON backlink BEGIN SELECT RAISE(IGNORE); END;";
    age(&world.store, stuck).await;
    replaces_all(&world, &alice, 30).await;
    let known = world.store.backlinks(alice.did(), &LIKE, &post(6), 10).await.unwrap();
    assert_eq!(known, Backlinks::Incomplete { after: None });
}

#[tokio::test]
async fn no_more_is_replaced_than_a_commit_holds() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    for _ in 0..2 {
        alice.commit((0..150).map(|_| like(&world, 1))).await.unwrap();
    }
    alice.commit_with([like(&world, 1)], replacing()).await.unwrap();
    assert_eq!(count(&alice, LIKE).await, 300 - 199 + 1);
    alice.commit_with([like(&world, 1)], replacing()).await.unwrap();
    assert_eq!(count(&alice, LIKE).await, 1);
}

#[tokio::test]
async fn an_import_brings_its_index() {
    let world = World::new().await;
    let alice = account(&world, 20).await;
    let file: Vec<_> = alice.export(None).await.unwrap().collect().await;
    alice.commit([like(&world, 7)]).await.unwrap();
    world.clock.advance(1_000_000);
    assert!(alice.import(futures::stream::iter(file)).await.unwrap().is_some());
    let (store, did) = (&world.store, alice.did());
    let found = |number| async move {
        match store.backlinks(did, &LIKE, &post(number), 10).await.unwrap() {
            Backlinks::Found(found) => found.len(),
            other => panic!("{other:?}"),
        }
    };
    let counts = futures::future::join_all([5, 6, 7, 20].map(found)).await;
    assert_eq!(counts, [3, 2, 1, 0]);
}
