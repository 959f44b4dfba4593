//! Reading.

use std::collections::{BTreeSet, HashMap, HashSet};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    super::{
        Client, Database, Reads, Select,
        api::{Entity, property_filter::Operator, value::ValueType},
        entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef, ArrobaHidden, blob_name},
    },
    import::{carry_out, is_pending},
    remote,
    transact::{one, take},
};
use crate::{
    blob_index::{BlobRow, MissingBlob},
    error::StoreError,
    repo::Subject,
};

/// One blob, temporary or not, taken down or not: one lookup.
pub(in super::super) async fn blob(
    client: &Client,
    did: &Did,
    cid: &Cid,
) -> Result<Option<BlobRow>, StoreError> {
    let database = client.database();
    let hidden = ArrobaHidden::key(database, did, &Subject::Blob(*cid));
    let epoch = ArrobaBlobEpoch::key(database, did);
    let key = ArrobaBlob::key(database, did, cid);
    let keys = vec![epoch.clone(), key.clone(), hidden.clone()];
    let mut lookup = client.lookup(keys.clone(), Reads::Strong).await?;
    if is_pending(client, did, &lookup)? {
        carry_out(client, did).await?;
        lookup = client.lookup(keys, Reads::Strong).await?;
    }
    let epoch = number(take(&mut lookup, &epoch))?;
    let takedown = take(&mut lookup, &hidden).map(ArrobaHidden::from_entity).transpose()?;
    let blob = take(&mut lookup, &key).map(ArrobaBlob::from_entity).transpose()?;
    let blob = blob.filter(|blob| blob.epoch == epoch);
    Ok(blob.and_then(|blob| row(blob, takedown.map(|hidden| hidden.reference))))
}

/// The row of an uploaded blob.
pub(super) fn row(blob: ArrobaBlob, takedown: Option<String>) -> Option<BlobRow> {
    let temporary = blob.is_temporary();
    let upload = blob.upload?;
    Some(BlobRow {
        cid: blob.cid,
        object: upload.object,
        mime_type: upload.mime_type,
        size: upload.size,
        uploaded: upload.uploaded,
        temporary,
        takedown,
    })
}

/// CIDs that records refer to (by records newer than `since`), behind `after`, in the order of their bytes, uploaded or not. With `since`
/// the references of all newer records are read, in batches, for each page.
pub(in super::super) async fn list(
    client: &Client,
    did: &Did,
    since: Option<Tid>,
    after: Option<Cid>,
    limit: usize,
) -> Result<Vec<Cid>, StoreError> {
    let Some(since) = since else {
        let mut used = Vec::new();
        let take = |blob: ArrobaBlob| {
            if blob.refs > 0 {
                used.push(blob.cid);
            }
            used.len() < limit
        };
        each_blob(client, did, after.as_ref(), take).await?;
        used.truncate(limit);
        return Ok(used);
    };
    let epoch = epoch(client, did).await?;
    let text = |text| ValueType::StringValue(text);
    let query = Select::from(ArrobaBlobRef::KIND)
        .and(ArrobaBlobRef::WRITTEN, Operator::GreaterThan, text(ArrobaBlobRef::written(did, since)))
        .and(ArrobaBlobRef::WRITTEN, Operator::LessThan, text(end(did)));
    let mut batches = client.batches(query.into(), Reads::Strong);
    let mut first = BTreeSet::new();
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            let reference = ArrobaBlobRef::from_entity(entity)?;
            if reference.epoch != epoch {
                continue;
            }
            for cid in reference.blobs.into_iter().filter(|cid| after.is_none_or(|after| *cid > after)) {
                first.insert(cid);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
    }
    Ok(first.into_iter().collect())
}

/// Blobs that records refer to and that were not uploaded, behind `after`, in the order of their bytes; remote blobs that the account uses
/// are left out. Where there are any, all remote blobs of the account are read.
pub(in super::super) async fn missing(
    client: &Client,
    did: &Did,
    after: Option<Cid>,
    limit: usize,
) -> Result<Vec<MissingBlob>, StoreError> {
    let mut cids = not_uploaded(client, did, after, limit, &HashSet::new()).await?;
    if !cids.is_empty() {
        let elsewhere = remote::cids_used(client, did).await?;
        if cids.iter().any(|cid| elsewhere.contains(cid)) {
            cids = not_uploaded(client, did, after, limit, &elsewhere).await?;
        }
    }
    let first = cids.into_iter().map(|cid| async move {
        let path = references(client, did, &cid, 1).await?.into_iter().next();
        // It was uploaded, or the record went, in between.
        Ok::<_, StoreError>(path.map(|path| MissingBlob { cid, path }))
    });
    let found = stream::iter(first).buffered(QUERIES_AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(found.into_iter().flatten().collect())
}

/// CIDs that records refer to and that were not uploaded, but for those that are elsewhere.
async fn not_uploaded(
    client: &Client,
    did: &Did,
    after: Option<Cid>,
    limit: usize,
    elsewhere: &HashSet<Cid>,
) -> Result<Vec<Cid>, StoreError> {
    let mut cids = Vec::new();
    let take = |blob: ArrobaBlob| {
        if blob.refs > 0 && blob.upload.is_none() && !elsewhere.contains(&blob.cid) {
            cids.push(blob.cid);
        }
        cids.len() < limit
    };
    each_blob(client, did, after.as_ref(), take).await?;
    cids.truncate(limit);
    Ok(cids)
}

/// The records that refer to a blob, at most `limit`, in order.
pub(in super::super) async fn references(
    client: &Client,
    did: &Did,
    cid: &Cid,
    limit: usize,
) -> Result<Vec<RecordPath>, StoreError> {
    let mut paths = Vec::new();
    if limit == 0 {
        return Ok(paths);
    }
    let epoch = epoch(client, did).await?;
    let name = ValueType::StringValue(blob_name(did, cid));
    let query = Select::from(ArrobaBlobRef::KIND).and(ArrobaBlobRef::BLOBS, Operator::Equal, name);
    let mut batches = client.batches(query.into(), Reads::Strong);
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            let reference = ArrobaBlobRef::from_entity(entity)?;
            if reference.epoch == epoch {
                paths.push(reference.path);
            }
            if paths.len() >= limit {
                return Ok(paths);
            }
        }
    }
    Ok(paths)
}

/// Bytes of all temporary blobs, of one account or of all.
pub(in super::super) async fn temporary_bytes(client: &Client, did: Option<&Did>) -> Result<u64, StoreError> {
    let query = Select::from(ArrobaBlob::KIND);
    let query = match did {
        Some(did) => {
            query.and(ArrobaBlob::TEMPORARY_OF, Operator::Equal, ValueType::StringValue(did.to_string()))
        }
        None => {
            query.and(ArrobaBlob::TEMPORARY_SINCE, Operator::GreaterThanOrEqual, ValueType::IntegerValue(0))
        }
    };
    let mut bytes: HashMap<(Did, u64), u64> = HashMap::new();
    let mut batches = client.batches(query.into(), Reads::Strong);
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            let blob = ArrobaBlob::from_entity(entity)?;
            let size = blob.upload.map_or(0, |upload| upload.size);
            let sum = bytes.entry((blob.did, blob.epoch)).or_default();
            *sum = sum.saturating_add(size);
        }
    }
    // Those of deleted repositories count no longer, swept or not.
    let dids: BTreeSet<Did> = bytes.keys().map(|(did, _)| did.clone()).collect();
    let epochs = epochs(client, dids).await?;
    let current = bytes.into_iter().filter(|((did, epoch), _)| epochs.get(did) == Some(epoch));
    Ok(current.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(bytes)))
}

/// How many different blobs records refer to, and how many of them were uploaded or are remote blobs that the account uses. It reads the
/// row of every blob, and where some were not uploaded, all remote blobs of the account.
pub(in super::super) async fn counts(client: &Client, did: &Did) -> Result<(u64, u64), StoreError> {
    let (mut expected, mut waiting) = (0, Vec::new());
    let count = |blob: ArrobaBlob| {
        if blob.refs > 0 {
            expected += 1;
            waiting.extend(blob.upload.is_none().then_some(blob.cid));
        }
        true
    };
    each_blob(client, did, None, count).await?;
    if !waiting.is_empty() {
        let elsewhere = remote::cids_used(client, did).await?;
        waiting.retain(|cid| !elsewhere.contains(cid));
    }
    Ok((expected, expected - waiting.len() as u64))
}

/// Visits the blobs of a repository's current life behind `after`, in the order of their bytes, as long as the visitor wants more.
async fn each_blob(
    client: &Client,
    did: &Did,
    after: Option<&Cid>,
    mut visit: impl FnMut(ArrobaBlob) -> bool,
) -> Result<(), StoreError> {
    let epoch = epoch(client, did).await?;
    let from = after.map_or_else(|| start(did), |cid| blob_name(did, cid));
    let mut query = within(client.database(), ArrobaBlob::KIND, &from, did).limit(PAGE);
    loop {
        let page = client.query(query.clone().into(), Reads::Strong).await?;
        for entity in page.results.into_iter().filter_map(|result| result.entity) {
            let blob = ArrobaBlob::from_entity(entity)?;
            if blob.epoch == epoch && !visit(blob) {
                return Ok(());
            }
        }
        if !page.more {
            return Ok(());
        }
        query = query.after(page.end_cursor);
    }
}

/// Entities of a repository, of kinds that are named by the DID, a space and something, behind the one with the name `after`.
pub(super) fn within(database: &Database, kind: &str, after: &str, did: &Did) -> Select {
    let key = |name: &str| ValueType::KeyValue(database.key(kind, name));
    Select::from(kind).and(Select::KEY, Operator::GreaterThan, key(after)).and(
        Select::KEY,
        Operator::LessThan,
        key(&end(did)),
    )
}

/// What is before all names that begin with the DID and a space.
pub(super) fn start(did: &Did) -> String {
    format!("{did} ")
}

/// What is behind them.
fn end(did: &Did) -> String {
    // The character behind the space.
    format!("{did}!")
}

/// The current life of a repository. An import that waits is carried out first: until then its references are not where they are looked
/// for. Who begins to read after an import has ended sees all of it; a read of many pages is no snapshot, of imports as of commits.
pub(super) async fn epoch(client: &Client, did: &Did) -> Result<u64, StoreError> {
    let entity = one(client, ArrobaBlobEpoch::key(client.database(), did)).await?;
    let stored = entity.map(ArrobaBlobEpoch::from_entity).transpose()?;
    if stored.as_ref().is_some_and(|stored| stored.import.is_some()) {
        carry_out(client, did).await?;
    }
    Ok(stored.map_or(0, |stored| stored.epoch))
}

/// What its entity says, if there is one.
pub(super) fn number(entity: Option<Entity>) -> Result<u64, StoreError> {
    let epoch = entity.map(ArrobaBlobEpoch::from_entity).transpose()?;
    Ok(epoch.map_or(0, |epoch| epoch.epoch))
}

async fn epochs(client: &Client, dids: BTreeSet<Did>) -> Result<HashMap<Did, u64>, StoreError> {
    let keys = dids.iter().map(|did| ArrobaBlobEpoch::key(client.database(), did)).collect();
    let lookup = client.lookup(keys, Reads::Strong).await?;
    let mut epochs: HashMap<Did, u64> = dids.into_iter().map(|did| (did, 0)).collect();
    for entity in lookup.found.into_iter().filter_map(|result| result.entity) {
        let epoch = ArrobaBlobEpoch::from_entity(entity)?;
        epochs.insert(epoch.did, epoch.epoch);
    }
    Ok(epochs)
}

const PAGE: u16 = 300;
const QUERIES_AT_ONCE: usize = 8;
