//! Repos as CAR files.

use std::collections::HashMap;

use arroba::core::car::{self, Limits};
use arroba::core::data::Cid;
use arroba::core::mst::{Expect, NodeData};
use arroba::core::repo::verify::{self, CarLimits};
use arroba::core::syntax::Nsid;
use arroba::core::{nsid, record_key};
use arroba::{Repo, Write};
use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::json;

use super::fixture::World;

const NOTE: Nsid = nsid!("com.example.note");

pub(crate) async fn export(repo: &Repo, since: Option<arroba::core::syntax::Tid>) -> Vec<u8> {
    let export = repo.export(since).await.unwrap();
    export
        .try_fold(Vec::new(), async |mut car, piece| {
            car.extend(piece);
            Ok(car)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn exports_verify_and_come_in_streamable_order() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let key = world.key(alice.did()).await;
    for size in [0, 1, 30, 200] {
        let records = (0..size).map(|index| Write::create(NOTE, json!({"size": size, "n": index})));
        alice.commit(records).await.unwrap();
        let file = export(&alice, None).await;
        let verified = verify::car(&file, alice.did(), &key, CarLimits::default()).unwrap();
        assert_eq!((verified.commit_cid, verified.commit.rev), alice.head().await.unwrap());

        // Commit first; then each node, and directly after it what it names, in order.
        let blocks = car::read_all(&file, &Limits::REPOSITORY).unwrap().blocks;
        let mut reader = car::Reader::new(Limits::REPOSITORY);
        reader.push(&file);
        let order: Vec<_> = reader.map(|block| block.unwrap().cid).collect();
        let mut expected = vec![verified.commit_cid];
        walk(verified.commit.data, Expect::root(None), &blocks, &mut expected);
        assert_eq!(order, expected);
        assert_eq!(blocks.len() as u64, 1 + verified.nodes + verified.records);
    }
}

fn walk(cid: Cid, expect: Expect<'_>, blocks: &HashMap<Cid, Bytes>, order: &mut Vec<Cid>) {
    order.push(cid);
    let node = NodeData::decode(&blocks[&cid], expect).unwrap();
    if let Some(left) = node.left {
        walk(left, Expect::child(node.height - 1, b"", None), blocks, order);
    }
    for entry in &node.entries {
        order.push(entry.value.cid().unwrap());
        if let Some(right) = entry.right {
            walk(right, Expect::child(node.height - 1, entry.key.as_bytes(), None), blocks, order);
        }
    }
}

#[tokio::test]
async fn since_gives_what_is_newer_and_nothing_that_is_gone() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    alice.commit((0..100).map(|index| Write::create(NOTE, json!({"n": index})))).await.unwrap();
    alice.commit([Write::put(NOTE, record_key!("secret"), json!({"text": "secret"}))]).await.unwrap();
    let rev = alice.head().await.unwrap().1;
    let full = car::read_all(&export(&alice, None).await, &Limits::REPOSITORY).unwrap();
    alice.commit([Write::delete(NOTE, record_key!("secret"))]).await.unwrap();
    alice.commit([Write::put(NOTE, record_key!("news"), json!({"text": "news"}))]).await.unwrap();

    let file = car::read_all(&export(&alice, Some(rev)).await, &Limits::REPOSITORY).unwrap();
    let now = car::read_all(&export(&alice, None).await, &Limits::REPOSITORY).unwrap();
    assert_eq!(file.roots, now.roots);
    assert!(file.blocks.keys().all(|cid| now.blocks.contains_key(cid)), "blocks of the past");
    for cid in now.blocks.keys() {
        assert!(full.blocks.contains_key(cid) || file.blocks.contains_key(cid), "{cid} is in neither");
    }
    assert!(file.blocks.len() < 20, "{} blocks", file.blocks.len());
    let newest =
        car::read_all(&export(&alice, Some(alice.head().await.unwrap().1)).await, &Limits::REPOSITORY);
    assert_eq!(newest.unwrap().blocks.len(), 1, "the commit is always there");
}
