//! The same calls write the same bytes.

use arroba::Write;
use arroba::core::nsid;
use arroba::store::StoredEvent;
use futures::TryStreamExt;
use serde_json::json;

use super::fixture::World;

async fn story() -> (Vec<StoredEvent>, Vec<u8>) {
    let world = World::new().await;
    let alice = world.account("alice").await;
    for round in 0..20_u64 {
        world.clock.advance(round * 7);
        let records = (0..=round).map(|index| Write::create(nsid!("com.example.note"), json!({"n": index})));
        alice.commit(records).await.unwrap();
    }
    let export = alice.export(None).await.unwrap();
    let car = export
        .try_fold(Vec::new(), async |mut car, piece| {
            car.extend(piece);
            Ok(car)
        })
        .await
        .unwrap();
    (world.events().await, car)
}

#[tokio::test]
async fn a_fixed_clock_and_seed_fix_every_byte() {
    let (one, two) = (story().await, story().await);
    assert_eq!(one.0.len(), 24);
    assert!(one.0 == two.0, "events differ");
    assert!(one.1 == two.1, "exports differ");
}
