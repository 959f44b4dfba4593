//! Writing records, and what readers are told of it.

use arroba::core::data::{Cid, cbor};
use arroba::core::event::{Action, Frame};
use arroba::core::syntax::{Nsid, RecordKey, RecordPath};
use arroba::core::{nsid, record_key};
use arroba::lexicons::json::{SwapRecord, ValidationStatus};
use arroba::records::{RecordError, Validate};
use arroba::store::StoredEvent;
use arroba::{Batch, CommitOptions, CommitOutcome, HostError, Repo, Write, WriteResult};
use proptest::prelude::*;
use serde_json::json;

use super::fixture::{START_MICROS, World, kinds};

const NOTE: Nsid = nsid!("com.example.note");
const POST: Nsid = nsid!("app.bsky.feed.post");

fn note(text: &str) -> serde_json::Value {
    json!({"$type": NOTE.as_str(), "text": text})
}

fn cid(outcome: &CommitOutcome) -> Cid {
    match &outcome.results[0] {
        WriteResult::Created(written) | WriteResult::Updated(written) => written.cid,
        WriteResult::Deleted(uri) => panic!("{uri} was deleted"),
    }
}

fn put(key: &str, text: &str) -> Write {
    Write::put(NOTE, key.parse().unwrap(), note(text))
}

fn swap(key: &str, text: &str, swap: SwapRecord) -> Write {
    Write::Put { collection: NOTE, rkey: key.parse().unwrap(), content: note(text).into(), swap }
}

async fn values(repo: &Repo) -> Vec<(String, serde_json::Value)> {
    let page = repo.records(NOTE, None, 1000, arroba::store::Order::Ascending).await.unwrap();
    page.records
        .iter()
        .map(|record| {
            assert_eq!(record.cid, Cid::for_cbor(&record.value));
            let value = cbor::decode(&record.value).unwrap();
            (record.path.rkey.to_string(), arroba::core::data::json::to_json(&value))
        })
        .collect()
}

fn ops(event: &StoredEvent) -> Vec<(Action, String)> {
    match Frame::decode(&event.frame).unwrap() {
        Frame::Commit(_, commit) => commit.ops.iter().map(|op| (op.action, op.path.to_string())).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_changes_nothing_is_no_commit() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let start = world.host.newest_seq();
    let first = alice.commit([put("one", "hi")]).await.unwrap();
    assert!(first.commit.is_some());
    let head = alice.head().await.unwrap();

    let again = alice.commit([put("one", "hi")]).await.unwrap();
    assert_eq!((again.commit, cid(&again)), (None, cid(&first)));
    let gone = alice.commit([Write::delete(NOTE, record_key!("nothing"))]).await.unwrap();
    assert_eq!((gone.commit, gone.results.len()), (None, 1));
    let nothing = alice.commit([]).await.unwrap();
    assert_eq!((nothing.commit, nothing.results.len()), (None, 0));
    let there_and_back = [
        Write::create_at(NOTE, record_key!("two"), note("two")),
        Write::delete(NOTE, record_key!("two")),
        put("one", "other"),
        put("one", "hi"),
    ];
    let outcome = alice.commit(there_and_back).await.unwrap();
    assert_eq!((outcome.commit, outcome.results.len()), (None, 4));
    assert_eq!(alice.head().await.unwrap(), head);
    assert_eq!(kinds(&world.events_after(start).await), ["#commit"]);
}

#[tokio::test]
async fn a_batch_is_announced_as_its_net_effect() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    alice.commit([put("a", "1"), put("b", "1"), put("c", "1")]).await.unwrap();
    let start = world.host.newest_seq();
    let outcome = alice
        .commit([
            put("a", "2"),
            put("a", "3"),
            Write::delete(NOTE, record_key!("b")),
            Write::create_at(NOTE, record_key!("b"), note("4")),
            Write::delete(NOTE, record_key!("c")),
            Write::create_at(NOTE, record_key!("d"), note("5")),
        ])
        .await
        .unwrap();
    assert_eq!(outcome.results.len(), 6);
    assert!(matches!(outcome.results[3], WriteResult::Created(_)));
    let events = world.events_after(start).await;
    assert_eq!(events.len(), 1);
    assert_eq!(
        ops(&events[0]),
        [
            (Action::Update, "com.example.note/a".to_owned()),
            (Action::Update, "com.example.note/b".to_owned()),
            (Action::Delete, "com.example.note/c".to_owned()),
            (Action::Create, "com.example.note/d".to_owned()),
        ]
    );
    assert_eq!(outcome.commit.unwrap().seq, Some(events[0].seq));
    world.verify(&events).await;
    let texts: Vec<_> = values(&alice).await.into_iter().map(|(_, value)| value["text"].clone()).collect();
    assert_eq!(texts, ["3", "4", "5"]);
}

#[tokio::test]
async fn creating_twice_and_updating_nothing_are_refused() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let create = || Write::create_at(NOTE, record_key!("one"), note("hi"));
    let twice = alice.commit([create(), create()]).await;
    assert!(matches!(twice, Err(HostError::RecordExists(_))), "{twice:?}");
    alice.commit([create()]).await.unwrap();
    let over = alice.commit([create()]).await;
    assert!(matches!(over, Err(HostError::RecordExists(_))), "{over:?}");
    let update = alice.commit([Write::update(NOTE, record_key!("two"), note("hi"))]).await;
    assert!(matches!(update, Err(HostError::RecordMissing(_))), "{update:?}");
    assert_eq!(values(&alice).await.len(), 1);
}

#[tokio::test]
async fn swaps_compare_with_what_is_there() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let first = alice.commit([swap("one", "1", SwapRecord::Missing)]).await.unwrap();
    let head = first.commit.unwrap().cid;
    let refused = alice.commit([swap("one", "2", SwapRecord::Missing)]).await;
    assert!(matches!(refused, Err(HostError::RecordSwapped { actual: Some(_) })), "{refused:?}");
    let other = Cid::for_cbor(b"other");
    let refused = alice.commit([swap("one", "2", SwapRecord::At(other))]).await;
    assert!(matches!(refused, Err(HostError::RecordSwapped { actual: Some(_) })), "{refused:?}");
    let refused = alice.commit([swap("two", "2", SwapRecord::At(other))]).await;
    assert!(matches!(refused, Err(HostError::RecordSwapped { actual: None })), "{refused:?}");

    // A write to another record moves the commit, but not the record.
    alice.commit([put("two", "2")]).await.unwrap();
    let options = || CommitOptions::default().swap_commit(Some(head));
    let stale = alice.commit_with([put("one", "3")], options()).await;
    let Err(HostError::CommitSwapped { actual }) = stale else { panic!("{stale:?}") };
    assert_eq!(actual, alice.head().await.unwrap().0);
    alice.commit([swap("one", "3", SwapRecord::At(cid(&first)))]).await.unwrap();
    let fresh = CommitOptions::default().swap_commit(Some(alice.head().await.unwrap().0));
    alice.commit_with([put("one", "4")], fresh).await.unwrap();
}

#[tokio::test]
async fn the_validate_matrix() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let good = json!({"text": "hi", "createdAt": world.host.now()});
    let bad = json!({"text": 7});
    let status = |outcome: &CommitOutcome| match &outcome.results[0] {
        WriteResult::Created(written) => written.validation.clone(),
        other => panic!("{other:?}"),
    };
    for (validate, known, unknown) in [
        (Validate::Known, Some(ValidationStatus::Valid), Ok(Some(ValidationStatus::Unknown))),
        (Validate::Always, Some(ValidationStatus::Valid), Err(())),
        (Validate::Never, None, Ok(None)),
    ] {
        let options = || CommitOptions::default().validate(validate);
        let outcome = alice.commit_with([Write::create(POST, good.clone())], options()).await.unwrap();
        assert_eq!(status(&outcome), known);
        let outcome = alice.commit_with([Write::create(POST, bad.clone())], options()).await;
        match validate {
            Validate::Never => assert_eq!(status(&outcome.unwrap()), None),
            _ => {
                assert!(matches!(outcome, Err(HostError::Record(RecordError::Invalid { .. }))), "{outcome:?}")
            }
        }
        let outcome = alice.commit_with([Write::create(NOTE, note("hi"))], options()).await;
        match unknown {
            Ok(expected) => assert_eq!(status(&outcome.unwrap()), expected),
            Err(()) => assert!(matches!(outcome, Err(HostError::Record(RecordError::UnknownType(_))))),
        }
        // What holds whatever the lexicon says.
        for record in
            [json!({"$type": "com.example.other"}), json!([]), json!({"n": 1.5}), json!({"$type": 1})]
        {
            let refused = alice.commit_with([Write::create(NOTE, record)], options()).await;
            assert!(matches!(refused, Err(HostError::Record(_))), "{refused:?}");
        }
    }
    // A key of the wrong kind.
    let refused = alice.commit([Write::create_at(POST, record_key!("self"), good)]).await;
    assert!(matches!(refused, Err(HostError::Record(RecordError::Invalid { .. }))), "{refused:?}");
}

#[tokio::test]
async fn the_type_is_filled_in() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    alice.commit([Write::create_at(NOTE, record_key!("one"), json!({"text": "hi"}))]).await.unwrap();
    assert_eq!(values(&alice).await, [("one".to_owned(), note("hi"))]);
}

#[tokio::test]
async fn limits_on_size_and_number() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let head = alice.head().await.unwrap();
    let many = |count: usize| (0..count).map(|index| put(&format!("k{index:03}"), "x")).collect::<Vec<_>>();
    let refused = alice.commit(many(201)).await;
    assert!(matches!(refused, Err(HostError::TooManyWrites(201))), "{refused:?}");
    let refused = alice.commit([put("big", &"x".repeat(1_000_000))]).await;
    assert!(matches!(refused, Err(HostError::Record(RecordError::TooLarge(_)))), "{refused:?}");
    let large = "x".repeat(900_000);
    let refused = alice
        .commit([put("a", &large), put("b", &format!("{large}y")), put("c", &format!("{large}z"))])
        .await;
    assert!(matches!(refused, Err(HostError::Edit(_))), "{refused:?}");
    assert_eq!(alice.head().await.unwrap(), head);
    alice.commit(many(200)).await.unwrap();
    alice.commit([put("a", &large), put("b", &format!("{large}y"))]).await.unwrap();
    assert_eq!(world.verify(&world.events().await).await, 3);
}

#[tokio::test]
async fn revisions_grow_whatever_the_clock_says() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut last = alice.head().await.unwrap().1;
    for (index, micros) in [0, 0, 5, 3, 1, 1_000_000, 2].into_iter().enumerate() {
        world.clock.set(START_MICROS - 60_000_000 + micros);
        alice.commit([put("one", &index.to_string())]).await.unwrap();
        let rev = alice.head().await.unwrap().1;
        assert!(rev > last);
        last = rev;
    }
    world.clock.set(START_MICROS + 60_000_000);
    alice.commit([put("one", "later")]).await.unwrap();
    assert_eq!(alice.head().await.unwrap().1.micros(), START_MICROS + 60_000_000);
}

#[tokio::test]
async fn fresh_keys_grow_within_one_microsecond() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let outcome =
        alice.commit((0..200).map(|index| Write::create(NOTE, note(&index.to_string())))).await.unwrap();
    let uris: Vec<_> = outcome
        .results
        .iter()
        .map(|result| match result {
            WriteResult::Created(written) => written.uri.rkey().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(uris.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
}

#[tokio::test]
async fn likes_take_each_others_place() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let like = |uri: &str| {
        let subject = json!({"uri": uri, "cid": Cid::for_cbor(uri.as_bytes())});
        Write::create(nsid!("app.bsky.feed.like"), json!({"subject": subject, "createdAt": world.host.now()}))
    };
    let (one, two) =
        ("at://did:web:bob.test/app.bsky.feed.post/1", "at://did:web:bob.test/app.bsky.feed.post/2");
    let options = || CommitOptions::default().replace_duplicates(true);
    alice.commit_with([like(one)], options()).await.unwrap();
    alice.commit_with([like(two)], options()).await.unwrap();
    world.clock.advance(10);
    let start = world.host.newest_seq();
    alice.commit_with([like(one)], options()).await.unwrap();
    let events = world.events_after(start).await;
    let actions: Vec<_> = ops(&events[0]).into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, [Action::Delete, Action::Create]);
    world.verify(&events).await;
    alice.commit([like(one)]).await.unwrap();
    let page =
        alice.records(nsid!("app.bsky.feed.like"), None, 100, arroba::store::Order::Ascending).await.unwrap();
    assert_eq!(page.records.len(), 3, "without the option they pile up");
}

#[tokio::test]
async fn blobs_come_before_their_records_and_go_with_them() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let bytes = |text: &'static [u8]| {
        futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(text))])
    };
    let image = json!({"$type": "blob", "ref": {"$link": Cid::for_raw(b"hello").to_string()}, "mimeType": "text/plain", "size": 5});
    let record = |image: &serde_json::Value| Write::put(NOTE, record_key!("one"), json!({"image": image}));
    let refused = alice.commit([record(&image)]).await;
    assert!(matches!(refused, Err(HostError::BlobNotFound(_))), "{refused:?}");

    let blob = alice.upload_blob(Some("text/plain"), bytes(b"hello")).await.unwrap();
    assert_eq!((blob.cid, blob.size, blob.mime_type.as_str()), (Cid::for_raw(b"hello"), 5, "text/plain"));
    let mut wrong = image.clone();
    wrong["size"] = json!(6);
    let refused = alice.commit([record(&wrong)]).await;
    assert!(matches!(refused, Err(HostError::BlobMismatch { size: 5, .. })), "{refused:?}");
    let index = world.host.blob_index();
    assert!(index.blob(alice.did(), &blob.cid).await.unwrap().unwrap().temporary);
    alice.commit([record(&image)]).await.unwrap();
    assert!(!index.blob(alice.did(), &blob.cid).await.unwrap().unwrap().temporary);
    assert_eq!(index.list(alice.did(), None, None, 10).await.unwrap(), [blob.cid]);

    let legacy = json!({"image": {"cid": blob.cid.to_string(), "mimeType": "text/plain"}});
    let refused = alice.commit([Write::create(NOTE, legacy)]).await;
    assert!(matches!(refused, Err(HostError::Record(RecordError::LegacyBlob(_)))), "{refused:?}");
    alice.commit([Write::delete(NOTE, record_key!("one"))]).await.unwrap();
    assert_eq!(index.blob(alice.did(), &blob.cid).await.unwrap(), None);
}

#[tokio::test]
async fn writers_to_one_repo_wait_for_each_other() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let writes = (0..50).map(|index| {
        let alice = alice.clone();
        tokio::spawn(async move { alice.commit([put(&format!("k{index}"), "x")]).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let events = world.events().await;
    assert_eq!(world.verify(&events).await, 51);
    let mut before = None;
    for event in &events {
        if let Frame::Commit(_, commit) = Frame::decode(&event.frame).unwrap() {
            assert_eq!(commit.since, before);
            before = Some(commit.rev);
        }
    }
}

#[tokio::test]
async fn two_hosts_over_one_store_do_not_lose_writes() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let other = world.other().await;
    let elsewhere = other.host.repo(alice.did());
    let writes = (0..40).map(|index| {
        let repo = if index % 2 == 0 { alice.clone() } else { elsewhere.clone() };
        tokio::spawn(async move { repo.commit([put(&format!("k{index}"), "x")]).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    assert_eq!(values(&alice).await.len(), 40);
    assert_eq!(world.verify(&other.events().await).await, 41);
}

#[tokio::test]
async fn many_repos_at_once_each_for_itself() {
    let world = World::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let nobody = "did:web:nobody.test".parse().unwrap();
    let start = world.host.newest_seq();
    let results = world
        .host
        .commit_many([
            Batch::new(bob.did().clone(), [put("one", "1")]),
            Batch::new(alice.did().clone(), [put("one", "1")]),
            Batch::new(nobody, [put("one", "1")]),
            Batch::new(bob.did().clone(), [Write::update(NOTE, record_key!("none"), note("x"))]),
            Batch::new(bob.did().clone(), [put("one", "2")]),
            Batch::new(alice.did().clone(), [put("one", "1")]),
            Batch::new(alice.did().clone(), [Write::create(NOTE, json!({"$type": "a.b.c"}))]),
        ])
        .await;
    assert_eq!(results.len(), 7);
    assert!(results[0].as_ref().unwrap().commit.is_some());
    assert!(results[1].as_ref().unwrap().commit.is_some());
    assert!(matches!(results[2], Err(HostError::RepoNotFound(_))));
    assert!(matches!(results[3], Err(HostError::RecordMissing(_))));
    assert!(matches!(results[4].as_ref().unwrap().results[0], WriteResult::Updated(_)));
    assert!(results[5].as_ref().unwrap().commit.is_none());
    assert!(matches!(results[6], Err(HostError::Record(RecordError::WrongType { .. }))));
    let events = world.events_after(start).await;
    assert_eq!(world.verify(&events).await, 3);
    assert_eq!(values(&bob).await[0].1, note("2"));
}

/// A write as proptest draws it: collection, key, and the text or a deletion.
type Drawn = (u8, u8, Option<u8>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is written, the records are what a map would hold, and every frame undoes to the tree before.
    #[test]
    fn random_batches_over_four_collections(batches in prop::collection::vec(prop::collection::vec((0..4_u8, 0..12_u8, prop::option::of(0..3_u8)), 1..20), 1..12)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(batches));
    }
}

async fn run(batches: Vec<Vec<Drawn>>) {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let mut model = std::collections::BTreeMap::new();
    for batch in batches {
        let before = model.clone();
        let writes: Vec<_> = batch
            .into_iter()
            .map(|(collection, key, text)| {
                let path = RecordPath::new(
                    Nsid::parse(&format!("com.example.kind{collection}")).unwrap(),
                    RecordKey::parse(&format!("key{key}")).unwrap(),
                );
                match text {
                    Some(text) => {
                        model.insert(path.to_string(), text);
                        Write::put(path.collection, path.rkey, json!({"text": text.to_string()}))
                    }
                    None => {
                        model.remove(&path.to_string());
                        Write::delete(path.collection, path.rkey)
                    }
                }
            })
            .collect();
        let outcome = alice.commit(writes).await.unwrap();
        assert_eq!(outcome.commit.is_some(), before != model);
    }
    world.verify(&world.events().await).await;
    for (path, text) in &model {
        let record = alice.record(&RecordPath::parse(path).unwrap()).await.unwrap().unwrap();
        let value = cbor::decode(&record.value).unwrap();
        assert_eq!(value.get("text").unwrap().as_text(), Some(text.to_string().as_str()));
    }
    let row = alice.row().await.unwrap().unwrap();
    assert_eq!(row.rev, Some(alice.head().await.unwrap().1));
}
