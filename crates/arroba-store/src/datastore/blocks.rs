//! Blocks by CID: one lookup for all that the cache lacks.

use std::{collections::HashMap, fmt};

use arroba_core::{data::Cid, syntax::Did};
use bytes::Bytes;
use moka::sync::Cache;

use super::{Client, Lookup, Reads, api::Key, entity::AtpBlock, key_name};
use crate::error::StoreError;

/// Reads blocks, and keeps tree nodes and commits in memory. A block never changes, so what is kept is never stale; that a block
/// is missing is not remembered, because somebody may write it at any time. Cheap to clone; clones share the cache.
#[derive(Clone)]
pub(crate) struct Blocks {
    client: Client,
    cache: Cache<Cid, StoredBlock>,
}

/// A block as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredBlock {
    /// Its bytes, which have its CID.
    pub(crate) bytes: Bytes,
    /// The number of the commit or event that stored it first, here or in another repository; 0 for an import by the Python library.
    pub(crate) seq: u64,
    /// The repository that stored it first.
    pub(crate) repo: Option<Did>,
}

/// The answer to one lookup of many blocks. What is in neither was put off, and has to be asked for again.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Those that came.
    pub(crate) found: HashMap<Cid, StoredBlock>,
    /// Those that do not exist.
    pub(crate) missing: Vec<Cid>,
}

impl Blocks {
    /// Reads with `client` and keeps at most `cache_bytes`.
    pub(crate) fn new(client: Client, cache_bytes: u64) -> Self {
        let weight = |_: &Cid, block: &StoredBlock| {
            u32::try_from(block.bytes.len().saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(cache_bytes).weigher(weight).build();
        Self { client, cache }
    }

    /// What it reads with.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The blocks with these CIDs, those that exist: one lookup for all that are not in memory, and none if all are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a block whose bytes do not have its CID, or whose entity cannot be read; as [`Client::lookup`].
    pub(crate) async fn get_many(&self, cids: Vec<Cid>) -> Result<HashMap<Cid, StoredBlock>, StoreError> {
        let (mut found, keys) = self.split(cids);
        if keys.is_empty() {
            return Ok(found);
        }
        for block in read(self.client.lookup(keys, Reads::Strong).await?) {
            let (cid, block) = block?;
            self.put(cid, block.clone());
            found.insert(cid, block);
        }
        Ok(found)
    }

    /// As many of at most 1,000 blocks as one lookup answers, and nothing new is kept: for walks through whole trees, which would
    /// push out what edits need, and whose memory is bounded by what one answer may hold.
    ///
    /// # Errors
    /// As [`Blocks::get_many`].
    pub(crate) async fn pass_part(&self, cids: Vec<Cid>) -> Result<Passed, StoreError> {
        let (mut found, keys) = self.split(cids);
        if keys.is_empty() {
            return Ok(Passed { found, missing: Vec::new() });
        }
        let (lookup, _) = self.client.lookup_part(keys, Reads::Strong).await?;
        let missing = lookup.missing.iter().map(cid_of).collect::<Result<_, _>>()?;
        for block in read(lookup) {
            let (cid, block) = block?;
            found.insert(cid, block);
        }
        Ok(Passed { found, missing })
    }

    /// One block.
    ///
    /// # Errors
    /// As [`Blocks::get_many`].
    pub(crate) async fn get(&self, cid: Cid) -> Result<Option<StoredBlock>, StoreError> {
        Ok(self.get_many(vec![cid]).await?.remove(&cid))
    }

    /// Keeps a block that was just written, if it is of the kind that is kept. The caller knows that the bytes have the CID. If the
    /// block existed before, its real number is an older one: nobody may rely on the number of a tree node.
    pub(crate) fn put(&self, cid: Cid, block: StoredBlock) {
        if is_kept(&block.bytes) {
            self.cache.insert(cid, block);
        }
    }

    /// What is in memory, and the keys of the rest.
    fn split(&self, cids: Vec<Cid>) -> (HashMap<Cid, StoredBlock>, Vec<Key>) {
        let mut blocks = HashMap::with_capacity(cids.len());
        let mut keys = Vec::new();
        for cid in cids {
            match self.cache.get(&cid) {
                Some(block) => {
                    blocks.insert(cid, block);
                }
                None => keys.push(AtpBlock::key(self.client.database(), &cid)),
            }
        }
        (blocks, keys)
    }
}

/// The blocks of an answer, each checked.
fn read(lookup: Lookup) -> impl Iterator<Item = Result<(Cid, StoredBlock), StoreError>> {
    lookup.found.into_iter().filter_map(|result| result.entity).map(|entity| {
        let block = AtpBlock::from_entity(entity)?;
        if !block.is_intact() {
            return Err(StoreError::corrupt(format!("block {} has other bytes", block.cid)));
        }
        let AtpBlock { cid, encoded: bytes, seq, repo, .. } = block;
        Ok((cid, StoredBlock { bytes, seq, repo }))
    })
}

/// The CID that a key names; the key is one that we asked for.
fn cid_of(key: &Key) -> Result<Cid, StoreError> {
    let name = key_name(key, AtpBlock::KIND).unwrap_or_default();
    Cid::parse(name).map_err(StoreError::backend)
}

impl fmt::Debug for Blocks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Blocks")
            .field("client", &self.client)
            .field("bytes", &self.cache.weighted_size())
            .finish()
    }
}

/// Whether it looks like a tree node or a commit. Records are read once, and a node is read by every write to its repository. A
/// record that looks like one costs room, nothing else.
fn is_kept(bytes: &[u8]) -> bool {
    // The map with the keys "e" and "l"; the map of six whose first key is "did".
    bytes.starts_with(b"\xa2\x61e") || bytes.starts_with(b"\xa6\x63did")
}

/// What an entry costs besides its bytes: key, value and the cache's own records.
const ENTRY_BYTES: usize = 256;

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use arroba_core::mst::NodeData;

    use super::{
        super::{entity::AtpBlock, testing::Emulator, upsert},
        *,
    };

    fn stored(bytes: impl Into<Bytes>) -> AtpBlock {
        let encoded = bytes.into();
        let cid = Cid::for_cbor(&encoded);
        AtpBlock { cid, repo: None, encoded, seq: 7, ops: Vec::new(), created: None }
    }

    #[tokio::test]
    async fn one_lookup_for_what_is_not_in_memory() {
        let Some(emulator) = Emulator::shared().await else { return };
        let client = emulator.client().await;
        let (node, record) = (stored(NodeData::empty().encode()), stored(vec![0xa0]));
        let missing = Cid::for_cbor(b"nowhere");
        let entity = |block: &AtpBlock| block.to_entity(client.database()).unwrap();
        client.put(vec![upsert(entity(&node)), upsert(entity(&record))]).await.unwrap();
        let blocks = Blocks::new(client.clone(), 1 << 20);
        let asked = vec![node.cid, record.cid, missing, node.cid];
        let read = async |keep: bool| {
            let before = client.counts();
            let asked = asked.clone();
            let found = if keep {
                blocks.get_many(asked).await.unwrap()
            } else {
                let passed = blocks.pass_part(asked).await.unwrap();
                assert_eq!(passed.missing, [missing]);
                passed.found
            };
            assert_eq!(found.len(), 2);
            assert_eq!(found[&node.cid], StoredBlock { bytes: node.encoded.clone(), seq: 7, repo: None });
            assert_eq!(found[&record.cid].bytes, record.encoded);
            let counts = client.counts() - before;
            (counts.total(), counts.keys)
        };
        assert_eq!(read(false).await, (1, 3));
        assert_eq!(read(true).await, (1, 3));
        assert_eq!(read(true).await, (1, 2), "the node is kept, the record is not, nor that there is none");
        assert_eq!(read(false).await, (1, 2));
        let before = client.counts();
        assert!(blocks.get(node.cid).await.unwrap().is_some());
        assert_eq!((client.counts() - before).total(), 0);
        // It is written after it was found missing.
        client.put(vec![upsert(entity(&stored(&b"nowhere"[..])))]).await.unwrap();
        assert!(blocks.get(missing).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn bytes_that_do_not_have_the_cid_are_refused() {
        let Some(emulator) = Emulator::shared().await else { return };
        let client = emulator.client().await;
        let other = AtpBlock { encoded: vec![0xa0].into(), ..stored(NodeData::empty().encode()) };
        client.put(vec![upsert(other.to_entity(client.database()).unwrap())]).await.unwrap();
        let error = Blocks::new(client, 1 << 20).get(other.cid).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt { what, .. } if what.contains(&other.cid.to_string())),
            "{error:?}"
        );
    }
}
