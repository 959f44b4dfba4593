//! A small repository, made by code: its frames, files and proofs are seeds.

use arroba_core::car::Writer;
use arroba_core::crypto::{Curve, PrivateKey, PublicKey, Signer};
use arroba_core::data::{Cid, json};
use arroba_core::event::{self, AccountEvent, AccountStatus, IdentityEvent, SyncEvent};
use arroba_core::repo::{self, CommitParams, SignedCommit, Write};
use arroba_core::syntax::{Datetime, Did, Handle, RecordPath, Tid};
use bytes::Bytes;

/// Whose it is.
pub fn owner() -> Did {
    Did::literal("did:plc:yk4dd2qkboz2yv6tpubpc6co")
}

/// The key it is signed with.
///
/// # Panics
/// Never: the bytes are those of a key.
pub fn key() -> PrivateKey {
    PrivateKey::from_bytes(Curve::K256, &[11; 32]).expect("eleven times 32 is a scalar")
}

/// Its public half.
pub fn public_key() -> PublicKey {
    key().public_key()
}

/// A path in it.
pub fn path() -> RecordPath {
    record_path("app.bsky.feed.post", 7)
}

fn record_path(collection: &str, number: u64) -> RecordPath {
    let rkey = Tid::from_micros(1_700_000_000_000_000 + number * 1_000_003, 5);
    RecordPath::parse(&format!("{collection}/{rkey}")).expect("a path of a collection and a TID")
}

/// A record as DAG-CBOR.
pub fn record(number: u64) -> Bytes {
    let text = format!(
        r#"{{"$type":"app.bsky.feed.post","text":"number {number}","createdAt":"2024-01-01T00:00:00.000Z","langs":["en"],
        "embed":{{"$type":"app.bsky.embed.images","images":[{{"alt":"","image":{{"$type":"blob","mimeType":"image/png",
        "size":{number},"ref":{{"$link":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}}}}}}]}}}}"#
    );
    let value = json::from_str(&text).expect("the text is data-model JSON");
    arroba_core::data::cbor::encode(&value).into()
}

fn time() -> Datetime {
    Datetime::from_unix_millis(1_700_000_000_000)
}

fn sign(staged: repo::Staged, before: Option<&SignedCommit>) -> SignedCommit {
    let params = CommitParams {
        did: owner(),
        rev: Tid::next_after(1_700_000_000_000_000, 1, before.map(|commit| commit.rev)),
        since: before.map(|commit| commit.rev),
        prev_data: before.map(|commit| commit.data),
        prev_commit: None,
        time: time(),
    };
    staged.sign(params, &key()).expect("a few small records fit an event")
}

/// A repository of so many records, and then a commit that creates, updates and deletes.
pub fn commits(records: u64) -> [SignedCommit; 2] {
    let collections = ["app.bsky.feed.like", "app.bsky.feed.post", "com.example.thing"];
    let writes = collections
        .into_iter()
        .flat_map(|collection| {
            (0..records).map(move |n| Write::create(record_path(collection, n), record(n)))
        })
        .collect();
    let before = sign(repo::create(writes).expect("distinct small records"), None);
    let writes = vec![
        Write::create(record_path("app.bsky.feed.post", 900), record(900)),
        Write::update(record_path("app.bsky.feed.post", 0), record(901)),
        Write::delete(record_path("app.bsky.feed.like", 0)),
        Write::delete(record_path("com.example.thing", 0)),
    ];
    let after = sign(repo::edit(&before.tree, writes).expect("these records are there"), Some(&before));
    [before, after]
}

/// Frames of all kinds.
pub fn frames() -> Vec<Vec<u8>> {
    let did = owner();
    let mut frames = vec![event::info("OutdatedCursor", Some("old")), event::error("FutureCursor", None)];
    for commit in [commits(1), commits(20)].into_iter().flatten() {
        frames.push(commit.event.fill(1 << 33));
        let mut writer = Writer::new(&[commit.commit_cid]);
        writer.block(&commit.commit_cid, &commit.commit_bytes);
        let sync = SyncEvent { did: did.clone(), rev: commit.rev, blocks: writer.finish(), time: time() };
        frames.push(event::sync(&sync).fill(24));
    }
    let handle = Some(Handle::literal("alice.test"));
    frames.push(event::identity(&IdentityEvent { did: did.clone(), handle, time: time() }).fill(256));
    let status = Some(AccountStatus::Takendown);
    frames.push(event::account(&AccountEvent { did, active: false, status, time: time() }).fill(1));
    frames.iter().map(|frame| frame.to_vec()).collect()
}

/// A whole repository in streamable order of nodes, then records.
pub fn file(records: u64) -> Vec<u8> {
    let [_, commit] = commits(records);
    let mut writer = Writer::new(&[commit.commit_cid]);
    writer.block(&commit.commit_cid, &commit.commit_bytes);
    for node in commit.tree.nodes().flatten() {
        writer.block(&node.cid, &node.bytes);
    }
    for n in (0..records).chain([900, 901]) {
        writer.block(&Cid::for_cbor(&record(n)), &record(n));
    }
    writer.finish().to_vec()
}

/// Proofs that [`path`] is there, and is not.
pub fn proofs() -> Vec<Vec<u8>> {
    [commits(3), commits(20)]
        .into_iter()
        .flatten()
        .map(|commit| {
            let key = repo::key(&path());
            let mut writer = Writer::new(&[commit.commit_cid]);
            writer.block(&commit.commit_cid, &commit.commit_bytes);
            for (cid, node) in commit.tree.proof(&key).unwrap_or_default() {
                writer.block(&cid, &node);
            }
            writer.block(&Cid::for_cbor(&record(7)), &record(7));
            writer.finish().to_vec()
        })
        .collect()
}
