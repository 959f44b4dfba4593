//! What makes sure that a number is still its owner's when it is used.

use std::{ops::Range, sync::Arc};

use super::{
    super::{
        Database,
        api::{Key, Mutation},
        delete,
        entity::ArrobaReservation,
    },
    pool::Pool,
};

/// What a transaction must look up and write so that its events may have their numbers.
#[derive(Debug)]
pub struct Fence {
    seqs: Range<u64>,
    keys: Vec<Key>,
    pool: Arc<Pool>,
}

/// Readers have passed a number, so no event may have it any more: the commit must be signed again with another one. Settle the
/// [`Reservation`](crate::Reservation), so that the number is not given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("readers no longer wait for the sequence number {0}")]
pub struct GivenUp(pub u64);

impl Fence {
    pub(super) fn new(seqs: Range<u64>, database: Option<&Database>, pool: Arc<Pool>) -> Self {
        let key = |database| seqs.clone().map(move |seq| ArrobaReservation::key(database, seq));
        let keys = database.into_iter().flat_map(key).collect();
        Self { seqs, keys, pool }
    }

    /// What must be looked up in the transaction; nothing beside the Python library.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What must be written in the transaction, given which keys its lookup did not find.
    ///
    /// # Errors
    /// [`GivenUp`]: nothing may be written.
    pub fn mutations(&self, missing: &[Key]) -> Result<Vec<Mutation>, GivenUp> {
        if let Some(seq) = self.seqs.clone().find(|seq| self.pool.is_passed(*seq)) {
            return Err(GivenUp(seq));
        }
        let is_missing = |key: &Key| missing.iter().any(|missing| missing.path == key.path);
        for (seq, key) in self.seqs.clone().zip(&self.keys) {
            if is_missing(key) {
                return Err(GivenUp(seq));
            }
        }
        Ok(self.keys.iter().cloned().map(delete).collect())
    }
}
