//! Changes: what is written, as values.

use std::ops::Range;

use arroba_core::{
    data::{BlobRef, Cid},
    event::EventDraft,
    repo::SignedCommit,
    syntax::{Did, Handle, RecordPath},
};

use crate::{
    repo::{RepoStatus, Subject},
    reservation::Reservation,
    seal::{SealedKey, SealedKeys},
};

/// One durable step of one repository: all of it happens, or nothing.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose repository.
    pub did: Did,
    /// When, in microseconds since 1970: the time of its events for retention, and of the repository's creation.
    pub time: u64,
    /// What happens.
    pub kind: ChangeKind,
    /// The events that tell of it, in order. The store emits exactly these; a commit's own event is among them where it
    /// is to be told.
    pub events: Vec<EventDraft>,
    /// What [`RepoStore::reserve`](crate::RepoStore::reserve) gave for these events, if they hold a commit's. Without one the
    /// store numbers them as it applies the change.
    pub reservation: Reservation,
}

/// The kinds of durable change; the list is complete.
#[derive(Clone, Debug)]
pub enum ChangeKind {
    /// Takes DID, handle and key for an account that is about to be created ([`RepoStatus::Creating`]).
    Reserve {
        /// The handle it will have.
        handle: Option<Handle>,
        /// Its keys.
        keys: SealedKeys,
    },
    /// Creates the repository with its first commit. The DID is new, reserved, or deleted.
    Create {
        /// The handle.
        handle: Option<Handle>,
        /// The keys.
        keys: SealedKeys,
        /// [`RepoStatus::Active`] or, for an account that moves here, [`RepoStatus::Deactivated`].
        status: RepoStatus,
        /// The first commit; it expects no head.
        commit: Box<CommitChange>,
    },
    /// A commit on an active repository.
    Commit(Box<CommitChange>),
    /// Sets the owner's or operator's status: active, deactivated or suspended.
    Status {
        /// The new one.
        status: RepoStatus,
    },
    /// Takes the repository down, or lifts that. A takedown hides its earlier events at once, lifting shows them again.
    Takedown {
        /// The moderator's reference; nothing to lift.
        reference: Option<String>,
    },
    /// Sets the handle (nothing: none any more), and the key if there is a new one.
    Identity {
        /// The handle.
        handle: Option<Handle>,
        /// A new signing key.
        sealed_key: Option<SealedKey>,
    },
    /// Nothing but events.
    Announce,
    /// Takes a record or a blob down, or lifts that.
    Hide {
        /// What.
        subject: Subject,
        /// The moderator's reference; nothing to lift.
        reference: Option<String>,
    },
    /// Deletes the repository: the head, the handle and all earlier events are gone at once, the row stays. A reservation
    /// vanishes.
    Delete,
}

/// A commit with what it needs to be stored.
#[derive(Clone, Debug)]
pub struct CommitChange {
    /// The head it was made on; compared inside the transaction.
    pub expect: Option<Cid>,
    /// The commit, its records and its tree nodes.
    pub signed: SignedCommit,
    /// Every blob that its created and updated records refer to. References of updated and deleted records that are not
    /// among them end.
    pub blobs: Vec<(RecordPath, BlobRef)>,
    /// What its created and updated records have backlinks to. Backlinks of updated and deleted records that are not among
    /// them end.
    pub backlinks: Vec<(RecordPath, String)>,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The sequence numbers of its events, in their order; empty if there were none.
    pub seqs: Range<u64>,
}

impl Applied {
    /// The number of its first event.
    pub fn first_seq(&self) -> Option<u64> {
        (!self.seqs.is_empty()).then_some(self.seqs.start)
    }

    /// The number of its last event.
    pub fn last_seq(&self) -> Option<u64> {
        (!self.seqs.is_empty()).then(|| self.seqs.end.saturating_sub(1))
    }
}
