//! Chosen blocks.

use std::{collections::BTreeSet, ops::ControlFlow};

use arroba_core::{
    data::Cid,
    mst::{Expect, Key, Loader, NodeData},
    syntax::Did,
};

use super::{super::blocks::Blocks, scan::scan, subtree::Part, tree::load, window::Window};
use crate::{error::StoreError, repo::Head};

/// Which of these blocks the commit reaches, and which not, both in the order of their bytes.
///
/// What is not stored costs nothing more than the lookup. A tree node is looked for on the way to its first key, all of them
/// together with one lookup a level. A record does not say where it stands, so one is looked for in the whole tree, node by node,
/// until all are found.
///
/// # Errors
/// [`StoreError::Corrupt`] if a block is missing or wrong; as [`Blocks::pass_part`].
pub(super) async fn these(
    blocks: &Blocks,
    did: &Did,
    head: &Head,
    cids: Vec<Cid>,
) -> Result<(Vec<Cid>, Vec<Cid>), StoreError> {
    let wanted: BTreeSet<Cid> = cids.into_iter().collect();
    let mut found = BTreeSet::new();
    let Stored { nodes, mut others } = stored(blocks, &wanted).await?;
    if wanted.contains(&head.cid) {
        found.insert(head.cid);
        others.remove(&head.cid);
    }
    if !nodes.is_empty() {
        let damaged = |error| StoreError::corrupt_by(format!("tree of {did}"), error);
        let keys: Vec<Key> = nodes.into_iter().collect();
        let tree = load(blocks, did, Some(head.data), Loader::for_read(keys.clone())).await?;
        for key in &keys {
            let way = tree.proof(key).map_err(damaged)?;
            found.extend(way.into_iter().map(|(cid, _)| cid).filter(|cid| wanted.contains(cid)));
        }
    }
    if !others.is_empty() {
        let visit = |node, parts: &[Part]| {
            let records = parts.iter().filter_map(|part| match part {
                Part::Entry(_, cid) => Some(*cid),
                Part::Subtree(_) => None,
            });
            found.extend(records.chain([node]).filter(|cid| others.remove(cid)));
            if others.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        scan(blocks, did, head.data, visit).await?;
    }
    let missing = wanted.difference(&found).copied().collect();
    Ok((found.into_iter().collect(), missing))
}

/// What there is of the blocks that are wanted, whose-ever they are.
struct Stored {
    /// The first keys of tree nodes.
    nodes: BTreeSet<Key>,
    /// Everything else: records, commits, nodes without keys.
    others: BTreeSet<Cid>,
}

async fn stored(blocks: &Blocks, wanted: &BTreeSet<Cid>) -> Result<Stored, StoreError> {
    let mut stored = Stored { nodes: BTreeSet::new(), others: BTreeSet::new() };
    let mut left: Vec<Cid> = wanted.iter().copied().collect();
    let mut window = Window::default();
    while !left.is_empty() {
        let front = left.split_off(left.len().saturating_sub(window.keys(0)));
        let passed = blocks.pass_part(front.clone()).await?;
        window.saw(passed.found.len(), passed.found.values().map(|block| block.bytes.len()).sum());
        let missing: BTreeSet<Cid> = passed.missing.into_iter().collect();
        for cid in front {
            match passed.found.get(&cid) {
                Some(block) => match first_key(&block.bytes) {
                    Some(key) => {
                        stored.nodes.insert(key);
                    }
                    None => {
                        stored.others.insert(cid);
                    }
                },
                None if missing.contains(&cid) => {}
                // The service put it off.
                None => left.push(cid),
            }
        }
    }
    Ok(stored)
}

/// The first key of a tree node. No record is one: it would need a `$type`.
fn first_key(bytes: &[u8]) -> Option<Key> {
    let node = NodeData::decode(bytes, Expect::root(None)).ok()?;
    node.entries.into_iter().next().map(|entry| entry.key)
}
