//! Events as values: decoded, with the records that they carry.

use std::pin::Pin;
use std::task::{Context, Poll};

use arroba_core::car::{self, CarError, Limits};
use arroba_core::data::cbor::{self, CborError};
use arroba_core::data::{Cid, Value};
use arroba_core::event::{AccountEvent, Action, CommitEvent, Frame, FrameError, IdentityEvent, SyncEvent};
use arroba_core::syntax::{Did, RecordPath};
use arroba_store::StoredEvent;
use futures::{Stream, StreamExt};

use super::{Delivery, SubscribeError, Subscription};

/// An event of a host, decoded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostEvent {
    /// A repo has a new revision.
    Commit(Box<Committed>),
    /// What a repo's newest commit is, whatever was said before.
    Sync(u64, SyncEvent),
    /// Something about an identity may have changed.
    Identity(u64, IdentityEvent),
    /// The status of an account.
    Account(u64, AccountEvent),
    /// Nothing happened: the cursor was older than what is kept, and events may be missing. Comes first, if at all.
    OutdatedCursor,
}

/// A commit and what it wrote.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Committed {
    /// The sequence number.
    pub seq: u64,
    /// The event as it goes out.
    pub event: CommitEvent,
    /// Its writes, in the order of their paths.
    pub writes: Vec<CommittedWrite>,
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommittedWrite {
    /// What happened.
    pub action: Action,
    /// To which record.
    pub path: RecordPath,
    /// The CID of the record; `None` for a deletion.
    pub cid: Option<Cid>,
    /// The CID of what was there before.
    pub prev: Option<Cid>,
    /// The record; `None` for a deletion.
    pub record: Option<Value<'static>>,
}

/// Why an event cannot be decoded. Those of a host itself always can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The frame is malformed.
    #[error("the frame is malformed")]
    Frame(#[from] FrameError),
    /// The frame is of no kind that tells of a repo.
    #[error("the frame tells of no repo")]
    Kind,
    /// The blocks of a commit are no CAR file.
    #[error("the blocks of the commit are malformed")]
    Blocks(#[from] CarError),
    /// A commit lacks the block of a record that it wrote.
    #[error("the commit lacks the block of {0}")]
    Missing(RecordPath),
    /// A record is malformed.
    #[error("the record at {path} is malformed")]
    Record {
        /// Which.
        path: RecordPath,
        /// What is wrong.
        #[source]
        source: CborError,
    },
}

impl HostEvent {
    /// Decodes an event of the log.
    ///
    /// # Errors
    /// What is malformed.
    pub fn decode(event: &StoredEvent) -> Result<Self, EventError> {
        Ok(match Frame::decode(&event.frame)? {
            Frame::Commit(seq, event) => Self::Commit(Box::new(Committed::decode(seq, event)?)),
            Frame::Sync(seq, event) => Self::Sync(seq, event),
            Frame::Identity(seq, event) => Self::Identity(seq, event),
            Frame::Account(seq, event) => Self::Account(seq, event),
            _ => return Err(EventError::Kind),
        })
    }

    /// The sequence number; `None` where nothing happened.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Commit(commit) => Some(commit.seq),
            Self::Sync(seq, _) | Self::Identity(seq, _) | Self::Account(seq, _) => Some(*seq),
            Self::OutdatedCursor => None,
        }
    }

    /// Whose event it is.
    #[must_use]
    pub fn did(&self) -> Option<&Did> {
        match self {
            Self::Commit(commit) => Some(&commit.event.repo),
            Self::Sync(_, event) => Some(&event.did),
            Self::Identity(_, event) => Some(&event.did),
            Self::Account(_, event) => Some(&event.did),
            Self::OutdatedCursor => None,
        }
    }
}

impl Committed {
    fn decode(seq: u64, event: CommitEvent) -> Result<Self, EventError> {
        let blocks = car::read_all(&event.blocks, &Limits::SLICE)?.blocks;
        let writes = event.ops.iter().map(|op| {
            let record = match op.cid {
                None => None,
                Some(cid) => {
                    let block = blocks.get(&cid).ok_or_else(|| EventError::Missing(op.path.clone()))?;
                    let value = cbor::decode(block)
                        .map_err(|source| EventError::Record { path: op.path.clone(), source })?;
                    Some(value.into_owned())
                }
            };
            Ok(CommittedWrite {
                action: op.action,
                path: op.path.clone(),
                cid: op.cid,
                prev: op.prev,
                record,
            })
        });
        let writes = writes.collect::<Result<_, EventError>>()?;
        Ok(Self { seq, event, writes })
    }
}

/// Why a stream of events ended, or could not show one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The subscription ended.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// An event cannot be decoded; the stream goes on behind it.
    #[error("event {seq} cannot be decoded")]
    Event {
        /// Which.
        seq: u64,
        /// What is wrong with it.
        #[source]
        source: EventError,
    },
}

/// Events as values, from a cursor on: all of a host, or one repo's. It never ends by itself.
#[derive(Debug)]
pub struct Events {
    subscription: Subscription,
}

impl Events {
    pub(crate) const fn new(subscription: Subscription) -> Self {
        Self { subscription }
    }

    /// Only those of this repo.
    #[must_use]
    pub fn of(mut self, did: Did) -> Self {
        self.subscription = self.subscription.of(did);
        self
    }
}

impl Stream for Events {
    type Item = Result<HostEvent, EventsError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.subscription.poll_next_unpin(cx).map(|delivery| {
            Some(match delivery? {
                Ok(Delivery::OutdatedCursor) => Ok(HostEvent::OutdatedCursor),
                Ok(Delivery::Event(event)) => {
                    HostEvent::decode(&event).map_err(|source| EventsError::Event { seq: event.seq, source })
                }
                Err(error) => Err(error.into()),
            })
        })
    }
}
