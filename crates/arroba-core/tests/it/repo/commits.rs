//! Random commits, each undone from the bytes of its frame alone: in the order given, in reverse, and in the
//! order in which relays go (deletions first).

use std::collections::{BTreeMap, BTreeSet};

use arroba_core::car;
use arroba_core::crypto::{Curve, PrivateKey, Signer};
use arroba_core::data::Cid;
use arroba_core::event::{Action, CommitEvent, Frame, RepoOp};
use arroba_core::mst::{Editor, Key, Loader, Tree};
use arroba_core::repo::verify::{self, Order};
use arroba_core::repo::{self, Commit, CommitParams, SignedCommit, Write};
use arroba_core::syntax::{Datetime, Did, RecordPath, Tid};
use bytes::Bytes;

use crate::it::mst::table::NodeTable;
use crate::it::random::Random;

const COLLECTIONS: [&str; 5] = [
    "app.bsky.actor.profile",
    "app.bsky.feed.like",
    "app.bsky.feed.post",
    "app.bsky.graph.follow",
    "net.example.thing",
];

/// How many commits: all of them in CI.
fn wanted() -> u64 {
    match std::env::var("ARROBA_COMMITS") {
        Ok(number) => number.parse().expect("ARROBA_COMMITS is a number"),
        Err(_) if std::env::var_os("CI").is_some() => 100_000,
        Err(_) => 10_000,
    }
}

struct Repo {
    did: Did,
    key: PrivateKey,
    rows: NodeTable,
    records: BTreeMap<String, Bytes>,
    head: Option<(Tid, Cid)>,
}

/// What was seen over all commits, so that the test can say it saw enough.
#[derive(Default)]
struct Seen {
    commits: u64,
    ops: u64,
    actions: BTreeMap<&'static str, u64>,
    collections: BTreeSet<String>,
    sizes: BTreeSet<usize>,
    largest_blocks: usize,
}

impl Repo {
    fn new(random: &mut Random) -> Self {
        let curve = if random.below(8) == 0 { Curve::P256 } else { Curve::K256 };
        let seed = random.next().to_be_bytes();
        let key =
            PrivateKey::from_bytes(curve, &[seed, seed, seed, seed].concat().try_into().unwrap()).unwrap();
        let did = Did::parse("did:plc:yk4dd2qkboz2yv6tpubpc6co").unwrap();
        Self { did, key, rows: NodeTable::default(), records: BTreeMap::new(), head: None }
    }

    fn params(&self, now_micros: u64) -> CommitParams {
        CommitParams {
            did: self.did.clone(),
            rev: Tid::next_after(now_micros, 9, self.head.map(|head| head.0)),
            since: self.head.map(|head| head.0),
            prev_data: self.head.map(|head| head.1),
            prev_commit: None,
            time: Datetime::from_unix_millis(now_micros / 1000),
        }
    }

    fn batch(&self, random: &mut Random, spread: u64) -> Vec<Write> {
        let size = match random.below(100) {
            0 => 200,
            1..4 => random.below(200) + 1,
            4..20 => random.below(20) + 1,
            _ => random.below(3) + 1,
        };
        let mut touched = BTreeSet::new();
        let mut writes = Vec::new();
        let deleting = random.below(3) * 45;
        for _ in 0..size {
            let collection = COLLECTIONS[random.below(5) as usize];
            let near = format!("{collection}/{:x}", random.below(spread));
            let existing = self.records.range(near.clone()..).next();
            let at = match existing {
                Some((at, _)) if random.below(100) < deleting => at.clone(),
                _ => near,
            };
            if !touched.insert(at.clone()) {
                continue;
            }
            let path = RecordPath::parse(&at).unwrap();
            let value: Bytes =
                [&[0xa1, 0x61, b'n', 0x1a][..], &(1 << 24 | random.below(1 << 20) as u32).to_be_bytes()]
                    .concat()
                    .into();
            writes.push(match self.records.get(&at) {
                None => Write::create(path, value),
                Some(_) if random.below(100) < deleting => Write::delete(path),
                Some(_) => Write::update(path, value),
            });
        }
        writes
    }

    /// Commits through the table: loads what the writes need, signs, and changes the rows.
    fn commit(&mut self, writes: Vec<Write>, now_micros: u64) -> Option<SignedCommit> {
        let staged = match self.head {
            None => repo::create(writes).unwrap(),
            Some(_) => {
                let tree = self.rows.load(Loader::for_edit(repo::edit_keys(&writes)));
                repo::edit(&tree, writes).unwrap()
            }
        };
        if staged.is_empty() && self.head.is_some() {
            return None;
        }
        let signed = staged.sign(self.params(now_micros), &self.key).unwrap();
        self.rows.apply(&signed.node_puts, &signed.node_removes);
        for change in &signed.records {
            match change {
                repo::RecordChange::Put { path, bytes, .. } => {
                    self.records.insert(path.to_string(), bytes.clone());
                }
                repo::RecordChange::Delete { path, .. } => {
                    assert!(self.records.remove(&path.to_string()).is_some())
                }
            }
        }
        self.head = Some((signed.rev, signed.data));
        Some(signed)
    }
}

fn undo<'a>(tree: &Tree, ops: impl IntoIterator<Item = &'a RepoOp>) -> Cid {
    let mut editor = Editor::new(tree);
    for op in ops {
        let key = Key::new(&op.path.to_bytes()).unwrap();
        let found = match op.prev {
            Some(prev) => editor.put(&key, &prev.into()).unwrap(),
            None => editor.delete(&key).unwrap(),
        };
        assert_eq!(found.and_then(|link| link.cid()), op.cid);
    }
    editor.finish().unwrap().root_cid()
}

/// All that a consumer checks, from the frame and what it remembers of the repository. The operations are undone
/// by the editor, and once more by the verifier, which shares nothing with it.
fn consume(frame: &[u8], key: &PrivateKey, before: Option<(Tid, Cid)>, seen: &mut Seen) -> CommitEvent {
    let Frame::Commit(_, event) = Frame::decode(frame).unwrap() else { panic!("no commit") };
    let slice = car::read_all(&event.blocks, &car::Limits::SLICE).unwrap();
    assert_eq!(slice.roots, [event.commit]);
    let commit = Commit::decode(&slice.blocks[&event.commit]).unwrap();
    commit.verify(&key.public_key()).unwrap();
    assert_eq!((&commit.did, commit.rev), (&event.repo, event.rev));
    assert_eq!((event.since, event.prev_data), (before.map(|head| head.0), before.map(|head| head.1)));
    assert!(event.since < Some(event.rev));
    let tree = Tree::from_blocks(commit.data, |cid| slice.blocks.get(cid).cloned()).unwrap();
    assert!(event.ops.is_sorted_by(|a, b| a.path < b.path), "one operation a record");
    assert!((1..=200).contains(&event.ops.len()) || before.is_none());
    for op in &event.ops {
        let key = Key::new(&op.path.to_bytes()).unwrap();
        assert_eq!(tree.value(&key).unwrap().and_then(|link| link.cid()), op.cid);
        assert!(op.cid.is_none_or(|cid| slice.blocks.contains_key(&cid)));
        assert_eq!(op.action == Action::Create, op.prev.is_none());
        *seen.actions.entry(op.action.as_str()).or_default() += 1;
        seen.collections.insert(op.path.collection.to_string());
    }
    let prev_data = event.prev_data.unwrap_or_else(|| Tree::empty().root_cid());
    let (deletes, others): (Vec<_>, Vec<_>) = event.ops.iter().partition(|op| op.cid.is_none());
    assert_eq!(undo(&tree, &event.ops), prev_data);
    assert_eq!(undo(&tree, event.ops.iter().rev()), prev_data);
    assert_eq!(undo(&tree, deletes.into_iter().chain(others)), prev_data);
    for order in [Order::Relay, Order::Reversed, Order::Given] {
        let verified = verify::frame(frame, &event.repo, &key.public_key(), order).unwrap();
        assert_eq!((verified.prev_data, &verified.event), (prev_data, &event));
    }
    seen.commits += 1;
    seen.ops += event.ops.len() as u64;
    seen.sizes.insert(event.ops.len());
    seen.largest_blocks = seen.largest_blocks.max(event.blocks.len());
    event
}

fn run(seed: u64, commits: u64) -> Seen {
    let mut random = Random::new(seed);
    let mut seen = Seen::default();
    while seen.commits < commits {
        let spread = [4, 20, 100, 1000, 100_000][random.below(5) as usize];
        let mut repo = Repo::new(&mut random);
        let mut now_micros = 1_700_000_000_000_000;
        for _ in 0..200 {
            let before = repo.head;
            let writes = repo.batch(&mut random, spread);
            now_micros += random.below(3);
            let Some(signed) = repo.commit(writes, now_micros) else { continue };
            let event = consume(&signed.event.fill(seen.commits + 1), &repo.key, before, &mut seen);
            assert_eq!(event.ops, signed.ops);
            if seen.commits == commits {
                break;
            }
        }
        let entries = repo
            .records
            .iter()
            .map(|(path, bytes)| (Key::try_from(path.as_str()).unwrap(), Cid::for_cbor(bytes).into()));
        assert_eq!(repo.rows, NodeTable::build(&entries.collect()));
    }
    seen
}

#[test]
fn random_commits_are_undone_in_any_order() {
    let wanted = wanted();
    let workers = std::thread::available_parallelism().map_or(2, |count| count.get().min(8)) as u64;
    let all = std::thread::scope(|scope| {
        let share = |worker: u64| wanted / workers + u64::from(worker < wanted % workers);
        let handles: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || run(100 + worker, share(worker)))).collect();
        let mut all = Seen::default();
        for handle in handles {
            let seen = handle.join().unwrap();
            all.commits += seen.commits;
            all.ops += seen.ops;
            for (action, count) in seen.actions {
                *all.actions.entry(action).or_default() += count;
            }
            all.collections.extend(seen.collections);
            all.sizes.extend(seen.sizes);
            all.largest_blocks = all.largest_blocks.max(seen.largest_blocks);
        }
        all
    });
    assert_eq!(all.commits, wanted);
    println!(
        "properties: commits undone in three orders from their frames: {} with {} operations {:?} in {} \
         collections, {} sizes, blocks up to {} bytes",
        all.commits,
        all.ops,
        all.actions,
        all.collections.len(),
        all.sizes.len(),
        all.largest_blocks
    );
    if wanted >= 1000 {
        assert_eq!(all.collections.len(), COLLECTIONS.len());
        assert!(all.sizes.contains(&1) && all.sizes.iter().any(|size| *size > 150));
        assert!(all.actions.values().all(|count| *count > wanted / 10) && all.actions.len() == 3);
    }
}
