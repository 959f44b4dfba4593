//! What a host takes from outside: the time and randomness.
//!
//! Both are passed in, so that a host with a fixed clock and seeded randomness writes the same bytes on every run.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arroba_core::data::Cid;
use arroba_core::syntax::Datetime;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now_micros(&self) -> u64;
}

/// The time of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is set; for tests.
#[derive(Debug)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// A clock that shows `micros` microseconds since the Unix epoch.
    #[must_use]
    pub const fn new(micros: u64) -> Self {
        Self(AtomicU64::new(micros))
    }

    /// Moves the clock to `micros`, forwards or backwards.
    pub fn set(&self, micros: u64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    /// Moves the clock forwards by `micros`.
    pub fn advance(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now_micros(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Yields unpredictable bytes, for keys and names.
pub trait Randomness: fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }
}

/// A reproducible sequence of bytes; for tests only, because whoever knows the seed knows every key.
#[derive(Debug)]
pub struct SeededRandomness(Mutex<[u8; 32]>);

impl SeededRandomness {
    /// The sequence that starts from `seed`.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            // A hash chain: the first byte tells output from next state.
            let output = *Cid::for_raw(&[&[0][..], &state[..]].concat()).digest();
            *state = *Cid::for_raw(&[&[1][..], &state[..]].concat()).digest();
            for (byte, drawn) in chunk.iter_mut().zip(output) {
                *byte = drawn;
            }
        }
    }
}

/// The time as the protocol writes it: RFC 3339 in UTC with milliseconds.
pub(crate) fn datetime(micros: u64) -> Datetime {
    Datetime::from_unix_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_randomness_repeats_and_moves_on() {
        let (one, two) = (SeededRandomness::new([7; 32]), SeededRandomness::new([7; 32]));
        let mut first = [0; 40];
        let mut again = [0; 40];
        one.fill(&mut first);
        two.fill(&mut again);
        assert_eq!(first, again);
        two.fill(&mut again);
        assert_ne!(first, again);
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::new(5);
        assert_eq!(clock.now_micros(), 5);
        clock.advance(3);
        assert_eq!(clock.now_micros(), 8);
        clock.set(1);
        assert_eq!(clock.now_micros(), 1);
    }
}
