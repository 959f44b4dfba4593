//! One reader of the firehose.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arroba_core::event;
use arroba_core::syntax::Did;
use arroba_store::{StoreError, StoredEvent};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream};
use tokio::sync::watch;

use super::Firehose;

/// What a subscription yields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// The next event. Its `frame` is ready to be sent.
    Event(StoredEvent),
    /// The cursor was older than what is kept; events may be missing. Comes first, if at all.
    OutdatedCursor,
}

impl Delivery {
    fn is_of(&self, did: &Did) -> bool {
        match self {
            Self::Event(event) => event.did == *did,
            Self::OutdatedCursor => true,
        }
    }
}

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The cursor lies after the newest event.
    #[error("the cursor lies in the future")]
    FutureCursor,
    /// The reader fell so far behind that what it needs next is no longer kept.
    #[error("the consumer is too slow")]
    ConsumerTooSlow,
    /// The host's store is gone, so there will be no more events.
    #[error("the event log is closed")]
    Closed,
    /// The event log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubscribeError {
    /// The error frame that tells a subscriber, or `None` if the reason is none of its business.
    #[must_use]
    pub fn frame(&self) -> Option<Bytes> {
        match self {
            Self::FutureCursor => Some(event::error("FutureCursor", Some("Cursor in the future."))),
            Self::ConsumerTooSlow => Some(event::error("ConsumerTooSlow", Some("Stream consumer too slow"))),
            Self::Closed | Self::Store(_) => None,
        }
    }
}

/// A reader's place in the event log, as a stream of events that never ends by itself.
///
/// After an error the stream is over. Dropping it is all it takes to unsubscribe.
pub struct Subscription {
    state: State,
    ready: VecDeque<Delivery>,
    only: Option<Did>,
}

type Batch = Result<Vec<Delivery>, SubscribeError>;

enum State {
    Idle(Box<Reader>),
    Reading(BoxFuture<'static, (Box<Reader>, Batch)>),
    Over,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(super) fn new(firehose: Firehose, cursor: Option<u64>) -> Self {
        let tail = firehose.tail();
        let newest = *tail.borrow();
        let started = cursor.is_none();
        let cursor = cursor.unwrap_or(newest);
        let place = firehose.place(cursor);
        let reader = Reader { firehose, tail, cursor, place, started };
        Self { state: State::Idle(Box::new(reader)), ready: VecDeque::new(), only: None }
    }

    /// Only the events of this repo. Those of others are read and passed over.
    #[must_use]
    pub fn of(mut self, did: Did) -> Self {
        self.only = Some(did);
        self
    }

    /// Waits for what follows, and takes all of it that is at hand: at least one delivery, at most a page of them.
    ///
    /// # Errors
    ///
    /// After an error, and after `None`, there is nothing more.
    pub async fn batch(&mut self) -> Option<Result<Vec<Delivery>, SubscribeError>> {
        if !self.ready.is_empty() {
            return Some(Ok(self.ready.drain(..).collect()));
        }
        std::future::poll_fn(|cx| self.poll_read(cx)).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<Delivery>, SubscribeError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Idle(reader) => self.state = State::Reading(reader.read().boxed()),
                State::Reading(mut reading) => match reading.poll_unpin(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((reader, Ok(mut deliveries))) => {
                        self.state = State::Idle(reader);
                        if let Some(only) = &self.only {
                            deliveries.retain(|delivery| delivery.is_of(only));
                            if deliveries.is_empty() {
                                continue;
                            }
                        }
                        return Poll::Ready(Some(Ok(deliveries)));
                    }
                    Poll::Ready((_, Err(error))) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Delivery, SubscribeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(delivery)));
            }
            match futures::ready!(self.poll_read(cx)) {
                Some(Ok(deliveries)) => self.ready.extend(deliveries),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

struct Reader {
    firehose: Firehose,
    tail: watch::Receiver<u64>,
    cursor: u64,
    /// The cursor, for those who watch how far behind readers are.
    place: Arc<AtomicU64>,
    /// Whether the cursor was already looked at.
    started: bool,
}

impl Reader {
    async fn read(mut self: Box<Self>) -> (Box<Self>, Batch) {
        let result = self.next().await;
        (self, result)
    }

    async fn next(&mut self) -> Batch {
        if !self.started {
            self.started = true;
            if self.start().await? {
                return Ok(vec![Delivery::OutdatedCursor]);
            }
        }
        loop {
            // Seen before the read, so that growth during it is noticed afterwards.
            self.tail.borrow_and_update();
            let batch = self.firehose.after(self.cursor).await?;
            if batch.lost {
                return Err(SubscribeError::ConsumerTooSlow);
            }
            let moved = batch.next > self.cursor;
            self.move_to(batch.next);
            if !batch.events.is_empty() {
                return Ok(batch.events.into_iter().map(Delivery::Event).collect());
            }
            if !moved && self.tail.changed().await.is_err() {
                return Err(SubscribeError::Closed);
            }
        }
    }

    /// Checks the cursor and moves it into the window. Says whether events may be missing.
    async fn start(&mut self) -> Result<bool, SubscribeError> {
        if self.cursor > *self.tail.borrow() {
            if self.cursor > self.firehose.newest_given().await? {
                return Err(SubscribeError::FutureCursor);
            }
            // Another node has sent what cannot be read here yet: it is waited for.
            return Ok(false);
        }
        let Some(entry) = self.firehose.window_entry(self.cursor).await? else { return Ok(false) };
        self.move_to(entry);
        Ok(true)
    }

    fn move_to(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.place.store(cursor, Ordering::Relaxed);
    }
}
