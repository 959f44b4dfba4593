//! Numbers that are left out.

use super::*;

#[tokio::test]
async fn a_number_that_is_reserved_holds_up_readers_until_it_is_used() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let reader = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let slow = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let fast = writer.sequences.reserve(&did(2), 2, None).await.unwrap();
    assert!(writer.announce(&did(2), &fast).await);
    for program in [&writer, &reader] {
        assert!(program.seqs().await.is_empty(), "rule 5: the first may still come");
    }
    assert!(writer.announce(&did(1), &slow).await);
    assert_eq!(*writer.log.tail().borrow(), 3, "at once where it was written");
    for program in [&writer, &reader] {
        assert_eq!(program.seqs().await, [1, 2, 3]);
    }
    let third = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    third.log.close().await;
    third.sequences.close().await;
    assert_eq!(third.seqs().await, [1, 2, 3], "what was closed can be read, without a task");
    // A number that is given back and that nobody takes is passed as soon as a reader comes to it.
    let unused = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let used = writer.sequences.reserve(&did(2), 1, None).await.unwrap();
    assert!(writer.announce(&did(2), &used).await);
    drop(unused);
    let mut tail = writer.log.tail();
    writer.log.poke();
    tokio::time::timeout(Duration::from_secs(60), tail.wait_for(|tail| *tail == 5)).await.unwrap().unwrap();
    assert_eq!(writer.seqs().await, [1, 2, 3, 5]);
    assert_eq!(reader.seqs().await, [1, 2, 3, 5]);
}

#[tokio::test]
async fn a_killed_writer_holds_up_readers_for_the_lease_only_and_cannot_come_back() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let lease = Duration::from_millis(50);
    let writer = Program::start(&client, exclusive(lease), LogOptions::default()).await;
    let reader = Program::start(&client, exclusive(lease), LogOptions::default()).await;
    let killed = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
    let next = writer.sequences.reserve(&did(2), 1, None).await.unwrap();
    assert!(writer.announce(&did(2), &next).await);
    let mut tail = reader.log.tail();
    tokio::time::timeout(Duration::from_secs(60), tail.wait_for(|tail| *tail == 2)).await.unwrap().unwrap();
    assert_eq!(reader.seqs().await, [2]);
    assert!(!writer.announce(&did(1), &killed).await, "the number is not its own any more");
    assert_eq!(reader.seqs().await, [2], "rule 5");
    assert_eq!(writer.seqs().await, [2]);
}

#[tokio::test]
async fn beside_python_a_missing_number_is_waited_for() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    // Another program, which keeps what it reserves.
    let other = Sequences::start(client.clone(), beside_python());
    let now = || (SequenceOptions::default().clock)();
    let announce = async |seq: u64, created: u64| {
        put(&client, &event_block(&account(&did(1)), seq, created).unwrap()).await
    };
    let kept = other.reserve(&did(1), 2, None).await.unwrap();
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    let in_window = LogOptions { skipped_window: Some(300), ..LogOptions::default() };
    let in_window = Program::start(&client, beside_python(), in_window).await;
    announce(2, now()).await;
    assert!(reader.seqs().await.is_empty(), "the first may still come");
    announce(1, now()).await;
    assert_eq!(reader.seqs().await, [1, 2]);
    // One is left out; what was made long ago does not wait for it.
    let more = other.reserve(&did(1), 4, None).await.unwrap();
    announce(4, now() - 121_000_000).await;
    for program in [&reader, &in_window] {
        assert_eq!(program.seqs().await, [1, 2, 4]);
    }
    announce(3, now()).await;
    assert_eq!(reader.seqs().await, [1, 2, 4], "rule 5: it comes too late");
    // Many were given out behind it.
    let far =
        [other.reserve(&did(1), 150, None).await.unwrap(), other.reserve(&did(1), 160, None).await.unwrap()];
    announce(8, now()).await;
    assert_eq!(in_window.seqs().await, [1, 2, 4, 8], "as the Python library");
    // Whoever has one of them may still be at work, however fast the others are.
    assert_eq!(reader.seqs().await, [1, 2, 4]);
    for seq in 5..8 {
        announce(seq, now()).await;
    }
    assert_eq!(reader.seqs().await, [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(in_window.seqs().await, [1, 2, 4, 8], "rule 5");
    for reservation in far.iter().chain([&kept, &more]) {
        reservation.settle();
    }
}

/// Another program is told every event once and in order, although a writer is killed after it has reserved a number, once in every
/// fifty writes. Prints how long that took from the answer to each write; the figures in the docs are of `ARROBA_EVENTS=500`.
#[tokio::test]
async fn another_program_is_told_every_event_whoever_is_killed() {
    let rounds = std::env::var("ARROBA_EVENTS").map_or(60, |rounds| rounds.parse().unwrap());
    let Some(emulator) = Emulator::shared().await else { return };
    let connection = emulator.connection(emulator.database()).await;
    let client = Client::new(Arc::new(connection), ClientOptions::default());
    let numbers = || SequenceOptions::new(Numbering::exclusive());
    let writer = Program::start(&client, numbers(), LogOptions::default()).await;
    let reader = Program::start(&client, numbers(), LogOptions::default()).await;
    let mut tail = reader.log.tail();
    let (mut waits, mut told) = (Vec::new(), Vec::new());
    let mut killed = Vec::new();
    for round in 0..rounds {
        if round % 50 == 49 {
            killed.push(writer.sequences.reserve(&did(9), 1, None).await.unwrap());
        }
        let reservation = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
        let seq = reservation.seqs().unwrap().start;
        if !writer.announce(&did(1), &reservation).await {
            continue;
        }
        let answered = std::time::Instant::now();
        let there = tokio::time::timeout(Duration::from_secs(60), tail.wait_for(|tail| *tail >= seq)).await;
        there.unwrap().unwrap();
        waits.push(answered.elapsed());
        told.push(seq);
    }
    killed.iter().for_each(Reservation::settle);
    // One that takes longer than its lease is refused.
    assert!(!killed.is_empty() && told.len() > rounds / 2, "{} of {rounds}", told.len());
    let events = reader.all(0, rounds).await;
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), told);
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 100];
    println!(
        "{} events, {} writers killed: median {:?}, p90 {:?}, p99 {:?}, longest {:?}",
        waits.len(),
        killed.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

#[tokio::test]
async fn beside_python_a_log_is_opened_behind_all_that_may_still_come() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let numbers = Sequences::start(client.clone(), beside_python());
    let now = (SequenceOptions::default().clock)();
    // A hundred old events, and then many within a minute, one of which is not there yet.
    let mut given = Vec::new();
    for _ in 0..8 {
        given.push(numbers.reserve(&did(1), 200, None).await.unwrap());
    }
    let late = 120;
    let blocks = (1..=1_600).filter(|seq| *seq != late).map(|seq| {
        let created = if seq <= 100 { now - 3_600_000_000 } else { now - 30_000_000 };
        let block = event_block(&account(&did(1)), seq, created).unwrap();
        upsert(block.to_entity(client.database()).unwrap())
    });
    client.put(blocks.collect()).await.unwrap();
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    assert_eq!(reader.seqs().await, (1..late).collect::<Vec<_>>());
    put(&client, &event_block(&account(&did(1)), late, now).unwrap()).await;
    assert_eq!(reader.seqs().await, (1..=1_600).collect::<Vec<_>>());
    given.iter().for_each(Reservation::settle);
}
