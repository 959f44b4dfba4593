//! Which slots of a node lead to what a set of keys needs.
//!
//! The loader and the proof both walk by this one rule, so what is loaded is what is proven.

use std::ops::Range;

use super::key::Key;

/// Why a subtree is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see a key or its absence: the path to the key, or to the bottom of the gap where it would be.
    Read,
    /// To edit a key, or to prove the edit: as for reading, and at a present key also the way to its left and
    /// right neighbours.
    Edit,
}

/// A part of the tree that is wanted: everything about `keys`, and perhaps the outermost paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) keys: Range<usize>,
    /// The way down to the least key.
    pub(super) first: bool,
    /// The way down to the greatest key.
    pub(super) last: bool,
}

impl Want {
    pub(super) const fn keys(count: usize) -> Self {
        Self { keys: 0..count, first: false, last: false }
    }
}

/// Splits `want` over the slots of a node, in order, into the empty `routes`. `search` finds a key among the node's `width` entries:
/// its index, or the slot whose range it falls into.
pub(super) fn route(
    width: usize,
    search: impl Fn(&Key) -> Result<usize, usize>,
    keys: &[Key],
    want: &Want,
    purpose: Purpose,
    routes: &mut Vec<(usize, Want)>,
) {
    let start = want.keys.start;
    let mut add = |slot: usize, keys: Range<usize>, first: bool, last: bool| match routes.last_mut() {
        Some((same, want)) if *same == slot => {
            // Ranges of keys for one slot adjoin: a key that is an entry lies between slots.
            if want.keys.is_empty() {
                want.keys = keys;
            } else if !keys.is_empty() {
                want.keys.end = keys.end;
            }
            want.first |= first;
            want.last |= last;
        }
        _ => routes.push((slot, Want { keys, first, last })),
    };
    if want.first {
        add(0, start..start, true, false);
    }
    for index in want.keys.clone() {
        match search(&keys[index]) {
            Err(slot) => add(slot, index..index + 1, false, false),
            Ok(entry) if purpose == Purpose::Edit => {
                add(entry, index..index, false, true);
                add(entry + 1, index + 1..index + 1, true, false);
            }
            Ok(_) => {}
        }
    }
    if want.last {
        add(width, start..start, false, true);
    }
}
