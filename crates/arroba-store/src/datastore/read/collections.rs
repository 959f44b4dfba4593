//! The collections of a repository.

use std::collections::BTreeSet;

use arroba_core::{
    data::Cid,
    mst::Key,
    syntax::{Did, Nsid},
};

use super::{
    super::blocks::Blocks,
    subtree::{Part, Subtree, missing},
};
use crate::error::StoreError;

/// The collections that have records, in the order of their records. A subtree between two records of one collection has no
/// other, so only those are opened that lie on a border: one lookup for each level.
///
/// # Errors
/// [`StoreError::Corrupt`] if a node is missing or wrong, or a key is no path; as [`Blocks::get_many`].
pub(crate) async fn collections(blocks: &Blocks, did: &Did, root: Cid) -> Result<Vec<Nsid>, StoreError> {
    // With the slash behind them they have the order of the paths.
    let mut prefixes = BTreeSet::new();
    let mut level = vec![Subtree::root(root)];
    while !level.is_empty() {
        let found = blocks.get_many(level.iter().map(|subtree| subtree.cid).collect()).await?;
        let mut lower = Vec::new();
        for subtree in level {
            let node = found.get(&subtree.cid).ok_or_else(|| missing("tree node", did, &subtree.cid))?;
            for part in subtree.open(did, &node.bytes)?.parts {
                match part {
                    Part::Entry(key, _) => {
                        let prefix = prefix(&key)
                            .ok_or_else(|| StoreError::corrupt(format!("key {key} of {did} is no path")))?;
                        if !prefixes.contains(prefix) {
                            prefixes.insert(prefix.to_vec());
                        }
                    }
                    Part::Subtree(subtree) if !within_one(&subtree) => lower.push(subtree),
                    Part::Subtree(_) => {}
                }
            }
        }
        level = lower;
    }
    let names = prefixes.iter().map(|prefix| {
        let name = prefix.strip_suffix(b"/").and_then(|name| std::str::from_utf8(name).ok());
        name.and_then(|name| Nsid::parse(name).ok()).ok_or_else(|| {
            let prefix = prefix.escape_ascii();
            StoreError::corrupt(format!("keys of {did} begin with {prefix}, which is no collection"))
        })
    });
    names.collect()
}

/// Whether the keys before and behind it are of one collection.
fn within_one(subtree: &Subtree) -> bool {
    let before = subtree.before.as_ref().and_then(prefix);
    before.is_some() && before == prefix(&subtree.after)
}

/// The collection and the slash.
fn prefix(key: &Key) -> Option<&[u8]> {
    let key = key.as_bytes();
    let slash = key.iter().position(|byte| *byte == b'/')?;
    key.get(..=slash)
}
