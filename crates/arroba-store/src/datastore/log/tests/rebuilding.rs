//! Events that are made again: the same as the writer made them.

use std::collections::BTreeMap;

use super::*;

/// Commits of all sorts in two repositories, with events between them; gives what the writer made.
async fn history(program: &Program) -> Vec<StoredEvent> {
    let mut repos = [Repo::new(1), Repo::new(2)];
    let mut model: [BTreeMap<RecordPath, u64>; 2] = Default::default();
    let mut random = 42_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for round in 0..24 {
        let index = usize::try_from(next(2)).unwrap();
        let (repo, model) = (&mut repos[index], &mut model[index]);
        if round % 8 == 7 && repo.head.is_some() {
            repo.commit(program, None).await;
            continue;
        }
        let mut writes = Vec::new();
        for number in 0..=next(9) {
            let path = path(&format!("com.example.note/key{}", next(400)));
            let text = format!("{round} {number}");
            if model.contains_key(&path) && next(3) == 0 {
                model.remove(&path);
                writes.push(Write::delete(path));
            } else if model.insert(path.clone(), round).is_some() {
                writes.push(Write::update(path, record(&text)));
            } else {
                writes.push(Write::create(path, record(&text)));
            }
        }
        repo.commit(program, Some(writes)).await;
    }
    let [first, second] = repos;
    let mut told = [first.told, second.told].concat();
    let reservation = program.sequences.reserve(&did(3), 2, None).await.unwrap();
    assert!(program.announce(&did(3), &reservation).await);
    told.extend(reservation.seqs().unwrap().map(|seq| stored(seq, TIME + seq * 1_000, &account(&did(3)))));
    told.sort_by_key(|event| event.seq);
    told
}

#[tokio::test]
async fn the_event_of_a_commit_is_the_same_bytes_on_every_node() {
    let Some(emulator) = Emulator::shared().await else { return };
    for numbers in [exclusive(LONG), beside_python()] {
        let client = emulator.client().await;
        let writer = Program::start(&client, numbers.clone(), LogOptions::default()).await;
        assert_eq!(*writer.log.tail().borrow(), 0);
        let told = history(&writer).await;
        assert!(told.iter().filter(|event| event.kind == EventKind::Commit).count() > 20);
        let newest = told.last().unwrap().seq;
        assert_eq!(*writer.log.tail().borrow(), newest, "what we write can be read at once");
        assert_eq!(writer.all(0, 1_000).await, told);
        // Another program has nothing but what is stored; one that keeps no events reads all of them every time.
        for ring_bytes in [32 << 20, 0] {
            let options = LogOptions { ring_bytes, ..LogOptions::default() };
            let reader = Program::start(&client, numbers.clone(), options).await;
            assert_eq!(*reader.log.tail().borrow(), newest);
            for limit in [1, 7, 1_000] {
                assert_eq!(reader.all(0, limit).await, told, "rule 6");
            }
            for cut in [0, 5, told.len() - 1] {
                assert_eq!(reader.all(told[cut].seq, 4).await, told[cut + 1..]);
            }
        }
        let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap().public_key();
        for event in told.iter().filter(|event| event.kind == EventKind::Commit) {
            verify::frame(&event.frame, &event.did, &key, verify::Order::Relay).unwrap();
        }
    }
}

#[tokio::test]
async fn rebuilding_costs_one_lookup_a_level_for_many_commits_together() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..30 {
        repo.commit(
            &writer,
            Some(vec![Write::create(path(&format!("com.example.note/{number}")), record("x"))]),
        )
        .await;
    }
    let height = u64::from(repo.tree.height());
    let reader =
        Program::start(&client, exclusive(LONG), LogOptions { ring_bytes: 0, ..LogOptions::default() }).await;
    let before = client.counts();
    let page = reader.log.page(&Below::default(), None, 20, 10).await.unwrap();
    assert_eq!(page.events, repo.told[20..]);
    let counts = client.counts() - before;
    assert_eq!(counts.queries, 1);
    assert!(counts.lookups <= height + 3, "{counts:?}");
}

#[tokio::test]
async fn what_cannot_be_told_as_a_commit_is_told_as_a_sync() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let writer = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let mut repo = Repo::new(1);
    for number in 0..3 {
        repo.commit(&writer, Some(vec![Write::create(path(&format!("a.b.c/{number}")), record("x"))])).await;
    }
    // The second commit's operations are lost, and the third's are wrong.
    for seq in [2, 3] {
        let read = read::read(&client, None, seq - 1, Some(seq), 1).await.unwrap();
        let stored = &read.numbers[0].commits[0];
        let wrong = repo::RepoOp { path: path("a.b.c/9"), ..stored.ops[0].clone() };
        let ops = if seq == 3 { vec![wrong] } else { Vec::new() };
        let created = Some(stored.created);
        let encoded = stored.block.clone();
        put(&client, &AtpBlock { cid: stored.cid, repo: Some(did(1)), encoded, seq, ops, created }).await;
    }
    let reader = Program::start(&client, exclusive(LONG), LogOptions::default()).await;
    let events = reader.all(0, 10).await;
    assert_eq!(events[0], repo.told[0]);
    for (event, told) in events[1..].iter().zip(&repo.told[1..]) {
        let Frame::Commit(_, commit) = Frame::decode(&told.frame).unwrap() else { panic!("{told:?}") };
        let Frame::Sync(seq, sync) = Frame::decode(&event.frame).unwrap() else { panic!("{event:?}") };
        let frame = verify::sync(&sync, &event.did, &repo.key.public_key());
        assert_eq!((seq, sync.rev, sync.did, sync.time), (told.seq, commit.rev, commit.repo, commit.time));
        assert!(frame.is_ok(), "{frame:?}");
    }
}

#[tokio::test]
async fn what_the_python_library_stored_is_told() {
    let Some(emulator) = Emulator::shared().await else { return };
    let root = std::env::var_os("ARROBA_FIXTURES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        std::path::PathBuf::from,
    );
    let Ok(json) = std::fs::read(root.join("arroba/datastore-entities.json")) else {
        assert!(std::env::var_os("CI").is_none(), "no fixtures");
        eprintln!("SKIPPED: no fixtures");
        return;
    };
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let client = emulator.client().await;
    let database = client.database();
    let mut mutations = Vec::new();
    for json in json["entities"].as_array().unwrap() {
        let entity = entity_from_json(json).unwrap();
        mutations.push(upsert(match entity.key.as_ref().unwrap().path[0].kind.as_str() {
            AtpRepo::KIND => AtpRepo::from_entity(entity).unwrap().to_entity(database).unwrap(),
            AtpBlock::KIND => AtpBlock::from_entity(entity).unwrap().to_entity(database).unwrap(),
            AtpSequence::KIND => AtpSequence::from_entity(entity).unwrap().to_entity(database).unwrap(),
            _ => continue,
        }));
    }
    client.put(mutations).await.unwrap();
    let reader = Program::start(&client, beside_python(), LogOptions::default()).await;
    let events = reader.all(0, 100).await;
    let kinds: Vec<_> = events.iter().map(|event| (event.seq, event.kind.as_str())).collect();
    let expected =
        ["#commit", "#identity", "#account", "#sync", "#commit", "#commit", "#commit", "#identity"];
    let expected = expected.into_iter().chain(["#account", "#sync", "#account"]);
    assert_eq!(kinds, (1..).zip(expected).collect::<Vec<_>>());
    let Frame::Commit(6, commit) = Frame::decode(&events[5].frame).unwrap() else {
        panic!("{:?}", events[5])
    };
    let Frame::Commit(5, before) = Frame::decode(&events[4].frame).unwrap() else {
        panic!("{:?}", events[4])
    };
    assert_eq!((commit.since, commit.rev), (Some(before.rev), Tid::from_micros(6, 0)));
    assert!(commit.prev_data.is_some() && commit.ops.len() == 3 && before.ops.len() == 10);
    assert_eq!(commit.time.as_str(), "2026-11-23T01:42:32.794Z");
    let keys = json["encrypted_property_key_base64"].as_str().unwrap();
    let keys = EncryptedPropertyKeys::parse(keys).unwrap();
    for event in events.iter().filter(|event| event.kind == EventKind::Commit) {
        let key = AtpRepo::key(database, &event.did);
        let found = client.lookup(vec![key], Reads::Strong).await.unwrap().found.remove(0);
        let repo = AtpRepo::from_entity(found.entity.unwrap()).unwrap();
        let key = keys.decrypt_private_key(&repo.encrypted_signing_key).unwrap().public_key();
        verify::frame(&event.frame, &event.did, &key, verify::Order::Relay).unwrap();
    }
}
