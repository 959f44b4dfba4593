//! Where the frames of a subscription come from.

use async_trait::async_trait;
use bytes::Bytes;

/// A source of ready frames for one subscriber.
///
/// # Contract
/// 1. `next_batch` returns everything that is ready, up to a bound of its own, and waits when there is nothing.
/// 2. Frames are complete messages; each is sent as one binary WebSocket message, in order.
/// 3. The future may be dropped when the connection ends; a dropped call loses frames of this subscriber only.
/// 4. After [`Batch::last`] it is not called again.
#[async_trait]
pub trait FrameSource: Send + 'static {
    /// The next frames.
    async fn next_batch(&mut self) -> Batch;

    /// The error frame to try to send to a client that takes nothing any more, if the protocol has one.
    fn too_slow(&mut self) -> Option<Bytes> {
        None
    }
}

/// Frames to send, and whether they are the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    frames: Vec<Bytes>,
    last: bool,
}

impl Batch {
    /// Frames with more to come.
    pub fn frames(frames: Vec<Bytes>) -> Self {
        Self { frames, last: false }
    }

    /// The last frames, possibly an error frame; the connection is closed after them.
    pub fn last(frames: Vec<Bytes>) -> Self {
        Self { frames, last: true }
    }

    pub(super) fn into_parts(self) -> (Vec<Bytes>, bool) {
        (self.frames, self.last)
    }
}
