//! Small transactions, repeated as long as others are in their way.

use std::time::Duration;

use super::super::{
    Begin, Client, DatastoreError, Lookup, Reads, Transaction,
    api::{Entity, Key, Mutation},
};
use crate::error::{ApplyError, StoreError};

/// Reads the entities, decides, and writes, in one transaction; begins again when somebody else was faster. What is decided must be
/// right to do twice: when nobody knows what became of a commit, it is decided anew on what is stored then.
pub(super) async fn transact<T>(
    client: &Client,
    keys: Vec<Key>,
    mut decide: impl FnMut(&mut Lookup) -> Result<(Vec<Mutation>, T), ApplyError>,
) -> Result<T, ApplyError> {
    let mut aborted = None;
    for attempt in 0..ATTEMPTS {
        match once(client, &keys, aborted.as_ref(), &mut decide).await? {
            Tried::Done(made) => return Ok(made),
            Tried::Again(transaction) => aborted = transaction,
        }
        let most = FIRST_WAIT * (1 << attempt.min(8));
        tokio::time::sleep(most.mul_f64(rand::random())).await;
    }
    Err(StoreError::unavailable("others write to the same blobs").into())
}

enum Tried<T> {
    Done(T),
    /// Nothing was written, or nobody knows. The service favours who names the transaction that it aborted.
    Again(Option<Transaction>),
}

async fn once<T>(
    client: &Client,
    keys: &[Key],
    aborted: Option<&Transaction>,
    decide: &mut impl FnMut(&mut Lookup) -> Result<(Vec<Mutation>, T), ApplyError>,
) -> Result<Tried<T>, ApplyError> {
    let begin = aborted.map_or(Begin::ReadWrite, Begin::Again);
    let (transaction, mut lookup) = match client.begin(keys.to_vec(), begin).await {
        Ok(begun) => begun,
        // Reading can be what stands in somebody's way, too.
        Err(DatastoreError::Conflict { .. }) => return Ok(Tried::Again(None)),
        Err(error) => return Err(StoreError::from(error).into()),
    };
    let (mutations, made) = match decide(&mut lookup) {
        Ok((mutations, made)) if !mutations.is_empty() => (mutations, made),
        nothing_to_write => {
            // Others need not wait for what was read. If this fails, the service does it by itself.
            if let Err(error) = client.rollback(&transaction).await {
                tracing::debug!(%error, "a transaction was not rolled back");
            }
            return nothing_to_write.map(|(_, made)| Tried::Done(made));
        }
    };
    match client.commit(mutations, &transaction).await {
        Ok(_) => Ok(Tried::Done(made)),
        Err(DatastoreError::Conflict { .. }) => Ok(Tried::Again(Some(transaction))),
        Err(DatastoreError::UnknownOutcome { .. }) => Ok(Tried::Again(None)),
        Err(error) => Err(StoreError::from(error).into()),
    }
}

/// The same where nothing can be refused.
pub(super) async fn settle<T>(
    client: &Client,
    keys: Vec<Key>,
    mut decide: impl FnMut(&mut Lookup) -> Result<(Vec<Mutation>, T), StoreError>,
) -> Result<T, StoreError> {
    let made = transact(client, keys, |lookup| decide(lookup).map_err(ApplyError::Store)).await;
    made.map_err(|error| match error {
        ApplyError::Store(error) => error,
        // Nothing else was put in.
        refused => StoreError::backend(refused),
    })
}

/// Takes the entity with this key out of what was found.
pub(super) fn take(lookup: &mut Lookup, key: &Key) -> Option<Entity> {
    let is_it = |entity: &Entity| entity.key.as_ref().is_some_and(|own| own.path == key.path);
    let at = lookup.found.iter().position(|result| result.entity.as_ref().is_some_and(is_it))?;
    lookup.found.swap_remove(at).entity
}

/// Reads one entity.
pub(super) async fn one(client: &Client, key: Key) -> Result<Option<Entity>, StoreError> {
    let lookup = client.lookup(vec![key], Reads::Strong).await?;
    Ok(lookup.found.into_iter().find_map(|result| result.entity))
}

const ATTEMPTS: u32 = 12;
const FIRST_WAIT: Duration = Duration::from_millis(5);
