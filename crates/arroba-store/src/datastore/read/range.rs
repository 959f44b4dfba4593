//! The entries of a range of keys.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use arroba_core::{data::Cid, mst::Key, syntax::Did};

use super::{
    super::blocks::Blocks,
    subtree::{Part, Subtree, missing},
};
use crate::{error::StoreError, query::Order};

/// Keys between two bounds, both exclusive.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// The lower bound; empty for none.
    pub(super) after: Vec<u8>,
    /// The upper bound.
    pub(super) before: Option<Vec<u8>>,
    /// Which way they are wanted.
    pub(super) order: Order,
}

/// The first `count` entries of a range that are not hidden, fewer if there are no more. It opens what may hold one of them and
/// nothing else: the tree is gone down level by level, with one lookup for each.
pub(super) async fn entries(
    blocks: &Blocks,
    did: &Did,
    root: Cid,
    range: &Range,
    hidden: &BTreeSet<Vec<u8>>,
    count: usize,
) -> Result<Vec<(Key, Cid)>, StoreError> {
    let mut parts = vec![Part::Subtree(Subtree::root(root))];
    loop {
        let front = range.front(&parts, hidden, count);
        parts.truncate(front);
        let cids = parts.iter().filter_map(|part| match part {
            Part::Subtree(subtree) => Some(subtree.cid),
            Part::Entry(..) => None,
        });
        let cids: Vec<Cid> = cids.collect();
        if cids.is_empty() {
            break;
        }
        let found = blocks.get_many(cids).await?;
        let mut lower = Vec::with_capacity(parts.len() * 2);
        for part in parts {
            match part {
                Part::Entry(..) => lower.push(part),
                Part::Subtree(subtree) => {
                    let node =
                        found.get(&subtree.cid).ok_or_else(|| missing("tree node", did, &subtree.cid))?;
                    let mut inner = subtree.open(did, &node.bytes)?.parts;
                    inner.retain(|part| range.may_hold(part, hidden));
                    if range.order == Order::Descending {
                        inner.reverse();
                    }
                    lower.extend(inner);
                }
            }
        }
        parts = lower;
    }
    let entries = parts.into_iter().filter_map(|part| match part {
        Part::Entry(key, cid) => Some((key, cid)),
        Part::Subtree(_) => None,
    });
    Ok(entries.collect())
}

impl Range {
    /// How many parts, from the first, surely hold `count` entries of the range.
    fn front(&self, parts: &[Part], hidden: &BTreeSet<Vec<u8>>, count: usize) -> usize {
        let mut sure = 0;
        for (index, part) in parts.iter().enumerate() {
            if sure >= count {
                return index;
            }
            sure += match part {
                Part::Entry(..) => 1,
                Part::Subtree(subtree) => usize::from(self.surely_holds(subtree, hidden)),
            };
        }
        parts.len()
    }

    fn may_hold(&self, part: &Part, hidden: &BTreeSet<Vec<u8>>) -> bool {
        let below = |key: &Key| self.before.as_deref().is_none_or(|bound| key.as_bytes() < bound);
        match part {
            Part::Entry(key, _) => {
                key.as_bytes() > self.after.as_slice() && below(key) && !hidden.contains(key.as_bytes())
            }
            Part::Subtree(Subtree { after, before, .. }) => {
                before.as_ref().is_none_or(|key| key.as_bytes() > self.after.as_slice()) && below(after)
            }
        }
    }

    /// Whether one of its entries is in the range and not hidden, whatever they are.
    fn surely_holds(&self, subtree: &Subtree, hidden: &BTreeSet<Vec<u8>>) -> bool {
        let after = subtree.after.as_bytes();
        let before = subtree.before.as_ref().map(Key::as_bytes);
        let begins = after >= self.after.as_slice();
        let ends = match (before, self.before.as_deref()) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(before), Some(bound)) => before <= bound,
        };
        let end = before.map_or(Unbounded, Excluded);
        begins && ends && hidden.range::<[u8], _>((Excluded(after), end)).next().is_none()
    }
}
