//! Numbers, frames, and what is hidden.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arroba_core::event::{AccountStatus, Frame};

use super::{
    Traits,
    author::{Author, apply, create, now},
};
use crate::{ApplyError, ChangeKind, RepoStore, Retention, StoredEvent};

/// Everything visible, read in pages.
async fn all<S: RepoStore + ?Sized>(store: &S, after: u64, limit: usize) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    let mut cursor = after;
    loop {
        let page = store.events(cursor, limit).await.unwrap();
        assert!(
            page.next >= cursor && page.next <= page.newest.max(cursor),
            "a cursor goes on and stays in the log"
        );
        assert!(page.events.len() <= limit);
        assert!(page.events.iter().all(|event| event.seq > cursor && event.seq <= page.next));
        cursor = page.next;
        events.extend(page.events);
        if cursor >= page.newest {
            return events;
        }
    }
}

async fn seqs<S: RepoStore + ?Sized>(store: &S) -> Vec<u64> {
    all(store, 0, 100).await.into_iter().map(|event| event.seq).collect()
}

pub(super) async fn numbers_are_dense_and_frames_exact<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    let empty = store.events(0, 10).await.unwrap();
    assert!(empty.events.is_empty() && empty.newest + 1 == empty.oldest && empty.start == empty.oldest);
    assert!(empty.start > 0 && empty.start < 1 << 53, "numbers fit what every client can read");
    let tail = store.tail();
    assert_eq!(*tail.borrow(), empty.newest);
    let mut expected = Vec::new();
    let mut changes = vec![author.creation(&*store, vec![create("a.b.c/0")], None).await];
    changes.extend(
        (0..5).map(|_| author.change(ChangeKind::Announce, vec![author.identity(), author.account(None)])),
    );
    let mut next = empty.start;
    for change in changes {
        let drafts = change.events.clone();
        let time = change.time;
        let applied = apply(&*store, change).await.unwrap();
        assert_eq!(applied.seqs, next..next + drafts.len() as u64, "rule 5: numbers are dense");
        assert_eq!(applied.first_seq(), Some(applied.seqs.start));
        assert_eq!(applied.last_seq(), Some(applied.seqs.end - 1));
        assert_eq!(*tail.borrow(), applied.seqs.end - 1, "rule 5: the tail is at the newest number");
        next = applied.seqs.end;
        for (seq, draft) in applied.seqs.zip(&drafts) {
            expected.push(StoredEvent {
                seq,
                did: author.did.clone(),
                kind: draft.kind(),
                time,
                frame: draft.fill(seq),
            });
        }
    }
    for limit in [1, 2, 3, 1000] {
        assert_eq!(all(&*store, 0, limit).await, expected, "rule 6: every read gives the same bytes");
    }
    for event in &expected {
        assert_eq!(Frame::decode(&event.frame).unwrap().seq(), Some(event.seq));
    }
    let silent = apply(&*store, author.change(ChangeKind::Announce, Vec::new())).await.unwrap();
    assert!(silent.seqs.is_empty() && silent.first_seq().is_none() && silent.last_seq().is_none());
}

pub(super) async fn pages_join_without_gap_or_double<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    for number in 0..30 {
        author.commit(&*store, vec![create(&format!("a.b.c/{number}"))]).await;
    }
    let whole = all(&*store, 0, 1000).await;
    assert_eq!(whole.len(), 34);
    for cut in 0..whole.len() {
        assert_eq!(
            all(&*store, whole[cut].seq, 1000).await,
            whole[cut + 1..],
            "rule 5: a cursor is exclusive"
        );
        assert_eq!(all(&*store, whole[cut].seq, 4).await, whole[cut + 1..]);
    }
    let newest = whole.last().unwrap().seq;
    let beyond = store.events(newest + 5, 10).await.unwrap();
    assert!(beyond.events.is_empty() && beyond.next == newest + 5 && beyond.newest == newest);
}

pub(super) async fn those_of_one_repository<S: RepoStore>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    author.create(&*store, Vec::new()).await;
    other.create(&*store, Vec::new()).await;
    for number in 0..12 {
        let by = if number % 4 == 3 { &author } else { &other };
        by.commit(&*store, vec![create(&format!("a.b.c/{number}"))]).await;
    }
    let reference = Some("case".to_owned());
    apply(&*store, other.change(ChangeKind::Takedown { reference }, vec![other.account(None)]))
        .await
        .unwrap();
    let whole = all(&*store, 0, 1000).await;
    for did in [&author.did, &other.did, &Author::new(3).did] {
        let of_it = |after: u64| whole.iter().filter(move |event| event.did == *did && event.seq > after);
        for (after, limit) in [(0, 1), (0, 2), (0, 1000), (whole[2].seq, 2), (whole[2].seq, 1000)] {
            let (mut events, mut cursor) = (Vec::new(), after);
            loop {
                let page = store.repo_events(did, cursor, limit).await.unwrap();
                assert!(page.events.len() <= limit && page.events.iter().all(|event| event.seq <= page.next));
                events.extend(page.events);
                if page.next <= cursor || page.next >= page.newest {
                    break;
                }
                cursor = page.next;
            }
            assert!(events.iter().eq(of_it(after)), "those of one repository are those of the log");
        }
    }
}

pub(super) async fn a_refused_change_uses_no_number<S: RepoStore>(store: Arc<S>, traits: Traits) {
    let author = Author::new(1);
    let first = author.create(&*store, Vec::new()).await;
    let stale = author.commit_change(&*store, vec![create("a.b.c/1")], Vec::new()).await;
    let second = author.commit(&*store, vec![create("a.b.c/2")]).await;
    assert!(matches!(apply(&*store, stale).await, Err(ApplyError::Conflict { .. })));
    let foreign = author.change(ChangeKind::Announce, vec![author.identity(), Author::new(2).identity()]);
    assert!(matches!(apply(&*store, foreign).await, Err(ApplyError::Malformed(_))));
    let third = author.commit(&*store, vec![create("a.b.c/3")]).await;
    let made = [first, second, third].map(|applied| applied.seqs);
    // Where a hole may be filled for a while, it is waited for.
    store.tail().wait_for(|tail| *tail >= made[2].end - 1).await.unwrap();
    assert_eq!(
        seqs(&*store).await,
        made.iter().cloned().flatten().collect::<Vec<_>>(),
        "rule 2: it leaves no event"
    );
    if traits.dense {
        let joined = made.windows(2).all(|two| two[0].end == two[1].start);
        assert!(joined, "rule 5: a refused change leaves no gap");
    }
}

pub(super) async fn readers_never_see_a_number_late<S: RepoStore>(store: Arc<S>, traits: Traits) {
    let authors: Vec<_> = (0..6).map(|number| Arc::new(Author::new(number))).collect();
    for author in &authors {
        author.create(&*store, Vec::new()).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut tail = store.tail();
                let mut cursor = store.events(0, 0).await.unwrap().start - 1;
                let mut count = 0;
                loop {
                    // Whether writing was over must be known before the log is read.
                    let over = done.load(Ordering::Acquire);
                    let told = *tail.borrow_and_update();
                    let page = store.events(cursor, 7).await.unwrap();
                    assert!(page.newest >= told, "rule 5: what the tail tells can be read");
                    for event in &page.events {
                        let follows = event.seq == cursor + 1 || (!traits.dense && event.seq > cursor);
                        assert!(follows, "rule 5: nothing appears behind a reader");
                        cursor = event.seq;
                        count += 1;
                    }
                    if page.events.is_empty() {
                        if over {
                            return (cursor, count);
                        }
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let writers = authors.iter().map(|author| {
        let (store, author) = (Arc::clone(&store), Arc::clone(author));
        tokio::spawn(async move {
            for number in 0..25 {
                author.commit(&*store, vec![create(&format!("a.b.c/{number}"))]).await;
            }
        })
    });
    futures::future::join_all(writers).await.into_iter().for_each(|writer| writer.unwrap());
    done.store(true, Ordering::Release);
    let newest = store.events(0, 0).await.unwrap().newest;
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (newest, 6 * (4 + 25)), "rule 5: readers see every event");
    }
}

pub(super) async fn takedown_hides_and_lifting_shows<S: RepoStore>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    let first = author.create(&*store, vec![create("a.b.c/1")]).await;
    let untouched = other.create(&*store, Vec::new()).await;
    let takedown = |reference: Option<&str>, status| {
        let reference = reference.map(str::to_owned);
        author.change(ChangeKind::Takedown { reference }, vec![author.account(status)])
    };
    let taken = apply(&*store, takedown(Some("case 1"), Some(AccountStatus::Takendown))).await.unwrap();
    let mut expected: Vec<u64> = untouched.seqs.clone().chain(taken.seqs.clone()).collect();
    assert_eq!(seqs(&*store).await, expected, "rule 7: a takedown hides earlier events, not its own");
    assert_eq!(all(&*store, 0, 1).await.len(), expected.len(), "hidden events do not stop a reader");
    let reference = Some("case 2".to_owned());
    apply(&*store, author.change(ChangeKind::Takedown { reference }, Vec::new())).await.unwrap();
    assert_eq!(seqs(&*store).await, expected, "a second takedown does not hide the first");
    let lifted = apply(&*store, takedown(None, None)).await.unwrap();
    expected = (first.seqs.start..lifted.seqs.end).collect();
    assert_eq!(seqs(&*store).await, expected, "rule 7: lifting shows them again");
    assert_eq!(store.events(lifted.seqs.start - 1, 10).await.unwrap().events.len(), 1);
}

pub(super) async fn deletion_hides_for_ever<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, vec![create("a.b.c/1")]).await;
    author.commit(&*store, vec![create("a.b.c/2")]).await;
    let gone = author.change(ChangeKind::Delete, vec![author.account(Some(AccountStatus::Deleted))]);
    let gone = apply(&*store, gone).await.unwrap();
    assert_eq!(
        seqs(&*store).await,
        gone.seqs.clone().collect::<Vec<_>>(),
        "rule 7: deletion hides earlier events"
    );
    let page = store.events(0, 10).await.unwrap();
    assert!(page.oldest == page.start && !page.lost_after(0), "hiding is no loss by retention");
    let loaded = store.load(&author.did, arroba_core::mst::Loader::for_read([])).await.unwrap();
    let back = author.creation(&*store, Vec::new(), loaded.as_ref()).await;
    let back = apply(&*store, back).await.unwrap();
    let reference = Some("case".to_owned());
    let taken = apply(&*store, author.change(ChangeKind::Takedown { reference }, Vec::new())).await.unwrap();
    assert!(taken.seqs.is_empty() && seqs(&*store).await.is_empty());
    apply(&*store, author.change(ChangeKind::Takedown { reference: None }, Vec::new())).await.unwrap();
    let visible: Vec<u64> = gone.seqs.chain(back.seqs).collect();
    assert_eq!(seqs(&*store).await, visible, "rule 7: lifting does not show what a deletion hid");
    let again = author.change(ChangeKind::Delete, vec![author.account(Some(AccountStatus::Deleted))]);
    let again = apply(&*store, again).await.unwrap();
    assert_eq!(
        seqs(&*store).await,
        again.seqs.collect::<Vec<_>>(),
        "rule 7: a second deletion hides as the first"
    );
}

pub(super) async fn numbers_are_not_reused_when_the_log_is_emptied<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    let first = author.create(&*store, vec![create("a.b.c/1")]).await;
    let untouched = store.sweep(Retention::default()).await.unwrap();
    assert_eq!((untouched.events, seqs(&*store).await.len()), (0, 4), "without a bound nothing is dropped");
    let cut = now();
    let second = author.commit(&*store, vec![create("a.b.c/2")]).await;
    let swept = store.sweep(Retention::default().events_before(cut)).await.unwrap();
    assert_eq!(swept.events, 4);
    let exact = all(&*store, 0, 10).await[0].time;
    let swept = store.sweep(Retention::default().events_before(exact)).await.unwrap();
    assert_eq!(swept.events, 0, "an event of the very time is not before it");
    assert_eq!(seqs(&*store).await, second.seqs.clone().collect::<Vec<_>>());
    let page = store.events(0, 10).await.unwrap();
    assert_eq!((page.start, page.oldest), (first.seqs.start, second.seqs.start));
    assert!(
        page.lost_after(0)
            && page.lost_after(second.seqs.start - 2)
            && !page.lost_after(second.seqs.start - 1)
    );
    while store.sweep(Retention::default().events_before(u64::MAX >> 1)).await.unwrap().more {}
    let empty = store.events(0, 10).await.unwrap();
    assert!(empty.events.is_empty());
    assert_eq!((empty.newest, empty.oldest), (second.seqs.end - 1, second.seqs.end));
    let third = author.commit(&*store, vec![create("a.b.c/3")]).await;
    assert_eq!(third.seqs.start, second.seqs.end, "rule 5: numbers are never given twice");
    assert_eq!(seqs(&*store).await, third.seqs.collect::<Vec<_>>());
}

pub(super) async fn size_bounds_the_log<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    for number in 0..40 {
        author.commit(&*store, vec![create(&format!("a.b.c/{number}"))]).await;
    }
    let events = all(&*store, 0, 100).await;
    let sizes: Vec<u64> = events.iter().map(|event| event.frame.len() as u64).collect();
    let bound: u64 = sizes[30..].iter().sum::<u64>() + 1;
    while store.sweep(Retention::default().event_bytes(bound)).await.unwrap().more {}
    assert_eq!(all(&*store, 0, 100).await, events[30..], "the newest events within the bound stay");
}
