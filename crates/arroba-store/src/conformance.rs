//! The contracts, checked: what every backend must pass.
//!
//! A backend of your own runs it in a test:
//!
//! ```no_run
//! # async fn test() {
//! arroba_store::conformance::repo_store(|| async { arroba_store::Memory::new() }).await;
//! # }
//! ```
//!
//! Each check gets a fresh, empty store and panics at the first rule that is broken, with its number in the message (see
//! [`RepoStore`], [`BlobIndex`] and [`RemoteBlobIndex`]).
#![expect(clippy::unwrap_used, reason = "a failed check is a panic")]

mod author;
mod backlinks;
mod blobs;
mod commits;
mod events;
mod exports;
mod imports;
mod lifecycle;
mod reads;
mod remote_blobs;

use std::future::Future;

pub use author::Author;

use crate::{BlobIndex, RemoteBlobIndex, RepoStore};

macro_rules! check {
    ($make:ident, $ran:ident: $($check:path $(=> $with:expr)?),+ $(,)?) => {
        $(
            tracing::info!(check = stringify!($check), "conformance");
            let store: std::sync::Arc<S> = std::sync::Arc::new($make().await);
            Box::pin($check(store $(, $with)?)).await;
            $ran += 1;
        )+
    };
}

/// What the contract leaves open, as a backend does it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Traits {
    /// Sequence numbers have no holes.
    pub dense: bool,
    /// The event log forgets what retention says.
    pub forgets: bool,
    /// The key of a remote blob may have any number of bytes: 1,500 characters are up to 6,000.
    pub long_keys: bool,
}

impl Default for Traits {
    /// As SQL does it.
    fn default() -> Self {
        Self { dense: true, forgets: true, long_keys: true }
    }
}

impl Traits {
    /// Numbers are given out before a change is made, so that one that comes to nothing may leave a hole.
    #[must_use]
    pub const fn with_holes(mut self) -> Self {
        self.dense = false;
        self
    }

    /// Events are kept for ever.
    #[must_use]
    pub const fn keeping_events(mut self) -> Self {
        self.forgets = false;
        self
    }

    /// Keys of remote blobs that have more than 1,500 bytes are refused.
    #[must_use]
    pub const fn with_short_keys(mut self) -> Self {
        self.long_keys = false;
        self
    }
}

/// Runs all checks of [`RepoStore`] and [`BlobIndex`]; `make` gives an empty store each time. Returns how many checks ran.
///
/// # Panics
/// When a rule is broken.
pub async fn repo_store<S, F, M>(make: M) -> usize
where
    S: RepoStore + BlobIndex,
    F: Future<Output = S>,
    M: Fn() -> F,
{
    let mut ran = repos(Traits::default(), &make).await;
    ran += blobs(make).await;
    ran
}

/// Runs all checks of [`RepoStore`] that need no blobs, on a backend with these traits.
///
/// # Panics
/// When a rule is broken.
pub async fn repos<S, F, M>(traits: Traits, make: M) -> usize
where
    S: RepoStore,
    F: Future<Output = S>,
    M: Fn() -> F,
{
    let mut ran = 0;
    check!(make, ran:
        commits::an_empty_repository_has_its_root,
        commits::random_batches_agree_with_a_model,
        commits::heads_are_compared_and_swapped,
        commits::concurrent_writers_lose_nothing,
        commits::revs_grow,
        commits::changes_of_one_call_are_made_in_order,
        events::numbers_are_dense_and_frames_exact,
        events::pages_join_without_gap_or_double,
        events::those_of_one_repository,
        events::a_refused_change_uses_no_number => traits,
        events::readers_never_see_a_number_late => traits,
        events::takedown_hides_and_lifting_shows,
        events::deletion_hides_for_ever,
        lifecycle::reservations_hold_and_vanish,
        lifecycle::unfinished_creations_are_listed,
        lifecycle::handles_are_unique,
        lifecycle::status_and_takedown_are_apart,
        lifecycle::a_deleted_repository_can_come_back,
        lifecycle::malformed_changes_change_nothing,
        reads::ranges_both_ways,
        reads::pages_are_bounded_in_bytes,
        reads::hidden_records_are_left_out,
        reads::repositories_are_listed_in_order,
        exports::since_completes_an_older_export,
        exports::chosen_blocks_and_missing_ones,
        exports::an_export_is_one_snapshot,
        imports::an_import_replaces_everything_at_once,
        imports::a_wrong_or_late_import_changes_nothing,
        backlinks::they_live_with_their_records,
        backlinks::an_import_brings_its_own,
    );
    if traits.forgets {
        check!(make, ran:
            events::numbers_are_not_reused_when_the_log_is_emptied,
            events::size_bounds_the_log,
        );
    }
    ran
}

/// Runs all checks of [`BlobIndex`], and those of [`RepoStore`] that need blobs.
///
/// # Panics
/// When a rule is broken.
pub async fn blobs<S, F, M>(make: M) -> usize
where
    S: RepoStore + BlobIndex,
    F: Future<Output = S>,
    M: Fn() -> F,
{
    let mut ran = 0;
    check!(make, ran:
        lifecycle::deletion_leaves_only_the_row,
        blobs::references_decide_what_lives,
        blobs::fresh_uploads_must_be_described_rightly,
        blobs::the_same_bytes_twice,
        blobs::taken_down_blobs_cannot_be_used,
        blobs::lists_and_missing,
        blobs::old_uploads_are_swept,
        imports::blobs_follow_an_import,
    );
    ran
}

/// Runs all checks of [`RemoteBlobIndex`] on a backend with these traits, as [`repos`] does those of [`RepoStore`].
///
/// # Panics
/// When a rule is broken.
pub async fn remote_blobs<S, F, M>(traits: Traits, make: M) -> usize
where
    S: RepoStore + BlobIndex + RemoteBlobIndex,
    F: Future<Output = S>,
    M: Fn() -> F,
{
    let mut ran = 0;
    check!(make, ran:
        remote_blobs::one_blob_for_a_url,
        remote_blobs::urls_are_told_apart_by_their_keys => traits,
        remote_blobs::callers_at_once_lose_no_user,
        remote_blobs::attempts_decide_what_is_active,
        remote_blobs::found_by_cid_and_by_account,
        remote_blobs::uses_end_with_the_account,
        remote_blobs::records_may_refer_to_them,
    );
    ran
}
