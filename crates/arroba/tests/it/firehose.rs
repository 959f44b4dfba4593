//! Subscribers: replay, live, and cursors that do not fit.

use std::time::Duration;

use arroba::core::syntax::Nsid;
use arroba::core::{nsid, record_key};
use arroba::firehose::{Delivery, SubscribeError, Subscription};
use arroba::store::{RepoStore, Retention, StoredEvent};
use arroba::{Repo, Write};
use futures::StreamExt;
use serde_json::json;

use super::fixture::{START_MICROS, START_SEQ, World, kinds};

const NOTE: Nsid = nsid!("com.example.note");

async fn write(repo: &Repo, text: impl std::fmt::Display) {
    let write = Write::put(NOTE, record_key!("one"), json!({"text": text.to_string()}));
    assert!(repo.commit([write]).await.unwrap().commit.is_some());
}

async fn next(subscription: &mut Subscription) -> StoredEvent {
    match subscription.next().await.unwrap().unwrap() {
        Delivery::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn live_and_replay_are_the_same_bytes() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut live = world.host.subscribe(None);
    assert!(futures::poll!(live.next()).is_pending(), "nothing is new yet");
    let mut seen = Vec::new();
    for index in 0..700 {
        write(&alice, index).await;
        seen.push(next(&mut live).await);
    }
    assert!(futures::poll!(live.next()).is_pending());
    let replayed = world.events().await;
    assert_eq!(replayed.len(), 704);
    assert!(replayed[4..] == seen[..], "replay differs from live");
    // From the log alone, by a reader that shares no ring with the first.
    let other = world.other().await;
    assert!(other.events().await == replayed);
    for cursor in [START_SEQ, START_SEQ + 3, START_SEQ + 500, START_SEQ + 702] {
        let after = world.events_after(cursor).await;
        assert_eq!(after.first().unwrap().seq, cursor + 1);
        assert_eq!(after.last().unwrap().seq, START_SEQ + 703);
    }
}

#[tokio::test]
async fn nobody_misses_or_repeats_an_event_under_load() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let writer = tokio::spawn(async move {
        for index in 0..300 {
            write(&alice, index).await;
        }
    });
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let host = world.host.clone();
            tokio::spawn(async move {
                let mut subscription = host.subscribe(Some(START_SEQ + reader));
                for expected in START_SEQ + reader + 1..START_SEQ + 304 {
                    assert_eq!(next(&mut subscription).await.seq, expected);
                    if expected % 50 == reader {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_cursor_at_the_end_waits_and_one_beyond_is_refused() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let newest = world.host.newest_seq();
    let mut at_end = world.host.subscribe(Some(newest));
    assert!(futures::poll!(at_end.next()).is_pending());
    let mut beyond = world.host.subscribe(Some(newest + 1));
    assert!(matches!(beyond.next().await, Some(Err(SubscribeError::FutureCursor))));
    assert!(beyond.next().await.is_none());
    write(&alice, 1).await;
    assert_eq!(next(&mut at_end).await.seq, newest + 1);
}

#[tokio::test]
async fn an_old_cursor_is_told_so_and_starts_inside_the_window() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    for day in 0..6_u64 {
        world.clock.set(START_MICROS + day * 12 * 3_600_000_000);
        for index in 0..10 {
            write(&alice, format!("{day}.{index}")).await;
        }
    }
    // Now is day 2.5, the window is a day: it begins within the fourth group.
    let window = START_MICROS + 36 * 3_600_000_000;
    for cursor in [0, START_SEQ + 1, START_SEQ + 20] {
        let mut subscription = world.host.subscribe(Some(cursor));
        assert!(matches!(subscription.next().await, Some(Ok(Delivery::OutdatedCursor))), "{cursor}");
        let first = next(&mut subscription).await;
        assert_eq!((first.seq, first.time), (START_SEQ + 34, window));
    }
    let mut inside = world.host.subscribe(Some(START_SEQ + 40));
    assert_eq!(next(&mut inside).await.seq, START_SEQ + 41);

    // What retention dropped is gone for a cursor that points there.
    world.store.sweep(Retention::default().events_before(window)).await.unwrap();
    for cursor in [0, START_SEQ + 20] {
        let mut subscription = world.host.subscribe(Some(cursor));
        assert!(matches!(subscription.next().await, Some(Ok(Delivery::OutdatedCursor))));
        assert_eq!(next(&mut subscription).await.seq, START_SEQ + 34);
    }
    let mut exact = world.host.subscribe(Some(START_SEQ + 33));
    assert_eq!(next(&mut exact).await.seq, START_SEQ + 34);

    // When nothing in the window is left, the subscriber goes live.
    world.clock.set(window + 10 * 24 * 3_600_000_000);
    let mut outdated = world.host.subscribe(Some(START_SEQ + 50));
    assert!(matches!(outdated.next().await, Some(Ok(Delivery::OutdatedCursor))));
    assert!(futures::poll!(outdated.next()).is_pending());
    write(&alice, "live").await;
    assert_eq!(next(&mut outdated).await.seq, START_SEQ + 64);
}

#[tokio::test]
async fn a_reader_that_is_overtaken_by_retention_is_dropped() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    for index in 0..1200 {
        write(&alice, index).await;
    }
    let other = world.other().await;
    let mut slow = other.host.subscribe(Some(0));
    next(&mut slow).await;
    world.clock.set(START_MICROS + 1_000_000);
    write(&alice, "new").await;
    while world.store.sweep(Retention::default().events_before(START_MICROS + 1_000_000)).await.unwrap().more
    {
    }
    let error = loop {
        match slow.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SubscribeError::ConsumerTooSlow), "{error}");
    assert!(error.frame().is_some());
}

#[tokio::test]
async fn live_readers_do_not_see_what_a_deletion_hid() {
    let world = World::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let mut live = world.host.subscribe(None);
    write(&alice, 1).await;
    write(&bob, 1).await;
    assert_eq!(next(&mut live).await.did, *alice.did());
    assert_eq!(next(&mut live).await.did, *bob.did());
    let mut behind = world.host.subscribe(Some(START_SEQ + 7));
    alice.delete().await.unwrap();
    assert_eq!(next(&mut live).await.kind.as_str(), "#account");
    let (first, second) = (next(&mut behind).await, next(&mut behind).await);
    assert_eq!((first.did == *bob.did(), kinds(&[first])[0]), (true, "#commit"));
    assert_eq!(kinds(&[second]), ["#account"]);
}

#[tokio::test]
async fn an_idle_subscriber_wakes_at_once() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut live = world.host.subscribe(None);
    let waiting = tokio::spawn(async move { next(&mut live).await });
    tokio::task::yield_now().await;
    write(&alice, 1).await;
    let event = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(event.seq, world.host.newest_seq());
}

#[tokio::test]
async fn how_far_behind_readers_are_can_be_seen() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    assert!(world.host.subscriber_lags().is_empty());
    let mut live = world.host.subscribe(None);
    let late = world.host.subscribe(Some(START_SEQ));
    for index in 0..5 {
        write(&alice, index).await;
    }
    let behind = world.host.newest_seq() - START_SEQ;
    assert_eq!(world.host.subscriber_lags(), [5, behind]);
    while futures::poll!(live.next()).is_ready() {}
    assert_eq!(world.host.subscriber_lags(), [0, behind]);
    drop(late);
    assert_eq!(world.host.subscriber_lags(), [0]);
}

/// A commit is made, or not; in between nobody hangs and nothing is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_stop_no_reader_and_hide_nothing() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut live = world.host.subscribe(None);
    assert!(futures::poll!(live.next()).is_pending());
    for index in 0..200_u32 {
        let repo = alice.clone();
        let writing = tokio::spawn(async move { write(&repo, index).await });
        for _ in 0..index % 11 {
            tokio::task::yield_now().await;
        }
        writing.abort();
        let _ = writing.await;
    }
    write(&alice, "last").await;
    let newest = world.host.newest_seq();
    let reading = async {
        for seq in START_SEQ + 4..=newest {
            assert_eq!(next(&mut live).await.seq, seq);
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the reader is told of every event");
    let commits = world.verify(&world.events().await).await;
    assert_eq!(commits as u64, newest - START_SEQ - 2, "all that was numbered is there, and verifies");
}
