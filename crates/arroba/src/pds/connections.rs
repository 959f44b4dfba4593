//! Connections: accepted, bounded in number and in silence, and ended in order.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A connection that has not sent the head of a request for this long is closed.
pub(super) const HEAD_PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEADER_BYTES: usize = 64 * 1024;
/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 20_000;

/// Connections that were accepted and may still be open.
pub(super) struct Open {
    tasks: Mutex<JoinSet<()>>,
}

impl Open {
    /// Lets requests under way finish, and ends idle connections.
    pub(super) async fn drain(&self) {
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    /// Ends what is still there.
    pub(super) async fn abort(self) {
        self.tasks.into_inner().shutdown().await;
    }
}

/// Accepts connections until `shutdown` completes; each may take `patience` over the head of a request.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    shutdown: impl Future<Output = ()> + Send,
) -> Open {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEADER_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(200)
        .max_header_list_size(64 * 1024);
    let http = Arc::new(http);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        // A closed semaphore is impossible: nobody closes it.
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        while tasks.try_join_next().is_some() {}
        let (router, http, stop) = (router.clone(), Arc::clone(&http), stop.clone());
        tasks.spawn(async move {
            connection(&http, stream, peer, router, patience, stop).await;
            drop(place);
        });
    }
    drop(listener);
    stop.cancel();
    Open { tasks: Mutex::new(tasks) }
}

/// Too many open files pass; a tight loop around them would not help.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let asked = Arc::new(AtomicBool::new(false));
    let first = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        first.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(Body::new)).await;
            Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = never_asks(&asked, patience) => {
            tracing::debug!(%peer, "connection asked nothing");
            return;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, %peer, "connection ended with an error");
    }
}

/// Completes when the first request is not there in time.
///
/// The time limit of HTTP/1 does not begin before it is known that it is HTTP/1, so whoever sends nothing, or the beginning of what
/// HTTP/2 begins with, would keep the connection for ever.
async fn never_asks(asked: &AtomicBool, patience: Duration) {
    tokio::time::sleep(patience).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// The deadline only turns a hang into a failure.
    async fn read_to_end(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut text)).await;
        read.expect("the connection is closed").unwrap();
        text
    }

    #[tokio::test]
    async fn a_connection_that_asks_nothing_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(async || "hello"));
        let patience = Duration::from_millis(200);
        let serving = tokio::spawn(serve(listener, router, patience, stop.clone().cancelled_owned()));
        let connect = async |text: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream
        };
        // Nothing, the beginning of HTTP/2, half a head, and a whole request behind which nothing comes.
        for begun in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            assert_eq!(read_to_end(&mut connect(begun).await).await, "", "{begun:?}");
        }
        let answer = read_to_end(&mut connect("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), serving.await.unwrap().drain()).await.unwrap();
    }
}
