//! Which events a reader is given.

use super::*;

#[tokio::test]
async fn hidden_events_are_left_out_and_do_not_stop_a_reader() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    for number in [1, 2, 1, 2] {
        let reservation = writer.sequences.reserve(&did(number), 1, None).await.unwrap();
        assert!(writer.announce(&did(number), &reservation).await);
    }
    let below = Below(HashMap::from([(did(1), 3)]));
    let page = writer.log.page(&below, None, 0, 1).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.newest), (0, 1, 4));
    let page = writer.log.page(&below, None, 0, 10).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((page.start, page.oldest, page.lost_after(0)), (1, 1, false));
    let page = writer.log.page(&below, None, 9, 10).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.newest), (0, 9, 4));
    assert_eq!(writer.log.page(&below, None, 0, 0).await.unwrap().next, 0);
}

#[tokio::test]
async fn forged_and_damaged_events_are_left_out() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let block = |encoded: Vec<u8>, seq| {
        let encoded = Bytes::from(encoded);
        let cid = Cid::for_cbor(&encoded);
        AtpBlock { cid, repo: Some(did(1)), encoded, seq, ops: Vec::new(), created: Some(TIME) }
    };
    // A record that says that it is an event of somebody else.
    let forged = event_block(&account(&did(2)), 1, TIME).unwrap();
    put(&client, &AtpBlock { repo: Some(did(1)), ..forged }).await;
    let map = |entries: Vec<(&str, Value<'_>)>| {
        let entries = entries.into_iter().map(|(key, value)| (std::borrow::Cow::from(key.to_owned()), value));
        cbor::encode(&Value::Map(entries.collect()))
    };
    let text = |text: &str| Value::Text(text.to_owned().into());
    let event = |kind: &str| {
        vec![
            ("$type", text(&format!("com.atproto.sync.subscribeRepos#{kind}"))),
            ("did", text("did:web:author1.test")),
            ("time", text("2026-01-02T03:04:05.678901+00:00")),
        ]
    };
    put(&client, &block(map(event("unheard")), 2)).await;
    put(&client, &block(map(event("account")), 3)).await;
    put(&client, &block(map(event("tombstone")), 4)).await;
    let handle = [("handle", text("author1.test")), ("more", Value::Null)];
    put(&client, &block(map(event("identity").into_iter().chain(handle).collect()), 5)).await;
    put(&client, &AtpBlock { encoded: Bytes::from_static(&[0xa0]), ..block(map(event("identity")), 6) })
        .await;
    let nsid = AtpSequence::SUBSCRIBE_REPOS.to_owned();
    let counter = AtpSequence { nsid, next: 7, created: None, updated: None };
    client.put(vec![upsert(counter.to_entity(client.database()).unwrap())]).await.unwrap();
    let reader =
        Program::start(&client, exclusive(LONG), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    let events = reader.all(0, 10).await;
    let time = Datetime::parse("2026-01-02T03:04:05.678901+00:00").unwrap();
    let account = AccountEvent {
        did: did(1),
        active: false,
        status: Some(event::AccountStatus::Deleted),
        time: time.clone(),
    };
    let identity = IdentityEvent { did: did(1), handle: Some("author1.test".parse().unwrap()), time };
    let frames: Vec<_> = events.iter().map(|event| Frame::decode(&event.frame).unwrap()).collect();
    assert_eq!(frames, [Frame::Account(4, account), Frame::Identity(5, identity)]);
}
