//! Rate limits in fixed windows, with the headers clients read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Result, XrpcError};

/// One limit: so many points in a window, for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The name that separates its counters from those of other limits.
    pub name: &'static str,
    /// Points allowed in one window.
    pub points: u32,
    /// Length of the window, in whole seconds.
    pub window: Duration,
}

impl RateLimit {
    /// A limit of `points` in `seconds`.
    pub const fn new(name: &'static str, points: u32, seconds: u64) -> Self {
        Self { name, points, window: Duration::from_secs(seconds) }
    }
}

/// What is left of a limit for one key, as shown in the response headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStatus {
    limit: u32,
    remaining: u32,
    /// Unix seconds.
    reset: u64,
    window_seconds: u64,
}

impl RateStatus {
    fn write(&self, headers: &mut HeaderMap) {
        let mut set = |name, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("ratelimit-limit", self.limit.to_string());
        set("ratelimit-remaining", self.remaining.to_string());
        set("ratelimit-reset", self.reset.to_string());
        set("ratelimit-policy", format!("{};w={}", self.limit, self.window_seconds));
    }
}

/// Reads unix time; passed in, so that tests own the clock.
pub type UnixClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The counters of one server. Cloning shares them.
#[derive(Clone)]
pub struct RateLimits {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    clock: UnixClock,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

/// Counters by limit and key.
type Shard = HashMap<(&'static str, Box<str>), Window>;

#[derive(Clone, Copy)]
struct Window {
    used: u32,
    /// Unix seconds at which the counter is void.
    ends: u64,
}

const SHARDS: usize = 16;
/// Bounds memory when someone sends from very many addresses: 16 x 16,384 counters, about 32 MB at most.
const KEYS_PER_SHARD: usize = 16_384;
/// Longer keys (a login identifier, say) are cut; two that share so long a prefix share a counter.
const MAX_KEY_BYTES: usize = 128;

impl RateLimits {
    /// Counts by this clock.
    pub fn new(clock: UnixClock) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { inner: Some(Arc::new(Inner { clock, hasher: RandomState::new(), shards })) }
    }

    /// Limits nothing.
    pub fn off() -> Self {
        Self { inner: None }
    }

    /// Takes `points` from `limit` for `key`. `None` when limits are off.
    ///
    /// # Errors
    /// 429 `RateLimitExceeded` with all headers when the window has too few left; a refused call costs points
    /// too, as in the reference server.
    pub fn consume(&self, limit: &RateLimit, key: &str, points: u32) -> Result<Option<RateStatus>> {
        let Some(inner) = &self.inner else { return Ok(None) };
        let now = (inner.clock)().as_secs();
        let window_seconds = limit.window.as_secs().max(1);
        let window = inner.take(limit.name, cut(key), points, now, window_seconds);
        let status = RateStatus {
            limit: limit.points,
            remaining: limit.points.saturating_sub(window.used),
            reset: window.ends,
            window_seconds,
        };
        if window.used <= limit.points {
            return Ok(Some(status));
        }
        let mut error = XrpcError::rate_limited(window.ends.saturating_sub(now).max(1));
        let mut headers = HeaderMap::new();
        status.write(&mut headers);
        for (name, value) in headers {
            if let Some(name) = name {
                error = error.with_header(name, value);
            }
        }
        Err(error)
    }
}

impl Inner {
    fn take(&self, name: &'static str, key: &str, points: u32, now: u64, window_seconds: u64) -> Window {
        let key = (name, Box::<str>::from(key));
        let index = usize::try_from(self.hasher.hash_one(&key) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(index) else {
            return Window { used: points, ends: now.saturating_add(window_seconds) };
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= KEYS_PER_SHARD && !shard.contains_key(&key) {
            shard.retain(|_, window| window.ends > now);
            if shard.len() >= KEYS_PER_SHARD {
                // Every counter is live: forgetting them all is kinder than refusing everyone new.
                shard.clear();
            }
        }
        let window = shard.entry(key).or_insert(Window { used: 0, ends: 0 });
        if window.ends <= now {
            *window = Window { used: 0, ends: now.saturating_add(window_seconds) };
        }
        window.used = window.used.saturating_add(points);
        *window
    }
}

fn cut(key: &str) -> &str {
    let mut end = key.len().min(MAX_KEY_BYTES);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key.get(..end).unwrap_or(key)
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits").field("on", &self.inner.is_some()).finish()
    }
}

/// The tightest limit that a request has met so far; the outer layer writes it into the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateSlot(Arc<Mutex<Option<RateStatus>>>);

impl RateSlot {
    fn note(&self, status: RateStatus) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none_or(|seen| status.remaining < seen.remaining) {
            *slot = Some(status);
        }
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let slot = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = slot
            && !headers.contains_key("ratelimit-limit")
        {
            status.write(headers);
        }
    }
}

/// The rate limits as seen by one request: what it consumes shows in its response headers.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    limits: RateLimits,
    slot: RateSlot,
}

impl RequestLimits {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, slot: RateSlot::default() }
    }

    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        self.slot.write(headers);
    }

    /// Takes `points` from each limit for `key`.
    ///
    /// # Errors
    /// 429 `RateLimitExceeded`.
    pub fn consume<'a>(
        &self,
        limits: impl IntoIterator<Item = &'a RateLimit>,
        key: impl Into<Cow<'a, str>>,
        points: u32,
    ) -> Result<()> {
        let key = key.into();
        for limit in limits {
            if let Some(status) = self.limits.consume(limit, &key, points)? {
                self.slot.note(status);
            }
        }
        Ok(())
    }
}

impl<S: Sync> FromRequestParts<S> for RequestLimits {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::new(RateLimits::off())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::response::IntoResponse;

    use super::*;

    fn limits() -> (RateLimits, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(1_000));
        let clock = Arc::clone(&now);
        (RateLimits::new(Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)))), now)
    }

    const TWO: RateLimit = RateLimit::new("two", 2, 300);

    #[test]
    fn the_window_fills_and_opens_again() {
        let (limits, now) = limits();
        assert_eq!(limits.consume(&TWO, "a", 1).unwrap().unwrap().remaining, 1);
        assert_eq!(limits.consume(&TWO, "a", 1).unwrap().unwrap().remaining, 0);
        let response = limits.consume(&TWO, "a", 1).unwrap_err().into_response();
        assert_eq!(response.status(), 429);
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("ratelimit-limit"), "2");
        assert_eq!(header("ratelimit-remaining"), "0");
        assert_eq!(header("ratelimit-reset"), "1300");
        assert_eq!(header("ratelimit-policy"), "2;w=300");
        assert_eq!(header("retry-after"), "300");
        assert!(limits.consume(&TWO, "b", 1).is_ok(), "keys are apart");
        now.store(1_300, Ordering::Relaxed);
        assert!(limits.consume(&TWO, "a", 1).is_ok());
    }

    #[test]
    fn many_keys_stay_bounded() {
        let (limits, _) = limits();
        for n in 0..(SHARDS * KEYS_PER_SHARD + 50_000) {
            limits.consume(&TWO, &n.to_string(), 1).unwrap();
        }
        let inner = limits.inner.as_ref().unwrap();
        assert!(inner.shards.iter().all(|s| s.lock().unwrap().len() <= KEYS_PER_SHARD));
    }

    #[test]
    fn long_keys_are_cut_at_a_character() {
        let key = "é".repeat(200);
        assert_eq!(cut(&key).len(), 128);
        assert_eq!(cut(&format!("a{key}")).len(), 127);
    }

    #[test]
    fn off_limits_nothing() {
        for _ in 0..10 {
            assert_eq!(RateLimits::off().consume(&TWO, "a", 1).unwrap(), None);
        }
    }
}
