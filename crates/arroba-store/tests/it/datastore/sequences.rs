//! Sequence numbers on the emulator, and on a real memcached.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use arroba_core::{
    event::{Frame, IdentityEvent},
    syntax::{Did, Tid},
};
use arroba_store::{
    StoreError,
    datastore::{
        Client, ClientOptions, GivenUp, MemcachedOptions, Numbering, Reads, SequenceOptions, Sequences,
        api::{KindExpression, Query},
        delete,
        entity::{ArrobaReservation, AtpBlock, AtpSequence},
        stored_event,
        testing::Emulator,
        upsert,
    },
};

use super::table::Table;

fn did() -> Did {
    "did:web:author.test".parse().unwrap()
}

fn options(numbering: Numbering, patience: Duration) -> SequenceOptions {
    let mut options = SequenceOptions::new(numbering);
    options.patience = patience;
    options
}

const LONG: Duration = Duration::from_secs(3_600);

async fn counter(client: &Client) -> u64 {
    let key = AtpSequence::key(client.database(), AtpSequence::SUBSCRIBE_REPOS);
    let mut found = client.lookup(vec![key], Reads::Strong).await.unwrap().found;
    AtpSequence::from_entity(found.remove(0).entity.unwrap()).unwrap().next
}

async fn all(client: &Client, kind: &str) -> Vec<arroba_store::datastore::api::Entity> {
    let query = Query { kind: vec![KindExpression { name: kind.to_owned() }], ..Query::default() };
    let page = client.query(query, Reads::Strong).await.unwrap();
    page.results.into_iter().filter_map(|result| result.entity).collect()
}

#[tokio::test]
async fn numbers_begin_at_one_and_cost_two_calls() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let sequences = Sequences::start(client.clone(), options(Numbering::Datastore, LONG));
    assert_eq!(sequences.last().await.unwrap(), 0);
    let before = client.counts();
    let first = sequences.reserve(&did(), 4, None).await.unwrap();
    assert_eq!((client.counts() - before).total(), 2);
    assert_eq!((first.seqs(), first.rev(2)), (Some(1..5), Some(Tid::from_micros(3, 0))));
    first.settle();
    assert_eq!((counter(&client).await, sequences.last().await.unwrap()), (5, 4));
    assert!(sequences.reserve(&did(), 0, None).await.unwrap().seqs().is_none());
    assert!(sequences.reserve(&did(), 201, None).await.is_err());
    sequences.close().await;
    assert!(sequences.reserve(&did(), 1, None).await.is_err(), "nothing after it was closed");
}

#[tokio::test]
async fn no_number_is_given_twice_and_none_is_left_out() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    // Two programs on one database.
    let both = [Numbering::Datastore, Numbering::Datastore]
        .map(|numbering| Sequences::start(client.clone(), options(numbering, LONG)));
    let before = client.counts();
    let asks = (0..60).map(|index| {
        let sequences = both[index % 2].clone();
        async move {
            let reservation = sequences.reserve(&did(), 1 + index % 3, None).await.unwrap();
            reservation.settle();
            reservation.seqs().unwrap()
        }
    });
    let ranges = futures::future::join_all(asks).await;
    let numbers: Vec<u64> = ranges.iter().cloned().flatten().collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), distinct.len()), (120, 120));
    assert_eq!(distinct, (1..121).collect());
    assert!((client.counts() - before).total() < 60, "who comes together shares a transaction");
}

#[tokio::test]
async fn a_number_that_came_back_goes_to_the_next_that_may_have_it() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let sequences = Sequences::start(client.clone(), options(Numbering::Datastore, LONG));
    let reservation = sequences.reserve(&did(), 3, None).await.unwrap();
    drop(reservation);
    let before = client.counts();
    let high = sequences.reserve(&did(), 1, Some(Tid::from_micros(2, 5))).await.unwrap();
    assert_eq!(high.seqs(), Some(3..4), "a rev has to grow");
    let pair = sequences.reserve(&did(), 2, None).await.unwrap();
    assert_eq!(pair.seqs(), Some(1..3));
    assert_eq!((client.counts() - before).total(), 0);
    drop((high, pair));
    let told = Some(Tid::from_micros(1_700_000_000_000_000, 0));
    for events in [0, 1] {
        let ahead = sequences.reserve(&did(), events, told).await.unwrap_err();
        let StoreError::RevAhead { above, next } = ahead else { panic!("{ahead:?}") };
        assert_eq!((Some(above), next), (told, Tid::from_micros(4, 0)));
    }
    // The number that it did not take is there for others.
    let before = client.counts();
    let rest = sequences.reserve(&did(), 4, None).await.unwrap();
    assert_eq!((rest.seqs(), (client.counts() - before).total()), (Some(1..5), 0));
}

#[tokio::test]
async fn what_nobody_takes_becomes_an_event_that_readers_can_pass() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let sequences = Sequences::start(client.clone(), options(Numbering::Datastore, Duration::ZERO));
    drop(sequences.reserve(&did(), 2, None).await.unwrap());
    sequences.settled().await;
    let patient = Sequences::start(client.clone(), options(Numbering::Datastore, LONG));
    let last = patient.reserve(&did(), 1, None).await.unwrap();
    assert_eq!(last.seqs(), Some(3..4));
    assert!(!patient.settle_now(3), "it is still out");
    drop(last);
    assert!(patient.settle_now(3), "a reader waits");
    patient.settled().await;
    drop(patient.reserve(&did(), 1, None).await.unwrap());
    patient.close().await;
    let mut filled = BTreeSet::new();
    for entity in all(&client, AtpBlock::KIND).await {
        let block = AtpBlock::from_entity(entity).unwrap();
        assert!(block.is_intact() && block.repo == Some(did()));
        let (seq, draft) = stored_event(&block.encoded).unwrap().unwrap();
        assert_eq!(seq, Some(block.seq));
        let Frame::Identity(_, IdentityEvent { did: whose, handle: None, .. }) =
            Frame::decode(&draft.fill(block.seq)).unwrap()
        else {
            panic!("{block:?}")
        };
        assert_eq!(whose, did());
        filled.insert(block.seq);
    }
    assert_eq!(filled, (1..5).collect());
}

#[tokio::test(start_paused = true)]
async fn an_unused_number_waits_two_seconds_for_the_next_commit() {
    let table = Arc::new(Table::new());
    let client = Client::new(Arc::<Table>::clone(&table), ClientOptions::default());
    let sequences = Sequences::start(client, SequenceOptions::default());
    drop(sequences.reserve(&did(), 1, None).await.unwrap());
    tokio::time::sleep(Duration::from_millis(1_990)).await;
    assert_eq!(table.rows(), 1, "the counter alone");
    let again = sequences.reserve(&did(), 1, None).await.unwrap();
    assert_eq!(again.seqs(), Some(1..2));
    drop(again);
    tokio::time::sleep(Duration::from_millis(1_990)).await;
    assert_eq!(table.rows(), 1);
    let began = tokio::time::Instant::now();
    sequences.settled().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(table.rows(), 2, "it became an event");
}

#[tokio::test]
async fn a_reservation_fences_its_number() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let sequences = Sequences::start(client.clone(), options(Numbering::exclusive(), LONG));
    let before = client.counts();
    let reservation = sequences.reserve(&did(), 2, None).await.unwrap();
    assert_eq!((client.counts() - before).total(), 2);
    let stored: Vec<_> = all(&client, ArrobaReservation::KIND).await;
    let stored: Vec<_> =
        stored.into_iter().map(|entity| ArrobaReservation::from_entity(entity).unwrap()).collect();
    assert_eq!(stored.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(stored.iter().all(|stored| stored.repo == Some(did())));
    let fence = sequences.fence(reservation.seqs().unwrap());
    assert_eq!(fence.mutations(&[]).unwrap().len(), 2);
    // A reader has withdrawn it.
    client.put(vec![delete(fence.keys()[1].clone())]).await.unwrap();
    let lookup = client.lookup(fence.keys().to_vec(), Reads::Strong).await.unwrap();
    assert_eq!(fence.mutations(&lookup.missing).unwrap_err(), GivenUp(2));
    drop(reservation);
    sequences.close().await;
    assert!(all(&client, ArrobaReservation::KIND).await.is_empty(), "what is given back is withdrawn");
    assert!(all(&client, AtpBlock::KIND).await.is_empty());
}

#[tokio::test]
async fn beside_python_a_number_that_readers_passed_is_refused() {
    let Some(emulator) = Emulator::shared().await else { return };
    let sequences = Sequences::start(emulator.client().await, options(Numbering::Datastore, LONG));
    let reservation = sequences.reserve(&did(), 1, None).await.unwrap();
    let fence = sequences.fence(1..2);
    assert!(fence.keys().is_empty() && fence.mutations(&[]).unwrap().is_empty());
    sequences.passed(1);
    assert_eq!(sequences.fence(1..2).mutations(&[]).unwrap_err(), GivenUp(1));
    drop(reservation);
    assert_eq!(
        sequences.reserve(&did(), 1, None).await.unwrap().seqs(),
        Some(2..3),
        "it is not given out again"
    );
}

/// A memcached of the test's own; stopped when dropped.
struct Memcached(Child, String);

impl Memcached {
    async fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("memcached");
        command.args(["-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-p", &port.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            assert!(std::env::var_os("CI").is_none(), "no memcached: apt install memcached");
            eprintln!("SKIPPED: no memcached on the path; nothing was tested");
            return None;
        };
        let server = Self(child, format!("127.0.0.1:{port}"));
        while std::net::TcpStream::connect(&server.1).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(server)
    }

    fn numbering(&self) -> Numbering {
        Numbering::Memcached(MemcachedOptions::new(&self.1))
    }

    /// Says something to the server and gives the first line of its answer.
    fn say(&self, line: &str) -> String {
        use std::io::{BufRead, BufReader, Write};
        let mut stream = std::net::TcpStream::connect(&self.1).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const KEY: &str = "com.atproto.sync.subscribeRepos-last-seq";

#[tokio::test]
async fn memcached_counts_as_the_python_library_has_it() {
    let Some(emulator) = Emulator::shared().await else { return };
    let Some(memcached) = Memcached::start().await else { return };
    let client = emulator.client().await;
    let sequences = Sequences::start(client.clone(), options(memcached.numbering(), LONG));
    let first = sequences.reserve(&did(), 2, None).await.unwrap();
    first.settle();
    assert_eq!((first.seqs(), counter(&client).await), (Some(1..3), 1_002), "the last number and the batch");
    assert_eq!(sequences.last().await.unwrap(), 2);
    // Somebody else counts on, in Python's way.
    assert_eq!(memcached.say(&format!("incr {KEY} 1\r\n")), "3");
    let before = client.counts();
    let next = sequences.reserve(&did(), 1, None).await.unwrap();
    next.settle();
    assert_eq!((next.seqs(), (client.counts() - before).total()), (Some(4..5), 0), "no call to Datastore");
    assert_eq!(memcached.say(&format!("incr {KEY} 900\r\n")), "904");
    sequences.reserve(&did(), 1, None).await.unwrap().settle();
    assert_eq!(counter(&client).await, 1_905, "fewer than a hundred were left");
    // The server forgets.
    assert_eq!(memcached.say(&format!("delete {KEY}\r\n")), "DELETED");
    let after = sequences.reserve(&did(), 1, None).await.unwrap();
    after.settle();
    assert_eq!(after.seqs(), Some(1_905..1_906));
    assert_eq!(memcached.say(&format!("set {KEY} 0 0 1\r\nx\r\n")), "STORED");
    let error = sequences.reserve(&did(), 1, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { reason: "memcached", .. }), "{error:?}");
}

#[tokio::test]
async fn a_memcached_that_is_gone_is_a_named_error() {
    let Some(emulator) = Emulator::shared().await else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let numbering = Numbering::Memcached(MemcachedOptions::new(format!("127.0.0.1:{port}")));
    let sequences = Sequences::start(emulator.client().await, options(numbering, LONG));
    let error = sequences.reserve(&did(), 1, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { reason: "memcached", .. }), "{error:?}");
}

#[tokio::test]
async fn an_existing_counter_goes_on() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let nsid = AtpSequence::SUBSCRIBE_REPOS.to_owned();
    let stored = AtpSequence { nsid, next: 42, created: Some(7), updated: None };
    client.put(vec![upsert(stored.to_entity(client.database()).unwrap())]).await.unwrap();
    let sequences = Sequences::start(client.clone(), SequenceOptions::default());
    let reservation = sequences.reserve(&did(), 1, None).await.unwrap();
    reservation.settle();
    assert_eq!(reservation.seqs(), Some(42..43));
    let key = AtpSequence::key(client.database(), AtpSequence::SUBSCRIBE_REPOS);
    let found = client.lookup(vec![key], Reads::Strong).await.unwrap().found.remove(0);
    let counter = AtpSequence::from_entity(found.entity.unwrap()).unwrap();
    assert_eq!((counter.next, counter.created), (43, Some(7)));
}
