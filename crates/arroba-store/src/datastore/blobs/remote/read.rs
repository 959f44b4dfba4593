//! Reading remote blobs.

use std::collections::{BTreeSet, HashSet};

use arroba_core::{data::Cid, syntax::Did};
use futures::{StreamExt, TryStreamExt, future::try_join, stream};

use super::{
    super::{
        super::{
            Client, Reads, Select,
            api::{
                EntityResult, Key, property_filter::Operator, property_order::Direction, value::ValueType,
            },
            entity::AtpRemoteBlob,
            limits::KEY_NAME_BYTES,
            rows::Found,
        },
        transact::one,
    },
    used_by,
};
use crate::{error::StoreError, remote_blob_index::RemoteBlob, repo::RepoStatus};

/// How many URLs of one CID that an account uses are looked at. Each would do; the others are for one that changes meanwhile.
const CANDIDATES: u16 = 4;

const QUERIES_AT_ONCE: usize = 8;

/// How many users are looked up at once.
const USERS_AT_ONCE: usize = 300;

/// The blob at a URL.
pub(in super::super::super) async fn find(
    client: &Client,
    url: &str,
) -> Result<Option<RemoteBlob>, StoreError> {
    let entity = one(client, AtpRemoteBlob::key(client.database(), url)).await?;
    let blob = entity.map(AtpRemoteBlob::from_entity).transpose()?;
    Ok(blob.map(|blob| blob.to_remote_blob()).transpose()?)
}

/// The blobs with these bytes, those that were updated last first. It needs the index `AtpRemoteBlob(cid, -updated)`.
pub(in super::super::super) async fn with_cid(
    client: &Client,
    cid: &Cid,
    limit: usize,
) -> Result<Vec<RemoteBlob>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let query = Select::from(AtpRemoteBlob::KIND)
        .and(AtpRemoteBlob::CID, Operator::Equal, ValueType::StringValue(cid.to_string()))
        .order(AtpRemoteBlob::UPDATED, Direction::Descending)
        .limit(at_most(limit));
    let found = entities(client.query(query.into(), Reads::Strong).await?.results)?;
    Ok(found.iter().map(AtpRemoteBlob::to_remote_blob).collect::<Result<_, _>>()?)
}

/// The blobs that an account uses, behind the one with the key `after`, in the order of their keys.
pub(in super::super::super) async fn of_account(
    client: &Client,
    user: &Did,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<RemoteBlob>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut query = used_by(client, user).limit(at_most(limit));
    let after = after.map(AtpRemoteBlob::name);
    if let Some(name) = after.and_then(name_before) {
        let key = client.database().key(AtpRemoteBlob::KIND, name);
        query = query.and(Select::KEY, Operator::GreaterThan, ValueType::KeyValue(key));
    }
    let found = async { Ok(client.query(query.into(), Reads::Strong).await?.results) };
    let standing = Found::read(std::slice::from_ref(user), client);
    let (results, standing) = try_join(found, standing).await?;
    if !standing.first().is_some_and(stands) {
        return Ok(Vec::new());
    }
    let mut found = entities(results)?;
    found.retain(|blob| after.is_none_or(|after| blob.name.as_str() > after));
    Ok(found.iter().map(AtpRemoteBlob::to_remote_blob).collect::<Result<_, _>>()?)
}

/// A name that can be in a key, not behind the given one, with no key between the two in practice: whoever pages may have been given
/// any text to go on from.
fn name_before(name: &str) -> Option<&str> {
    let mut end = name.len().min(KEY_NAME_BYTES);
    if name.starts_with("__") && name.ends_with("__") {
        // Reserved by the service.
        end = end.min(1);
    }
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).filter(|name| !name.is_empty())
}

/// The accounts that use the blob at a URL, behind `after`, in the order of their DIDs.
pub(in super::super::super) async fn users(
    client: &Client,
    url: &str,
    after: Option<&Did>,
    limit: usize,
) -> Result<Vec<Did>, StoreError> {
    let Some(entity) = one(client, AtpRemoteBlob::key(client.database(), url)).await? else {
        return Ok(Vec::new());
    };
    // The Python library appends, and does not sort.
    let users: BTreeSet<Did> = AtpRemoteBlob::from_entity(entity)?.repos.into_iter().collect();
    let users: Vec<Did> = users.into_iter().filter(|user| after.is_none_or(|after| user > after)).collect();
    let mut standing = Vec::new();
    for portion in users.chunks(limit.clamp(1, USERS_AT_ONCE)) {
        if standing.len() >= limit {
            break;
        }
        let found = Found::read(portion, client).await?;
        standing.extend(found.into_iter().filter(stands).map(|found| found.did));
    }
    standing.truncate(limit);
    Ok(standing)
}

/// Whether uses of the account count.
fn stands(found: &Found) -> bool {
    !matches!(found.underlying(), None | Some(RepoStatus::Deleted))
}

/// The CIDs of all blobs that an account uses.
pub(in super::super) async fn cids_used(client: &Client, did: &Did) -> Result<HashSet<Cid>, StoreError> {
    let mut batches = client.batches(used_by(client, did).into(), Reads::Strong);
    let mut cids = HashSet::new();
    while let Some(batch) = batches.next().await? {
        for entity in batch.into_iter().filter_map(|result| result.entity) {
            cids.extend(AtpRemoteBlob::from_entity(entity)?.cid);
        }
    }
    Ok(cids)
}

/// Where the blobs with these CIDs are that an account uses, as of now: one query for each CID.
pub(in super::super) async fn keys_used(
    client: &Client,
    did: &Did,
    cids: Vec<Cid>,
) -> Result<Vec<Key>, StoreError> {
    let keys = cids.into_iter().map(|cid| {
        let text = ValueType::StringValue(cid.to_string());
        let query = used_by(client, did).and(AtpRemoteBlob::CID, Operator::Equal, text).limit(CANDIDATES);
        async move {
            let results = client.query(query.keys_only().into(), Reads::Strong).await?.results;
            let keys = results.into_iter().filter_map(|result| result.entity?.key);
            Ok::<_, StoreError>(keys.collect::<Vec<Key>>())
        }
    });
    let found = stream::iter(keys).buffered(QUERIES_AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(found.into_iter().flatten().collect())
}

fn entities(results: Vec<EntityResult>) -> Result<Vec<AtpRemoteBlob>, StoreError> {
    let entities = results.into_iter().filter_map(|result| result.entity);
    Ok(entities.map(AtpRemoteBlob::from_entity).collect::<Result<_, _>>()?)
}

fn at_most(limit: usize) -> u16 {
    u16::try_from(limit).unwrap_or(u16::MAX)
}
