//! Blocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arroba_core::{data::Cid, repo::Write};
use futures::TryStreamExt;

use super::{
    author::{Author, Model, create, export, nodes_of, path, record},
    commits::{Numbers, random_writes},
};
use crate::{Block, BlockQuery, RepoStore};

fn set(blocks: &[Block]) -> BTreeMap<Cid, &[u8]> {
    blocks.iter().map(|block| (block.cid, &block.data[..])).collect()
}

pub(super) async fn since_completes_an_older_export<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let mut model = Model::new();
    let mut numbers = Numbers::new(0xabcd);
    let mut past = Vec::new();
    for _ in 0..25 {
        let count = 1 + numbers.below(12);
        author.commit(&*store, random_writes(&mut numbers, &mut model, count)).await;
        let rev = store.repo(&author.did).await.unwrap().unwrap().rev.unwrap();
        past.push((rev, export(&*store, &author.did, BlockQuery::All).await));
    }
    let (_, now) = past.last().unwrap();
    let whole = set(now);
    for (rev, then) in &past {
        let newer = export(&*store, &author.did, BlockQuery::Since(*rev)).await;
        assert_eq!(newer[0], now[0], "the commit comes first");
        let newer = set(&newer);
        assert!(newer.iter().all(|(cid, _)| whole.contains_key(cid)), "nothing superseded is exported");
        let known = set(then);
        let together = whole.keys().all(|cid| known.contains_key(cid) || newer.contains_key(cid));
        assert!(together, "an older export and what is newer make the whole");
    }
    let (rev, _) = &past[23];
    let few = export(&*store, &author.did, BlockQuery::Since(*rev)).await;
    assert!(few.len() < now.len() / 2, "what did not change is left out");
    let (newest, _) = past.last().unwrap();
    assert_eq!(export(&*store, &author.did, BlockQuery::Since(*newest)).await.len(), 1);
}

pub(super) async fn chosen_blocks_and_missing_ones<S: RepoStore>(store: Arc<S>) {
    let (author, other) = (Author::new(1), Author::new(2));
    let texts = ["a.b.c/1", "a.b.c/2", "d.e.f/3"];
    author.create(&*store, texts.map(create).into()).await;
    other.create(&*store, vec![create("a.b.c/other")]).await;
    author.commit(&*store, vec![Write::delete(path("a.b.c/2"))]).await;
    let whole = export(&*store, &author.did, BlockQuery::All).await;
    let foreign = Cid::for_cbor(&record("a.b.c/other"));
    let gone = Cid::for_cbor(&record("a.b.c/2"));
    let mut wanted: Vec<Cid> = whole.iter().map(|block| block.cid).collect();
    wanted.extend([foreign, gone]);
    wanted.push(wanted[0]);
    let stream = store.blocks(&author.did, BlockQuery::These(wanted)).await.unwrap().unwrap();
    let missing: BTreeSet<_> = stream.missing.iter().copied().collect();
    assert_eq!(missing, [foreign, gone].into(), "blocks of others and deleted ones are missing");
    let found: Vec<Block> = stream.try_collect().await.unwrap();
    assert_eq!(found.len(), whole.len(), "each once");
    assert_eq!(set(&found), set(&whole));
    let model: Model = ["a.b.c/1", "d.e.f/3"].map(|text| (path(text), record(text))).into();
    assert_eq!(whole.len(), nodes_of(&model).len() + 3);
}

pub(super) async fn an_export_is_one_snapshot<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    let texts: Vec<String> = (0..200).map(|number| format!("a.b.c/{number:03}")).collect();
    author.create(&*store, texts.iter().map(|text| create(text)).collect()).await;
    let before = export(&*store, &author.did, BlockQuery::All).await;
    let mut stream = store.blocks(&author.did, BlockQuery::All).await.unwrap().unwrap();
    let first = stream.try_next().await.unwrap().unwrap();
    assert_eq!(first.cid, stream.head.cid, "the commit is the first block");
    author.commit(&*store, texts.iter().skip(1).map(|text| Write::delete(path(text))).collect()).await;
    let rest: Vec<Block> = stream.try_collect().await.unwrap();
    assert_eq!(std::iter::once(first).chain(rest).collect::<Vec<_>>(), before, "rules 1 and 12");
}
