//! Hot tree nodes, by CID: a CID names the same bytes for ever, so nothing here can be stale.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use arroba_core::data::Cid;
use bytes::Bytes;

const SHARDS: usize = 16;
/// What an entry costs besides its bytes.
const OVERHEAD: usize = 128;

/// A cache bounded in bytes. Each shard has two generations: when the young one is half of the bound, it becomes the old one, and
/// what was old and not used since is forgotten.
#[derive(Debug)]
pub(super) struct NodeCache {
    shards: [Mutex<Shard>; SHARDS],
    generation_bytes: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Cid, Bytes>,
    old: HashMap<Cid, Bytes>,
    young_bytes: usize,
}

impl NodeCache {
    pub(super) fn new(bytes: usize) -> Self {
        Self { shards: Default::default(), generation_bytes: bytes / SHARDS / 2 }
    }

    pub(super) fn find(&self, cid: &Cid) -> Option<Bytes> {
        let mut shard = self.shard(cid);
        if let Some(bytes) = shard.young.get(cid) {
            return Some(bytes.clone());
        }
        let bytes = shard.old.remove(cid)?;
        shard.add(*cid, bytes.clone(), self.generation_bytes);
        Some(bytes)
    }

    pub(super) fn put(&self, cid: Cid, bytes: Bytes) {
        self.shard(&cid).add(cid, bytes, self.generation_bytes);
    }

    fn shard(&self, cid: &Cid) -> std::sync::MutexGuard<'_, Shard> {
        let [byte, ..] = cid.digest();
        let index = usize::from(*byte) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn add(&mut self, cid: Cid, bytes: Bytes, generation_bytes: usize) {
        let size = bytes.len().saturating_add(OVERHEAD);
        if size > generation_bytes {
            return;
        }
        if self.young_bytes.saturating_add(size) > generation_bytes {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(cid, bytes).is_none() {
            self.young_bytes = self.young_bytes.saturating_add(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> (Cid, Bytes) {
        let bytes = Bytes::copy_from_slice(&number.to_be_bytes().repeat(50));
        (Cid::for_cbor(&bytes), bytes)
    }

    #[test]
    fn keeps_what_is_used_and_stays_bounded() {
        let bound = 1 << 20;
        let cache = NodeCache::new(bound);
        let (hot, hot_bytes) = node(0);
        cache.put(hot, hot_bytes.clone());
        for number in 1..20_000 {
            let (cid, bytes) = node(number);
            cache.put(cid, bytes.clone());
            assert_eq!(cache.find(&cid), Some(bytes));
            assert_eq!(cache.find(&hot).as_ref(), Some(&hot_bytes));
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap();
                shard
                    .young
                    .values()
                    .chain(shard.old.values())
                    .map(|bytes| bytes.len() + OVERHEAD)
                    .sum::<usize>()
            })
            .sum();
        assert!(held <= bound && held > bound / 3, "{held} bytes held");
        assert_eq!(cache.find(&node(1).0), None);
    }

    #[test]
    fn takes_nothing_larger_than_a_generation() {
        let cache = NodeCache::new(SHARDS * 2 * 1000);
        let bytes = Bytes::from(vec![0; 1001]);
        let cid = Cid::for_cbor(&bytes);
        cache.put(cid, bytes);
        assert_eq!(cache.find(&cid), None);
    }
}
