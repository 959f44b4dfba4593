//! A subscription as the frames of a WebSocket.

use arroba_core::event;
use arroba_xrpc::{Batch, FrameSource};
use async_trait::async_trait;
use bytes::Bytes;

use super::{Delivery, SubscribeError, Subscription};

/// The frames that one subscriber is sent.
#[derive(Debug)]
pub(crate) struct Frames(Subscription);

impl Frames {
    pub(crate) const fn new(subscription: Subscription) -> Self {
        Self(subscription)
    }
}

#[async_trait]
impl FrameSource for Frames {
    async fn next_batch(&mut self) -> Batch {
        match self.0.batch().await {
            Some(Ok(deliveries)) => Batch::frames(deliveries.into_iter().map(frame).collect()),
            Some(Err(error)) => {
                if let SubscribeError::Store(error) = &error {
                    tracing::error!(%error, "the event log cannot be read");
                }
                Batch::last(error.frame().into_iter().collect())
            }
            None => Batch::last(Vec::new()),
        }
    }

    fn too_slow(&mut self) -> Option<Bytes> {
        SubscribeError::ConsumerTooSlow.frame()
    }
}

fn frame(delivery: Delivery) -> Bytes {
    match delivery {
        Delivery::Event(event) => event.frame,
        Delivery::OutdatedCursor => {
            event::info("OutdatedCursor", Some("Requested cursor exceeded limit. Possibly missing events"))
        }
    }
}
