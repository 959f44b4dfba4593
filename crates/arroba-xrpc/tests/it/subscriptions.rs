//! Subscriptions over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use arroba_xrpc::{Batch, FrameSource, Result, RouterExt, SubscriptionOptions, Subscriptions, Upgrade};
use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::endpoints::Subscribe;

/// Sends what the test tells it to, and reports when it is dropped.
struct Script {
    batches: Vec<Batch>,
    dropped: mpsc::UnboundedSender<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.dropped.send(());
    }
}

#[async_trait]
impl FrameSource for Script {
    async fn next_batch(&mut self) -> Batch {
        if self.batches.is_empty() {
            std::future::pending::<()>().await;
        }
        self.batches.remove(0)
    }

    fn too_slow(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(b"too slow"))
    }
}

#[derive(Clone)]
struct Setup {
    subscriptions: Subscriptions,
    batches: Vec<Batch>,
    dropped: mpsc::UnboundedSender<()>,
}

async fn subscribe(upgrade: Upgrade, State(setup): State<Setup>) -> Result<Response> {
    let script = Script { batches: setup.batches, dropped: setup.dropped };
    upgrade.serve(&setup.subscriptions, script)
}

struct Server {
    address: SocketAddr,
    subscriptions: Subscriptions,
    dropped: mpsc::UnboundedReceiver<()>,
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

impl Server {
    async fn start(options: SubscriptionOptions, batches: Vec<Batch>) -> Self {
        let subscriptions = Subscriptions::new(options);
        let (sender, dropped) = mpsc::unbounded_channel();
        let setup = Setup { subscriptions: subscriptions.clone(), batches, dropped: sender };
        let router = Router::new().endpoint::<Subscribe, _>(subscribe).with_state(setup);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, subscriptions, dropped }
    }

    async fn connect(&self) -> Result<Socket, tokio_tungstenite::tungstenite::Error> {
        let url = format!("ws://{}/xrpc/test.it.subscribe", self.address);
        Ok(connect_async(url).await?.0)
    }
}

fn frames(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

/// The next binary frame, or the close code. The deadline only turns a hang into a failure.
async fn next(socket: &mut Socket) -> std::result::Result<Bytes, u16> {
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |f| f.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("the server answers")
}

#[tokio::test]
async fn frames_arrive_in_order_and_the_last_batch_closes() {
    let batches =
        vec![Batch::frames(frames(&["a", "b"])), Batch::frames(vec![]), Batch::last(frames(&["c"]))];
    let mut server = Server::start(SubscriptionOptions::default(), batches).await;
    let mut socket = server.connect().await.unwrap();
    for expected in ["a", "b", "c"] {
        assert_eq!(next(&mut socket).await.unwrap(), expected);
    }
    assert_eq!(next(&mut socket).await, Err(1000));
    server.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn client_frames_are_ignored_and_pings_answered() {
    let mut server = Server::start(SubscriptionOptions::default(), vec![]).await;
    let mut socket = server.connect().await.unwrap();
    socket.send(Message::Text("hello".into())).await.unwrap();
    socket.send(Message::Binary(Bytes::from_static(&[0; 100]))).await.unwrap();
    socket.send(Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
    let pong = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap();
    assert_eq!(pong.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"?")));
    socket.close(None).await.unwrap();
    server.dropped.recv().await.unwrap();
    while socket.next().await.is_some() {}
}

#[tokio::test]
async fn a_long_client_message_closes_with_1009() {
    let mut server = Server::start(SubscriptionOptions::default(), vec![]).await;
    let mut socket = server.connect().await.unwrap();
    socket.send(Message::Binary(Bytes::from(vec![0; 5000]))).await.unwrap();
    assert_eq!(next(&mut socket).await, Err(CloseCode::Size.into()));
    server.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn a_client_that_vanishes_is_noticed() {
    let mut server = Server::start(SubscriptionOptions::default(), vec![]).await;
    drop(server.connect().await.unwrap());
    server.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped() {
    let mut options = SubscriptionOptions::default();
    options.ping_every = Duration::from_millis(10);
    options.idle = Duration::from_millis(50);
    let mut server = Server::start(options, vec![]).await;
    let _silent = server.connect().await.unwrap();
    server.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let mut options = SubscriptionOptions::default();
    options.stall = Duration::from_millis(100);
    let much = Batch::frames(vec![Bytes::from(vec![0; 1 << 20]); 64]);
    let mut server = Server::start(options, vec![much]).await;
    let _deaf = server.connect().await.unwrap();
    server.dropped.recv().await.unwrap();
}

#[tokio::test]
async fn each_address_has_its_share() {
    let mut options = SubscriptionOptions::default();
    options.per_ip = 2;
    let mut server = Server::start(options, vec![]).await;
    let first = server.connect().await.unwrap();
    let _second = server.connect().await.unwrap();
    let Err(tokio_tungstenite::tungstenite::Error::Http(refused)) = server.connect().await else {
        panic!("a third connection is refused");
    };
    assert_eq!(refused.status(), 429);
    drop(first);
    server.dropped.recv().await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.subscriptions.open() > 1 {
        assert!(tokio::time::Instant::now() < deadline, "the place is given back");
        tokio::task::yield_now().await;
    }
    server.connect().await.unwrap();
}

#[tokio::test]
async fn draining_says_goodbye() {
    let server = Server::start(SubscriptionOptions::default(), vec![]).await;
    let mut socket = server.connect().await.unwrap();
    let (close, ()) = tokio::join!(next(&mut socket), server.subscriptions.drain());
    assert_eq!(close, Err(CloseCode::Away.into()));
    let Err(tokio_tungstenite::tungstenite::Error::Http(refused)) = server.connect().await else {
        panic!("new connections are refused");
    };
    assert_eq!(refused.status(), 503);
}

#[tokio::test]
async fn without_an_upgrade_the_answer_is_426() {
    let server = Server::start(SubscriptionOptions::default(), vec![]).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = "GET /xrpc/test.it.subscribe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
    assert!(answer.to_lowercase().contains("upgrade: websocket"), "{answer}");
    assert!(answer.contains("UpgradeRequired"), "{answer}");
}
