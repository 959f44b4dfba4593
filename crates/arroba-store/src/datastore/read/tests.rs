//! Compared with the store in memory, which looks at everything: the same commits in both.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod held;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use arroba_core::{
    data::{Cid, Value, cbor},
    mst::Loader,
    repo::{RecordChange, SignedCommit, Write},
    syntax::{RecordKey, RecordPath, Tid},
};
use bytes::Bytes;
use futures::TryStreamExt;

use super::{
    super::{
        Client, ClientOptions, Reads, RpcCounts,
        blocks::Blocks,
        delete,
        entity::AtpBlock,
        testing::{Emulator, Strict, StrictOptions},
        upsert,
    },
    scan::Size,
    *,
};
use crate::{
    Block, BlockQuery, ChangeKind, Head, Memory, Order, RecordRange, RecordRow, RepoStore, StoreError,
    conformance::Author,
};

/// A repository in memory, and its commits as the Python library would have stored them.
struct Twin {
    memory: Memory,
    author: Author,
    client: Client,
    blocks: Blocks,
    /// Each with its seq.
    stored: BTreeMap<Cid, u64>,
}

impl Twin {
    async fn new(emulator: &Emulator, writes: Vec<Write>) -> Self {
        let client = emulator.client().await;
        let blocks = Blocks::new(client.clone(), 32 << 20);
        let (memory, author) = (Memory::new(), Author::new(1));
        let mut twin = Self { memory, author, client, blocks, stored: BTreeMap::new() };
        let change = twin.author.creation(&twin.memory, writes, None).await;
        twin.apply(change).await;
        twin
    }

    async fn commit(&mut self, writes: Vec<Write>) {
        let change = self.author.commit_change(&self.memory, writes, Vec::new()).await;
        self.apply(change).await;
    }

    async fn apply(&mut self, change: crate::Change) {
        match &change.kind {
            ChangeKind::Create { commit, .. } | ChangeKind::Commit(commit) => {
                self.store(&commit.signed).await;
            }
            other => panic!("{other:?}"),
        }
        self.memory.apply(vec![change]).await.pop().unwrap().unwrap();
    }

    async fn store(&mut self, signed: &SignedCommit) {
        let seq = signed.rev.micros();
        let commit = (signed.commit_cid, signed.commit_bytes.clone());
        let nodes = signed.node_puts.iter().map(|node| (node.cid, node.bytes.clone()));
        let records = signed.records.iter().filter_map(|change| match change {
            RecordChange::Put { cid, bytes, .. } => Some((*cid, bytes.clone())),
            RecordChange::Delete { .. } => None,
        });
        let mut mutations = Vec::new();
        for (cid, encoded) in nodes.chain(records).chain([commit]) {
            if self.stored.contains_key(&cid) {
                continue;
            }
            self.stored.insert(cid, seq);
            let repo = Some(self.author.did.clone());
            let block = AtpBlock { cid, repo, encoded, seq, ops: Vec::new(), created: Some(seq) };
            mutations.push(upsert(block.to_entity(self.client.database()).unwrap()));
        }
        self.client.put(mutations).await.unwrap();
    }

    async fn head(&self) -> Head {
        self.memory.load(&self.author.did, Loader::for_read([])).await.unwrap().unwrap().head.unwrap()
    }

    /// With nothing in memory.
    fn cold(&self) -> Blocks {
        Blocks::new(self.client.clone(), 32 << 20)
    }

    async fn export(&self, query: BlockQuery) -> (Vec<Block>, Vec<Cid>) {
        let row = self.memory.repo(&self.author.did).await.unwrap().unwrap();
        let stream = blocks(&self.cold(), row, self.head().await, query).await.unwrap();
        let missing = stream.missing.clone();
        (stream.try_collect().await.unwrap(), missing)
    }

    async fn expected(&self, query: BlockQuery) -> Vec<Block> {
        self.memory.blocks(&self.author.did, query).await.unwrap().unwrap().try_collect().await.unwrap()
    }

    async fn records(&self, range: RecordRange, hidden: &BTreeSet<RecordPath>) -> (Vec<RecordRow>, bool) {
        records(&self.cold(), &self.author.did, &self.head().await, &range, hidden).await.unwrap()
    }
}

fn path(text: &str) -> RecordPath {
    text.parse().unwrap()
}

fn record(text: &str) -> Bytes {
    let map = [("$type", Value::Text("a.b.c".into())), ("text", Value::Text(text.to_owned().into()))];
    cbor::encode(&Value::Map(map.into_iter().collect())).into()
}

fn create(text: &str) -> Write {
    Write::create(path(text), record(text))
}

/// A little repository of many collections, some with one record, after creations, updates and deletions.
async fn many(emulator: &Emulator) -> Twin {
    let collections = ["a.b.c", "a.b.c.d", "a.b.cc", "a.b.d", "com.example.long", "x.y.z"];
    let mut twin = Twin::new(emulator, vec![create("lonely.one.here/1")]).await;
    for round in 0..6_usize {
        let mut writes = Vec::new();
        for (number, collection) in collections.iter().enumerate() {
            for rkey in 0..(number * 9 + round) {
                let name = format!("{collection}/{round}-{:03}", rkey * 7919 % 1000);
                writes.push(create(&name));
            }
        }
        twin.commit(writes).await;
    }
    twin.commit(vec![
        Write::delete(path("x.y.z/0-000")),
        Write::update(path("x.y.z/1-000"), record("other")),
        // The same content at two places.
        Write::create(path("x.y.z/same"), record("other")),
    ])
    .await;
    twin
}

#[tokio::test]
async fn records_are_those_of_the_twin() {
    let Some(emulator) = Emulator::shared().await else { return };
    let twin = many(&emulator).await;
    let did = &twin.author.did;
    let all = RecordRange::All { after: None, limit: usize::MAX };
    let query = |range: &RecordRange| crate::RecordQuery { range: range.clone(), visible_only: true };
    let paths: Vec<RecordPath> = {
        let page = twin.memory.records(did, query(&all)).await.unwrap().unwrap();
        page.records.into_iter().map(|row| row.path).collect()
    };
    let mut ranges = vec![all, RecordRange::All { after: None, limit: 0 }];
    for after in [path("a.a.a/1"), paths[0].clone(), paths[77].clone(), path("x.y.z/zz")] {
        for limit in [1, 10, 1_000] {
            ranges.push(RecordRange::All { after: Some(after.clone()), limit });
        }
    }
    ranges.extend([&paths[0], &paths[50], &path("a.b.c/none")].map(|path| RecordRange::One(path.clone())));
    for collection in ["a.b.c", "a.b.c.d", "a.b.d", "lonely.one.here", "none.such.here", "x.y.z"] {
        for (after, order) in [None, Some("3-000"), Some("0"), Some("zz")]
            .into_iter()
            .flat_map(|after| [(after, Order::Ascending), (after, Order::Descending)])
        {
            for limit in [0, 1, 7, 500] {
                let after = after.map(|rkey| RecordKey::parse(rkey).unwrap());
                let collection = collection.parse().unwrap();
                ranges.push(RecordRange::Collection { collection, after, limit, order });
            }
        }
    }
    let hidden: BTreeSet<RecordPath> = paths.iter().step_by(3).cloned().collect();
    let change = |path: &RecordPath| {
        let subject = crate::Subject::Record(path.clone());
        let kind = ChangeKind::Hide { subject, reference: Some("case".into()) };
        twin.author.change(kind, Vec::new())
    };
    for some in [BTreeSet::new(), hidden] {
        twin.memory.apply(some.iter().map(change).collect()).await;
        for range in &ranges {
            let page = twin.memory.records(did, query(range)).await.unwrap().unwrap();
            let (rows, more) = twin.records(range.clone(), &some).await;
            let plain = |rows: Vec<RecordRow>| -> Vec<_> {
                rows.into_iter().map(|row| (row.path, row.cid, row.value)).collect()
            };
            for row in &rows {
                assert_eq!(row.rev, Tid::from_micros(twin.stored[&row.cid], 0), "its first writer's");
            }
            assert_eq!((plain(rows), more), (plain(page.records), page.more), "{range:?}");
        }
    }
}

#[tokio::test]
async fn sizes_and_collections_are_those_of_the_twin() {
    let Some(emulator) = Emulator::shared().await else { return };
    let twin = many(&emulator).await;
    let (did, root) = (&twin.author.did, twin.head().await.data);
    let expected = twin.memory.collections(did).await.unwrap().unwrap();
    assert_eq!(collections(&twin.cold(), did, root).await.unwrap(), expected);
    let counts = twin.memory.counts(did).await.unwrap().unwrap();
    let Size { nodes, records } = size(&twin.cold(), did, root).await.unwrap();
    assert_eq!((records, nodes + records + 1), (counts.records, counts.blocks));
    let empty = Twin::new(&emulator, Vec::new()).await;
    let root = empty.head().await.data;
    assert_eq!(size(&empty.blocks, did, root).await.unwrap(), Size { nodes: 1, records: 0 });
    assert!(collections(&empty.blocks, did, root).await.unwrap().is_empty());
    assert_eq!(empty.export(BlockQuery::All).await.0, empty.expected(BlockQuery::All).await);
}

#[tokio::test]
async fn exports_are_those_of_the_twin() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = many(&emulator).await;
    assert_eq!(twin.export(BlockQuery::All).await.0, twin.expected(BlockQuery::All).await);

    let mut past = vec![(twin.head().await, twin.expected(BlockQuery::All).await)];
    for number in 0..12 {
        let mut writes: Vec<_> =
            (0..number * 2).map(|rkey| create(&format!("m.n.o/{number}-{rkey}"))).collect();
        if number % 3 == 2 {
            writes.push(Write::delete(path(&format!("m.n.o/{}-0", number - 1))));
            writes.push(Write::delete(path(&format!("a.b.cc/{}-000", number / 3))));
        }
        twin.commit(writes).await;
        past.push((twin.head().await, twin.expected(BlockQuery::All).await));
    }
    // What was undone again.
    twin.commit(vec![create("m.n.o/back"), Write::update(path("x.y.z/same"), record("new"))]).await;
    past.push((twin.head().await, twin.expected(BlockQuery::All).await));
    twin.commit(vec![Write::delete(path("m.n.o/back"))]).await;
    past.push((twin.head().await, twin.expected(BlockQuery::All).await));

    let (head, now) = past.last().unwrap();
    for (then_head, then) in &past {
        let known: HashSet<Cid> = then.iter().map(|block| block.cid).collect();
        let lacking: Vec<Block> = now
            .iter()
            .filter(|block| block.cid == head.cid || !known.contains(&block.cid))
            .cloned()
            .collect();
        let (newer, _) = twin.export(BlockQuery::Since(then_head.rev)).await;
        assert_eq!(newer, lacking, "exactly what is lacking, in the order of an export");
    }
    // Revs that no commit had, before and between; one of another clock; one of the future.
    let rev = past[3].0.rev;
    for unknown in
        [Tid::from_micros(5, 0), Tid::from_micros(rev.micros() + 1, 0), Tid::from_u64(rev.to_u64() + 1)]
    {
        assert_eq!(&twin.export(BlockQuery::Since(unknown)).await.0, now);
    }
    let (newer, _) = twin.export(BlockQuery::Since(Tid::from_micros(head.rev.micros() + 1, 0))).await;
    assert_eq!(newer, now[..1]);
}

#[tokio::test]
async fn a_huge_difference_is_a_full_export() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator, vec![create("a.b.c/1")]).await;
    let old = twin.head().await.data;
    twin.commit((0..100).map(|rkey| create(&format!("m.n.o/{rkey}"))).collect()).await;
    let new = twin.head().await.data;
    let blocks = twin.cold();
    let newer = since::difference(&blocks, &twin.author.did, old, new, 50).await.unwrap();
    assert!(matches!(newer, since::Newer::All));
    let newer = since::difference(&blocks, &twin.author.did, old, new, 500).await.unwrap();
    assert!(matches!(newer, since::Newer::Only { records, .. } if records.len() == 100));
}

#[tokio::test]
async fn chosen_blocks_are_those_that_the_commit_reaches() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = many(&emulator).await;
    let before = twin.expected(BlockQuery::All).await;
    twin.commit(vec![Write::delete(path("x.y.z/2-000")), create("a.b.c/new")]).await;
    let now = twin.expected(BlockQuery::All).await;
    let nowhere = Cid::for_cbor(b"nowhere");
    let mut wanted: Vec<Cid> = before.iter().chain(&now).map(|block| block.cid).collect();
    wanted.extend([nowhere, Cid::for_raw(b"a blob")]);
    let sorted = |cids: &[Cid]| cids.iter().copied().collect::<BTreeSet<_>>();
    for some in [
        wanted.clone(),
        wanted.iter().step_by(5).copied().collect(),
        vec![nowhere],
        vec![now[1].cid],
        vec![now[0].cid],
        Vec::new(),
    ] {
        let expected = twin.memory.blocks(&twin.author.did, BlockQuery::These(some.clone())).await;
        let expected = expected.unwrap().unwrap();
        let missing = sorted(&expected.missing);
        let expected: Vec<Block> = expected.try_collect().await.unwrap();
        let (found, lost) = twin.export(BlockQuery::These(some)).await;
        assert_eq!((found, sorted(&lost)), (expected, missing));
    }
    // A node is found on the way to its first key, and what is not stored costs no walk.
    let calls = async |cid: Cid| {
        let before = twin.client.counts();
        twin.export(BlockQuery::These(vec![cid])).await;
        (twin.client.counts() - before).total()
    };
    assert_eq!(calls(nowhere).await, 1);
    let height = u64::from(tree_height(&twin).await);
    assert!(calls(now[1].cid).await <= height + 3);
}

async fn tree_height(twin: &Twin) -> u8 {
    let (did, root) = (&twin.author.did, twin.head().await.data);
    load(&twin.cold(), did, Some(root), Loader::for_all()).await.unwrap().height()
}

#[tokio::test]
async fn trees_load_with_one_lookup_a_level() {
    let Some(emulator) = Emulator::shared().await else { return };
    let twin = many(&emulator).await;
    let (did, root) = (&twin.author.did, twin.head().await.data);
    let blocks = twin.cold();
    let before = twin.client.counts();
    let tree = load(&blocks, did, Some(root), Loader::for_all()).await.unwrap();
    let counts = twin.client.counts() - before;
    assert_eq!(
        counts,
        RpcCounts { lookups: u64::from(tree.height()) + 1, keys: counts.keys, ..Default::default() }
    );
    let expected = twin.memory.load(did, Loader::for_all()).await.unwrap().unwrap().tree;
    let nodes = |tree: &arroba_core::mst::Tree| tree.nodes().map(|node| node.unwrap()).collect::<Vec<_>>();
    assert_eq!(nodes(&tree), nodes(&expected));
    assert_eq!(counts.keys, nodes(&tree).len() as u64);
    let before = twin.client.counts();
    load(&blocks, did, Some(root), Loader::for_all()).await.unwrap();
    assert_eq!((twin.client.counts() - before).total(), 0, "all of it is in memory");
    let empty = load(&blocks, did, None, Loader::for_all()).await.unwrap();
    assert_eq!(empty.height(), 0);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let Some(emulator) = Emulator::shared().await else { return };
    let twin = many(&emulator).await;
    let did = &twin.author.did;
    let head = twin.head().await;
    let all = twin.expected(BlockQuery::All).await;
    // A node below the root, and a record.
    let names = |error: StoreError, cid: Cid| match error {
        StoreError::Corrupt { what, .. } => {
            assert!(what.contains(did.as_str()) && what.contains(&cid.to_string()), "{what}");
        }
        other => panic!("{other:?}"),
    };
    let lose = async |cid: Cid| {
        let key = AtpBlock::key(twin.client.database(), &cid);
        let lookup = twin.client.lookup(vec![key.clone()], Reads::Strong).await.unwrap();
        twin.client.put(vec![delete(key)]).await.unwrap();
        lookup.found[0].entity.clone().unwrap()
    };
    let everything = RecordRange::All { after: None, limit: 10_000 };
    let last = all.last().unwrap().cid;
    for cid in [all[2].cid, last] {
        let entity = lose(cid).await;
        let row = twin.memory.repo(did).await.unwrap().unwrap();
        let stream = blocks(&twin.cold(), row, head.clone(), BlockQuery::All).await.unwrap();
        names(stream.try_collect::<Vec<_>>().await.unwrap_err(), cid);
        names(records(&twin.cold(), did, &head, &everything, &BTreeSet::new()).await.unwrap_err(), cid);
        if cid != last {
            names(load(&twin.cold(), did, Some(head.data), Loader::for_all()).await.unwrap_err(), cid);
            names(size(&twin.cold(), did, head.data).await.unwrap_err(), cid);
        }
        twin.client.put(vec![upsert(entity)]).await.unwrap();
    }
    twin.export(BlockQuery::All).await;
}

#[tokio::test]
async fn what_the_service_puts_off_is_asked_for_again() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = many(&emulator).await;
    let connection = emulator.connection(twin.client.database().clone()).await;
    // Nor is there any index of our own.
    let options = StrictOptions { deferred: 0.4, indexes: Some(Vec::new()), ..StrictOptions::default() };
    let strict = Strict::new(connection, options);
    let backoff = Duration::from_millis(1);
    let options = ClientOptions { seed: 1, backoff, attempts: 20, ..ClientOptions::default() };
    twin.client = Client::new(Arc::new(strict), options);
    let all = twin.expected(BlockQuery::All).await;
    assert_eq!(twin.export(BlockQuery::All).await.0, all);
    let cids: BTreeMap<Cid, Block> = all.iter().map(|block| (block.cid, block.clone())).collect();
    let (found, missing) = twin.export(BlockQuery::These(cids.keys().copied().collect())).await;
    assert_eq!((found, missing), (cids.into_values().collect(), Vec::new()));
    let (did, root) = (&twin.author.did, twin.head().await.data);
    let Size { nodes, records } = size(&twin.cold(), did, root).await.unwrap();
    assert_eq!(nodes + records + 1, all.len() as u64);
    let (rows, more) = twin.records(RecordRange::All { after: None, limit: 10_000 }, &BTreeSet::new()).await;
    assert_eq!((rows.len() as u64, more), (records, false));
    let before = twin.head().await.rev;
    twin.commit(vec![create("a.b.c/late")]).await;
    assert_eq!(
        twin.export(BlockQuery::Since(before)).await.0,
        twin.expected(BlockQuery::Since(before)).await
    );
}

/// The number of calls, stated: an export of 10,000 records.
#[tokio::test]
async fn an_export_asks_for_its_own_blocks_once_in_large_lookups() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator, Vec::new()).await;
    for numbers in (0..10_000).collect::<Vec<u32>>().chunks(200) {
        twin.commit(numbers.iter().map(|number| create(&format!("a.b.c/{number:05}"))).collect()).await;
    }
    let row = twin.memory.repo(&twin.author.did).await.unwrap().unwrap();
    let head = twin.head().await;
    let before = twin.client.counts();
    let stream = blocks(&twin.cold(), row, head, BlockQuery::All).await.unwrap();
    let exported: Vec<Block> = stream.try_collect().await.unwrap();
    let counts = twin.client.counts() - before;
    assert!(exported == twin.expected(BlockQuery::All).await);
    // The commit is at hand.
    assert_eq!(counts.keys, exported.len() as u64 - 1, "each block once");
    assert_eq!(counts.total(), counts.lookups);
    println!("export of 10,000 records: {} lookups for {} blocks", counts.lookups, counts.keys);
    assert!(counts.lookups <= 30, "{counts:?}");
    let before = twin.client.counts();
    let page = twin
        .records(
            RecordRange::Collection {
                collection: "a.b.c".parse().unwrap(),
                after: Some(RecordKey::parse("05000").unwrap()),
                limit: 50,
                order: Order::Descending,
            },
            &BTreeSet::new(),
        )
        .await;
    assert_eq!(page.0.len(), 50);
    let counts = twin.client.counts() - before;
    let height = u64::from(tree_height(&twin).await);
    assert!(counts.lookups <= height + 2 && counts.keys < 300, "{counts:?} {height}");
    // Many at once: the ways to all of them are gone together.
    let paths: Vec<RecordPath> = (0..200).map(|number| path(&format!("a.b.c/{:05}", number * 47))).collect();
    let before = twin.client.counts();
    let (found, _) = twin.records(RecordRange::These(paths.clone()), &BTreeSet::new()).await;
    let counts = twin.client.counts() - before;
    assert!(found.iter().map(|record| &record.path).eq(&paths));
    println!("200 records of 10,000, in a tree of height {height}: {counts:?}");
    assert!(counts.total() == counts.lookups && counts.lookups <= height + 2, "{counts:?}");
}
