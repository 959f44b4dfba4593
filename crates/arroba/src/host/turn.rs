//! One at a time for each repo (or whatever else has turns), within this process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The turns of what someone works on just now.
///
/// An entry lives only while a turn is held or awaited, so the map is as large as the number of works under way.
/// For repos the turn saves retries; the store's compare-and-swap is what keeps two writers apart.
#[derive(Clone, Debug)]
pub(crate) struct Turns<K>(Arc<Mutex<HashMap<K, Arc<AsyncMutex<()>>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Waits for the turn of `key`.
    pub(crate) async fn take(&self, key: &K) -> Turn<K> {
        let lock = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(key.clone()).or_default())
        };
        // Made before the wait, so that a caller who gives up while waiting leaves no entry behind.
        let mut turn = Turn { key: key.clone(), turns: self.clone(), guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Held while one work on its key is done.
#[derive(Debug)]
pub(crate) struct Turn<K: Eq + Hash> {
    key: K,
    turns: Turns<K>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.guard = None;
        // Whoever holds or awaits the turn holds a reference besides the map's own; new ones are handed out under this lock.
        if turns.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use arroba_core::syntax::Did;

    use super::*;

    #[tokio::test]
    async fn turns_exclude_each_other_and_leave_nothing_behind() {
        let turns = Turns::default();
        let (alice, bob) =
            (Did::parse("did:web:alice.test").unwrap(), Did::parse("did:web:bob.test").unwrap());
        let first = turns.take(&alice).await;
        let other = turns.take(&bob).await;
        let mut waiting = Box::pin(turns.take(&alice));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        let second = waiting.await;
        assert_eq!(turns.len(), 2);
        let abandoned = Box::pin(turns.take(&alice));
        {
            let mut abandoned = abandoned;
            assert!(futures::poll!(&mut abandoned).is_pending());
        }
        drop((second, other));
        assert_eq!(turns.len(), 0);
    }
}
