//! What was, as far as it is kept.

use std::sync::Arc;

use arroba::core::event::Action;
use arroba::core::nsid;
use arroba::core::syntax::RecordKey;
use arroba::firehose::{Delivery, HostEvent};
use arroba::store::{RepoStore, Retention};
use arroba::{RepoHost, Write};
use futures::StreamExt;
use serde_json::json;

use super::fixture::{START_MICROS, START_SEQ, World};
use crate::it::fixture::keys;

fn note(n: u32) -> Write {
    Write::create_at(nsid!("com.example.note"), key(n), json!({"n": n}))
}

fn key(n: u32) -> RecordKey {
    RecordKey::parse(&format!("key{n}")).unwrap()
}

#[tokio::test]
async fn writes_since_a_revision_are_in_order_and_of_one_repo() {
    let world = World::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let (_, before) = alice.head().await.unwrap();
    for n in 0..5 {
        world.clock.advance(1_000_000);
        alice.commit([note(n)]).await.unwrap();
        bob.commit([note(n + 100)]).await.unwrap();
    }
    alice.commit([Write::update(nsid!("com.example.note"), key(0), json!({"n": -1}))]).await.unwrap();
    alice.commit([Write::delete(nsid!("com.example.note"), key(1))]).await.unwrap();
    let since = alice.writes_since(before, 100).await.unwrap();
    assert!(since.complete && !since.more);
    let shown: Vec<_> = since.writes().map(|write| (write.action, write.path.rkey.to_string())).collect();
    let mut expected: Vec<_> = (0..5).map(|n| (Action::Create, format!("key{n}"))).collect();
    expected.extend([(Action::Update, "key0".to_owned()), (Action::Delete, "key1".to_owned())]);
    assert_eq!(shown, expected);
    let deletion = since.writes().last().unwrap();
    assert!(deletion.record.is_none() && deletion.cid.is_none() && deletion.prev.is_some());
    // Page by page it is the same.
    let (mut rev, mut paged) = (before, 0);
    loop {
        let page = alice.writes_since(rev, 2).await.unwrap();
        assert!(page.complete);
        paged += page.commits.len();
        match page.commits.last() {
            Some(last) if page.more => rev = last.event.rev,
            _ => break,
        }
    }
    assert_eq!(paged, 7);
}

#[tokio::test]
async fn what_the_log_no_longer_has_is_said() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let (_, created) = alice.head().await.unwrap();
    for n in 0..6 {
        world.clock.set(START_MICROS + u64::from(n + 1) * 3_600_000_000);
        alice.commit([note(n)]).await.unwrap();
    }
    let all = alice.writes_since(created, 100).await.unwrap();
    assert!(all.complete && all.commits.len() == 6);
    let dropped = START_MICROS + 4 * 3_600_000_000;
    world.store.sweep(Retention::default().events_before(dropped)).await.unwrap();
    let rest = alice.writes_since(created, 100).await.unwrap();
    assert!(!rest.complete, "three commits are gone from the log");
    assert_eq!(rest.commits.len(), 3);
    let recent = alice.writes_since(rest.commits[0].event.rev, 100).await.unwrap();
    assert!(recent.complete && recent.commits.len() == 2);
    // A clock that was set back makes revisions that are later than their time.
    world.clock.set(START_MICROS);
    let (_, newest) = alice.head().await.unwrap();
    alice.commit([note(7)]).await.unwrap();
    let late = alice.writes_since(newest, 100).await.unwrap();
    assert!(late.complete && late.commits.len() == 1);
}

#[tokio::test]
async fn a_window_in_events_counts_besides_the_one_in_time() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    for n in 0..30 {
        alice.commit([note(n)]).await.unwrap();
    }
    let newest = world.host.newest_seq();
    assert_eq!(newest, START_SEQ + 33);
    let host = RepoHost::builder("pds.test", keys(), world.store.clone())
        .directory(Arc::clone(&world.directory) as _)
        .resolver(world.host.resolver().clone())
        .clock(Arc::clone(&world.clock) as _);
    let few = host.backfill_events(Some(10)).build().await.unwrap();
    for cursor in [0, START_SEQ + 3, newest - 11] {
        let mut subscription = few.subscribe(Some(cursor));
        assert!(matches!(subscription.next().await, Some(Ok(Delivery::OutdatedCursor))), "{cursor}");
        let Some(Ok(Delivery::Event(event))) = subscription.next().await else { panic!() };
        assert_eq!(event.seq, newest - 9);
    }
    let mut inside = few.events(Some(newest - 10));
    assert_eq!(inside.next().await.unwrap().unwrap().seq(), Some(newest - 9));
    let mut outdated = few.repo(alice.did()).events(Some(0));
    assert!(matches!(outdated.next().await, Some(Ok(HostEvent::OutdatedCursor))));
    // Where the log has no more than that, nothing is missing.
    let host = RepoHost::builder("pds.test", keys(), world.store.clone())
        .directory(Arc::clone(&world.directory) as _)
        .resolver(world.host.resolver().clone())
        .clock(Arc::clone(&world.clock) as _);
    let many = host.backfill_events(Some(100)).build().await.unwrap();
    assert_eq!(many.events(Some(0)).next().await.unwrap().unwrap().seq(), Some(START_SEQ));
}
