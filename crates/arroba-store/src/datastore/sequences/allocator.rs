//! One task that gets numbers for everybody who asks at the same time.

use std::sync::Arc;

use arroba_core::syntax::Did;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{MOST_AT_ONCE, counter::Counter, pool::Pool};
use crate::{error::StoreError, reservation::Reservation};

/// A caller who wants numbers.
pub(super) struct Ask {
    pub(super) did: Did,
    pub(super) count: u64,
    /// A caller who is gone by then gives its numbers back by that.
    pub(super) reply: oneshot::Sender<Result<Reservation, StoreError>>,
}

pub(super) struct Allocator {
    pub(super) counter: Counter,
    pub(super) pool: Arc<Pool>,
    pub(super) asks: mpsc::Receiver<Ask>,
}

impl Allocator {
    /// Ends when nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(ask) => ask,
                None => match self.asks.recv().await {
                    Some(ask) => ask,
                    None => return,
                },
            };
            let mut total = first.count;
            let mut asks = vec![first];
            while let Ok(ask) = self.asks.try_recv() {
                if total + ask.count > MOST_AT_ONCE {
                    next = Some(ask);
                    break;
                }
                total += ask.count;
                asks.push(ask);
            }
            // Whoever does not wait any more needs none.
            asks.retain(|ask| !ask.reply.is_closed());
            if !asks.is_empty() {
                self.answer(asks).await;
            }
        }
    }

    async fn answer(&mut self, asks: Vec<Ask>) {
        let given = Instant::now();
        let whose: Vec<_> = asks.iter().flat_map(|ask| (0..ask.count).map(|_| ask.did.clone())).collect();
        match self.counter.advance(&whose).await {
            Ok(seqs) => {
                let mut start = seqs.start;
                for ask in asks {
                    let reservation = self.pool.lend(&ask.did, start..start + ask.count, given);
                    start += ask.count;
                    // If the caller is gone, the reservation goes back to the pool here.
                    drop(ask.reply.send(Ok(reservation)));
                }
            }
            Err(error) => {
                for ask in asks {
                    drop(ask.reply.send(Err(error.clone())));
                }
            }
        }
    }
}
