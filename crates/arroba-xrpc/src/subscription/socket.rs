//! The loop of one connection.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use super::{Batch, FrameSource, SubscriptionOptions};

const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;

/// How long the closing handshake, or one last frame to a stalled client, may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Bytes fed before a flush: frames that are pending together leave in few writes, and one slow client holds little.
const FLUSH_BYTES: usize = 256 * 1024;

/// Serves `source` until it ends, the client leaves, stalls or misbehaves, or the server closes.
pub(super) async fn run(
    mut socket: WebSocket,
    mut source: impl FrameSource,
    options: &SubscriptionOptions,
    closing: &CancellationToken,
) {
    let mut ping = interval_at(Instant::now() + options.ping_every, options.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();

    loop {
        let batch = {
            let mut next = source.next_batch();
            loop {
                tokio::select! {
                    () = closing.cancelled() => {
                        drop(next);
                        return close(&mut socket, GOING_AWAY, "server is shutting down").await;
                    }
                    message = socket.next() => match incoming(message) {
                        ControlFlow::Continue(()) => heard = Instant::now(),
                        ControlFlow::Break(code) => {
                            drop(next);
                            if let Some((code, reason)) = code {
                                close(&mut socket, code, reason).await;
                            }
                            return;
                        }
                    },
                    _ = ping.tick() => {
                        let gone = heard.elapsed() >= options.idle;
                        let pinged = socket.send(Message::Ping(Bytes::new()));
                        if gone || !matches!(timeout(options.stall, pinged).await, Ok(Ok(()))) {
                            return;
                        }
                    }
                    batch = &mut next => break batch,
                }
            }
        };
        match send(&mut socket, batch, options.stall, closing).await {
            Sent::More => {}
            Sent::Last => return close(&mut socket, NORMAL, "").await,
            Sent::Broken => return,
            Sent::Closing => return close(&mut socket, GOING_AWAY, "server is shutting down").await,
            Sent::Stalled => {
                if let Some(frame) = source.too_slow() {
                    let _ = timeout(FAREWELL, socket.send(Message::Binary(frame))).await;
                }
                return close(&mut socket, POLICY, "ConsumerTooSlow").await;
            }
        }
    }
}

type CloseWith = Option<(u16, &'static str)>;

/// Clients have nothing to say: frames are dropped, pings are answered by the library, a close ends the loop.
fn incoming(message: Option<Result<Message, axum::Error>>) -> ControlFlow<CloseWith> {
    match message {
        Some(Ok(Message::Close(_))) | None => ControlFlow::Break(None),
        Some(Ok(_)) => ControlFlow::Continue(()),
        Some(Err(error)) => {
            let error = error.into_inner();
            let oversize = error
                .downcast_ref::<tungstenite::Error>()
                .is_some_and(|e| matches!(e, tungstenite::Error::Capacity(_)));
            ControlFlow::Break(oversize.then_some((TOO_BIG, "message is too long")))
        }
    }
}

enum Sent {
    More,
    Last,
    Broken,
    Stalled,
    Closing,
}

/// Feeds all frames, flushing when much is buffered and at the end; `stall` bounds each step.
async fn send(socket: &mut WebSocket, batch: Batch, stall: Duration, closing: &CancellationToken) -> Sent {
    let (frames, last) = batch.into_parts();
    let mut buffered = 0usize;
    let mut frames = frames.into_iter();
    loop {
        let frame = frames.next();
        let done = frame.is_none();
        let step = async {
            if let Some(frame) = frame {
                buffered = buffered.saturating_add(frame.len());
                socket.feed(Message::Binary(frame)).await?;
            }
            if done || buffered >= FLUSH_BYTES {
                buffered = 0;
                socket.flush().await?;
            }
            Ok::<(), axum::Error>(())
        };
        tokio::select! {
            result = timeout(stall, step) => match result {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Sent::Broken,
                Err(_) => return Sent::Stalled,
            },
            () = closing.cancelled() => return Sent::Closing,
        }
        if done {
            return if last { Sent::Last } else { Sent::More };
        }
    }
}

/// Sends the close frame and waits a little for the client's, so that it sees the code and not a reset.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let farewell = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(FAREWELL, farewell).await;
}
