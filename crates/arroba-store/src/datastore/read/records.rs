//! Records.

use std::collections::{BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    mst::{Key, Loader},
    syntax::{Did, Nsid, RecordPath, Tid},
};

use super::{
    super::blocks::{Blocks, StoredBlock},
    range::{Range, entries},
    subtree::missing,
    tree::load,
};
use crate::{
    error::StoreError,
    query::{Order, RecordRange, RecordRow},
    repo::Head,
};

/// Records, without those at the paths that are hidden, and whether more follow: one lookup for each level of the tree, one for the
/// records.
///
/// A record's rev is that of the commit that stored its block first, in whatever repository, but never newer than the head: blocks
/// are shared, and the database notes only their first use. A block that came by an import notes none, so its record counts as new.
///
/// # Errors
/// [`StoreError::Corrupt`] if a block is missing or wrong, or a key is no path; as [`Blocks::get_many`].
pub(crate) async fn records(
    blocks: &Blocks,
    did: &Did,
    head: &Head,
    range: &RecordRange,
    hidden: &BTreeSet<RecordPath>,
) -> Result<(Vec<RecordRow>, bool), StoreError> {
    let keys: BTreeSet<Vec<u8>> = hidden.iter().map(RecordPath::to_bytes).collect();
    let (range, limit) = match range {
        RecordRange::One(path) => {
            let paths = std::slice::from_ref(path);
            return at(blocks, did, head, paths, &keys).await.map(|rows| (rows, false));
        }
        RecordRange::These(paths) => {
            return at(blocks, did, head, paths, &keys).await.map(|rows| (rows, false));
        }
        RecordRange::Collection { collection, after, limit, order } => {
            let (mut first, mut last) = bounds(collection);
            if let Some(rkey) = after {
                let path = format!("{collection}/{rkey}").into_bytes();
                match order {
                    Order::Ascending => first = path,
                    Order::Descending => last = path,
                }
            }
            (Range { after: first, before: Some(last), order: *order }, *limit)
        }
        RecordRange::All { after, limit } => {
            let after = after.as_ref().map(RecordPath::to_bytes).unwrap_or_default();
            (Range { after, before: None, order: Order::Ascending }, *limit)
        }
    };
    let mut entries = entries(blocks, did, head.data, &range, &keys, limit.saturating_add(1)).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok((rows(blocks, did, head, entries).await?, more))
}

/// What is before the first and behind the last key of a collection.
fn bounds(collection: &Nsid) -> (Vec<u8>, Vec<u8>) {
    // '0' is the character behind '/'.
    (format!("{collection}/").into_bytes(), format!("{collection}0").into_bytes())
}

/// The records at these paths: the ways to all of them are gone together.
async fn at(
    blocks: &Blocks,
    did: &Did,
    head: &Head,
    paths: &[RecordPath],
    hidden: &BTreeSet<Vec<u8>>,
) -> Result<Vec<RecordRow>, StoreError> {
    let damaged = |error| StoreError::corrupt_by(format!("tree of {did}"), error);
    let keys: BTreeSet<Vec<u8>> = paths.iter().map(RecordPath::to_bytes).collect();
    let keys = keys.difference(hidden).map(|key| Key::new(key).map_err(damaged));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let tree = load(blocks, did, Some(head.data), Loader::for_read(keys.iter().cloned())).await?;
    let mut entries = Vec::with_capacity(keys.len());
    for key in keys {
        let Some(link) = tree.value(&key).map_err(damaged)? else { continue };
        let cid = link.cid().ok_or_else(|| {
            StoreError::corrupt(format!("record {key} of {did} has a CID that no block has"))
        })?;
        entries.push((key, cid));
    }
    rows(blocks, did, head, entries).await
}

async fn rows(
    blocks: &Blocks,
    did: &Did,
    head: &Head,
    entries: Vec<(Key, Cid)>,
) -> Result<Vec<RecordRow>, StoreError> {
    let found = blocks.get_many(entries.iter().map(|(_, cid)| *cid).collect()).await?;
    entries.into_iter().map(|(key, cid)| row(did, head, &found, &key, cid)).collect()
}

fn row(
    did: &Did,
    head: &Head,
    found: &HashMap<Cid, StoredBlock>,
    key: &Key,
    cid: Cid,
) -> Result<RecordRow, StoreError> {
    let path = std::str::from_utf8(key.as_bytes()).ok().and_then(|text| RecordPath::parse(text).ok());
    let path = path.ok_or_else(|| StoreError::corrupt(format!("key {key} of {did} is no path")))?;
    let block = found.get(&cid).ok_or_else(|| missing(&format!("record {path}"), did, &cid))?;
    let rev = if block.seq == 0 { head.rev } else { Tid::from_micros(block.seq, 0).min(head.rev) };
    Ok(RecordRow { path, cid, rev, value: block.bytes.clone() })
}
