//! Sequence numbers that are given out before a commit is signed.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arroba_core::syntax::Tid;

/// What a backend that numbers early fixes before a commit is signed: the numbers of its events, and so its rev. SQL and memory
/// number as they apply a change, and fix nothing.
///
/// The last clone that is dropped gives numbers that no change used back to the store, which hands them out again: others may be
/// waiting for the event behind them.
#[derive(Clone, Default)]
pub struct Reservation(Option<Arc<Reserved>>);

/// Takes back numbers that were reserved and not used.
pub trait Reclaim: Send + Sync {
    /// Numbers that no event has.
    fn reclaim(&self, seqs: Range<u64>);
}

struct Reserved {
    seqs: Range<u64>,
    used: AtomicBool,
    store: Arc<dyn Reclaim>,
}

impl Reservation {
    /// Nothing is fixed.
    pub const fn none() -> Self {
        Self(None)
    }

    /// These numbers, one for each event in their order; unless they are [used](Self::settle), `store` gets them back.
    pub fn of(seqs: Range<u64>, store: Arc<dyn Reclaim>) -> Self {
        Self(Some(Arc::new(Reserved { seqs, used: AtomicBool::new(false), store })))
    }

    /// The numbers, if they are fixed.
    pub fn seqs(&self) -> Option<Range<u64>> {
        self.0.as_ref().map(|reserved| reserved.seqs.clone())
    }

    /// The rev that a commit must have whose event is the one at `index`: the TID with the event's number as its time, and clock
    /// identifier 0.
    pub fn rev(&self, index: usize) -> Option<Tid> {
        let seq = self.seqs()?.nth(index)?;
        Some(Tid::from_micros(seq, 0))
    }

    /// Notes that events have these numbers, or may have: they must not be given out again.
    pub fn settle(&self) {
        if let Some(reserved) = &self.0 {
            reserved.used.store(true, Ordering::Release);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.used.load(Ordering::Acquire) {
            self.store.reclaim(self.seqs.clone());
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Reservation").field(&self.seqs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Pool(Mutex<Vec<Range<u64>>>);

    impl Reclaim for Pool {
        fn reclaim(&self, seqs: Range<u64>) {
            self.0.lock().unwrap().push(seqs);
        }
    }

    #[test]
    fn gives_back_once_what_was_not_used() {
        let pool = Arc::new(Pool::default());
        let reservation = Reservation::of(5..7, Arc::<Pool>::clone(&pool));
        assert_eq!(reservation.rev(1), Some(Tid::from_micros(6, 0)));
        assert_eq!(reservation.rev(2), None);
        let clone = reservation.clone();
        drop(reservation);
        assert!(pool.0.lock().unwrap().is_empty());
        drop(clone);
        assert_eq!(pool.0.lock().unwrap().as_slice(), std::slice::from_ref(&(5..7)));
        let used = Reservation::of(7..8, Arc::<Pool>::clone(&pool));
        used.settle();
        drop(used);
        assert_eq!(pool.0.lock().unwrap().len(), 1);
        assert_eq!((Reservation::none().seqs(), Reservation::none().rev(0)), (None, None));
    }
}
