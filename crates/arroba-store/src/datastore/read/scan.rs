//! Walks through all nodes, without the records.

use std::ops::ControlFlow;

use arroba_core::{data::Cid, syntax::Did};

use super::{
    super::blocks::Blocks,
    subtree::{Part, Subtree, missing},
    window::Window,
};
use crate::error::StoreError;

/// How large a tree is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Nodes.
    pub(crate) nodes: u64,
    /// Records.
    pub(crate) records: u64,
}

/// Counts nodes and records by reading every node, up to 1,000 with one lookup: no call for a hot path.
///
/// # Errors
/// [`StoreError::Corrupt`] if a node is missing or wrong; as [`Blocks::pass_part`].
pub(crate) async fn size(blocks: &Blocks, did: &Did, root: Cid) -> Result<Size, StoreError> {
    let mut size = Size::default();
    let count = |_, parts: &[Part]| {
        size.nodes += 1;
        size.records += parts.iter().filter(|part| matches!(part, Part::Entry(..))).count() as u64;
        ControlFlow::Continue(())
    };
    scan(blocks, did, root, count).await?;
    Ok(size)
}

/// Visits every node with its CID and parts, in no particular order, until the visitor has enough. Holds one answer, and the places of the
/// nodes beside the way to it.
pub(super) async fn scan(
    blocks: &Blocks,
    did: &Did,
    root: Cid,
    mut visit: impl FnMut(Cid, &[Part]) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut open = vec![Subtree::root(root)];
    let mut window = Window::default();
    while !open.is_empty() {
        let front = open.split_off(open.len().saturating_sub(window.keys(0)));
        let passed = blocks.pass_part(front.iter().map(|subtree| subtree.cid).collect()).await?;
        if let Some(cid) = passed.missing.first() {
            return Err(missing("tree node", did, cid));
        }
        window.saw(passed.found.len(), passed.found.values().map(|block| block.bytes.len()).sum());
        for subtree in front {
            let Some(node) = passed.found.get(&subtree.cid) else {
                // The service put it off.
                open.push(subtree);
                continue;
            };
            let parts = subtree.open(did, &node.bytes)?.parts;
            if visit(subtree.cid, &parts).is_break() {
                return Ok(());
            }
            open.extend(parts.into_iter().filter_map(|part| match part {
                Part::Subtree(subtree) => Some(subtree),
                Part::Entry(..) => None,
            }));
        }
    }
    Ok(())
}
