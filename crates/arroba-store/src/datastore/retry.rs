//! What may be repeated, and when.
//!
//! After <https://cloud.google.com/datastore/docs/concepts/errors> and Google's own client configuration. The codes:
//!
//! | code | the service's advice | here |
//! |---|---|---|
//! | UNAVAILABLE, DEADLINE_EXCEEDED | repeat with exponential back-off | repeated if the call may be made twice |
//! | RESOURCE_EXHAUSTED | repeat with back-off, unless it is the quota | repeated always: the call was refused before it did anything |
//! | ABORTED | outside of a transaction repeat, inside repeat the whole transaction | the same; the transaction's is [`Verdict::Conflict`] |
//! | INTERNAL | do not repeat more than once | repeated once if the call may be made twice |
//! | CANCELLED, UNKNOWN | - | what our own HTTP/2 stack says when a connection breaks: as UNAVAILABLE |
//! | all others | do not repeat | final |
//!
//! Which calls may be made twice ([`Effect`]):
//! - Lookups and queries: they change nothing.
//! - Beginning a transaction, also by a lookup: if the first one did begin, it is left behind without a name and the service ends it after
//!   60 idle seconds. On a database with pessimistic locks it keeps others from writing what it read until then; nothing is wrong after it.
//! - A non-transactional commit of upserts and deletions: the second leaves what the first left. Whoever calls makes sure that a later
//!   write of somebody else to the same entities is no loss, as it is where the key names the content.
//! - Rollback: the second finds the transaction gone, which is what was wanted.
//!
//! The commit of a transaction may not: the second one says that the transaction is closed, which does not tell a success from a
//! failure. Without an answer its outcome is unknown, and is reported as that.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gcloud_sdk::tonic::Code;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// What a second attempt does if the first one took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The same, or nothing.
    Repeatable,
    /// The same, but what it reads belongs to a transaction that an abort ends.
    ReadInTransaction,
    /// Nobody can know.
    CommitTransaction,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Retry,
    RetryOnce,
    Conflict,
    Unknown,
    Final,
}

pub(super) const fn verdict(code: Code, effect: Effect) -> Verdict {
    match (code, effect) {
        (Code::ResourceExhausted, _) => Verdict::Retry,
        (Code::Aborted, Effect::Repeatable) => Verdict::Retry,
        (Code::Aborted, _) => Verdict::Conflict,
        (
            Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::Cancelled | Code::Unknown,
            Effect::CommitTransaction,
        ) => Verdict::Unknown,
        (Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown, _) => Verdict::Retry,
        (Code::Internal, _) => Verdict::RetryOnce,
        _ => Verdict::Final,
    }
}

/// Exponential back-off with full jitter: the wait before attempt n + 1 is any time up to `base * 2^(n - 1)`, and up to `cap`.
#[derive(Debug)]
pub(super) struct Backoff {
    base: Duration,
    cap: Duration,
    random: Mutex<StdRng>,
}

impl Backoff {
    pub(super) fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// The wait after this many failures, of which there is one at least.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(doubled).min(self.cap);
        let share: f64 = self.random.lock().unwrap_or_else(PoisonError::into_inner).random();
        ceiling.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_bounded_and_repeat_with_the_seed() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(5));
        let waits = |seed| {
            let backoff = Backoff::new(base, cap, seed);
            (1..200).map(|failures| backoff.wait(failures)).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        for (index, wait) in waits(1).into_iter().enumerate() {
            assert!(wait <= base.saturating_mul(1 << index.min(20)).min(cap), "{index}: {wait:?}");
        }
        assert!(waits(1).into_iter().any(|wait| wait > Duration::from_secs(4)), "the ceiling is reached");
    }

    #[test]
    fn a_commit_without_an_answer_is_never_repeated() {
        for code in
            [Code::Unavailable, Code::DeadlineExceeded, Code::Internal, Code::Cancelled, Code::Unknown]
        {
            assert_eq!(verdict(code, Effect::CommitTransaction), Verdict::Unknown, "{code:?}");
        }
        assert_eq!(verdict(Code::Aborted, Effect::CommitTransaction), Verdict::Conflict);
        assert_eq!(verdict(Code::Aborted, Effect::ReadInTransaction), Verdict::Conflict);
        assert_eq!(verdict(Code::Aborted, Effect::Repeatable), Verdict::Retry);
        assert_eq!(verdict(Code::Internal, Effect::Repeatable), Verdict::RetryOnce);
        for code in [Code::InvalidArgument, Code::NotFound, Code::AlreadyExists, Code::PermissionDenied] {
            assert_eq!(verdict(code, Effect::Repeatable), Verdict::Final, "{code:?}");
        }
    }
}
