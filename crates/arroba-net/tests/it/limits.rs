//! What an answer may cost.

use super::server::{client, serve, serve_bytes, url};
use arroba_net::{FetchError, Guard, Limits, Request, RequestBody, Response};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Method, StatusCode, header},
    routing::{get, post},
};
use flate2::{Compression, write::GzEncoder};
use futures::stream::{self, StreamExt as _};
use std::{convert::Infallible, future, io::Write as _, net::SocketAddr, time::Duration};

async fn fetch(address: SocketAddr, limits: Limits) -> Result<Response, FetchError> {
    client(Guard::AllowLoopback).send(Request::get(url(&format!("http://{address}/"))).limits(limits)).await
}

async fn read(address: SocketAddr, limits: Limits) -> Result<Bytes, FetchError> {
    fetch(address, limits).await?.bytes().await
}

fn small() -> Limits {
    Limits::default().body_bytes(1000)
}

fn brief() -> Limits {
    Limits::default().total(Duration::from_millis(200))
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let router = Router::new().route(
        "/",
        get(|| async {
            Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 100]))))
        }),
    );
    let error = read(serve(router).await, small()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(1000)), "{error}");
}

#[tokio::test]
async fn the_limit_is_inclusive() {
    for (length, fits) in [(1000, true), (1001, false)] {
        let known = Router::new().route("/", get(move || async move { "x".repeat(length) }));
        let chunked = Router::new().route(
            "/",
            get(move || async move {
                Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from("x".repeat(length)))]))
            }),
        );
        for router in [known, chunked] {
            let result = read(serve(router).await, small()).await;
            assert_eq!(result.is_ok_and(|body| body.len() == length), fits, "{length}");
        }
    }
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_at_once() {
    let address = serve_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n").await;
    let error = fetch(address, small()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(1000)), "{error}");
}

#[tokio::test]
async fn a_lying_length_is_noticed() {
    let short = serve_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await;
    let error = read(short, small()).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport(_)), "{error}");
    let long = serve_bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and more").await;
    assert_eq!(&read(long, small()).await.unwrap()[..], b"hello");
    let both = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!";
    assert!(read(serve_bytes(both).await, small()).await.is_err());
}

#[tokio::test]
async fn no_http_is_an_error() {
    for bytes in [&b""[..], b"hello\r\n\r\n", b"HTTP/1.1 99999 OK\r\n\r\n", &[0; 100]] {
        let error = fetch(serve_bytes(bytes).await, small()).await.unwrap_err();
        assert!(matches!(error, FetchError::Transport(_)), "{error}");
    }
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let router = Router::new().route(
        "/",
        get(|| async {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
            Body::from_stream(first.chain(stream::pending()))
        }),
    );
    let error = read(serve(router).await, brief()).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout), "{error}");
}

#[tokio::test]
async fn slow_headers_time_out() {
    let router = Router::new().route("/", get(|| async { future::pending::<String>().await }));
    let limits = Limits::default().headers(Duration::from_millis(200));
    let error = fetch(serve(router).await, limits).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout), "{error}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bytes_are_counted_after_decompression() {
    let bomb = gzip(&vec![0; 10_000_000]);
    assert!(bomb.len() < 20_000);
    let length = bomb.len();
    let router = Router::new().route("/", get(|| async { ([(header::CONTENT_ENCODING, "gzip")], bomb) }));
    let address = serve(router).await;
    let error = read(address, Limits::default().body_bytes(1_000_000)).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(1_000_000)), "{error}");
    let request = Request::get(url(&format!("http://{address}/"))).raw();
    let response = client(Guard::AllowLoopback).send(request).await.unwrap();
    assert_eq!(response.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(response.bytes().await.unwrap().len(), length);
}

#[tokio::test]
async fn bodies_are_sent() {
    let router = Router::new().route("/", post(|body: Bytes| async move { body }));
    let address = serve(router).await;
    let pieces = stream::iter([Ok(Bytes::from_static(b"hel")), Ok(Bytes::from_static(b"lo"))]).boxed();
    for body in [RequestBody::Bytes(Bytes::from_static(b"hello")), RequestBody::Stream(pieces)] {
        let request = Request::new(Method::POST, url(&format!("http://{address}/")))
            .header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))
            .body(body);
        let response = client(Guard::AllowLoopback).send(request).await.unwrap();
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(&response.bytes().await.unwrap()[..], b"hello");
    }
}

#[tokio::test]
async fn the_length_in_an_answer_to_head_costs_nothing() {
    let router = Router::new().route("/", get(|| async { "x".repeat(5000) }));
    let address = serve(router).await;
    let request = Request::new(Method::HEAD, url(&format!("http://{address}/"))).limits(small());
    let response = client(Guard::AllowLoopback).send(request).await.unwrap();
    assert_eq!(response.headers[header::CONTENT_LENGTH], "5000");
    assert_eq!(response.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_body_that_falls_silent_times_out_before_the_end_of_all_time() {
    let router = Router::new().route(
        "/",
        get(|| async {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
            Body::from_stream(first.chain(stream::pending()))
        }),
    );
    let limits = Limits::default().total(Duration::MAX).idle(Duration::from_millis(200));
    let error = read(serve(router).await, limits).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout), "{error}");
}

fn streamed(address: SocketAddr, pieces: RequestBody, headers: Duration) -> Request {
    let limits = Limits::default().total(Duration::from_secs(60)).headers(headers);
    Request::new(Method::POST, url(&format!("http://{address}/"))).body(pieces).limits(limits)
}

#[tokio::test]
async fn the_silence_of_the_sender_is_not_the_peers() {
    let address = serve(Router::new().route("/", post(|body: Bytes| async move { body }))).await;
    let pieces = stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        (n < 3).then(|| (Ok(Bytes::from_static(b"x")), n + 1))
    });
    let request = streamed(address, RequestBody::Stream(pieces.boxed()), Duration::from_secs(1));
    let response = client(Guard::AllowLoopback).send(request).await.unwrap();
    assert_eq!(&response.bytes().await.unwrap()[..], b"xxx");
}

#[tokio::test]
async fn a_peer_that_stops_reading_times_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 16 * 1024])));
    let request = streamed(address, RequestBody::Stream(endless.boxed()), Duration::from_millis(300));
    let client = client(Guard::AllowLoopback);
    let (held, result) = tokio::join!(listener.accept(), client.send(request));
    assert!(matches!(result, Err(FetchError::Timeout)), "{result:?}");
    drop(held);
}

#[tokio::test]
async fn a_body_that_fails_is_the_senders_error() {
    let address = serve(Router::new().route("/", post(|body: Bytes| async move { body }))).await;
    let pieces = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    let request = streamed(address, RequestBody::Stream(pieces.boxed()), Duration::from_secs(5));
    let error = client(Guard::AllowLoopback).send(request).await.unwrap_err();
    assert!(matches!(error, FetchError::Sending(_)), "{error:?}");
}
