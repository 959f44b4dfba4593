//! What the end of an import does to blobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};

use super::{
    super::{
        Client, DatastoreError, Reads, Select, Transaction,
        api::{Key, Mutation},
        delete,
        entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef},
        upsert,
    },
    read::{start, within},
    transact::take,
    upload::garbage_of,
};
use crate::error::StoreError;

/// Replaces all references of a repository: what the transaction that ends an import writes besides. It reads all old ones, and
/// the rows of their blobs, in the transaction; references to what was not uploaded are allowed. A transaction is limited, so
/// an import of many thousands of records with blobs is refused as one that is too large.
///
/// # Errors
/// [`DatastoreError::Conflict`], and [`StoreError::Corrupt`] for an entity that cannot be read.
pub(in super::super) async fn replace<E: From<DatastoreError> + From<StoreError>>(
    client: &Client,
    transaction: &Transaction,
    did: &Did,
    rev: Tid,
    now: BTreeMap<RecordPath, BTreeSet<Cid>>,
) -> Result<Vec<Mutation>, E> {
    let database = client.database();
    let reads = Reads::In(transaction);
    let epoch_key = ArrobaBlobEpoch::key(database, did);
    let mut lookup = client.lookup(vec![epoch_key.clone()], reads).await?;
    let stored = take(&mut lookup, &epoch_key).map(ArrobaBlobEpoch::from_entity).transpose();
    let stored = stored.map_err(StoreError::from)?;
    let epoch = stored.as_ref().map_or(0, |stored| stored.epoch);
    let before = references::<E>(client, reads, did, epoch).await?;
    let touched = before.values().chain(now.values()).flatten().copied().collect();
    let mut rows = rows::<E>(client, reads, did, epoch, &touched).await?;

    let mut mutations = Vec::new();
    if stored.is_none() && !now.is_empty() {
        let first = ArrobaBlobEpoch { did: did.clone(), epoch, unswept: false };
        mutations.push(upsert(first.to_entity(database).map_err(StoreError::from)?));
    }
    let mut refs: HashMap<Cid, u64> = HashMap::new();
    now.values().flatten().for_each(|cid| *refs.entry(*cid).or_default() += 1);
    for cid in touched {
        let old = rows.remove(&cid);
        match refs.get(&cid) {
            Some(refs) => {
                let new = ArrobaBlob { did: did.clone(), cid, epoch, refs: 0, upload: None };
                let row = ArrobaBlob { refs: *refs, ..old.unwrap_or(new) };
                mutations.push(upsert(row.to_entity(database).map_err(StoreError::from)?));
            }
            None => {
                let upload = old.and_then(|row| row.upload);
                mutations.push(delete(ArrobaBlob::key(database, did, &cid)));
                mutations.extend(upload.map(|upload| garbage_of(client, &upload.object)).transpose()?);
            }
        }
    }
    let ended = before.keys().filter(|path| !now.contains_key(path));
    mutations.extend(ended.map(|path| delete(ArrobaBlobRef::key(database, did, path))));
    for (path, blobs) in now {
        let reference = ArrobaBlobRef { did: did.clone(), path, epoch, rev, blobs };
        mutations.push(upsert(reference.to_entity(database).map_err(StoreError::from)?));
    }
    Ok(mutations)
}

/// All references of the repository's current life.
async fn references<E: From<DatastoreError> + From<StoreError>>(
    client: &Client,
    reads: Reads<'_>,
    did: &Did,
    epoch: u64,
) -> Result<BTreeMap<RecordPath, BTreeSet<Cid>>, E> {
    let query: Select = within(client.database(), ArrobaBlobRef::KIND, &start(did), did);
    let mut batches = client.batches(query.into(), reads);
    let mut found = BTreeMap::new();
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            let reference = ArrobaBlobRef::from_entity(entity).map_err(StoreError::from)?;
            if reference.epoch == epoch {
                found.insert(reference.path, reference.blobs);
            }
        }
    }
    Ok(found)
}

async fn rows<E: From<DatastoreError> + From<StoreError>>(
    client: &Client,
    reads: Reads<'_>,
    did: &Did,
    epoch: u64,
    cids: &BTreeSet<Cid>,
) -> Result<HashMap<Cid, ArrobaBlob>, E> {
    let keys: Vec<Key> = cids.iter().map(|cid| ArrobaBlob::key(client.database(), did, cid)).collect();
    let lookup = client.lookup(keys, reads).await?;
    let entities = lookup.found.into_iter().filter_map(|result| result.entity);
    let rows = entities.map(ArrobaBlob::from_entity).collect::<Result<Vec<_>, _>>();
    let rows = rows.map_err(StoreError::from)?.into_iter().filter(|row| row.epoch == epoch);
    Ok(rows.map(|row| (row.cid, row)).collect())
}
