//! A bounded cache over slow questions: each is asked once at a time, and old answers bridge failures.

use crate::{Clock, ResolveError};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::sync::oneshot;

/// How long an answer counts, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Younger answers are given without a thought.
    pub(crate) fresh: u64,
    /// Answers up to this age are given while a new one is fetched, and when that fails.
    pub(crate) stale: u64,
    /// How long a definite "no" holds, and how long after a failure an old answer is left alone.
    pub(crate) error: u64,
    /// How long a question without any answer is not asked again.
    pub(crate) failure: u64,
    /// How young an answer must be for a demand to ask again to be refused.
    pub(crate) refetch_floor: u64,
}

impl Times {
    /// Those of DIDs and handles.
    pub(crate) const IDENTITY: Self = Self {
        fresh: 60 * 60 * 1000,
        stale: 24 * 60 * 60 * 1000,
        error: 2 * 60 * 1000,
        failure: 10 * 1000,
        refetch_floor: 10 * 1000,
    };
}

/// Questions under way at a time. One more is an error, so that a flood of names cannot pile up.
const MAX_FLIGHTS: usize = 1024;

/// Why a question has no answer, as far as a cache cares.
pub(crate) trait Failure: Clone + Send + Sync + 'static {
    /// Whether that is the answer: no.
    fn is_definite(&self) -> bool;
    /// The one who asked has stopped before there was an answer.
    fn given_up() -> Self;
    /// Too many questions are open.
    fn overloaded() -> Self;
}

#[derive(Debug, Error)]
#[error("resolution was given up")]
pub(crate) struct GivenUp;

impl Failure for ResolveError {
    fn is_definite(&self) -> bool {
        Self::is_definite(self)
    }

    fn given_up() -> Self {
        Self::unavailable(GivenUp)
    }

    fn overloaded() -> Self {
        Self::Overloaded
    }
}

type Fetch<V, E> = BoxFuture<'static, Result<V, E>>;
type Answer<V, E> = Shared<oneshot::Receiver<Result<V, E>>>;

#[derive(Clone)]
struct Entry<V, E> {
    answer: Result<V, E>,
    at_millis: u64,
    retry_at_millis: u64,
}

struct Flight<V, E> {
    id: u64,
    answer: Answer<V, E>,
}

struct Flights<K, V, E> {
    open: HashMap<K, Flight<V, E>>,
    next_id: u64,
}

pub(crate) struct Cache<K, V, E = ResolveError> {
    inner: Arc<Inner<K, V, E>>,
}

struct Inner<K, V, E> {
    clock: Clock,
    times: Times,
    entries: moka::sync::Cache<K, Entry<V, E>>,
    flights: Mutex<Flights<K, V, E>>,
}

impl<K, V, E> Cache<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Failure,
{
    /// A cache of at most `capacity` in weight; the function gives an entry's own.
    pub(crate) fn new(
        clock: Clock,
        times: Times,
        capacity: u64,
        weight: impl Fn(&K, Option<&V>) -> u32 + Send + Sync + 'static,
    ) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .weigher(move |key, entry: &Entry<V, E>| weight(key, entry.answer.as_ref().ok()))
            .build();
        let flights = Mutex::new(Flights { open: HashMap::new(), next_id: 0 });
        Self { inner: Arc::new(Inner { clock, times, entries, flights }) }
    }

    /// The answer, cached or new. One older than `max_age_millis` does not count.
    pub(crate) async fn answer(
        &self,
        key: &K,
        max_age_millis: u64,
        fetch: impl FnOnce() -> Fetch<V, E>,
    ) -> Result<V, E> {
        let now = self.inner.clock.unix_millis();
        if let Some(entry) = self.inner.entries.get(key) {
            let age = now.saturating_sub(entry.at_millis);
            match entry.answer {
                Ok(value) if age < self.inner.times.fresh.min(max_age_millis) => return Ok(value),
                Ok(value) if age < self.inner.times.stale.min(max_age_millis) => {
                    if now >= entry.retry_at_millis {
                        // Whoever asks after it has landed sees the new answer. Overload is no reason to fail.
                        let _ = self.flight(key, fetch);
                    }
                    return Ok(value);
                }
                Err(error) if now < entry.retry_at_millis => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        self.flight(key, fetch)?.await.unwrap_or_else(|_| Err(E::given_up()))
    }

    /// A new answer, for a reason to believe that the cached one is outdated; `None` if it is not even ten
    /// seconds old, or was asked for in vain just now.
    pub(crate) async fn refetch(&self, key: &K, fetch: impl FnOnce() -> Fetch<V, E>) -> Option<Result<V, E>> {
        let now = self.inner.clock.unix_millis();
        if let Some(entry) = self.inner.entries.get(key)
            && (now < entry.at_millis.saturating_add(self.inner.times.refetch_floor)
                || now < entry.retry_at_millis)
        {
            return None;
        }
        let flight = match self.flight(key, fetch) {
            Ok(flight) => flight,
            Err(error) => return Some(Err(error)),
        };
        Some(flight.await.unwrap_or_else(|_| Err(E::given_up())))
    }

    /// The cached answer, however old.
    pub(crate) fn cached(&self, key: &K) -> Option<V> {
        self.inner.entries.get(key).and_then(|entry| entry.answer.ok())
    }

    /// Forgets an answer. One that is on its way is not kept either.
    pub(crate) fn purge(&self, key: &K) {
        let mut flights = self.inner.flights();
        flights.open.remove(key);
        self.inner.entries.invalidate(key);
    }

    /// Joins the question that is under way, or asks it.
    fn flight(&self, key: &K, fetch: impl FnOnce() -> Fetch<V, E>) -> Result<Answer<V, E>, E> {
        let mut flights = self.inner.flights();
        if let Some(flight) = flights.open.get(key) {
            return Ok(flight.answer.clone());
        }
        if flights.open.len() >= MAX_FLIGHTS {
            return Err(E::overloaded());
        }
        let id = flights.next_id;
        flights.next_id += 1;
        let (sender, receiver) = oneshot::channel();
        let answer = receiver.shared();
        flights.open.insert(key.clone(), Flight { id, answer: answer.clone() });
        drop(flights);
        let landing = Landing { inner: Arc::clone(&self.inner), key: key.clone(), id };
        let fetch = fetch();
        // A task of its own: it goes on when the one who asked first has left.
        tokio::spawn(async move {
            let answer = fetch.await;
            landing.land(&answer);
            // Nobody may be waiting any more.
            let _ = sender.send(answer);
        });
        Ok(answer)
    }
}

impl<K, V, E> Inner<K, V, E> {
    fn flights(&self) -> MutexGuard<'_, Flights<K, V, E>> {
        // Nothing panics between two changes that belong together.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight, also when its task panics or is dropped.
struct Landing<K: Eq + Hash, V, E> {
    inner: Arc<Inner<K, V, E>>,
    key: K,
    id: u64,
}

impl<K, V, E> Landing<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Failure,
{
    fn land(&self, answer: &Result<V, E>) {
        let flights = self.inner.flights();
        if flights.open.get(&self.key).is_none_or(|flight| flight.id != self.id) {
            return;
        }
        let (now, times) = (self.inner.clock.unix_millis(), self.inner.times);
        let old = self.inner.entries.get(&self.key);
        let entry = match (answer, old) {
            (Err(error), Some(old))
                if !error.is_definite()
                    && old.answer.is_ok()
                    && now.saturating_sub(old.at_millis) < times.stale =>
            {
                Entry { retry_at_millis: now.saturating_add(times.error), ..old }
            }
            (answer, _) => {
                let pause = match answer {
                    Ok(_) => 0,
                    Err(error) if error.is_definite() => times.error,
                    Err(_) => times.failure,
                };
                Entry { answer: answer.clone(), at_millis: now, retry_at_millis: now.saturating_add(pause) }
            }
        };
        self.inner.entries.insert(self.key.clone(), entry);
    }
}

impl<K: Eq + Hash, V, E> Drop for Landing<K, V, E> {
    fn drop(&mut self) {
        let mut flights = self.inner.flights();
        if flights.open.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            flights.open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CacheSettings;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;

    struct Fixture {
        cache: Cache<&'static str, u32>,
        millis: Arc<AtomicU64>,
        asked: Arc<AtomicUsize>,
    }

    const ANY: u64 = u64::MAX;
    const FRESH_MILLIS: u64 = Times::IDENTITY.fresh;
    const STALE_MILLIS: u64 = Times::IDENTITY.stale;
    const ERROR_MILLIS: u64 = Times::IDENTITY.error;
    const FAILURE_MILLIS: u64 = Times::IDENTITY.failure;
    const REFETCH_FLOOR_MILLIS: u64 = Times::IDENTITY.refetch_floor;

    type Answer<V> = Result<V, ResolveError>;
    type Fetch<V> = super::Fetch<V, ResolveError>;

    impl Fixture {
        fn new() -> Self {
            Self::with(Times::IDENTITY)
        }

        fn with(times: Times) -> Self {
            let millis = Arc::new(AtomicU64::new(1_000_000_000));
            let clock = Arc::clone(&millis);
            let clock = Clock::new(move || clock.load(Ordering::SeqCst));
            Self { cache: Cache::new(clock, times, 1000, |_, _| 1), millis, asked: Arc::default() }
        }

        fn fetch(&self, answer: Answer<u32>) -> impl FnOnce() -> Fetch<u32> + use<> {
            let asked = Arc::clone(&self.asked);
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
                async move { answer }.boxed()
            }
        }

        async fn ask(&self, answer: Answer<u32>) -> Answer<u32> {
            self.cache.answer(&"k", ANY, self.fetch(answer)).await
        }

        /// Waits until nothing is under way.
        async fn settle(&self) {
            while !self.cache.inner.flights().open.is_empty() {
                tokio::task::yield_now().await;
            }
        }

        fn pass(&self, millis: u64) {
            self.millis.fetch_add(millis, Ordering::SeqCst);
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn failure() -> Answer<u32> {
        Err(ResolveError::unavailable(GivenUp))
    }

    #[tokio::test]
    async fn fresh_then_stale_then_gone() {
        let fixture = Fixture::new();
        assert_eq!(fixture.ask(Ok(1)).await.unwrap(), 1);
        fixture.pass(FRESH_MILLIS - 1);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
        assert_eq!(fixture.asked(), 1);
        fixture.pass(1);
        // The old answer comes at once, the new one behind it.
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
        fixture.settle().await;
        assert_eq!(fixture.ask(Ok(3)).await.unwrap(), 2);
        assert_eq!(fixture.asked(), 2);
        fixture.pass(STALE_MILLIS);
        assert_eq!(fixture.ask(Ok(4)).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn failures_are_bridged_by_what_is_known_but_a_no_is_not() {
        let fixture = Fixture::new();
        fixture.ask(Ok(1)).await.unwrap();
        fixture.pass(2 * FRESH_MILLIS);
        for asked in [2, 2] {
            assert_eq!(fixture.ask(failure()).await.unwrap(), 1);
            fixture.settle().await;
            assert_eq!(fixture.asked(), asked);
        }
        fixture.pass(ERROR_MILLIS);
        assert_eq!(fixture.ask(Err(ResolveError::NotFound)).await.unwrap(), 1);
        fixture.settle().await;
        assert!(matches!(fixture.ask(Ok(2)).await, Err(ResolveError::NotFound)));
        assert_eq!(fixture.asked(), 3);
        fixture.pass(ERROR_MILLIS);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 2);
        fixture.pass(STALE_MILLIS);
        assert!(matches!(fixture.ask(failure()).await, Err(ResolveError::Unavailable(_))));
    }

    #[tokio::test]
    async fn a_failure_without_an_answer_is_remembered_shortly() {
        let fixture = Fixture::new();
        fixture.ask(failure()).await.unwrap_err();
        fixture.ask(Ok(1)).await.unwrap_err();
        assert_eq!(fixture.asked(), 1);
        fixture.pass(FAILURE_MILLIS);
        assert_eq!(fixture.ask(Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_demanded_age_is_kept() {
        let fixture = Fixture::new();
        fixture.ask(Ok(1)).await.unwrap();
        fixture.pass(1000);
        assert_eq!(fixture.cache.answer(&"k", 1001, fixture.fetch(Ok(2))).await.unwrap(), 1);
        assert_eq!(fixture.cache.answer(&"k", 1000, fixture.fetch(Ok(2))).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn many_ask_once() {
        let fixture = Fixture::new();
        let gate = Arc::new(Notify::new());
        let fetch = || {
            let (gate, asked) = (Arc::clone(&gate), Arc::clone(&fixture.asked));
            move || {
                async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    Ok(1)
                }
                .boxed()
            }
        };
        let asking = futures::future::join_all((0..50).map(|_| fixture.cache.answer(&"k", ANY, fetch())));
        let opening = async { gate.notify_one() };
        let (answers, ()) = tokio::join!(asking, opening);
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 1));
        assert_eq!(fixture.asked(), 1);
    }

    #[tokio::test]
    async fn the_question_outlives_the_one_who_asked() {
        let fixture = Fixture::new();
        let gate = Arc::new(Notify::new());
        let waiting = Arc::clone(&gate);
        let fetch = || {
            async move {
                waiting.notified().await;
                Ok(1)
            }
            .boxed()
        };
        assert!(fixture.cache.answer(&"k", ANY, fetch).now_or_never().is_none());
        gate.notify_one();
        fixture.settle().await;
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_was_purged_does_not_come_back() {
        let fixture = Fixture::new();
        let gate = Arc::new(Notify::new());
        let waiting = Arc::clone(&gate);
        let fetch = || {
            async move {
                waiting.notified().await;
                Ok(1)
            }
            .boxed()
        };
        let old = fixture.cache.flight(&"k", fetch).unwrap();
        fixture.cache.purge(&"k");
        gate.notify_one();
        assert_eq!(old.await.unwrap().unwrap(), 1);
        assert_eq!(fixture.cache.cached(&"k"), None);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 2);
        fixture.cache.purge(&"k");
        assert_eq!(fixture.ask(Ok(3)).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn asking_again_is_limited() {
        let fixture = Fixture::new();
        assert_eq!(fixture.cache.refetch(&"k", fixture.fetch(Ok(1))).await.unwrap().unwrap(), 1);
        fixture.pass(REFETCH_FLOOR_MILLIS - 1);
        assert!(fixture.cache.refetch(&"k", fixture.fetch(Ok(2))).await.is_none());
        fixture.pass(1);
        fixture.cache.refetch(&"k", fixture.fetch(failure())).await.unwrap().unwrap_err();
        // The failure has not cost the old answer, and is not repeated at once.
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
        assert!(fixture.cache.refetch(&"k", fixture.fetch(Ok(2))).await.is_none());
        fixture.pass(ERROR_MILLIS);
        assert_eq!(fixture.cache.refetch(&"k", fixture.fetch(Ok(2))).await.unwrap().unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_frees_the_question() {
        let fixture = Fixture::new();
        let fetch = || async { panic!("a bug") }.boxed();
        let answer = fixture.cache.answer(&"k", ANY, fetch).await;
        assert!(matches!(answer, Err(ResolveError::Unavailable(_))));
        assert_eq!(fixture.ask(Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let cache: Cache<usize, u32> = Cache::new(Clock::system(), Times::IDENTITY, 10_000, |_, _| 1);
        for key in 0..MAX_FLIGHTS {
            drop(cache.flight(&key, || futures::future::pending().boxed()).unwrap());
        }
        let more = cache.answer(&MAX_FLIGHTS, ANY, || async { Ok(1) }.boxed()).await;
        assert!(matches!(more, Err(ResolveError::Overloaded)));
    }

    #[tokio::test]
    async fn times_are_the_callers() {
        let fixture = Fixture::with(CacheSettings::SIX_HOURS.times());
        fixture.ask(Ok(1)).await.unwrap();
        fixture.pass(6 * FRESH_MILLIS - 1);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
        assert_eq!(fixture.asked(), 1);
        fixture.pass(1);
        // Nothing old is given, not even when there is nothing new.
        assert!(matches!(fixture.ask(failure()).await, Err(ResolveError::Unavailable(_))));
        fixture.pass(FAILURE_MILLIS);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn entries_are_bounded_in_number_and_size() {
        let settings = CacheSettings { entries: 10, document_bytes: 1000, ..CacheSettings::SIX_HOURS };
        for (bytes, most) in [(1, 10), (100, 10), (500, 2)] {
            let weight =
                move |_: &usize, bytes: Option<&usize>| settings.weight(bytes.copied().unwrap_or_default());
            let cache: Cache<usize, usize> =
                Cache::new(Clock::system(), settings.times(), settings.document_bytes, weight);
            for key in 0..100 {
                cache.answer(&key, ANY, || async move { Ok(bytes) }.boxed()).await.unwrap();
            }
            cache.inner.entries.run_pending_tasks();
            assert_eq!(cache.inner.entries.entry_count(), most, "{bytes}");
        }
    }

    #[tokio::test]
    async fn times_without_end_do_not_overflow() {
        let settings = CacheSettings {
            fresh: Duration::ZERO,
            stale: Duration::MAX,
            retry: Duration::MAX,
            ..CacheSettings::REFERENCE
        };
        let fixture = Fixture::with(settings.times());
        fixture.ask(Ok(1)).await.unwrap();
        assert_eq!(fixture.ask(failure()).await.unwrap(), 1);
        fixture.settle().await;
        fixture.pass(u64::MAX / 2);
        assert_eq!(fixture.ask(Ok(2)).await.unwrap(), 1);
        assert_eq!(fixture.asked(), 2);
    }
}
