//! Verbs, paths, bodies, limits and the layers around them.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use arroba_xrpc::{
    BodyLimit, ClientIp, Input, Layers, Output, Query, RateLimit, RateLimits, RawBody, RequestLimits, Result,
    RouterExt, XrpcError,
};
use axum::Router;
use axum::body::Body;
use futures::StreamExt;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::endpoints::{Act, Get, Large, Limited, Panics, Post, Text, Upload};

const TWO: RateLimit = RateLimit::new("two", 2, 60);

async fn limited(limits: RequestLimits, client: ClientIp) -> Result<()> {
    limits.consume([&TWO], client.0.to_string(), 1)
}

async fn get(Query(params): Query<Get>) -> Output<Get> {
    Output(Text { text: format!("{} {}", params.limit, params.tags.join("+")) })
}

async fn upload(body: RawBody) -> Result<Output<Upload>> {
    let kind = body.content_type().unwrap_or("none").to_owned();
    let mut stream = body.limit(1000).stream()?;
    let mut length = 0;
    while let Some(piece) = stream.next().await {
        length += piece?.len();
    }
    Ok(Output(Text { text: format!("{kind} {length}") }))
}

fn router() -> Router {
    let router = Router::new()
        .endpoint::<Get, _>(get)
        .endpoint::<Post, _>(async |Input(text): Input<Post>| Output::<Post>(text))
        .endpoint_with::<Large, _>(
            async |Input(text): Input<Large>| Output::<Large>(Text { text: text.text.len().to_string() }),
            BodyLimit::bytes(1_000_000),
        )
        .endpoint::<Act, _>(async || ())
        .endpoint::<Upload, _>(upload)
        .endpoint::<Panics, _>(async || -> Result<()> { panic!("secret detail") })
        .endpoint::<Limited, _>(limited)
        .unknown_methods();
    let limits = RateLimits::new(Arc::new(|| Duration::from_secs(1000)));
    Layers::new(limits).global_limit(RateLimit::new("global", 10, 300)).unmetered::<Get>().wrap(router)
}

async fn send(request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    send_to(router(), request).await
}

async fn send_to(router: Router, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (parts.status, parts.headers, json)
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

fn post(nsid: &str, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Request<Body> {
    let body = body.into();
    let mut builder = request("POST", &format!("/xrpc/{nsid}")).header("content-length", body.len());
    if let Some(content_type) = content_type {
        builder = builder.header("content-type", content_type);
    }
    builder.body(Body::from(body)).unwrap()
}

async fn error(request: Request<Body>) -> (u16, String, String) {
    let (status, _, json) = send(request).await;
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (status.as_u16(), text("error"), text("message"))
}

fn bad(message: &str) -> (u16, String, String) {
    (400, "InvalidRequest".into(), message.into())
}

fn empty(builder: http::request::Builder) -> Request<Body> {
    builder.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn parameters_are_typed() {
    let ask = async |query: &str| send(empty(request("GET", &format!("/xrpc/test.it.get{query}")))).await;
    let (status, headers, json) = ask("?limit=7&tag=a&tag=b&tag[]=c&unknown=1").await;
    assert_eq!((status, &json["text"]), (StatusCode::OK, &json!("7 a+b+c")));
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/json"));
    assert_eq!(ask("").await.2["text"], "50 ");
    for query in ["?limit=0", "?limit=101", "?limit=x", "?limit=1&limit=2", "?tag=%ff"] {
        let (status, _, json) = ask(query).await;
        assert_eq!((status.as_u16(), &json["error"]), (400, &json!("InvalidRequest")), "{query}");
    }
}

#[tokio::test]
async fn verbs_and_paths() {
    let wrong = error(empty(request("POST", "/xrpc/test.it.get"))).await;
    assert_eq!(wrong, bad("Incorrect HTTP method (POST) expected GET"));
    let wrong = error(empty(request("GET", "/xrpc/test.it.post"))).await;
    assert_eq!(wrong, bad("Incorrect HTTP method (GET) expected POST"));
    let unknown = error(empty(request("GET", "/xrpc/test.it.unknown"))).await;
    assert_eq!(unknown, (501, "MethodNotImplemented".into(), "Method Not Implemented".into()));
    for path in ["/xrpc/", "/xrpc", "/xrpc/nonsense", "/xrpc/a.b.c/d", "/xrpc/a%2fb"] {
        assert_eq!(error(empty(request("GET", path))).await, bad("invalid xrpc path"), "{path}");
    }
    let (status, _, json) = send(empty(request("HEAD", "/xrpc/test.it.get"))).await;
    assert_eq!((status, json), (StatusCode::OK, Value::Null));
}

#[tokio::test]
async fn json_bodies() {
    let json = Some("application/json");
    let (status, _, out) =
        send(post("test.it.post", Some("Application/JSON; charset=utf-8"), "{\"text\":\"a\"}")).await;
    assert_eq!((status, out), (StatusCode::OK, json!({"text": "a"})));
    let none = bad("A request body is expected but none was provided");
    assert_eq!(error(post("test.it.post", json, "")).await, none);
    assert_eq!(error(empty(request("POST", "/xrpc/test.it.post"))).await, none);
    let wrong = error(post("test.it.post", Some("text/plain"), "{}")).await;
    assert_eq!(wrong, bad("Wrong request encoding (Content-Type): text/plain"));
    let wrong = error(post("test.it.post", None, "{}")).await;
    assert_eq!(wrong, bad("Request encoding (Content-Type) required but not provided"));
    let deep = "[".repeat(100_000);
    for broken in [
        "{",
        "{}",
        "null",
        "{\"text\":1}",
        "{\"text\":\"a\",\"text\":\"b\"}",
        "{\"text\":\"\\ud800\"}",
        &deep,
    ] {
        assert_eq!(error(post("test.it.post", json, broken)).await.1, "InvalidRequest", "{broken:.40}");
    }
}

#[tokio::test]
async fn json_limits_count_what_was_decompressed() {
    let json = Some("application/json");
    let text = |length: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(length));
    let fits = 150 * 1024 - 11;
    assert_eq!(send(post("test.it.post", json, text(fits))).await.0, 200);
    let over = error(post("test.it.post", json, text(fits + 1))).await;
    assert_eq!((over.0, over.1.as_str()), (413, "PayloadTooLarge"));
    assert_eq!(send(post("test.it.large", json, text(fits + 1))).await.2, json!({"text": "153590"}));

    let compressed = |length: usize, nsid: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text(length).as_bytes()).unwrap();
        let mut request = post(nsid, json, encoder.finish().unwrap());
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        request
    };
    assert_eq!(send(compressed(fits, "test.it.post")).await.0, 200);
    assert_eq!(error(compressed(fits + 1, "test.it.post")).await.0, 413);
    assert_eq!(error(compressed(50_000_000, "test.it.large")).await.0, 413);
    let mut broken = post("test.it.post", json, "not gzip");
    broken.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(error(broken).await.0, 400);
    let mut unknown = post("test.it.post", json, "x");
    unknown.headers_mut().insert("content-encoding", "zstd".parse().unwrap());
    assert_eq!(error(unknown).await.1, "UnsupportedMediaType");
}

#[tokio::test]
async fn methods_without_input_take_none() {
    assert_eq!(send(post("test.it.act", None, "")).await.0, 200);
    assert_eq!(send(empty(request("POST", "/xrpc/test.it.act"))).await.0, 200);
    let refused = bad("A request body was provided when none was expected");
    assert_eq!(error(post("test.it.act", Some("application/json"), "{}")).await, refused);
    let chunked = request("POST", "/xrpc/test.it.act").header("transfer-encoding", "chunked");
    assert_eq!(error(chunked.body(Body::from("x")).unwrap()).await, refused);
}

#[tokio::test]
async fn raw_bodies_stream_under_a_limit() {
    let (status, _, json) = send(post("test.it.upload", Some("image/png"), [7; 1000])).await;
    assert_eq!((status, &json["text"]), (StatusCode::OK, &json!("image/png 1000")));
    assert_eq!(error(post("test.it.upload", None, [7; 1001])).await.0, 413);
    let stream = futures::stream::iter([0, 1].map(|_| Ok::<_, std::io::Error>(vec![7u8; 600])));
    let chunked = request("POST", "/xrpc/test.it.upload").body(Body::from_stream(stream)).unwrap();
    assert_eq!(error(chunked).await.0, 413);
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_text() {
    let failed = error(empty(request("GET", "/xrpc/test.it.panics"))).await;
    assert_eq!(failed, (500, "InternalServerError".into(), "Internal Server Error".into()));
}

#[tokio::test]
async fn limits_show_in_headers() {
    let router = router();
    let ask = async |ip: &str| {
        let mut request = empty(request("GET", "/xrpc/test.it.limited").header("x-forwarded-for", ip));
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        send_to(router.clone(), request).await
    };
    let (status, headers, _) = ask("1.1.1.1").await;
    assert_eq!(
        (status.as_u16(), &headers["ratelimit-remaining"], &headers["ratelimit-limit"]),
        (200, &"1".parse().unwrap(), &"2".parse().unwrap())
    );
    ask("1.1.1.1").await;
    let (status, headers, json) = ask("1.1.1.1").await;
    assert_eq!((status.as_u16(), &json["error"]), (429, &json!("RateLimitExceeded")));
    assert_eq!(headers["ratelimit-policy"], "2;w=60");
    assert_eq!(headers["retry-after"], "60");
    assert_eq!(ask("2.2.2.2").await.0, 200);
}

#[tokio::test]
async fn the_global_limit_counts_all_but_the_unmetered() {
    let router = router();
    let ask = async |path: &str| send_to(router.clone(), empty(request("GET", path))).await.0.as_u16();
    for _ in 0..10 {
        assert_eq!(ask("/xrpc/test.it.unknown").await, 501);
    }
    assert_eq!(ask("/xrpc/test.it.unknown").await, 429);
    assert_eq!(ask("/xrpc/test.it.get").await, 200);
}

#[tokio::test]
async fn browsers_may_call_from_anywhere() {
    let preflight = request("OPTIONS", "/xrpc/test.it.post")
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, atproto-proxy");
    let (status, headers, _) = send(empty(preflight)).await;
    assert_eq!(status, 200);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["access-control-allow-headers"], "authorization, atproto-proxy");
    assert_eq!(headers["access-control-allow-methods"], "POST");
    assert_eq!(headers["access-control-max-age"], "86400");
    let failed =
        send(empty(request("GET", "/xrpc/test.it.unknown").header("origin", "https://app.test"))).await;
    assert_eq!(failed.1["access-control-allow-origin"], "*", "errors too");
    let exposed = failed.1["access-control-expose-headers"].to_str().unwrap().to_owned();
    for name in ["dpop-nonce", "ratelimit-limit", "retry-after", "atproto-repo-rev", "www-authenticate"] {
        assert!(exposed.contains(name), "{name}");
    }
    assert!(failed.1.contains_key("x-request-id"));
}

#[tokio::test]
async fn own_errors_keep_their_headers() {
    let router: Router = Router::new().endpoint::<Act, _>(async || XrpcError::unavailable("disk", 7));
    let (status, headers, _) = send_to(router, post("test.it.act", None, "")).await;
    assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &"7".parse().unwrap()));
}
