//! Settles the numbers that nobody took out of the pool.

use std::{sync::Arc, time::Duration};

use arroba_core::{
    event::{self, IdentityEvent},
    syntax::{Datetime, Did},
};

use super::{
    super::{Client, delete, entity::ArrobaReservation, event::event_block, upsert},
    SequenceOptions,
    pool::Pool,
};
use crate::error::StoreError;

pub(super) struct Caretaker {
    pub(super) client: Client,
    pub(super) pool: Arc<Pool>,
    pub(super) options: SequenceOptions,
}

impl Caretaker {
    /// Ends when the pool is closed and empty.
    pub(super) async fn run(self) {
        loop {
            // What is put into the pool after it was asked is told by `work`.
            let closed = self.pool.is_closed();
            let due = self.pool.due();
            if due.is_empty() {
                if closed {
                    return;
                }
                match self.pool.next_due() {
                    Some(time) => drop(tokio::time::timeout_at(time, self.pool.work()).await),
                    None => self.pool.work().await,
                }
                continue;
            }
            let seqs = due.iter().map(|(seq, _)| *seq);
            match self.settle(&due).await {
                Ok(()) => self.pool.done(seqs, None),
                Err(error) if closed => {
                    tracing::error!(?due, %error, "sequence numbers are lost: readers will wait for them");
                    self.pool.done(seqs, None);
                }
                Err(error) => {
                    tracing::warn!(?due, %error, "sequence numbers that nobody uses cannot be settled yet");
                    self.pool.done(seqs, Some(AGAIN));
                }
            }
        }
    }

    /// Makes sure that no reader waits for these numbers.
    async fn settle(&self, due: &[(u64, Did)]) -> Result<(), StoreError> {
        let database = self.client.database();
        let mutation = |(seq, did): &(u64, Did)| {
            if self.pool.lease().is_some() {
                return Ok(delete(ArrobaReservation::key(database, *seq)));
            }
            let micros = (self.options.clock)();
            let time = Datetime::from_unix_micros(micros);
            let draft = event::identity(&IdentityEvent { did: did.clone(), handle: None, time });
            let entity = event_block(&draft, *seq, micros)?.to_entity(database);
            entity.map(upsert).map_err(StoreError::backend)
        };
        let mutations = due.iter().map(mutation).collect::<Result<_, StoreError>>()?;
        Ok(self.client.put(mutations).await?)
    }
}

/// How long a number waits that could not be settled.
const AGAIN: Duration = Duration::from_secs(1);
