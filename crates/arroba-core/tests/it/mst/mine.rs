//! Mined keys: what a hostile account would make.

use arroba_core::mst::{Key, height_of};

/// The first `count` keys of this height that begin with `prefix`, sorted.
pub(crate) fn mine(height: u8, count: usize, prefix: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = (0u64..)
        .map(|number| format!("{prefix}{number:08x}"))
        .filter(|text| height_of(text.as_bytes()) == height)
        .take(count)
        .map(|text| Key::try_from(text.as_str()).unwrap())
        .collect();
    keys.sort();
    keys
}
