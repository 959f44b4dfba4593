//! `repo`, `storage`, `firehose` and `vis`: a seeded story of commits.

use std::collections::BTreeSet;

use arroba::core::car::{self, Limits};
use arroba::core::data::{Cid, MAX_RECORD_BYTES, cbor};
use arroba::core::event::{self, AccountStatus, RepoOp};
use arroba::core::mst::draw::Picture;
use arroba::core::syntax::{Did, Nsid, RecordKey, RecordPath, Tid};
use arroba::firehose::HostEvent;
use arroba::records::RecordError;
use arroba::store::{Memory, RepoStatus};
use arroba::{HostError, NewRepo, Repo, Write};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::{NOTE, alice, as_json, python, sorted, texts};
use crate::it::fixture::{World, kinds};

fn nsid(text: &str) -> Nsid {
    Nsid::parse(text).unwrap()
}

fn write(write: &Value) -> Write {
    let text = |field: &str| write[field].as_str().unwrap();
    let (collection, rkey) = (nsid(text("collection")), RecordKey::parse(text("rkey")).unwrap());
    match text("action") {
        "create" => Write::create_at(collection, rkey, write["record"].clone()),
        "update" => Write::update(collection, rkey, write["record"].clone()),
        _ => Write::delete(collection, rkey),
    }
}

fn note(rkey: &str) -> Write {
    Write::create_at(nsid(NOTE), RecordKey::parse(rkey).unwrap(), json!({"text": "x"}))
}

/// The story as it was told to the Python library.
struct Story {
    world: World<Memory>,
    alice: Repo,
    bob: Repo,
    facts: Value,
    /// The revision after the twelfth commit.
    middle: Tid,
}

async fn repo(world: &World<Memory>, name: &str) -> Repo {
    let did = Did::parse(&format!("did:web:{name}.test")).unwrap();
    let handle = format!("{name}.test").parse().unwrap();
    world.host.create_repo(NewRepo::existing(did, Some(handle)).active()).await.unwrap()
}

async fn tell() -> Story {
    let facts = python()["story"].take();
    let world = World::<Memory>::new().await;
    let (alice, bob) = (repo(&world, "alice").await, repo(&world, "bob").await);
    let mut middle = None;
    for (n, commit) in facts["commits"].as_array().unwrap().iter().enumerate() {
        let outcome = alice.commit(commit["writes"].as_array().unwrap().iter().map(write)).await.unwrap();
        if n == 11 {
            middle = outcome.commit.map(|commit| commit.rev);
        }
        if n % 5 == 0 {
            bob.commit([note(&format!("n{n}"))]).await.unwrap();
        }
    }
    Story { world, alice, bob, facts, middle: middle.unwrap() }
}

fn op(op: &RepoOp) -> Value {
    let cid = |cid: Option<Cid>| cid.map(|cid| cid.to_string());
    json!([op.action.as_str(), op.path.to_string(), cid(op.cid), cid(op.prev)])
}

#[tokio::test]
async fn commit() {
    let story = tell().await;
    let expected = story.facts["commits"].as_array().unwrap();
    let newest = story.world.host.newest_seq();
    let mut events = story.alice.events(Some(0));
    let (mut commits, mut exact) = (0, 0);
    while commits < expected.len() {
        let HostEvent::Commit(commit) = events.next().await.unwrap().unwrap() else { continue };
        // The first commit is of an empty repo; the workload begins behind it.
        if commit.event.since.is_none() {
            continue;
        }
        let facts = &expected[commits];
        let blocks = car::read_all(&commit.event.blocks, &Limits::SLICE).unwrap().blocks;
        let block = arroba::core::repo::Commit::decode(&blocks[&commit.event.commit]).unwrap();
        assert_eq!(block.data.to_string(), facts["data"], "commit {commits}");
        assert_eq!(commit.event.prev_data.unwrap().to_string(), facts["prev_data"]);
        // Python has the operations in the order of the writes, this library by path.
        let ops = sorted(commit.event.ops.iter().map(|found| op(found).to_string()).collect());
        let python = facts["ops"].as_array().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ops, sorted(python), "commit {commits}");
        // Both carry what inverts the operations; Python carries some neighbours besides that no inversion needs (the tests of
        // `commits` and `firehose` invert in every order).
        let ours: BTreeSet<_> =
            blocks.keys().filter(|cid| **cid != commit.event.commit).map(ToString::to_string).collect();
        let theirs: BTreeSet<_> = texts(&facts["blocks"]).into_iter().collect();
        assert!(ours.is_subset(&theirs), "commit {commits}");
        exact += usize::from(ours == theirs);
        let new: BTreeSet<_> =
            commit.writes.iter().filter_map(|write| write.cid).map(|cid| cid.to_string()).collect();
        assert!(new.is_subset(&ours) && new.is_subset(&theirs), "commit {commits}");
        assert!(ours.contains(&block.data.to_string()) && theirs.contains(&block.data.to_string()));
        for (write, record) in commit.writes.iter().filter_map(|write| Some((write, write.record.as_ref()?)))
        {
            let mut asked = facts["writes"].as_array().unwrap().iter();
            let asked = asked.rfind(|asked| asked["rkey"] == write.path.rkey.as_str()).unwrap();
            assert_eq!(as_json(record), asked["record"]);
        }
        commits += 1;
    }
    assert!(newest > 0 && exact > 0, "{exact} of {commits} proofs are the same");
}

#[tokio::test]
async fn get_contents_and_records() {
    let story = tell().await;
    let contents = story.alice.contents(1000).await.unwrap();
    let mut found = json!({});
    for (collection, records) in &contents {
        for (rkey, record) in records {
            found[collection.as_str()][rkey.as_str()] = as_json(record);
        }
    }
    assert_eq!(found, story.facts["contents"]);
    let count: usize = contents.values().map(std::collections::BTreeMap::len).sum();
    let refused = story.alice.contents(count - 1).await;
    assert!(matches!(refused, Err(HostError::TooManyRecords(limit)) if limit == count - 1));
    let rows: Vec<_> = story.alice.record_stream().try_collect().await.unwrap();
    assert_eq!(rows.len(), count);
    assert!(rows.is_sorted_by(|a, b| a.path < b.path));
    for row in rows {
        let record = as_json(&cbor::decode(&row.value).unwrap());
        assert_eq!(record, story.facts["contents"][row.path.collection.as_str()][row.path.rkey.as_str()]);
    }
    let fact = &story.facts["record"];
    let path = RecordPath::parse(&texts(&fact["path"]).join("/")).unwrap();
    let record = story.alice.record(&path).await.unwrap().unwrap();
    assert_eq!(as_json(&cbor::decode(&record.value).unwrap()), fact["record"]);
    let missing = RecordPath::parse("com.example.note/missing").unwrap();
    assert_eq!(json!(story.alice.record(&missing).await.unwrap().map(|_| 0)), story.facts["no_record"]);
}

#[tokio::test]
async fn attributes() {
    let story = tell().await;
    let row = story.alice.row().await.unwrap().unwrap();
    let facts = &story.facts["attributes"];
    assert_eq!(
        (row.did.as_str(), row.handle.unwrap().as_str()),
        (facts["did"].as_str().unwrap(), facts["handle"].as_str().unwrap())
    );
    // Python says nothing for an active repo.
    assert_eq!((row.status, &facts["status"]), (RepoStatus::Active, &Value::Null));
    let store = story.world.host.store();
    let head =
        store.load(&alice(), arroba::core::mst::Loader::for_read([])).await.unwrap().unwrap().head.unwrap();
    assert_eq!(facts["version"], 3);
    arroba::core::repo::Commit::decode(&head.block).expect("a commit of version 3");
    assert_eq!(
        story.world.host.repo_of(&"alice.test".parse().unwrap()).await.unwrap().unwrap().did(),
        &alice()
    );
    assert!(story.world.host.repo_of(&"nobody.test".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn events_by_seq() {
    let story = tell().await;
    let events = story.world.events().await;
    let own: Vec<_> = events.iter().filter(|event| event.did == alice()).cloned().collect();
    let (mut found, mut facts) = (kinds(&own), texts(&story.facts["events_of_alice"]));
    assert_eq!(found.len(), facts.len());
    // Python commits first; here the identity and the account are told before there is something to show.
    assert_eq!(found[..4], ["#identity", "#account", "#commit", "#sync"]);
    assert_eq!(sorted(texts(&story.facts["created_events"])), ["#account", "#commit", "#identity", "#sync"]);
    assert_eq!(found.split_off(4), facts.split_off(4));
    let mut stream = story.alice.events(Some(0));
    for event in &own {
        let typed = stream.next().await.unwrap().unwrap();
        assert_eq!((typed.seq(), typed.did()), (Some(event.seq), Some(&alice())));
    }
    let mut all = story.world.host.events(Some(events[3].seq));
    assert_eq!(all.next().await.unwrap().unwrap().seq(), Some(events[4].seq));
}

#[tokio::test]
async fn writes_since() {
    let story = tell().await;
    let since = story.alice.writes_since(story.middle, 1000).await.unwrap();
    assert!(since.complete && !since.more);
    let mut facts = story.facts["writes_since"].as_array().unwrap().iter();
    for commit in &since.commits {
        let mut python: Vec<_> = facts.by_ref().take(commit.writes.len()).cloned().collect();
        // Python has them as they were asked for, this library by path.
        python.sort_by_key(|write| write[1].to_string());
        let found = commit.writes.iter().map(|write| {
            json!([write.action.as_str(), write.path.to_string(), write.record.as_ref().map(as_json)])
        });
        assert_eq!(found.collect::<Vec<_>>(), python);
    }
    assert!(facts.next().is_none());
    let first = story.alice.writes_since(story.middle, 2).await.unwrap();
    assert!(first.complete && first.more && first.commits.len() == 2);
    let paths: BTreeSet<_> = first.writes().map(|write| write.path.to_string()).collect();
    assert_eq!(json!(paths.len()), story.facts["writes_since_limit"]);
    let rest = story.alice.writes_since(first.commits[1].event.rev, 1000).await.unwrap();
    assert_eq!(rest.commits.len() + 2, since.commits.len());
    let (_, newest) = story.alice.head().await.unwrap();
    let nothing = story.alice.writes_since(newest, 10).await.unwrap();
    assert!(nothing.complete && nothing.commits.is_empty());
}

#[tokio::test]
async fn blocks_of_a_repo() {
    let story = tell().await;
    let (head, _) = story.alice.head().await.unwrap();
    let car = story.alice.export(None).await.unwrap();
    let car: Vec<_> = car.try_collect::<Vec<_>>().await.unwrap().concat();
    let blocks = car::read_all(&car, &Limits::REPOSITORY).unwrap().blocks;
    let found = blocks.keys().filter(|cid| **cid != head).map(ToString::to_string).collect();
    assert_eq!(sorted(found), texts(&story.facts["blocks"]));
    assert_eq!(
        story.facts["has"],
        json!([blocks.contains_key(&head), blocks.contains_key(&super::value(0))])
    );
}

#[tokio::test]
async fn lazy_trees() {
    let story = tell().await;
    let tree = story.alice.tree().await.unwrap();
    let facts = story.facts["commits"].as_array().unwrap();
    assert_eq!(tree.root().to_string(), facts[facts.len() - 1]["data"]);
    let whole = tree.load().await.unwrap();
    let mut walker = tree.walk();
    let mut reference = arroba::core::mst::Walker::new(&whole);
    while let Some(item) = walker.item() {
        assert_eq!(Some(item), reference.item());
        assert_eq!(walker.layer(), reference.layer());
        walker.advance().await.unwrap();
        reference.advance().unwrap();
    }
    assert!(reference.item().is_none());
    let (key, link) =
        whole.entries().next().unwrap().map(|(key, link)| (key.to_string(), link.clone())).unwrap();
    let path = RecordPath::parse(&key).unwrap();
    assert_eq!(tree.value(&path).await.unwrap(), Some(link));
    assert_eq!(tree.proof(&path).await.unwrap()[0].0, tree.root());
    // What a later commit replaces cannot be read any more.
    let old = tree.load().await.unwrap();
    story.alice.commit([Write::delete(path.collection.clone(), path.rkey.clone())]).await.unwrap();
    assert!(matches!(tree.load().await, Err(HostError::TreeReplaced(did)) if did == alice()));
    let new = story.alice.tree().await.unwrap().load().await.unwrap();
    let difference = arroba::core::mst::diff(&old, &new).unwrap();
    assert_eq!(difference.ops.len(), 1);
    assert_eq!(difference.ops[0].key.to_string(), key);
}

#[tokio::test]
async fn render() {
    let story = tell().await;
    let tree = story.alice.tree().await.unwrap().load().await.unwrap();
    let facts = &story.facts["vis"];
    assert_eq!(json!(tree.nodes().count()), facts["nodes"]);
    assert_eq!(json!(tree.entries().count()), facts["leaves"]);
    let dot = Picture::of(&tree).to_dot();
    for node in tree.nodes() {
        let cid = node.unwrap().cid.to_string();
        assert!(dot.contains(&cid[cid.len() - 7..]), "{cid}");
    }
    assert!(Picture::of(&tree).to_svg().starts_with("<svg"));
    let (key, _) = tree.entries().next().unwrap().unwrap();
    let edit = arroba::core::mst::KeyEdit { key: key.clone(), value: None };
    let edited = story.alice.tree().await.unwrap().load().await.unwrap().edit(&[edit]).unwrap().tree;
    let change = Picture::of_change(&tree, &edited).to_dot();
    assert!(change.contains("#f6b8b4") && change.contains("#b5e3bb"), "red and green");
}

#[tokio::test]
async fn limits_and_errors() {
    let story = tell().await;
    let limits = [MAX_RECORD_BYTES, event::MAX_COMMIT_BLOCKS_BYTES, event::MAX_FRAME_BYTES, event::MAX_OPS];
    assert_eq!(json!(limits), story.facts["limits"]);
    let facts = &story.facts["errors"];
    let kind = |name: &str| facts[name]["kind"].as_str().unwrap();
    let failed = async |writes: Vec<Write>| story.alice.commit(writes).await.unwrap_err();
    let contents = story.alice.contents(1000).await.unwrap();
    let (collection, records) = contents.first_key_value().unwrap();
    let rkey = records.first_key_value().unwrap().0;
    let existing = Write::create_at(collection.clone(), rkey.clone(), json!({"text": "x"}));
    assert!(
        matches!(failed(vec![existing]).await, HostError::RecordExists(_))
            && kind("create_existing") == "ValueError"
    );
    let missing = RecordKey::parse("missing").unwrap();
    let update = Write::update(nsid(NOTE), missing.clone(), json!({"text": "x"}));
    assert!(
        matches!(failed(vec![update]).await, HostError::RecordMissing(_))
            && kind("update_missing") == "ValueError"
    );
    // Deleting what is not there is done already, as in the reference server; Python's storage refuses it, its handler does not.
    assert!(story.alice.commit([Write::delete(nsid(NOTE), missing)]).await.unwrap().commit.is_none());
    assert_eq!(kind("delete_missing"), "ValueError");
    let many = (0..201).map(|n| note(&format!("k{n}"))).collect();
    assert!(matches!(failed(many).await, HostError::TooManyWrites(201)) && kind("too_many") == "ValueError");
    let big = Write::create(nsid(NOTE), json!({"$type": NOTE, "text": "x".repeat(1_000_000)}));
    assert!(matches!(failed(vec![big]).await, HostError::Record(RecordError::TooLarge(1_000_034))));
    assert!(facts["too_large"]["message"].as_str().unwrap().contains("size 1000034 bytes"));
    let invalid = Write::create(nsid("app.bsky.feed.post"), json!({"text": 1}));
    assert!(matches!(failed(vec![invalid]).await, HostError::Record(RecordError::Invalid { .. })));
    assert_eq!(kind("invalid"), "ValidationError");
}

#[tokio::test]
async fn statuses_and_listing() {
    let story = tell().await;
    let host = &story.world.host;
    let before = host.newest_seq();
    story.alice.deactivate().await.unwrap();
    let inactive = story.alice.commit([note("k")]).await;
    assert!(matches!(inactive, Err(HostError::RepoInactive { status: RepoStatus::Deactivated, .. })));
    story.alice.activate().await.unwrap();
    let page = host.repos(None, 500).await.unwrap();
    let dids: Vec<_> = page.repos.iter().map(|entry| entry.repo.did.to_string()).collect();
    assert_eq!(dids, texts(&story.facts["repos"]));
    let first = host.repos(None, 1).await.unwrap();
    let rest = host.repos(first.next.as_ref(), 1).await.unwrap();
    assert_eq!(vec![rest.repos[0].repo.did.to_string()], texts(&story.facts["repos_after"]));
    let all: Vec<_> = host.repo_stream().try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
    // A tombstone is a deletion: Python's `#tombstone` is no event of the protocol any more.
    let mut stream = story.alice.events(Some(before));
    let mut accounts = Vec::new();
    for _ in 0..4 {
        if let HostEvent::Account(_, account) = stream.next().await.unwrap().unwrap() {
            accounts.push(json!([
                "#account",
                account.active,
                account.status.map(|status| status.to_string())
            ]));
        }
    }
    let facts = &story.facts["statuses"];
    assert_eq!(json!(accounts), json!([facts["events"][0], facts["events"][1]]));
    story.alice.delete().await.unwrap();
    assert_eq!(facts["events"][2][0], "#tombstone");
    loop {
        if let HostEvent::Account(_, account) = stream.next().await.unwrap().unwrap() {
            assert_eq!(account.status, Some(AccountStatus::Deleted));
            break;
        }
    }
    assert_eq!(
        (facts["inactive"].as_str(), facts["tombstoned"].as_str()),
        (Some("InactiveRepo"), Some("InactiveRepo"))
    );
    assert!(matches!(story.alice.commit([note("k")]).await, Err(HostError::RepoNotFound(_))));
    story.bob.announce_identity().await.unwrap();
    story.bob.announce_sync().await.unwrap();
    let events = story.world.events_after(host.newest_seq() - 2).await;
    assert_eq!(kinds(&events), ["#identity", "#sync"]);
}
