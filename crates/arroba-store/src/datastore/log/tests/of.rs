//! What one repository has in the log.

use super::*;

/// Everything of a repository behind `after`, in pages.
async fn all_of(program: &Program, whose: &Did, after: u64, limit: usize) -> Vec<StoredEvent> {
    let (mut events, mut cursor) = (Vec::new(), after);
    loop {
        let page = program.log.page(&Below::default(), Some(whose), cursor, limit).await.unwrap();
        assert!(page.events.len() <= limit && page.next >= cursor);
        events.extend(page.events);
        if page.next >= page.newest || page.next == cursor {
            return events;
        }
        cursor = page.next;
    }
}

fn kept_by_nobody() -> LogOptions {
    LogOptions { ring_bytes: 0, ..LogOptions::default() }
}

fn note(number: u32) -> Vec<Write> {
    vec![Write::create(path(&format!("a.b.c/{number}")), record("x"))]
}

#[tokio::test]
async fn few_commits_among_many_of_others_cost_few_calls() {
    let Some(emulator) = Emulator::shared().await else { return };
    for numbers in [exclusive(LONG), beside_python()] {
        let client = emulator.client().await;
        let writer = Program::start(&client, numbers.clone(), LogOptions::default()).await;
        let mut repo = Repo::new(1);
        for number in 0..12 {
            repo.commit(&writer, Some(note(number))).await;
            let others = writer.sequences.reserve(&did(2), 150, None).await.unwrap();
            assert!(writer.announce(&did(2), &others).await);
        }
        let height = u64::from(repo.tree.height());
        for options in [kept_by_nobody(), LogOptions::default()] {
            let reader = Program::start(&client, numbers.clone(), options).await;
            let everything = reader.all(0, 1_000).await;
            assert_eq!(everything.len(), 12 * 151);
            let own: Vec<_> = everything.into_iter().filter(|event| event.did == did(1)).collect();
            assert_eq!(own, repo.told);
            for limit in [1, 4, 100] {
                assert_eq!(all_of(&reader, &did(1), 0, limit).await, repo.told, "pages of {limit}");
            }
            let before = client.counts();
            assert_eq!(all_of(&reader, &did(1), repo.told[1].seq, 100).await, repo.told[2..]);
            let counts = client.counts() - before;
            println!("10 commits among 1,500 events of others: {counts:?}");
            assert!(counts.queries <= 1 && counts.total() <= height + 5, "{counts:?}");
            assert!(all_of(&reader, &did(3), 0, 10).await.is_empty());
            assert_eq!(all_of(&reader, &did(2), 0, 500).await.len(), 12 * 150);
        }
    }
}

#[tokio::test]
async fn commits_that_came_to_nothing_are_none_of_the_repository() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, beside_python(), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    // As the Python library leaves it when it is interrupted before it moves the head.
    let leave = async |repo: &Repo, seq: u64, tried_again: bool| {
        let (head, commit) = repo.head.as_ref().unwrap();
        let prev = if tried_again { commit.prev } else { Some(*head) };
        let data = Tree::empty().root_cid();
        let left = Commit::sign(did(1), data, Tid::from_micros(seq, 0), prev, &repo.key);
        let encoded = Bytes::from(left.encode());
        let cid = Cid::for_cbor(&encoded);
        let created = Some(TIME + seq);
        put(&client, &AtpBlock { cid, repo: Some(did(1)), encoded, seq, ops: Vec::new(), created }).await;
        cid
    };
    let mut lasts = [false; 2];
    for number in 0..40 {
        repo.commit(&writer, Some(note(number))).await;
        if number % 5 == 4 {
            let seq = repo.told.last().unwrap().seq;
            let left = leave(&repo, seq, true).await;
            // Whatever the order of the two is.
            lasts[usize::from(left > repo.head.as_ref().unwrap().0)] = true;
        }
        if number % 9 == 3 || number == 39 {
            let lost = writer.sequences.reserve(&did(1), 1, None).await.unwrap();
            leave(&repo, lost.seqs().unwrap().start, false).await;
            lost.settle();
        }
    }
    assert_eq!(lasts, [true; 2]);
    let others = writer.sequences.reserve(&did(2), 1, None).await.unwrap();
    assert!(writer.announce(&did(2), &others).await);
    // A reader that has seen nothing of it.
    let reader = Program::start(&client, exclusive(LONG), kept_by_nobody()).await;
    assert!(reader.all(0, 100).await.len() > 40, "alone under their number they cannot be told from others");
    for limit in [1, 3, 10, 100] {
        let events = all_of(&reader, &did(1), 0, limit).await;
        assert_eq!(events, repo.told, "pages of {limit}");
    }
}

#[tokio::test]
async fn the_index_of_the_python_library_is_all_that_it_needs() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..8 {
        repo.commit(&writer, Some(note(number))).await;
        let others = writer.sequences.reserve(&did(2), 2, None).await.unwrap();
        assert!(writer.announce(&did(2), &others).await);
    }
    for indexes in [vec![Index::new(AtpBlock::KIND, &["repo", "seq"])], Vec::new()] {
        let is_there = !indexes.is_empty();
        let connection = emulator.connection(client.database().clone()).await;
        let strict = Strict::new(connection, StrictOptions { indexes: Some(indexes), ..Default::default() });
        let backoff = Duration::from_millis(1);
        let options = ClientOptions { seed: 1, backoff, attempts: 20, ..ClientOptions::default() };
        let strict = Client::new(Arc::new(strict), options);
        let reader = Program::start(&strict, exclusive(LONG), kept_by_nobody()).await;
        if is_there {
            assert_eq!(all_of(&reader, &did(1), 0, 3).await, repo.told);
        } else {
            let page = reader.log.page(&Below::default(), Some(&did(1)), 0, 3).await;
            assert!(format!("{:?}", page.unwrap_err()).contains("no matching index"));
        }
    }
}
