//! Lookups: of any number of keys, until each has its answer.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use gcloud_sdk::google::datastore::v1::{
    EntityResult, Key, LookupRequest, LookupResponse, ReadOptions, key::PathElement,
    read_options::ConsistencyType,
};
use gcloud_sdk::tonic::Code;

use super::{
    super::{DatastoreError, Malformed, RpcKind, limits, retry::Effect},
    Client, Reads,
};

/// The answer to a lookup: each key that was asked for is in one of the two, once; in no particular order.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// Entities with their versions. Every result has an entity, and that a key.
    pub found: Vec<EntityResult>,
    /// Keys without an entity.
    pub missing: Vec<Key>,
}

impl Lookup {
    pub(super) fn extend(&mut self, other: Self) {
        self.found.extend(other.found);
        self.missing.extend(other.missing);
    }
}

impl Client {
    /// Reads entities. Any number of keys: they are asked for in lookups of 1,000, a few at once, and those that the service
    /// defers are asked for again. A key given twice is asked for once. Everything is held in memory, so callers who read much
    /// ask in portions.
    ///
    /// # Errors
    /// [`DatastoreError::Limit`] for a key that cannot be one, [`DatastoreError::Conflict`] in a transaction,
    /// [`DatastoreError::Deferred`], [`DatastoreError::Status`], [`DatastoreError::Malformed`].
    pub async fn lookup(&self, keys: Vec<Key>, reads: Reads<'_>) -> Result<Lookup, DatastoreError> {
        let keys = distinct(keys);
        let (read, effect) = (reads.options(), reads.effect());
        if keys.len() <= limits::LOOKUP_KEYS {
            let mut lookup = Lookup::default();
            self.settle(keys, read, effect, &mut lookup).await?;
            return Ok(lookup);
        }
        let portions: Vec<Vec<Key>> = keys.chunks(limits::LOOKUP_KEYS).map(<[Key]>::to_vec).collect();
        let portions = portions.into_iter().map(|portion| {
            let (client, read) = (self.clone(), read.clone());
            async move {
                let mut lookup = Lookup::default();
                client.settle(portion, read, effect, &mut lookup).await?;
                Ok::<_, DatastoreError>(lookup)
            }
        });
        let at_once = self.options().lookups_at_once.max(1);
        let add = async |mut all: Lookup, portion| {
            all.extend(portion);
            Ok(all)
        };
        stream::iter(portions).buffer_unordered(at_once).try_fold(Lookup::default(), add).await
    }

    /// Reads what one answer holds of at most 1,000 entities, for callers who bound their memory by it. The second part are the keys
    /// that are left: those beyond 1,000, those that the service deferred, and some if the answer would have been too large.
    ///
    /// # Errors
    /// As [`Client::lookup`]; [`DatastoreError::Status`] with OUT_OF_RANGE if a single entity is too large an answer.
    pub async fn lookup_part(
        &self,
        keys: Vec<Key>,
        reads: Reads<'_>,
    ) -> Result<(Lookup, Vec<Key>), DatastoreError> {
        let (read, effect) = (reads.options(), reads.effect());
        let mut keys = distinct(keys);
        keys.iter().try_for_each(limits::check_key)?;
        let mut left = keys.split_off(keys.len().min(limits::LOOKUP_KEYS));
        let mut lookup = Lookup::default();
        let mut stalled = 0;
        while !keys.is_empty() {
            let answer = match self.lookup_once(&keys, &read, effect).await {
                Err(DatastoreError::Status { status, .. })
                    if status.code() == Code::OutOfRange && keys.len() > 1 =>
                {
                    left.extend(keys.split_off(keys.len() / 2));
                    continue;
                }
                answer => answer?,
            };
            let deferred = take(&keys, answer, &mut lookup).map_err(malformed)?;
            if deferred.len() < keys.len() {
                left.extend(deferred);
                break;
            }
            stalled += 1;
            if stalled >= self.options().attempts {
                return Err(DatastoreError::Deferred { left: keys.len(), attempts: stalled });
            }
            tokio::time::sleep(self.shared.backoff.wait(stalled)).await;
        }
        Ok((lookup, left))
    }

    /// Asks for at most 1,000 distinct keys until each is answered; gives the id of the transaction that the first lookup began, if it did.
    pub(super) async fn settle(
        &self,
        mut keys: Vec<Key>,
        mut read: ReadOptions,
        mut effect: Effect,
        into: &mut Lookup,
    ) -> Result<Option<Arc<[u8]>>, DatastoreError> {
        keys.iter().try_for_each(limits::check_key)?;
        let mut transaction = None;
        let mut stalled = 0;
        while !keys.is_empty() {
            let asked = keys.len();
            let mut answer = self.lookup_once(&keys, &read, effect).await?;
            if matches!(read.consistency_type, Some(ConsistencyType::NewTransaction(_))) {
                let id = std::mem::take(&mut answer.transaction);
                if id.is_empty() {
                    return Err(malformed(Malformed::NoTransaction));
                }
                // What was deferred is read in the same transaction.
                read.consistency_type = Some(ConsistencyType::Transaction(id.clone()));
                effect = Effect::ReadInTransaction;
                transaction = Some(id.into());
            }
            keys = take(&keys, answer, into).map_err(malformed)?;
            if keys.len() < asked {
                stalled = 0;
                continue;
            }
            stalled += 1;
            if stalled >= self.options().attempts {
                return Err(DatastoreError::Deferred { left: keys.len(), attempts: stalled });
            }
            tokio::time::sleep(self.shared.backoff.wait(stalled)).await;
        }
        Ok(transaction)
    }

    async fn lookup_once(
        &self,
        keys: &[Key],
        read: &ReadOptions,
        effect: Effect,
    ) -> Result<LookupResponse, DatastoreError> {
        let database = self.database();
        let request = LookupRequest {
            project_id: database.project().to_owned(),
            database_id: database.id().to_owned(),
            read_options: Some(read.clone()),
            keys: keys.to_vec(),
            property_mask: None,
            request_options: None,
        };
        let send = || {
            self.shared.counters.count_keys(keys.len());
            self.rpc().lookup(request.clone())
        };
        self.call(RpcKind::Lookup, effect, send).await
    }
}

/// Checks an answer against the keys that were asked for and adds it; gives the keys that are left.
fn take(asked: &[Key], answer: LookupResponse, into: &mut Lookup) -> Result<Vec<Key>, Malformed> {
    // Partitions are left out of the comparison: the service fills in what was implied.
    let mut open: HashSet<&[PathElement]> = asked.iter().map(|key| key.path.as_slice()).collect();
    for found in answer.found {
        if !open.remove(key_of(&found)?.path.as_slice()) {
            return Err(Malformed::Unasked);
        }
        into.found.push(found);
    }
    for missing in answer.missing {
        let key = key_of(&missing)?.clone();
        if !open.remove(key.path.as_slice()) {
            return Err(Malformed::Unasked);
        }
        into.missing.push(key);
    }
    for deferred in &answer.deferred {
        if !open.remove(deferred.path.as_slice()) {
            return Err(Malformed::Unasked);
        }
    }
    if open.is_empty() { Ok(answer.deferred) } else { Err(Malformed::Unanswered(open.len())) }
}

fn key_of(result: &EntityResult) -> Result<&Key, Malformed> {
    result.entity.as_ref().and_then(|entity| entity.key.as_ref()).ok_or(Malformed::NoEntity)
}

/// Each key once.
pub(super) fn distinct(mut keys: Vec<Key>) -> Vec<Key> {
    let mut seen = HashSet::with_capacity(keys.len());
    keys.retain(|key| seen.insert(key.path.clone()));
    keys
}

const fn malformed(problem: Malformed) -> DatastoreError {
    DatastoreError::Malformed { rpc: RpcKind::Lookup, problem }
}
