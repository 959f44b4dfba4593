//! What the owner of a rotation key does to an identity, a call each.
//!
//! A [`Resolver`](crate::Resolver) knows nothing of it: tell it to forget ([`purge`](crate::Resolver::purge)).

use super::{LimitError, Log, LogEntry, LogError, Operation, PlcDirectory, PlcError, State, Unsigned};
use super::{did_from_genesis, verify_log};
use crate::Clock;
use arroba_core::{
    crypto::Signer,
    data::Cid,
    syntax::{Datetime, Did},
};
use thiserror::Error;

/// Why an identity was not changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The key may not sign operations of this identity.
    #[error("{key} is no rotation key of the identity")]
    NotRotationKey {
        /// The key, as `did:key`.
        key: String,
    },
    /// There are not so many operations to undo; at least one is needed, and the first cannot be undone.
    #[error("cannot undo {asked} operations of {most} that can be undone")]
    Operations {
        /// How many were to be undone.
        asked: usize,
        /// How many can be.
        most: usize,
    },
    /// A recovery by a key that does not stand before the one which signed the first operation to be undone.
    #[error("{key} is not mightier than the key that signed what is to be undone")]
    NotMightier {
        /// The key, as `did:key`.
        key: String,
    },
    /// More than 72 hours have passed since the first operation to be undone.
    #[error("recovery is too late: the operation of {of} could be undone for 72 hours")]
    LateRecovery {
        /// When the directory accepted that operation.
        of: Datetime,
    },
    /// The operation is one that a directory refuses.
    #[error("operation is over a limit")]
    Limit(#[source] LimitError),
    /// The directory's log is not valid, or the operation does not follow on it.
    #[error("operation does not fit the directory's log")]
    Log(#[source] LogError),
    /// The directory.
    #[error("the directory failed")]
    Directory(#[from] PlcError),
}

/// A new identity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Its DID.
    pub did: Did,
    /// Its first operation.
    pub operation: Operation,
}

/// An identity that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The operation that did it.
    pub operation: Operation,
    /// The operations that do not count any more, oldest first.
    pub nullified: Vec<Cid>,
}

/// Makes an identity. The key must be one of the state's rotation keys.
///
/// # Errors
/// [`ChangeError::NotRotationKey`], [`ChangeError::Limit`], [`ChangeError::Directory`].
pub async fn create(
    directory: &dyn PlcDirectory,
    state: State,
    key: &dyn Signer,
) -> Result<Created, ChangeError> {
    demand_rotation_key(&state, key)?;
    let operation = Unsigned::genesis(state).sign(key).map_err(ChangeError::Limit)?;
    let did = did_from_genesis(&operation);
    submit(directory, &did, &operation).await?;
    Ok(Created { did, operation })
}

/// Gives an identity the state that the function makes of its present one; the key must be one of its present
/// rotation keys, which the new state may replace. Nothing is submitted if nothing changes.
///
/// The answer is the operation that now holds.
///
/// # Errors
/// [`ChangeError::NotRotationKey`], [`ChangeError::Limit`], [`ChangeError::Directory`].
pub async fn update(
    directory: &dyn PlcDirectory,
    did: &Did,
    key: &dyn Signer,
    change: impl FnOnce(State) -> State + Send,
) -> Result<Operation, ChangeError> {
    let last = directory.last_operation(did).await?;
    let state = last.state().ok_or(PlcError::Tombstoned)?;
    demand_rotation_key(state, key)?;
    let changed = change(state.clone());
    if changed == *state {
        return Ok(last);
    }
    let operation = Unsigned::update(last.cid(), changed).sign(key).map_err(ChangeError::Limit)?;
    submit(directory, did, &operation).await?;
    Ok(operation)
}

/// Ends an identity. Within 72 hours a mightier key can [`recover`] it; after that it is over.
///
/// # Errors
/// [`ChangeError::NotRotationKey`], [`ChangeError::Directory`].
pub async fn tombstone(
    directory: &dyn PlcDirectory,
    did: &Did,
    key: &dyn Signer,
) -> Result<Operation, ChangeError> {
    let last = directory.last_operation(did).await?;
    demand_rotation_key(last.state().ok_or(PlcError::Tombstoned)?, key)?;
    let operation = Unsigned::tombstone(last.cid()).sign(key).map_err(ChangeError::Limit)?;
    submit(directory, did, &operation).await?;
    Ok(operation)
}

/// Gives an identity the state that it had before its last so many operations, by a new operation that follows on
/// them: they stay in the log. The key must be one of its *present* rotation keys; there is no time limit.
///
/// Where somebody else holds the present keys, [`recover`] is the way.
///
/// # Errors
/// [`ChangeError::Operations`], [`ChangeError::NotRotationKey`], [`ChangeError::Limit`] if the old state is
/// one that new operations may not have, [`ChangeError::Log`], [`ChangeError::Directory`] (also if it is tombstoned).
pub async fn roll_back(
    directory: &dyn PlcDirectory,
    did: &Did,
    operations: usize,
    key: &dyn Signer,
) -> Result<Operation, ChangeError> {
    let log = log(directory, did).await?;
    let last = log.last().ok_or(PlcError::NotFound)?;
    demand_rotation_key(log.state().ok_or(PlcError::Tombstoned)?, key)?;
    let state = target(&log, operations)?.operation.state().ok_or(PlcError::Tombstoned)?;
    let operation = Unsigned::update(last.cid, state.clone()).sign(key).map_err(ChangeError::Limit)?;
    submit(directory, did, &operation).await?;
    Ok(operation)
}

/// Takes an identity back: its last so many operations are nullified, also a tombstone, and its state is the one from
/// before.
///
/// For that the key must have been a rotation key then, and stand before the one that signed the first of these
/// operations; and that one must be at most 72 hours old.
///
/// # Errors
/// [`ChangeError::Operations`], [`ChangeError::NotRotationKey`], [`ChangeError::NotMightier`],
/// [`ChangeError::LateRecovery`], [`ChangeError::Limit`], [`ChangeError::Log`], [`ChangeError::Directory`].
pub async fn recover(
    directory: &dyn PlcDirectory,
    did: &Did,
    operations: usize,
    key: &dyn Signer,
    clock: &Clock,
) -> Result<Recovered, ChangeError> {
    let log = log(directory, did).await?;
    let fork = target(&log, operations)?;
    let state = fork.operation.state().ok_or(PlcError::Tombstoned)?;
    demand_rotation_key(state, key)?;
    let operation = Unsigned::update(fork.cid, state.clone()).sign(key).map_err(ChangeError::Limit)?;
    // Our clock may be behind the directory's, which goes on from its newest operation.
    let newest = log.entries().last().map_or(0, |entry| entry.created_at.unix_micros());
    let earliest = u64::try_from(newest / 1000).unwrap_or_default().saturating_add(1);
    let now = Datetime::from_unix_millis(clock.unix_millis().max(earliest));
    let appended = log.check(&operation, &now).map_err(|error| match error {
        LogError::Signature => ChangeError::NotMightier { key: did_key(key) },
        LogError::LateRecovery => {
            let disputed = log.valid().skip_while(|entry| entry.cid != fork.cid).nth(1);
            let of = disputed.map_or_else(|| now.clone(), |entry| entry.created_at.clone());
            ChangeError::LateRecovery { of }
        }
        error => ChangeError::Log(error),
    })?;
    submit(directory, did, &operation).await?;
    Ok(Recovered { operation, nullified: appended.nullified })
}

/// Submits an operation. One that has arrived although its answer was lost counts as taken.
///
/// # Errors
/// [`PlcError`].
pub async fn submit(directory: &dyn PlcDirectory, did: &Did, operation: &Operation) -> Result<(), PlcError> {
    let Err(error) = directory.submit(did, operation).await else { return Ok(()) };
    match directory.last_operation(did).await {
        Ok(last) if last.cid() == operation.cid() => Ok(()),
        _ => Err(error),
    }
}

async fn log(directory: &dyn PlcDirectory, did: &Did) -> Result<Log, ChangeError> {
    verify_log(did, directory.audit_log(did).await?).map_err(ChangeError::Log)
}

/// The last operation that stays when so many are undone.
fn target(log: &Log, operations: usize) -> Result<&LogEntry, ChangeError> {
    let most = log.valid().count().saturating_sub(1);
    let target = log.valid().rev().nth(operations).filter(|_| operations > 0);
    target.ok_or(ChangeError::Operations { asked: operations, most })
}

fn demand_rotation_key(state: &State, key: &dyn Signer) -> Result<(), ChangeError> {
    let key = did_key(key);
    if state.rotation_keys.contains(&key) { Ok(()) } else { Err(ChangeError::NotRotationKey { key }) }
}

fn did_key(key: &dyn Signer) -> String {
    key.public_key().to_did_key()
}
