//! What a tree has that an older one lacks.

use std::collections::{BTreeMap, HashMap, HashSet};

use arroba_core::{
    data::Cid,
    mst::Key,
    repo::Commit,
    syntax::{Did, Tid},
};

use super::{
    super::{
        Client, Reads, Select,
        api::{property_filter::Operator, value::ValueType},
        blocks::Blocks,
        entity::{AtpBlock, AtpRepo},
        limits::LOOKUP_KEYS,
    },
    subtree::{Part, Subtree, missing},
};
use crate::{error::StoreError, repo::Head};

/// Which blocks an export has.
#[derive(Debug, Default)]
pub(super) enum Newer {
    /// All.
    #[default]
    All,
    /// These nodes, and the records at these keys.
    Only {
        /// CIDs.
        nodes: HashSet<Cid>,
        /// Keys.
        records: HashSet<Key>,
    },
}

impl Newer {
    /// Whether the export has a node.
    pub(super) fn has_node(&self, cid: &Cid) -> bool {
        match self {
            Self::All => true,
            Self::Only { nodes, .. } => nodes.contains(cid),
        }
    }

    /// Whether the export has the record at a key.
    pub(super) fn has_record(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Only { records, .. } => records.contains(key),
        }
    }

    fn nothing() -> Self {
        Self::Only { nodes: HashSet::new(), records: HashSet::new() }
    }
}

/// What the head's tree has that the tree at `rev` lacks. Everything, if no commit here had that rev (an import keeps none of its
/// former revs), or if the difference is so large that it could not be held in memory.
pub(super) async fn newer(blocks: &Blocks, did: &Did, head: &Head, rev: Tid) -> Result<Newer, StoreError> {
    if rev >= head.rev {
        return Ok(Newer::nothing());
    }
    match commit_at(blocks.client(), did, rev).await? {
        Some(commit) => difference(blocks, did, commit.data, head.data, MOST_PARTS).await,
        None => Ok(Newer::All),
    }
}

/// The commit of this repository with this rev, by its number.
async fn commit_at(client: &Client, did: &Did, rev: Tid) -> Result<Option<Commit>, StoreError> {
    let (Ok(seq), 0) = (i64::try_from(rev.micros()), rev.clock_id()) else { return Ok(None) };
    let repo = ValueType::KeyValue(AtpRepo::key(client.database(), did));
    // Equalities alone need no index of our own.
    let query = Select::from(AtpBlock::KIND).and("seq", Operator::Equal, ValueType::IntegerValue(seq)).and(
        "repo",
        Operator::Equal,
        repo,
    );
    let mut batches = client.batches(query.into(), Reads::Strong);
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            let block = AtpBlock::from_entity(entity)?;
            let commit = Commit::decode(&block.encoded).ok();
            let commit = commit.filter(|commit| commit.did == *did && commit.rev == rev);
            if let Some(commit) = commit.filter(|_| block.is_intact()) {
                return Ok(Some(commit));
            }
        }
    }
    Ok(None)
}

/// Compares two trees from the top down, a level of both with one lookup. What both have is not opened, wherever it stands: a node
/// has the same height in both, so it is met at the same level. So has a key.
pub(super) async fn difference(
    blocks: &Blocks,
    did: &Did,
    old: Cid,
    new: Cid,
    mut limit: usize,
) -> Result<Newer, StoreError> {
    if old == new {
        return Ok(Newer::nothing());
    }
    let mut levels: BTreeMap<u8, Level> = BTreeMap::new();
    let roots = blocks.get_many(vec![old, new]).await?;
    for (cid, is_new) in [(old, false), (new, true)] {
        let root = Subtree::root(cid);
        let block = roots.get(&cid).ok_or_else(|| missing("tree node", did, &cid))?;
        let height = root.open(did, &block.bytes)?.height;
        levels.entry(height).or_default().side(is_new).insert(cid, root);
    }
    let (mut nodes, mut records) = (HashSet::new(), HashSet::new());
    while let Some((height, mut level)) = levels.pop_last() {
        level.drop_common();
        nodes.extend(level.new.keys().copied());
        let open = level.old.into_values().map(|subtree| (subtree, false));
        let open: Vec<_> = open.chain(level.new.into_values().map(|subtree| (subtree, true))).collect();
        let (mut before, mut now) = (HashMap::new(), HashMap::new());
        // Reading them keeps them at hand for the export that follows.
        for portion in open.chunks(LOOKUP_KEYS) {
            let found = blocks.get_many(portion.iter().map(|(subtree, _)| subtree.cid).collect()).await?;
            for (subtree, is_new) in portion {
                let cid = &subtree.cid;
                let block = found.get(cid).ok_or_else(|| missing("tree node", did, cid))?;
                let parts = subtree.open(did, &block.bytes)?.parts;
                let Some(left) = limit.checked_sub(parts.len()) else { return Ok(Newer::All) };
                limit = left;
                for part in parts {
                    match part {
                        Part::Entry(key, cid) => {
                            let entries = if *is_new { &mut now } else { &mut before };
                            entries.insert(key, cid);
                        }
                        Part::Subtree(inner) => {
                            let below = levels.entry(height.saturating_sub(1)).or_default();
                            below.side(*is_new).insert(inner.cid, inner);
                        }
                    }
                }
            }
        }
        let changed = now.into_iter().filter(|(key, cid)| before.get(key) != Some(cid));
        records.extend(changed.map(|(key, _)| key));
    }
    Ok(Newer::Only { nodes, records })
}

/// Subtrees of one height that are to be compared.
#[derive(Default)]
struct Level {
    old: HashMap<Cid, Subtree>,
    new: HashMap<Cid, Subtree>,
}

impl Level {
    const fn side(&mut self, is_new: bool) -> &mut HashMap<Cid, Subtree> {
        if is_new { &mut self.new } else { &mut self.old }
    }

    fn drop_common(&mut self) {
        let new = &mut self.new;
        self.old.retain(|cid, _| new.remove(cid).is_none());
    }
}

/// How many entries and subtrees a difference may take: some ten MiB of memory at the worst.
const MOST_PARTS: usize = 100_000;
