//! What an import does to blobs.
//!
//! An import replaces the references of all records at once, and they can be more than a transaction writes. So they are written to parts
//! first ([`stage`]), which nobody reads. The transaction that ends the import says which parts hold from now on ([`announce`]), and
//! [`carry_out`] moves them to where they belong, some in each transaction. Until that is done, whoever reads or writes references does
//! it first: nobody sees half an import, and after a crash the next one, or the sweep, goes on where it stopped.

mod transfer;

use std::collections::{BTreeMap, BTreeSet};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};

use super::{
    super::{
        Client, Lookup,
        api::{Key, Mutation},
        delete,
        entity::{ArrobaBlobEpoch, ArrobaImport, PendingImport},
        upsert,
    },
    transact::take,
};
use crate::error::StoreError;

pub(in super::super) use transfer::carry_out;

/// How many bytes of records one part holds: an entity takes 1 MiB, and a record with the largest value leaves room for its name.
const PART_BYTES: usize = 500 << 10;

/// The references of an import, written down.
#[derive(Clone, Debug)]
pub(in super::super) struct StagedRefs {
    import: String,
    parts: u64,
}

/// Writes down the references of an import, in as many requests as they need.
pub(in super::super) async fn stage(
    client: &Client,
    did: &Did,
    time: u64,
    records: &BTreeMap<RecordPath, BTreeSet<Cid>>,
) -> Result<StagedRefs, StoreError> {
    let import = format!("{:016x}", rand::random::<u64>());
    let new = |part| ArrobaImport {
        did: did.clone(),
        import: import.clone(),
        part,
        since: time,
        records: BTreeMap::new(),
    };
    let mut parts: Vec<ArrobaImport> = Vec::new();
    let mut bytes = 0;
    for (path, blobs) in records {
        let more = ArrobaImport::bytes_of(path, blobs);
        if parts.is_empty() || bytes + more > PART_BYTES {
            parts.push(new(parts.len() as u64));
            bytes = 0;
        }
        bytes += more;
        if let Some(part) = parts.last_mut() {
            part.records.insert(path.clone(), blobs.clone());
        }
    }
    let count = parts.len() as u64;
    for part in parts {
        client.put(vec![upsert(part.to_entity(client.database())?)]).await?;
    }
    Ok(StagedRefs { import, parts: count })
}

/// Takes back what was written down, where an import came to nothing. Whatever stays is swept.
pub(in super::super) async fn unstage(client: &Client, did: &Did, staged: &StagedRefs) {
    let keys = (0..staged.parts).map(|part| ArrobaImport::key(client.database(), did, &staged.import, part));
    if let Err(error) = client.put(keys.map(delete).collect()).await {
        tracing::debug!(%did, %error, "the references of an import that came to nothing stay until they are swept");
    }
}

/// What the transaction that ends an import writes, given the entity at [`ArrobaBlobEpoch::key`], in which no import waits.
///
/// # Errors
/// [`StoreError::Corrupt`] for an entity that cannot be read.
pub(in super::super) fn announce(
    client: &Client,
    did: &Did,
    rev: Tid,
    staged: &StagedRefs,
    lookup: &mut Lookup,
) -> Result<Option<Mutation>, StoreError> {
    let stored = take(lookup, &ArrobaBlobEpoch::key(client.database(), did));
    let stored = stored.map(ArrobaBlobEpoch::from_entity).transpose()?;
    if stored.is_none() && staged.parts == 0 {
        // There never was a reference, and there is none now.
        return Ok(None);
    }
    let import = Some(PendingImport { import: staged.import.clone(), parts: staged.parts, rev });
    let next = ArrobaBlobEpoch { import, ..stored.unwrap_or_else(|| ArrobaBlobEpoch::new(did.clone(), 0)) };
    Ok(Some(upsert(next.to_entity(client.database())?)))
}

/// Whether an import waits to be carried out, given the same entity, which is left where it is.
///
/// # Errors
/// As [`announce`].
pub(in super::super) fn is_pending(client: &Client, did: &Did, lookup: &Lookup) -> Result<bool, StoreError> {
    let key = ArrobaBlobEpoch::key(client.database(), did);
    let entities = lookup.found.iter().filter_map(|result| result.entity.as_ref());
    let found =
        entities.into_iter().find(|entity| entity.key.as_ref().is_some_and(|own| own.path == key.path));
    let epoch = found.cloned().map(ArrobaBlobEpoch::from_entity).transpose()?;
    Ok(epoch.is_some_and(|epoch| epoch.import.is_some()))
}

/// Where the parts of an import are.
pub(super) fn parts(client: &Client, did: &Did, import: &PendingImport) -> Vec<Key> {
    let key = |part| ArrobaImport::key(client.database(), did, &import.import, part);
    (0..import.parts).map(key).collect()
}
