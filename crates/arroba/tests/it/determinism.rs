//! The same calls write the same bytes, on every run and in every store.

use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::nsid;
use arroba::core::syntax::{Did, RecordKey};
use arroba::store::StoredEvent;
use arroba::{Batch, NewRepo, Repo, Write};
use futures::TryStreamExt;
use serde_json::json;

use super::fixture::World;

/// What a reader sees of a story.
pub(crate) struct Told {
    events: Vec<StoredEvent>,
    cars: Vec<Vec<u8>>,
}

fn key(n: u64) -> RecordKey {
    RecordKey::parse(&format!("key{n}")).unwrap()
}

async fn export(repo: &Repo) -> Vec<u8> {
    let export = repo.export(None).await.unwrap();
    export
        .try_fold(Vec::new(), async |mut car, piece| {
            car.extend(piece);
            Ok(car)
        })
        .await
        .unwrap()
}

/// Creations with new and with given keys, commits of every kind, statuses, handles, deletion.
async fn story() -> Told {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let did = Did::parse("did:web:bob.test").unwrap();
    let bob = NewRepo::existing(did, Some("bob.pds.test".parse().unwrap())).active();
    let bob = bob.signing_key(PrivateKey::from_bytes(Curve::K256, &[9; 32]).unwrap());
    let bob = world.host.create_repo(bob).await.unwrap();
    let carol = world.account("carol").await;
    for round in 0..20_u64 {
        world.clock.advance(round * 7);
        let records = (0..=round).map(|index| Write::create(nsid!("com.example.note"), json!({"n": index})));
        alice.commit(records).await.unwrap();
        let named = Write::create_at(nsid!("com.example.mark"), key(round), json!({"n": round}));
        let batches = [&alice, &bob, &carol].map(|repo| Batch::new(repo.did().clone(), [named.clone()]));
        for result in world.host.commit_many(batches).await {
            result.unwrap();
        }
    }
    let collection = || nsid!("com.example.mark");
    for round in 0..10 {
        world.clock.advance(1000);
        bob.commit([Write::update(collection(), key(round), json!({"n": -1}))]).await.unwrap();
        bob.commit([
            Write::delete(collection(), key(round + 10)),
            Write::put(collection(), key(round), json!({"n": -2})),
        ])
        .await
        .unwrap();
    }
    alice.announce_identity().await.unwrap();
    alice.update_handle(&"alicia.pds.test".parse().unwrap()).await.unwrap();
    alice.deactivate().await.unwrap();
    world.clock.advance(5);
    alice.activate().await.unwrap();
    alice.announce_sync().await.unwrap();
    carol.delete().await.unwrap();
    Told { events: world.events().await, cars: vec![export(&alice).await, export(&bob).await] }
}

fn assert_same(one: &Told, two: &Told) {
    assert!(one.events.len() > 80, "{}", one.events.len());
    assert!(one.events == two.events, "events differ");
    assert!(one.cars == two.cars, "exports differ");
}

#[tokio::test]
async fn a_fixed_clock_and_seed_fix_every_byte() {
    assert_same(&story().await, &story().await);
}

/// The bytes of this story, so that another store can be held against them.
pub(crate) async fn bytes() -> Vec<Vec<u8>> {
    let told = story().await;
    told.events.into_iter().map(|event| event.frame.to_vec()).chain(told.cars).collect()
}
