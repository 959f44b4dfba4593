//! Uploads and garbage.

use arroba_core::syntax::Did;

use super::{
    super::{
        Client, Lookup, Reads, Select,
        api::{Key, Mutation, property_filter::Operator, value::ValueType},
        delete,
        entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaHidden, ArrobaObject, Upload},
        upsert,
    },
    import::{carry_out, is_pending},
    read::row,
    transact::{settle, take, transact},
};
use crate::{
    blob_index::{BlobRow, NewBlob},
    error::{ApplyError, StoreError},
    repo::{RepoStatus, Subject},
};

/// Announces an object that is about to be written.
pub(in super::super) async fn begin_upload(
    client: &Client,
    object: &str,
    time: u64,
) -> Result<(), StoreError> {
    let object = ArrobaObject { object: object.to_owned(), pending_since: Some(time) };
    client.put(vec![upsert(object.to_entity(client.database())?)]).await?;
    Ok(())
}

/// Gives up an announced upload.
pub(in super::super) async fn abandon_upload(client: &Client, object: &str) -> Result<(), StoreError> {
    let key = ArrobaObject::key(client.database(), object);
    let abandon = |lookup: &mut Lookup| {
        let known = take(lookup, &key).is_some();
        let mutations = if known { vec![garbage_of(client, object)?] } else { Vec::new() };
        Ok((mutations, ()))
    };
    settle(client, vec![key.clone()], abandon).await
}

/// Indexes a finished upload. `standing` gives the repository's status without a takedown from what was found at `repo`.
pub(in super::super) async fn put_temporary(
    client: &Client,
    did: &Did,
    new: NewBlob,
    repo: Vec<Key>,
    standing: impl Fn(&mut Lookup) -> Result<Option<RepoStatus>, StoreError>,
) -> Result<BlobRow, ApplyError> {
    let database = client.database();
    let epoch_key = ArrobaBlobEpoch::key(database, did);
    let key = ArrobaBlob::key(database, did, &new.cid);
    let hidden_key = ArrobaHidden::key(database, did, &Subject::Blob(new.cid));
    let object_key = ArrobaObject::key(database, &new.object);
    let own = [&epoch_key, &key, &hidden_key, &object_key].map(Clone::clone);
    let put = |lookup: &mut Lookup| {
        if is_pending(client, did, lookup)? {
            return Ok((Vec::new(), None));
        }
        match standing(lookup)? {
            None => return Err(ApplyError::NotFound),
            Some(RepoStatus::Deleted) => return Err(ApplyError::Inactive(RepoStatus::Deleted)),
            Some(_) => {}
        }
        let epoch = take(lookup, &epoch_key).map(ArrobaBlobEpoch::from_entity).transpose();
        let hidden = take(lookup, &hidden_key).map(ArrobaHidden::from_entity).transpose();
        let stored = take(lookup, &key).map(ArrobaBlob::from_entity).transpose();
        let object = take(lookup, &object_key).map(ArrobaObject::from_entity).transpose();
        let stored = Stored {
            epoch: epoch.map_err(StoreError::from)?,
            blob: stored.map_err(StoreError::from)?,
            pending: object.map_err(StoreError::from)?.is_some_and(|object| object.pending_since.is_some()),
        };
        let (mutations, blob) = placed(client, did, &new, stored)?;
        let takedown = hidden.map_err(StoreError::from)?.map(|hidden| hidden.reference);
        let row = row(blob, takedown).ok_or_else(|| StoreError::corrupt("an upload without an object"))?;
        Ok((mutations, Some(row)))
    };
    let keys: Vec<Key> = own.into_iter().chain(repo).collect();
    for _ in 0..IMPORTS {
        if let Some(row) = transact(client, keys.clone(), put).await? {
            return Ok(row);
        }
        // Whether a record refers to it is not known before.
        carry_out(client, did).await?;
    }
    Err(StoreError::unavailable("the repository is imported again and again").into())
}

/// What is stored where an upload is to be.
struct Stored {
    epoch: Option<ArrobaBlobEpoch>,
    blob: Option<ArrobaBlob>,
    /// Whether the upload was announced.
    pending: bool,
}

fn placed(
    client: &Client,
    did: &Did,
    new: &NewBlob,
    stored: Stored,
) -> Result<(Vec<Mutation>, ArrobaBlob), ApplyError> {
    let database = client.database();
    let NewBlob { cid, object, mime_type, size, uploaded } = new.clone();
    let mut mutations = Vec::new();
    let epoch = stored.epoch.as_ref().map_or(0, |epoch| epoch.epoch);
    if stored.epoch.is_none() {
        // Deletion looks for it to see whether there is something to hide.
        let first = ArrobaBlobEpoch::new(did.clone(), epoch);
        mutations.push(upsert(first.to_entity(database).map_err(StoreError::from)?));
    }
    let mut blob = ArrobaBlob { did: did.clone(), cid, epoch, refs: 0, upload: None };
    match stored.blob {
        Some(old) if old.epoch == epoch => blob = old,
        // Of a life before, and not swept yet.
        Some(ArrobaBlob { upload: Some(old), .. }) => mutations.push(garbage_of(client, &old.object)?),
        _ => {}
    }
    match &mut blob.upload {
        // The same report once more.
        Some(old) if old.object == object => return Ok((Vec::new(), blob)),
        Some(old) => {
            mutations.push(garbage_of(client, &object)?);
            if blob.refs > 0 {
                return Ok((mutations, blob));
            }
            (old.mime_type, old.uploaded) = (mime_type, uploaded);
        }
        None if !stored.pending => {
            return Err(ApplyError::Malformed("an upload that was given up or never announced"));
        }
        None => {
            mutations.push(delete(ArrobaObject::key(database, &object)));
            blob.upload = Some(Upload { object, mime_type, size, uploaded });
        }
    }
    mutations.push(upsert(blob.to_entity(database).map_err(StoreError::from)?));
    Ok((mutations, blob))
}

/// Objects to delete, at most `limit`, in the order of their names; uploads on their way are not among them.
pub(in super::super) async fn garbage(client: &Client, limit: usize) -> Result<Vec<String>, StoreError> {
    let mut objects = Vec::new();
    if limit == 0 {
        return Ok(objects);
    }
    let garbage = ValueType::StringValue(ArrobaObject::GARBAGE.to_owned());
    let query = Select::from(ArrobaObject::KIND)
        .and(ArrobaObject::STATE, Operator::Equal, garbage)
        .limit(u16::try_from(limit).unwrap_or(u16::MAX));
    let mut batches = client.batches(query.into(), Reads::Strong);
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            objects.push(ArrobaObject::from_entity(entity)?.object);
        }
    }
    objects.truncate(limit);
    Ok(objects)
}

/// Forgets objects that were deleted.
pub(in super::super) async fn collected(client: &Client, objects: Vec<String>) -> Result<(), StoreError> {
    for portion in objects.chunks(PORTION) {
        let keys: Vec<Key> =
            portion.iter().map(|object| ArrobaObject::key(client.database(), object)).collect();
        let forget = |lookup: &mut Lookup| {
            let mut mutations = Vec::new();
            for entity in lookup.found.drain(..).filter_map(|result| result.entity) {
                let object = ArrobaObject::from_entity(entity)?;
                if object.pending_since.is_none() {
                    mutations.push(delete(ArrobaObject::key(client.database(), &object.object)));
                }
            }
            Ok((mutations, ()))
        };
        settle(client, keys, forget).await?;
    }
    Ok(())
}

/// What makes an object garbage.
pub(super) fn garbage_of(client: &Client, object: &str) -> Result<Mutation, StoreError> {
    let garbage = ArrobaObject::garbage(object.to_owned());
    Ok(upsert(garbage.to_entity(client.database())?))
}

const PORTION: usize = 200;

/// For how many imports an upload waits.
const IMPORTS: usize = 4;
