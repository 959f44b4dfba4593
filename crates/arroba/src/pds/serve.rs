//! Running a server, and ending it without losing anyone's answer.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_util::sync::CancellationToken;

use super::{Figures, Pds, connections};
use crate::error::Result;

/// How long requests under way may take after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

impl Pds {
    /// Serves on `address` until the process is told to stop (SIGTERM, Ctrl-C).
    ///
    /// # Errors
    /// An address that cannot be listened on; a store that cannot be closed.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<()> {
        let listener = TcpListener::bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, url = self.host.public_url(), "listening");
        self.serve_on(listener, stop_signal()).await
    }

    /// Serves on `listener` until `shutdown` completes.
    ///
    /// Then no connection is taken any more, subscribers are told to go, requests under way are answered as long as that
    /// takes no more than ten seconds, and the store is closed.
    ///
    /// # Errors
    /// A store that cannot be closed.
    pub async fn serve_on(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let router = self.router();
        self.serve_router(router, listener, shutdown).await
    }

    /// Serves `router`, which has the server's own routes and others merged into it; see [`Pds::serve_on`].
    ///
    /// # Errors
    /// A store that cannot be closed.
    pub async fn serve_router(
        self,
        router: Router,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let stop = CancellationToken::new();
        let counting = tokio::spawn(self.count_events(stop.clone()));
        let open = connections::serve(listener, router, connections::HEAD_PATIENCE, shutdown).await;
        tracing::info!("stopping");
        let drained = async { tokio::join!(open.drain(), self.subscriptions.drain()) };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("some requests were cut off at the deadline");
        }
        open.abort().await;
        stop.cancel();
        let _ = counting.await;
        self.close().await
    }

    /// Ends a server that is not served: its background work, then its store.
    ///
    /// # Errors
    /// A store that cannot be closed.
    pub async fn close(self) -> Result<()> {
        self.host.close().await;
        Ok(self.store.close().await?)
    }

    /// Serves the figures of this server to Prometheus on an address of its own, at `/metrics`, until the future is
    /// dropped. The address should be private: figures tell how a server is used.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn metrics_listener(
        &self,
        address: SocketAddr,
    ) -> Result<impl Future<Output = std::io::Result<()>> + Send + use<>> {
        let listener = TcpListener::bind(address).await?;
        let metrics = get(async |State(figures): State<Figures>| figures.render());
        let router = Router::new().route("/metrics", metrics).with_state(self.figures());
        Ok(async move { axum::serve(listener, router).await })
    }

    /// Follows the event log for the figures.
    fn count_events(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let (metrics, mut tail) = (self.metrics.clone(), self.host.store().tail());
        let mut seen = *tail.borrow_and_update();
        metrics.wrote(0, seen);
        async move {
            while let Some(Ok(())) = stop.run_until_cancelled(tail.changed()).await {
                let newest = *tail.borrow_and_update();
                metrics.wrote(newest.saturating_sub(seen), newest);
                seen = newest;
            }
        }
    }
}

/// Completes when the process is told to stop: by SIGTERM, or by SIGINT (Ctrl-C).
pub async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be heard");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
