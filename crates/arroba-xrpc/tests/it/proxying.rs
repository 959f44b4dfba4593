//! Forwarded requests: what passes, what does not, and how each failure of the other side looks.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arroba_core::syntax::Nsid;
use arroba_xrpc::{Answer, Destination, Forwarder, ProxyLimits, ReadAnswer};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get, post};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use super::upstream::{client, front, raw, says, serve};

const GET: &str = "test.it.get";

fn limits() -> ProxyLimits {
    let mut limits = ProxyLimits::default();
    limits.headers = Duration::from_millis(400);
    limits.idle = Duration::from_millis(400);
    limits
}

async fn refused(response: reqwest::Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let json: Value = response.json().await.unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (status, text("error"), text("message"))
}

fn named(status: u16, error: &str, message: &str) -> (u16, String, String) {
    (status, error.to_owned(), message.to_owned())
}

async fn ask(service: std::net::SocketAddr) -> reqwest::Response {
    let address = front(service, limits()).await;
    reqwest::get(format!("http://{address}/xrpc/{GET}")).await.unwrap()
}

#[tokio::test]
async fn headers_pass_by_a_list_in_both_directions() {
    let echo = async |request: Request| {
        let names: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        let said = json!({"headers": names, "path": request.uri().path_and_query().unwrap().as_str()});
        let headers = [
            ("atproto-repo-rev", "3jzfcijpj2z2a"),
            ("atproto-content-labelers", "did:web:a.test"),
            ("content-language", "en"),
            ("retry-after", "7"),
            ("set-cookie", "a=b"),
            ("server", "secret"),
            ("access-control-allow-origin", "https://evil.test"),
            ("location", "https://evil.test"),
            ("www-authenticate", "Basic"),
            ("x-other", "1"),
        ];
        (headers, axum::Json(said)).into_response()
    };
    let address = front(serve(Router::new().route("/xrpc/{method}", any(echo))).await, limits()).await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let response = plain
        .get(format!("http://{address}/xrpc/{GET}?a=1&b=%2F%20x&a=2"))
        .header("accept", "application/json")
        .header("accept-language", "pt-BR")
        .header("atproto-accept-labelers", "did:web:l.test;redact")
        .header("x-bsky-topics", "cats")
        .header("authorization", "Bearer the-callers-own")
        .header("cookie", "session=1")
        .header("atproto-proxy", "did:web:x.test#y")
        .header("x-forwarded-for", "1.2.3.4")
        .header("dpop", "proof")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let back = response.headers().clone();
    for name in ["atproto-repo-rev", "atproto-content-labelers", "content-language", "retry-after"] {
        assert!(back.contains_key(name), "{name}");
    }
    for name in
        ["set-cookie", "server", "access-control-allow-origin", "location", "www-authenticate", "x-other"]
    {
        assert!(!back.contains_key(name), "{name}");
    }
    assert_eq!(
        (&back["cache-control"], &back["vary"]),
        (&"private".parse().unwrap(), &"authorization".parse().unwrap())
    );
    let said: Value = response.json().await.unwrap();
    assert_eq!(said["path"], "/xrpc/test.it.get?a=1&b=%2F%20x&a=2");
    let mut sent: Vec<&str> =
        said["headers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    sent.sort_unstable();
    let sent: Vec<&str> = sent
        .into_iter()
        .filter(|line| !line.starts_with("host:") && !line.starts_with("user-agent: arroba/"))
        .collect();
    assert_eq!(
        sent,
        [
            "accept-encoding: identity",
            "accept-language: pt-BR",
            "accept: application/json",
            "atproto-accept-labelers: did:web:l.test;redact",
            "authorization: Bearer a-token",
            "x-bsky-topics: cats",
        ]
    );
}

#[tokio::test]
async fn verbs_pass_if_they_are_xrpcs() {
    let router =
        Router::new().route("/xrpc/{method}", any(async |request: Request| request.method().to_string()));
    let address = front(serve(router).await, limits()).await;
    let url = format!("http://{address}/xrpc/{GET}");
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "GET");
    assert_eq!(client.post(&url).send().await.unwrap().text().await.unwrap(), "POST");
    let head = client.head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"4".parse().unwrap()));
    let put = refused(client.put(&url).send().await.unwrap()).await;
    assert_eq!(put, named(400, "InvalidRequest", "XRPC requests are GET or POST"));
}

#[tokio::test]
async fn a_compressed_answer_passes_as_it_is() {
    let reply = async |headers: HeaderMap| {
        assert_eq!(headers["accept-encoding"], "br, gzip");
        ([("content-encoding", "br"), ("content-type", "application/json")], "not really brotli")
    };
    let address = front(serve(Router::new().route("/xrpc/{method}", get(reply))).await, limits()).await;
    let request =
        reqwest::Client::builder().no_gzip().build().unwrap().get(format!("http://{address}/xrpc/{GET}"));
    let response = request.header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "br");
    assert_eq!(response.text().await.unwrap(), "not really brotli");
}

/// Many times what the buffers between take: whoever reads decides how far the other side gets.
const PIECE: usize = 64 * 1024;
const PIECES: u64 = 1024;

#[tokio::test]
async fn a_large_answer_is_produced_as_it_is_read() {
    let produced = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&produced);
    let endless = move || {
        let counter = Arc::clone(&counter);
        async move {
            Body::from_stream(stream::iter(0..PIECES).map(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok::<_, Infallible>(Bytes::from_static(&[7; PIECE]))
            }))
        }
    };
    let mut limits = ProxyLimits::default();
    limits.response_bytes = PIECES * PIECE as u64;
    let address = front(serve(Router::new().route("/xrpc/{method}", get(endless))).await, limits).await;
    let response = reqwest::get(format!("http://{address}/xrpc/{GET}")).await.unwrap();
    let mut pieces = response.bytes_stream();
    let mut read = pieces.next().await.unwrap().unwrap().len();
    // Nothing is read now. What is under way comes to rest, and is a small part of the whole.
    let mut before = u64::MAX;
    while produced.load(Ordering::SeqCst) != before {
        before = produced.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < PIECES / 2, "{before} pieces without a reader");
    while let Some(piece) = pieces.next().await {
        read += piece.unwrap().len();
    }
    assert_eq!(read as u64, PIECES * PIECE as u64);
}

#[tokio::test]
async fn a_large_request_is_taken_as_it_is_read() {
    let (go, wait) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun, permit) = (Arc::clone(&wait), Arc::clone(&go));
    let slow = move |request: Request| {
        let (begun, permit) = (Arc::clone(&begun), Arc::clone(&permit));
        async move {
            let length = request.headers().get("content-length").cloned();
            let mut body = request.into_body().into_data_stream();
            let mut read = body.next().await.unwrap().unwrap().len();
            begun.notify_one();
            permit.notified().await;
            while let Some(piece) = body.next().await {
                read += piece.unwrap().len();
            }
            format!("{read} {length:?}")
        }
    };
    let address =
        front(serve(Router::new().route("/xrpc/{method}", post(slow))).await, ProxyLimits::default()).await;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let pieces = stream::iter(0..PIECES).map(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(&[7; PIECE]))
    });
    let request = reqwest::Client::new()
        .post(format!("http://{address}/xrpc/{GET}"))
        .header("content-length", PIECES * PIECE as u64)
        .body(reqwest::Body::wrap_stream(pieces));
    let response = tokio::spawn(request.send());
    wait.notified().await;
    let mut before = u64::MAX;
    while sent.load(Ordering::SeqCst) != before {
        before = sent.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < PIECES / 2, "{before} pieces without a reader");
    go.notify_one();
    let text = response.await.unwrap().unwrap().text().await.unwrap();
    assert_eq!(text, format!("{0} Some(\"{0}\")", PIECES * PIECE as u64));
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_request() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let service = raw(move |mut stream| {
        let ended = ended.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";
            stream.write_all(head).await.unwrap();
            let closed = stream.read(&mut [0; 16]).await;
            let _ = ended.send(matches!(closed, Ok(0) | Err(_)));
        }
    })
    .await;
    let address = front(service, ProxyLimits::default()).await;
    let mut response = reqwest::get(format!("http://{address}/xrpc/{GET}")).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "x");
    drop(response);
    let ended = tokio::time::timeout(Duration::from_secs(10), ends.recv()).await;
    assert_eq!(ended.unwrap(), Some(true));
}

#[tokio::test]
async fn silence_is_a_504_before_the_headers_and_a_break_after() {
    let silent = raw(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(refused(ask(silent).await).await, named(504, "UpstreamTimeout", "Gateway Timeout"));

    let stalls = raw(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let response = ask(stalls).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "half an answer is not taken for a whole one");
}

#[tokio::test]
async fn what_is_no_answer_is_a_502() {
    let failure = named(502, "UpstreamFailure", "Bad Gateway");
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("atproto-content-labelers: {}\r\n", "x".repeat(20_000));
    let huge = format!("x-huge: {}\r\n", "x".repeat(1_000_000));
    for bytes in [
        String::new(),
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n{\"error\":\"E\",\"message\":\"stack\"}".to_owned(),
        "HTTP/1.1 599 Odd\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{long}content-length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{huge}content-length: 0\r\n\r\n"),
    ] {
        assert_eq!(refused(ask(says(bytes.clone()).await).await).await, failure, "{bytes:.60}");
    }
    // Nobody listens there.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(refused(ask(nobody).await).await, failure);
    // A connection that is reset.
    let resets = raw(|stream| async move {
        stream.set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(refused(ask(resets).await).await, failure);
}

/// Breaks off the first connections, and answers on the ones after.
async fn breaks_off(first: usize) -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let address = raw(move |mut stream| {
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if nth < first as u64 {
                stream.set_zero_linger().unwrap();
                return;
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (address.await, asked)
}

#[tokio::test]
async fn what_changes_nothing_is_asked_again_where_the_connection_broke() {
    let retrying = |retries| {
        let mut limits = limits();
        limits.retries = retries;
        limits
    };
    for (breaks, retries, status, requests) in
        [(0, 2, 200, 1), (2, 2, 200, 3), (3, 2, 502, 3), (1, 0, 502, 1)]
    {
        let (service, asked) = breaks_off(breaks).await;
        let address = front(service, retrying(retries)).await;
        let answer = reqwest::get(format!("http://{address}/xrpc/{GET}")).await.unwrap();
        let seen = (answer.status().as_u16(), asked.load(Ordering::SeqCst));
        assert_eq!(seen, (status, requests), "{breaks} breaks, {retries} retries");
    }
    // What may have been done already is not done again, and an answer that is wrong is an answer.
    let (service, asked) = breaks_off(1).await;
    let address = front(service, retrying(2)).await;
    let call = reqwest::Client::new().post(format!("http://{address}/xrpc/{GET}")).body("x");
    assert_eq!(call.send().await.unwrap().status(), 502);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let address = front(says("nonsense\r\n\r\n").await, retrying(2)).await;
    assert_eq!(reqwest::get(format!("http://{address}/xrpc/{GET}")).await.unwrap().status(), 502);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let followed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&followed);
    let router = Router::new()
        .route("/xrpc/{method}", any(async || Redirect::temporary("/elsewhere")))
        .route("/elsewhere", any(async move || counter.fetch_add(1, Ordering::SeqCst).to_string()));
    let failed = refused(ask(serve(router).await).await).await;
    assert_eq!((failed.0, followed.load(Ordering::SeqCst)), (502, 0));
}

#[tokio::test]
async fn errors_keep_their_names() {
    let error = |status: u16, body: Value| async move {
        let service = serve(Router::new().route(
            "/xrpc/{method}",
            any(move || async move {
                (
                    StatusCode::from_u16(status).unwrap(),
                    [("retry-after", "9"), ("www-authenticate", "x")],
                    axum::Json(body),
                )
            }),
        ));
        let response = ask(service.await).await;
        assert_eq!(response.headers()["retry-after"], "9");
        assert!(!response.headers().contains_key("www-authenticate"));
        refused(response).await
    };
    let said = json!({"error": "NotFound", "message": "Post not found", "stack": "x"});
    assert_eq!(error(400, said).await, named(400, "NotFound", "Post not found"));
    assert_eq!(error(401, json!({"error": "BadJwt"})).await, named(401, "BadJwt", "BadJwt"));
    assert_eq!(error(429, json!([])).await, named(429, "RateLimitExceeded", "Too Many Requests"));
    assert_eq!(
        error(404, json!({"error": "<b>", "message": "x"})).await,
        named(404, "XRPCNotSupported", "Not Found")
    );
    assert_eq!(
        error(503, json!({"error": "Busy", "message": "x"})).await,
        named(503, "Busy", "Service Unavailable")
    );
    assert_eq!(
        error(500, json!({"error": "E", "message": "x"})).await,
        named(502, "UpstreamFailure", "Bad Gateway")
    );
    let long = error(400, json!({"error": "E", "message": "x".repeat(10_000)})).await;
    assert_eq!(long.2.len(), 2000);
    let endless = async || {
        let body = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1000])));
        (StatusCode::BAD_REQUEST, [("content-type", "application/json")], Body::from_stream(body))
    };
    let service = serve(Router::new().route("/xrpc/{method}", any(endless))).await;
    assert_eq!(refused(ask(service).await).await, named(400, "InvalidRequest", "Bad Request"));
}

#[tokio::test]
async fn an_answer_that_grows_too_large_breaks_off() {
    let endless = async || {
        Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 1000]))))
    };
    let service = serve(Router::new().route("/xrpc/{method}", any(endless))).await;
    let mut limits = limits();
    limits.response_bytes = 100_000;
    let response = reqwest::get(format!("http://{}/xrpc/{GET}", front(service, limits).await)).await.unwrap();
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_request_that_grows_too_large_is_refused() {
    let service = serve(Router::new().route("/xrpc/{method}", post(async |_: Bytes| "never"))).await;
    let mut limits = ProxyLimits::default();
    limits.request_bytes = 100_000;
    let address = front(service, limits).await;
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 1000]))).take(200);
    let url = format!("http://{address}/xrpc/{GET}");
    let client = reqwest::Client::new();
    let response = client.post(&url).body(reqwest::Body::wrap_stream(endless)).send().await.unwrap();
    assert_eq!(refused(response).await.1, "PayloadTooLarge");
    let response = client.post(&url).body(vec![0; 100_001]).send().await.unwrap();
    assert_eq!(refused(response).await.1, "PayloadTooLarge");
}

#[tokio::test]
async fn two_lengths_do_not_pass() {
    let both =
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let response = ask(says(both).await).await;
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(response.text().await.unwrap(), "hello");
}

async fn answer(service: std::net::SocketAddr) -> Answer {
    let service = url::Url::parse(&format!("http://{service}")).unwrap();
    let method = Nsid::parse(GET).unwrap();
    let to = Destination { service: &service, method: &method, token: Some("t"), read_here: true };
    Forwarder::new(client(), limits()).forward(Request::new(Body::empty()), to).await.unwrap()
}

#[tokio::test]
async fn json_is_read_up_to_a_size_and_nothing_else_is_lost() {
    let reply = |kind: &'static str, text: String| {
        serve(
            Router::new()
                .route("/xrpc/{method}", get(move || async move { ([("content-type", kind)], text) })),
        )
    };
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
    match answer(reply("Application/JSON; charset=utf-8", long.clone()).await)
        .await
        .read_json(2000)
        .await
        .unwrap()
    {
        ReadAnswer::Json(json, answer) => {
            assert_eq!(json, long);
            let short = answer.with_json(&json!({"a": 1})).into_response();
            assert_eq!(short.headers()["content-length"], "7");
            assert_eq!(axum::body::to_bytes(short.into_body(), 100).await.unwrap(), "{\"a\":1}");
        }
        other => panic!("{other:?}"),
    }
    for (kind, text) in [("application/json", long), ("text/plain", "{}".to_owned())] {
        match answer(reply(kind, text.clone()).await).await.read_json(500).await.unwrap() {
            ReadAnswer::Other(answer) => {
                let response = answer.into_response();
                let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
                assert_eq!(bytes, text);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_read_here_may_come_compressed() {
    let reply = async |headers: HeaderMap| {
        assert!(headers["accept-encoding"].to_str().unwrap().contains("gzip"));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, b"{\"a\":1}").unwrap();
        ([("content-encoding", "gzip"), ("content-type", "application/json")], encoder.finish().unwrap())
    };
    let service = serve(Router::new().route("/xrpc/{method}", get(reply))).await;
    match answer(service).await.read_json(500).await.unwrap() {
        ReadAnswer::Json(json, answer) => {
            assert_eq!(json, "{\"a\":1}");
            assert!(!answer.into_response().headers().contains_key("content-encoding"));
        }
        other => panic!("{other:?}"),
    }
}
