//! Repos that come from elsewhere.

use arroba::auth::StaticToken;
use arroba::core::car::{self, Writer};
use arroba::core::crypto::{Curve, PrivateKey, Signer};
use arroba::core::data::{Cid, Value, cbor};
use arroba::core::event::Frame;
use arroba::core::mst::{Builder, Key};
use arroba::core::repo::Commit;
use arroba::core::repo::verify::{self, CarLimits};
use arroba::core::syntax::{Did, Nsid, RecordPath, Tid};
use arroba::core::{nsid, record_key};
use arroba::store::RepoStatus;
use arroba::{HostError, ImportError, NewRepo, Repo, Write};
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, header};
use serde_json::json;
use tower::ServiceExt;

use super::export::export;
use super::fixture::{START_MICROS, World, kinds};

const NOTE: Nsid = nsid!("com.example.note");

async fn import(repo: &Repo, file: &[u8]) -> Result<bool, HostError> {
    let pieces: Vec<_> = file
        .chunks(1000)
        .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    repo.import(futures::stream::iter(pieces)).await.map(|commit| commit.is_some())
}

/// A repo made by hand, so that every part of it can be wrong.
struct Foreign {
    did: Did,
    key: PrivateKey,
    rev: Tid,
    entries: Vec<(String, Vec<u8>)>,
}

impl Foreign {
    fn blocks(&self) -> (Cid, Vec<(Cid, Vec<u8>)>) {
        let mut tree = Builder::new();
        let mut blocks = Vec::new();
        for (path, record) in &self.entries {
            let cid = Cid::for_cbor(record);
            tree.push(Key::new(path.as_bytes()).unwrap(), cid.into()).unwrap();
            blocks.push((cid, record.clone()));
        }
        let nodes = tree.finish();
        let data = nodes.last().unwrap().cid;
        let commit = Commit::sign(self.did.clone(), data, self.rev, None, &self.key).encode();
        blocks.extend(nodes.iter().map(|node| (node.cid, node.bytes.to_vec())));
        let root = Cid::for_cbor(&commit);
        blocks.push((root, commit));
        (root, blocks)
    }

    /// The file with its blocks in the least convenient order: leaves first.
    fn file(&self) -> Vec<u8> {
        let (root, blocks) = self.blocks();
        file(root, &blocks)
    }
}

fn file(root: Cid, blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut file = Writer::new(&[root]);
    blocks.iter().for_each(|(cid, block)| file.block(cid, block));
    file.finish().to_vec()
}

fn record(text: &str) -> Vec<u8> {
    let mut map = arroba::core::data::Map::new();
    map.insert("$type", "com.example.note");
    map.insert("text", text.to_owned());
    cbor::encode(&Value::Map(map))
}

/// A world with a deactivated account from elsewhere, and its repo there.
async fn arrival() -> (World, Repo, Foreign) {
    arrival_at(World::new().await).await
}

async fn arrival_at(world: World) -> (World, Repo, Foreign) {
    let (world, foreign) = stranger(world).await;
    let repo = world.host.create_repo(NewRepo::existing(foreign.did.clone(), None)).await.unwrap();
    (world, repo, foreign)
}

/// A world that knows nothing of an account from elsewhere, and its repo there.
async fn stranger(world: World) -> (World, Foreign) {
    let key = || PrivateKey::from_bytes(Curve::K256, &[5; 32]).unwrap();
    // The identity was made elsewhere, with a key that this host does not have.
    let rotation = PrivateKey::from_bytes(Curve::K256, &[6; 32]).unwrap();
    let state = arroba::identity::plc::State::account(
        [rotation.public_key()],
        &key().public_key(),
        &"carol.example.com".parse().unwrap(),
        "https://elsewhere.test",
    );
    let genesis = arroba::identity::plc::Unsigned::genesis(state).sign(&rotation).unwrap();
    let did = arroba::identity::plc::did_from_genesis(&genesis);
    world.directory.accept(&did, genesis).unwrap();
    let mut entries: Vec<_> = (0..300)
        .map(|index| (format!("com.example.note/k{index:04}"), record(&format!("text {index}"))))
        .collect();
    entries.sort();
    let foreign = Foreign { did, key: key(), rev: Tid::from_micros(START_MICROS - 1_000_000, 3), entries };
    (world, foreign)
}

/// What `importRepo` answers to the token of every repo: the status, and the error's name and sentence.
async fn post(router: &Router, file: Vec<u8>) -> (u16, String, String) {
    let request = Request::post("/xrpc/com.atproto.repo.importRepo")
        .header(header::AUTHORIZATION, "Bearer towel")
        .header(header::CONTENT_TYPE, "application/vnd.ipld.car")
        .header(header::CONTENT_LENGTH, file.len())
        .body(Body::from(file))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    (status, text("error"), text("message"))
}

#[tokio::test]
async fn the_token_of_every_repo_imports_whosever_repo_the_file_holds() {
    let (world, foreign) = stranger(World::new().await).await;
    let router = world.host.routes().authenticator(StaticToken::new("towel")).router().unwrap();

    // What is wrong with the file is found before a repo is made for it.
    let (root, blocks) = foreign.blocks();
    let wrong_key = Foreign {
        did: foreign.did.clone(),
        key: PrivateKey::from_bytes(Curve::K256, &[77; 32]).unwrap(),
        rev: foreign.rev,
        entries: foreign.entries.clone(),
    };
    for (file, sentence) in [
        (b"nonsense".to_vec(), "car file"),
        (file(root, &blocks[1..]), "lacks the record"),
        (wrong_key.file(), "signature is not the account's"),
    ] {
        let (status, error, message) = post(&router, file).await;
        assert_eq!((status, error.as_str()), (400, "InvalidRequest"), "{message}");
        assert!(message.contains(sentence), "{message}");
    }
    assert!(world.host.store().repo(&foreign.did).await.unwrap().is_none(), "nothing is left of them");

    // A repo that is not here is made: deactivated, unannounced, under our own key, without the handle that nobody confirms.
    assert_eq!(post(&router, foreign.file()).await.0, 200);
    let row = world.host.store().repo(&foreign.did).await.unwrap().unwrap();
    assert_eq!((row.status, row.handle), (RepoStatus::Deactivated, None));
    let carol = world.host.repo(&foreign.did);
    let page = carol.records(NOTE, None, 1000, arroba::store::Order::Ascending).await.unwrap();
    assert_eq!(page.records.len(), 300);
    assert!(world.events().await.is_empty());
    let head = carol.head().await.unwrap();
    assert!(head.1 > foreign.rev);

    // The same again is nothing new, and a repo that is here is replaced.
    assert_eq!(post(&router, foreign.file()).await.0, 200);
    assert_eq!(carol.head().await.unwrap(), head);
    let alice = world.account("alice").await;
    alice.commit([Write::put(NOTE, record_key!("one"), json!({}))]).await.unwrap();
    let before = export(&alice, None).await;
    alice.commit([Write::put(NOTE, record_key!("later"), json!({}))]).await.unwrap();
    assert_eq!(post(&router, before.clone()).await.0, 200);
    assert_eq!(alice.record(&RecordPath::new(NOTE, record_key!("later"))).await.unwrap(), None);

    // A repo that was deleted is made anew; one that is taken down stays as it is.
    world.host.delete(carol.did()).await.unwrap();
    assert_eq!(post(&router, foreign.file()).await.0, 200);
    assert!(carol.head().await.unwrap().1 > head.1);
    world.host.take_down(alice.did(), Some("mod".to_owned())).await.unwrap();
    let (status, error, _) = post(&router, before).await;
    assert_eq!((status, error.as_str()), (401, "AccountTakedown"));
}

#[tokio::test]
async fn a_repo_moves_in_under_our_own_key() {
    let (world, carol, foreign) = arrival().await;
    assert!(import(&carol, &foreign.file()).await.unwrap());
    assert!(world.events().await.is_empty(), "nothing is said of a deactivated account");
    let ours = world.host.store().repo(carol.did()).await.unwrap().unwrap();
    let exported = export(&carol, None).await;
    let old = foreign.key.public_key();
    assert!(
        verify::car(&exported, carol.did(), &old, CarLimits::default()).is_err(),
        "still signed elsewhere"
    );
    let roots = car::read_all(&exported, &car::Limits::REPOSITORY).unwrap();
    let commit = Commit::decode(&roots.blocks[&roots.roots[0]]).unwrap();
    assert!(commit.rev > foreign.rev);
    assert_eq!(Some(commit.rev), ours.rev);
    let page = carol.records(NOTE, None, 1000, arroba::store::Order::Ascending).await.unwrap();
    assert_eq!(page.records.len(), 300);

    // The same again is nothing new.
    let head = carol.head().await.unwrap();
    assert!(!import(&carol, &foreign.file()).await.unwrap());
    assert_eq!(carol.head().await.unwrap(), head);

    // Activated, it can be written to, and readers can follow.
    carol.set_status(RepoStatus::Active).await.unwrap();
    carol.commit([Write::delete(NOTE, record_key!("k0007")), Write::create(NOTE, json!({}))]).await.unwrap();
    let events = world.events().await;
    assert_eq!(kinds(&events), ["#account", "#identity", "#sync", "#commit"]);
    let Frame::Sync(_, sync) = Frame::decode(&events[2].frame).unwrap() else { panic!() };
    assert_eq!(sync.rev, head.1);
}

#[tokio::test]
async fn an_active_repo_is_replaced_and_announced() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    alice.commit((0..50).map(|index| Write::create(NOTE, json!({"n": index})))).await.unwrap();
    let before = export(&alice, None).await;
    alice.commit([Write::put(NOTE, record_key!("later"), json!({}))]).await.unwrap();
    let (start, head) = (world.host.newest_seq(), alice.head().await.unwrap());
    assert!(import(&alice, &before).await.unwrap());
    let events = world.events_after(start).await;
    assert_eq!(kinds(&events), ["#sync"]);
    world.verify(&events).await;
    assert!(alice.head().await.unwrap().1 > head.1);
    assert_eq!(alice.record(&RecordPath::new(NOTE, record_key!("later"))).await.unwrap(), None);
    let key = world.key(alice.did()).await;
    verify::car(&export(&alice, None).await, alice.did(), &key, CarLimits::default()).unwrap();
    alice.commit([Write::put(NOTE, record_key!("again"), json!({}))]).await.unwrap();
    world.verify(&world.events().await).await;
}

#[tokio::test]
async fn revisions_go_on_from_the_imported_one() {
    let (world, carol, mut foreign) = arrival().await;
    foreign.rev = Tid::from_micros(START_MICROS + 4 * 60 * 1_000_000, 3);
    assert!(import(&carol, &foreign.file()).await.unwrap());
    assert!(carol.head().await.unwrap().1 > foreign.rev);
    drop(world);
}

#[tokio::test]
async fn what_could_not_be_published_or_edited_is_refused() {
    let (world, carol, good) = arrival().await;
    let head = carol.head().await.unwrap();
    let (root, blocks) = good.blocks();
    let with = |change: &dyn Fn(&mut Foreign)| {
        let mut foreign = Foreign {
            did: good.did.clone(),
            key: PrivateKey::from_bytes(Curve::K256, &[5; 32]).unwrap(),
            rev: good.rev,
            entries: good.entries.clone(),
        };
        change(&mut foreign);
        foreign.file()
    };
    let path = |path: &'static str| {
        move |foreign: &mut Foreign| {
            foreign.entries.push((path.to_owned(), record("x")));
            foreign.entries.sort();
        }
    };
    let value = |bytes: &'static [u8]| move |foreign: &mut Foreign| foreign.entries[0].1 = bytes.to_vec();
    let large = record(&"x".repeat(1_100_000));
    let large: &'static [u8] = Box::leak(large.into_boxed_slice());
    let truncated = good.file();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no car", b"hello, this is no car file at all".to_vec()),
        ("truncated", truncated[..truncated.len() - 1].to_vec()),
        ("no root", file_without_root(&blocks)),
        ("root missing", file(Cid::for_cbor(b"elsewhere"), &blocks)),
        ("root is no commit", file(blocks[0].0, &blocks)),
        ("record missing", file(root, &blocks[1..])),
        ("node missing", file(root, &[&blocks[..300], &blocks[301..]].concat())),
        ("other did", with(&|foreign| foreign.did = "did:web:other.test".parse().unwrap())),
        ("other key", with(&|foreign| foreign.key = PrivateKey::from_bytes(Curve::K256, &[77; 32]).unwrap())),
        ("far future", with(&|foreign| foreign.rev = Tid::from_micros(START_MICROS + 6 * 60 * 1_000_000, 0))),
        ("no slash", with(&path("com.example.note"))),
        ("two slashes", with(&path("com.example.note/a/b"))),
        ("no nsid", with(&path("note/a"))),
        ("mixed case", with(&path("Com.Example.note/a"))),
        ("bad key", with(&path("com.example.note/a b"))),
        ("dots", with(&path("com.example.note/.."))),
        ("float", with(&value(b"\xa1\x61a\xfb\x3f\xf8\0\0\0\0\0\0"))),
        ("long integer", with(&value(b"\xa1\x61a\x18\x01"))),
        ("beyond i64", with(&value(b"\xa1\x61a\x1b\xff\xff\xff\xff\xff\xff\xff\xff"))),
        ("no map", with(&value(b"\x80"))),
        ("large", with(&value(large))),
    ];
    for (name, file) in cases {
        let refused = import(&carol, &file).await;
        assert!(matches!(refused, Err(HostError::Import(_))), "{name}: {refused:?}");
        assert_eq!(carol.head().await.unwrap(), head, "{name}");
    }
    // A broken connection is no file.
    let pieces = vec![Ok(bytes::Bytes::from(good.file())), Err(std::io::Error::other("gone"))];
    let broken = carol.import(futures::stream::iter(pieces)).await;
    assert!(matches!(broken, Err(HostError::Import(ImportError::Interrupted(_)))), "{broken:?}");
    assert!(world.events().await.is_empty());
    assert!(import(&carol, &good.file()).await.unwrap(), "and the good one is still taken");
}

fn file_without_root(blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut file = Writer::new(&[]);
    blocks.iter().for_each(|(cid, block)| file.block(cid, block));
    file.finish().to_vec()
}

#[tokio::test]
async fn blobs_of_an_import_are_listed_as_missing() {
    let (world, carol, mut foreign) = arrival().await;
    let blob =
        arroba::core::data::BlobRef { cid: Cid::for_raw(b"image"), mime_type: "image/png".into(), size: 5 };
    let mut inner = arroba::core::data::Map::new();
    inner.insert("video", blob.to_value());
    let mut map = arroba::core::data::Map::new();
    map.insert("embed", Value::Map(inner));
    foreign.entries[0].1 = cbor::encode(&Value::Map(map));
    assert!(import(&carol, &foreign.file()).await.unwrap());
    let missing = world.host.blob_index().missing(carol.did(), None, 10).await.unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].cid, blob.cid);
    let bytes = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"image"))]);
    carol.upload_blob(Some("image/png"), bytes).await.unwrap();
    assert!(world.host.blob_index().missing(carol.did(), None, 10).await.unwrap().is_empty());
    assert!(!world.host.blob_index().blob(carol.did(), &blob.cid).await.unwrap().unwrap().temporary);
}

/// A small file whose keys all name one block would fill the disk with copies of it.
#[tokio::test]
async fn a_block_counts_for_every_record_that_it_is() {
    for (limit, fits) in [(100_000, false), (4_000_000, true)] {
        let (world, carol, mut foreign) = arrival_at(World::importing(limit).await).await;
        let text = record(&"x".repeat(10_000));
        foreign.entries.iter_mut().for_each(|entry| entry.1.clone_from(&text));
        let (root, mut blocks) = foreign.blocks();
        blocks.sort();
        blocks.dedup();
        let file = file(root, &blocks);
        assert!(file.len() < 50_000, "{} bytes", file.len());
        let head = carol.head().await.unwrap();
        match import(&carol, &file).await {
            Ok(new) => assert!(fits && new),
            Err(HostError::Import(ImportError::RecordsTooLarge(100_000))) => {
                assert!(!fits);
                assert_eq!(carol.head().await.unwrap(), head);
            }
            Err(error) => panic!("{error}"),
        }
        drop(world);
    }
}

/// What is written elsewhere stays as it is, also what would not be taken as a new record here.
#[tokio::test]
async fn records_come_as_they_are() {
    let (world, carol, mut foreign) = arrival().await;
    let map = |entries: Vec<(&'static str, Value<'static>)>| -> arroba::core::data::Map<'static> {
        entries.into_iter().collect()
    };
    let old_blob = map(vec![
        ("cid", Cid::for_raw(b"old").to_string().into()),
        ("mimeType", "image/png".to_owned().into()),
    ]);
    let odd = [
        map(vec![("$type", "app.bsky.feed.post".to_owned().into()), ("text", Value::Int(7))]),
        map(vec![("$type", "com.example.other".to_owned().into())]),
        map(vec![("image", Value::Map(old_blob))]),
        map(vec![("image", Value::Map(map(vec![("$type", "blob".to_owned().into())])))]),
    ];
    for (index, record) in odd.into_iter().enumerate() {
        foreign.entries.push((format!("app.bsky.feed.post/odd{index}"), cbor::encode(&Value::Map(record))));
    }
    foreign.entries.sort();
    assert!(import(&carol, &foreign.file()).await.unwrap());
    for (path, bytes) in &foreign.entries {
        let found = carol.record(&RecordPath::parse(path).unwrap()).await.unwrap().unwrap();
        assert_eq!((&found.value[..], found.cid), (&bytes[..], Cid::for_cbor(bytes)), "{path}");
    }
    let (theirs, blocks) = foreign.blocks();
    let theirs = Commit::decode(&blocks.iter().find(|(cid, _)| *cid == theirs).unwrap().1).unwrap();
    let exported = car::read_all(&export(&carol, None).await, &car::Limits::REPOSITORY).unwrap();
    let ours = Commit::decode(&exported.blocks[&exported.roots[0]]).unwrap();
    assert_eq!(ours.data, theirs.data, "the tree is the one that was signed elsewhere");
    let missing = world.host.blob_index().missing(carol.did(), None, 10).await.unwrap();
    let cids: Vec<_> = missing.iter().map(|blob| blob.cid).collect();
    assert_eq!(cids, [Cid::for_raw(b"old")], "references in the old form are looked for");
}
