//! Clearing away what is no longer needed, in small steps.

use std::collections::BTreeSet;

use arroba_core::syntax::Did;

use super::{
    super::{
        Client, Lookup, Reads, Select,
        api::{Entity, Key, Mutation, property_filter::Operator, value::ValueType},
        delete,
        entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef, ArrobaImport, ArrobaObject, EntityError},
        upsert,
    },
    import::carry_out,
    read::{number, start, within},
    remote,
    transact::{settle, take},
    upload::garbage_of,
};
use crate::{
    error::StoreError,
    log::{Retention, Swept},
};

/// Gives up old uploads, drops those that no record refers to, and clears away the blobs of one repository that was deleted, with its
/// uses of remote blobs. All deleted objects are garbage then. A sweep that was cut off is begun again by the next one. An import whose
/// references somebody left halfway is carried out.
pub(in super::super) async fn sweep(client: &Client, retention: Retention) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    // First: an upload may be one that such an import refers to.
    swept.more |= go_on(client).await?;
    if let Some(before) = retention.pending_uploads_before {
        swept.more |= give_up(client, before).await?;
        swept.more |= drop_parts(client, before).await?;
    }
    if let Some(before) = retention.temporary_blobs_before {
        let (blobs, more) = drop_temporary(client, before).await?;
        swept.blobs += blobs;
        swept.more |= more;
    }
    let unswept = ValueType::StringValue(ArrobaBlobEpoch::UNSWEPT.to_owned());
    let query =
        Select::from(ArrobaBlobEpoch::KIND).and(ArrobaBlobEpoch::STATE, Operator::Equal, unswept).limit(1);
    let page = client.query(query.into(), Reads::Strong).await?;
    if let Some(entity) = page.results.into_iter().find_map(|result| result.entity) {
        let ArrobaBlobEpoch { did, epoch, .. } = ArrobaBlobEpoch::from_entity(entity)?;
        swept.rows += clear(client, &did, epoch).await?;
        swept.more = true;
    }
    Ok(swept)
}

/// Goes on with an import that somebody left behind; whether there may be more.
async fn go_on(client: &Client) -> Result<bool, StoreError> {
    let any = ValueType::StringValue(String::new());
    let query = Select::from(ArrobaBlobEpoch::KIND)
        .and(ArrobaBlobEpoch::IMPORT, Operator::GreaterThanOrEqual, any)
        .limit(1);
    let page = client.query(query.into(), Reads::Strong).await?;
    let Some(entity) = page.results.into_iter().find_map(|result| result.entity) else { return Ok(false) };
    carry_out(client, &ArrobaBlobEpoch::from_entity(entity)?.did).await?;
    Ok(true)
}

/// Parts of imports that came to nothing; whether there are more.
async fn drop_parts(client: &Client, before: u64) -> Result<bool, StoreError> {
    let query = older(ArrobaImport::KIND, ArrobaImport::SINCE, before)?.limit(PARTS);
    let page = client.query(query.into(), Reads::Strong).await?;
    for entity in page.results.into_iter().filter_map(|result| result.entity) {
        let part = ArrobaImport::from_entity(entity)?;
        let epoch_key = ArrobaBlobEpoch::key(client.database(), &part.did);
        let key = ArrobaImport::key(client.database(), &part.did, &part.import, part.part);
        let drop_it = |lookup: &mut Lookup| {
            let stored = take(lookup, &epoch_key).map(ArrobaBlobEpoch::from_entity).transpose()?;
            let waits =
                stored.and_then(|stored| stored.import).is_some_and(|waiting| waiting.import == part.import);
            Ok((if waits { Vec::new() } else { vec![delete(key.clone())] }, ()))
        };
        settle(client, vec![epoch_key.clone(), key.clone()], drop_it).await?;
    }
    Ok(page.more)
}

/// Uploads that never reported; whether there are more.
async fn give_up(client: &Client, before: u64) -> Result<bool, StoreError> {
    let query = older(ArrobaObject::KIND, ArrobaObject::PENDING_SINCE, before)?;
    let page = client.query(query.into(), Reads::Strong).await?;
    let keys: Vec<Key> = page.results.into_iter().filter_map(|result| result.entity?.key).collect();
    let make_garbage = |lookup: &mut Lookup| {
        let mut mutations = Vec::new();
        for entity in lookup.found.drain(..).filter_map(|result| result.entity) {
            let object = ArrobaObject::from_entity(entity)?;
            if object.pending_since.is_some_and(|since| since < before) {
                mutations.push(garbage_of(client, &object.object)?);
            }
        }
        Ok((mutations, ()))
    };
    if !keys.is_empty() {
        settle(client, keys, make_garbage).await?;
    }
    Ok(page.more)
}

/// Uploads that no record ever referred to: how many, and whether there are more.
async fn drop_temporary(client: &Client, before: u64) -> Result<(u64, bool), StoreError> {
    let query = older(ArrobaBlob::KIND, ArrobaBlob::TEMPORARY_SINCE, before)?;
    let page = client.query(query.into(), Reads::Strong).await?;
    let found: Vec<Entity> = page.results.into_iter().filter_map(|result| result.entity).collect();
    let mut keys: Vec<Key> = found.iter().filter_map(|entity| entity.key.clone()).collect();
    let blobs = found.into_iter().map(ArrobaBlob::from_entity).collect::<Result<Vec<_>, _>>()?;
    let dids: BTreeSet<Did> = blobs.into_iter().map(|blob| blob.did).collect();
    keys.extend(dids.iter().map(|did| ArrobaBlobEpoch::key(client.database(), did)));
    let drop_old = |lookup: &mut Lookup| {
        let (mut mutations, mut dropped) = (Vec::new(), 0);
        let mut waiting = BTreeSet::new();
        for did in &dids {
            let stored = take(lookup, &ArrobaBlobEpoch::key(client.database(), did));
            let stored = stored.map(ArrobaBlobEpoch::from_entity).transpose()?;
            waiting.extend(stored.and_then(|stored| stored.import).map(|_| did));
        }
        for entity in lookup.found.drain(..).filter_map(|result| result.entity) {
            let blob = ArrobaBlob::from_entity(entity)?;
            // Whether an import that waits refers to it is not known yet.
            if let (0, Some(upload)) = (blob.refs, &blob.upload)
                && upload.uploaded < before
                && !waiting.contains(&blob.did)
            {
                mutations.push(delete(ArrobaBlob::key(client.database(), &blob.did, &blob.cid)));
                mutations.push(garbage_of(client, &upload.object)?);
                dropped += 1;
            }
        }
        Ok((mutations, dropped))
    };
    if keys.is_empty() {
        return Ok((0, false));
    }
    Ok((settle(client, keys, drop_old).await?, page.more))
}

/// Entities whose property is a number less than this one.
fn older(kind: &str, property: &str, before: u64) -> Result<Select, StoreError> {
    let before = i64::try_from(before).map_err(StoreError::backend)?;
    Ok(Select::from(kind)
        .and(property, Operator::GreaterThanOrEqual, ValueType::IntegerValue(0))
        .and(property, Operator::LessThan, ValueType::IntegerValue(before))
        .limit(PORTION))
}

/// Everything that is left of a repository's lives before `epoch`; how many entities that were.
async fn clear(client: &Client, did: &Did, epoch: u64) -> Result<u64, StoreError> {
    let blob = |entity: Entity| {
        let blob = ArrobaBlob::from_entity(entity)?;
        Ok((blob.epoch, blob.upload.map(|upload| upload.object)))
    };
    let reference = |entity: Entity| Ok((ArrobaBlobRef::from_entity(entity)?.epoch, None));
    let rows = clear_kind(client, did, ArrobaBlob::KIND, blob).await?
        + clear_kind(client, did, ArrobaBlobRef::KIND, reference).await?
        + remote::end_uses(client, did).await?;
    let key = ArrobaBlobEpoch::key(client.database(), did);
    let done = |lookup: &mut Lookup| {
        let stored = take(lookup, &key).map(ArrobaBlobEpoch::from_entity).transpose()?;
        // Deleted once more, it is not done.
        let stored = stored.filter(|stored| stored.epoch == epoch && stored.unswept);
        let swept = stored.map(|stored| ArrobaBlobEpoch { unswept: false, ..stored });
        let mutations = swept.map(|swept| swept.to_entity(client.database()).map(upsert)).transpose()?;
        Ok((mutations.into_iter().collect(), ()))
    };
    settle(client, vec![key.clone()], done).await?;
    Ok(rows)
}

/// Those of one kind; `read` gives the life and the object of an entity.
async fn clear_kind(
    client: &Client,
    did: &Did,
    kind: &str,
    read: impl Fn(Entity) -> Result<(u64, Option<String>), EntityError>,
) -> Result<u64, StoreError> {
    let mut query = within(client.database(), kind, &start(did), did).limit(PORTION);
    let epoch_key = ArrobaBlobEpoch::key(client.database(), did);
    let mut cleared = 0;
    loop {
        let page = client.query(query.clone().into(), Reads::Strong).await?;
        let mut keys: Vec<Key> = page.results.into_iter().filter_map(|result| result.entity?.key).collect();
        keys.push(epoch_key.clone());
        let drop_stale = |lookup: &mut Lookup| {
            let epoch = number(take(lookup, &epoch_key))?;
            let mut mutations: Vec<Mutation> = Vec::new();
            let mut dropped = 0;
            for entity in lookup.found.drain(..).filter_map(|result| result.entity) {
                let key = entity.key.clone().unwrap_or_default();
                let (life, object) = read(entity)?;
                if life < epoch {
                    mutations.push(delete(key));
                    mutations.extend(object.map(|object| garbage_of(client, &object)).transpose()?);
                    dropped += 1;
                }
            }
            Ok((mutations, dropped))
        };
        cleared += settle(client, keys, drop_stale).await?;
        if !page.more {
            return Ok(cleared);
        }
        query = query.after(page.end_cursor);
    }
}

const PORTION: u16 = 200;

/// Parts are large.
const PARTS: u16 = 10;
