//! Moving the references of an import to where they belong.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    super::{
        super::{
            Client, Lookup, Reads,
            api::{Entity, Key, Mutation},
            delete,
            entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef, ArrobaImport, EntityError, PendingImport},
            upsert,
        },
        read::{start, within},
        transact::{one, settle, take},
        upload::garbage_of,
    },
    parts,
};
use crate::error::StoreError;

/// How many records or blobs one transaction writes: a blob can be two mutations, and old databases take 500.
const PORTION: usize = 200;

/// How many transactions run at once. They write to different entities.
const AT_ONCE: usize = 4;

/// An import that waits, in the life that it belongs to.
struct Waiting<'a> {
    client: &'a Client,
    did: &'a Did,
    epoch: u64,
    import: PendingImport,
}

/// Carries out the import that waits, if one does. Several may do so at once: each step writes what is to hold, whoever did it before,
/// and only while the import waits.
///
/// # Errors
/// [`StoreError`]; whoever comes next goes on.
pub(in super::super::super) async fn carry_out(client: &Client, did: &Did) -> Result<(), StoreError> {
    let Some((epoch, import)) = pending(client, did).await? else { return Ok(()) };
    let waiting = Waiting { client, did, epoch, import };
    let Some(records) = waiting.records().await? else { return Ok(()) };
    waiting.write_references(&records).await?;
    waiting.write_counts(&records).await?;
    waiting.end().await
}

async fn pending(client: &Client, did: &Did) -> Result<Option<(u64, PendingImport)>, StoreError> {
    let entity = one(client, ArrobaBlobEpoch::key(client.database(), did)).await?;
    let stored = entity.map(ArrobaBlobEpoch::from_entity).transpose()?;
    Ok(stored.and_then(|stored| Some((stored.epoch, stored.import?))))
}

type Records = BTreeMap<RecordPath, BTreeSet<Cid>>;

impl Waiting<'_> {
    /// The records with their blobs; nothing if somebody else has ended the import meanwhile.
    async fn records(&self) -> Result<Option<Records>, StoreError> {
        let mut records = Records::new();
        for key in parts(self.client, self.did, &self.import) {
            let Some(entity) = one(self.client, key).await? else {
                let still =
                    pending(self.client, self.did).await?.is_some_and(|(_, import)| import == self.import);
                let gone = || StoreError::corrupt(format!("a part of an import of {} is missing", self.did));
                return if still { Err(gone()) } else { Ok(None) };
            };
            records.extend(ArrobaImport::from_entity(entity)?.records);
        }
        Ok(Some(records))
    }

    async fn write_references(&self, records: &Records) -> Result<(), StoreError> {
        let database = self.client.database();
        let mut left: BTreeMap<&RecordPath, &BTreeSet<Cid>> = records.iter().collect();
        let mut mutations = Vec::new();
        for reference in
            self.stored(ArrobaBlobRef::KIND, ArrobaBlobRef::from_entity, |reference| reference.epoch).await?
        {
            match left.get(&reference.path) {
                None => mutations.push(delete(ArrobaBlobRef::key(database, self.did, &reference.path))),
                Some(blobs) if reference.rev == self.import.rev && reference.blobs == **blobs => {
                    // Somebody was here before.
                    left.remove(&reference.path);
                }
                Some(_) => {}
            }
        }
        for (path, blobs) in left {
            let reference = ArrobaBlobRef {
                did: self.did.clone(),
                path: path.clone(),
                epoch: self.epoch,
                rev: self.import.rev,
                blobs: blobs.clone(),
            };
            mutations.push(upsert(reference.to_entity(database)?));
        }
        let portions: Vec<Vec<Mutation>> = mutations.chunks(PORTION).map(<[Mutation]>::to_vec).collect();
        let steps = portions
            .into_iter()
            .map(|portion| async move { self.while_waiting(Vec::new(), |_| Ok(portion.clone())).await });
        stream::iter(steps).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn write_counts(&self, records: &Records) -> Result<(), StoreError> {
        let mut refs: HashMap<Cid, u64> = HashMap::new();
        records.values().flatten().for_each(|cid| *refs.entry(*cid).or_default() += 1);
        let mut touched: BTreeSet<Cid> = refs.keys().copied().collect();
        for blob in self.stored(ArrobaBlob::KIND, ArrobaBlob::from_entity, |blob| blob.epoch).await? {
            if blob.refs == refs.get(&blob.cid).copied().unwrap_or(0) {
                touched.remove(&blob.cid);
            } else {
                touched.insert(blob.cid);
            }
        }
        let touched: Vec<Cid> = touched.into_iter().collect();
        let portions: Vec<Vec<Cid>> = touched.chunks(PORTION).map(<[Cid]>::to_vec).collect();
        let refs = &refs;
        let steps = portions.into_iter().map(|portion| async move {
            let keys =
                portion.iter().map(|cid| ArrobaBlob::key(self.client.database(), self.did, cid)).collect();
            let count = |lookup: &mut Lookup| {
                let mut mutations = Vec::new();
                for cid in &portion {
                    mutations.extend(self.counted(*cid, refs.get(cid).copied().unwrap_or(0), lookup)?);
                }
                Ok(mutations)
            };
            self.while_waiting(keys, count).await
        });
        stream::iter(steps).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// What to write so that so many records refer to a blob.
    fn counted(&self, cid: Cid, refs: u64, lookup: &mut Lookup) -> Result<Vec<Mutation>, StoreError> {
        let key = ArrobaBlob::key(self.client.database(), self.did, &cid);
        let stored = take(lookup, &key).map(ArrobaBlob::from_entity).transpose()?;
        let mut mutations = Vec::new();
        let upload = match stored {
            // An upload that waits for a record may go on waiting.
            Some(blob) if blob.epoch == self.epoch && blob.refs == refs => return Ok(mutations),
            Some(blob) if blob.epoch == self.epoch => blob.upload,
            Some(ArrobaBlob { upload: Some(old), .. }) => {
                mutations.push(garbage_of(self.client, &old.object)?);
                None
            }
            _ => None,
        };
        if refs > 0 {
            let blob = ArrobaBlob { did: self.did.clone(), cid, epoch: self.epoch, refs, upload };
            mutations.push(upsert(blob.to_entity(self.client.database())?));
        } else {
            mutations.push(delete(key));
            mutations.extend(upload.map(|upload| garbage_of(self.client, &upload.object)).transpose()?);
        }
        Ok(mutations)
    }

    async fn end(&self) -> Result<(), StoreError> {
        let done = ArrobaBlobEpoch::key(self.client.database(), self.did);
        let end = |lookup: &mut Lookup| {
            let stored = take(lookup, &done).map(ArrobaBlobEpoch::from_entity).transpose()?;
            let Some(stored) = stored.filter(|stored| self.is_it(stored)) else {
                return Ok((Vec::new(), ()));
            };
            let next = ArrobaBlobEpoch { import: None, ..stored };
            let mut mutations = vec![upsert(next.to_entity(self.client.database())?)];
            mutations.extend(parts(self.client, self.did, &self.import).into_iter().map(delete));
            Ok((mutations, ()))
        };
        settle(self.client, vec![done.clone()], end).await
    }

    fn is_it(&self, stored: &ArrobaBlobEpoch) -> bool {
        stored.epoch == self.epoch && stored.import.as_ref() == Some(&self.import)
    }

    /// One transaction, which writes nothing if the import does not wait any more.
    async fn while_waiting(
        &self,
        mut keys: Vec<Key>,
        decide: impl Fn(&mut Lookup) -> Result<Vec<Mutation>, StoreError>,
    ) -> Result<(), StoreError> {
        let epoch_key = ArrobaBlobEpoch::key(self.client.database(), self.did);
        keys.push(epoch_key.clone());
        let step = |lookup: &mut Lookup| {
            let stored = take(lookup, &epoch_key).map(ArrobaBlobEpoch::from_entity).transpose()?;
            let waits = stored.is_some_and(|stored| self.is_it(&stored));
            Ok((if waits { decide(lookup)? } else { Vec::new() }, ()))
        };
        settle(self.client, keys, step).await
    }

    /// Everything of a kind that the repository has in this life.
    async fn stored<T>(
        &self,
        kind: &str,
        read: impl Fn(Entity) -> Result<T, EntityError>,
        epoch: impl Fn(&T) -> u64,
    ) -> Result<Vec<T>, StoreError> {
        let query = within(self.client.database(), kind, &start(self.did), self.did);
        let mut batches = self.client.batches(query.into(), Reads::Strong);
        let mut found = Vec::new();
        while let Some(batch) = batches.next().await? {
            for entity in batch.into_iter().filter_map(|result| result.entity) {
                let row = read(entity)?;
                if epoch(&row) == self.epoch {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }
}
