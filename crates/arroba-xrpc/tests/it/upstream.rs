//! A service on loopback that misbehaves as told, and a server in front of it that forwards.

use std::net::SocketAddr;
use std::sync::Arc;

use arroba_core::syntax::Nsid;
use arroba_net::{Dns, Guard, GuardedClient, SystemDns};
use arroba_xrpc::{Destination, Forwarder, ProxyLimits, Result};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A client that asks no name server: addresses are all that tests name.
pub(super) fn client() -> GuardedClient {
    let nobody = SystemDns::with_servers([SocketAddr::from(([127, 0, 0, 1], 1))]).unwrap();
    let dns: Arc<dyn Dns> = Arc::new(nobody);
    GuardedClient::new(Guard::Configured, dns).unwrap()
}

/// Serves a router on a free port.
pub(super) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Reads the head of each request, then hands the connection over.
pub(super) async fn raw<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Answers every request with these bytes, then closes the connection.
pub(super) async fn says(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes: Arc<[u8]> = bytes.into().into();
    raw(move |mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

#[derive(Clone)]
struct Front {
    forwarder: Forwarder,
    service: Url,
    read_here: bool,
}

/// A server that forwards every method to the service at an address.
pub(super) async fn front(service: SocketAddr, limits: ProxyLimits) -> SocketAddr {
    let service = Url::parse(&format!("http://{service}")).unwrap();
    let front = Front { forwarder: Forwarder::new(client(), limits), service, read_here: false };
    serve(Router::new().route("/xrpc/{method}", any(forward)).with_state(front)).await
}

async fn forward(State(front): State<Front>, Path(method): Path<Nsid>, request: Request) -> Result<Response> {
    let Front { forwarder, service, read_here } = &front;
    let to = Destination { service, method: &method, token: Some("a-token"), read_here: *read_here };
    forwarder.forward(request, to).await?.finish().await
}
