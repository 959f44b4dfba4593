//! How far a streamed request body has come: whose turn it is, and since when.

use bytes::Bytes;
use futures::stream::BoxStream;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::client::after;

/// The stream's own failure, to be told from that of the connection.
#[derive(Debug, Error)]
#[error("request body failed")]
pub(crate) struct SendingFailed(#[source] io::Error);

/// Since when the peer has had something to do; nothing while the request's body is what is waited for.
pub(crate) struct Progress(watch::Sender<Option<Instant>>);

impl Progress {
    pub(crate) fn new(now: Instant) -> Self {
        Self(watch::Sender::new(Some(now)))
    }

    /// The body of the request, followed.
    pub(crate) fn follow(&self, stream: BoxStream<'static, io::Result<Bytes>>) -> reqwest::Body {
        reqwest::Body::wrap_stream(Followed { stream, progress: self.0.clone() })
    }

    /// Ends when the peer has let so much time pass.
    pub(crate) fn silence(&self, patience: Duration) -> impl Future<Output = ()> + use<> {
        let mut progress = self.0.subscribe();
        async move {
            loop {
                let since = *progress.borrow_and_update();
                let changed = match since {
                    None => progress.changed().await,
                    Some(since) => tokio::select! {
                        () = sleep_until(after(since, patience)) => return,
                        changed = progress.changed() => changed,
                    },
                };
                // Nobody is left who could say more: the time that was known last runs out.
                if changed.is_err() {
                    let since = since.unwrap_or_else(Instant::now);
                    return sleep_until(after(since, patience)).await;
                }
            }
        }
    }
}

struct Followed {
    stream: BoxStream<'static, io::Result<Bytes>>,
    progress: watch::Sender<Option<Instant>>,
}

impl futures::Stream for Followed {
    type Item = Result<Bytes, SendingFailed>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.stream.as_mut().poll_next(context);
        self.progress.send_replace(polled.is_ready().then(Instant::now));
        polled.map(|piece| piece.map(|piece| piece.map_err(SendingFailed)))
    }
}
