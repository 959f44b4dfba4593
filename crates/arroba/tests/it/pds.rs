//! The server around the methods: plain routes, limits, shutdown.

use std::time::Duration;

use arroba::core::nsid;
use arroba::methods::Call;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{ADMIN, Server};

#[tokio::test]
async fn plain_routes() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let get = async |path: &str, host: &str| {
        server.raw(server.request(reqwest::Method::GET, path).header("host", host)).await
    };
    assert!(get("/", "localhost").await.text.contains("AT Protocol Personal Data Server"));
    assert!(get("/robots.txt", "localhost").await.text.contains("User-agent: *\nAllow: /"));
    assert!(get("/xrpc/_health", "localhost").await.ok()["version"].is_string());
    assert_eq!(get("/nothing", "localhost").await.status, 404);
    let document = get("/.well-known/did.json", "localhost").await.ok();
    assert_eq!(document["id"], "did:web:localhost");
    assert_eq!(document["service"][0]["serviceEndpoint"], server.host.public_url());
    let did = get("/.well-known/atproto-did", "Alice.Test:443").await;
    assert_eq!((did.status, did.text.as_str()), (200, alice.did.as_str()));
    assert!(did.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    for host in ["nobody.test", "example.com", "localhost", "[::1]"] {
        let answer = get("/.well-known/atproto-did", host).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, "User not found"), "{host}");
    }
    get("/tls-check?domain=alice.test", "x").await.ok();
    get("/tls-check?domain=nobody.test", "x").await.refused(404, "NotFound", "");
    get("/tls-check?domain=example.com", "x").await.refused(400, "InvalidRequest", "");
    get("/tls-check", "x").await.refused(400, "InvalidRequest", "");
    server.stop().await;
}

#[tokio::test]
async fn describe_server_says_what_is_asked_for() {
    let server = Server::with(|builder| builder.blob_bytes(1234)).await;
    let described = server.get("", "com.atproto.server.describeServer", &[]).await.ok();
    assert_eq!(described["did"], "did:web:localhost");
    assert_eq!(described["availableUserDomains"], json!([".test"]));
    assert_eq!(
        (&described["inviteCodeRequired"], &described["blobUploadLimit"]),
        (&json!(false), &json!(1234))
    );
    server.stop().await;
}

#[tokio::test]
async fn own_methods_stand_in_place_of_those_of_accounts_and_of_forwarded_ones() {
    let server = Server::with(|builder| {
        builder
            .method(nsid!("com.atproto.server.describeServer"), async |_: Call| {
                Ok(json!({"did": "did:web:own.test", "availableUserDomains": []}))
            })
            .method(nsid!("com.atproto.server.getSession"), async |call: Call| {
                let caller = call.caller().await?;
                Ok(json!({"did": caller.did(), "handle": "own.test"}))
            })
            .method(nsid!("app.bsky.feed.getTimeline"), async |call: Call| {
                let limit = call.params().iter().find(|(name, _)| *name == "limit").map(|(_, value)| value);
                Ok(if limit == Some("7") { json!({"feed": "broken"}) } else { json!({"feed": []}) })
            })
    })
    .await;
    let alice = server.create("alice").await;
    let described = server.get("", "com.atproto.server.describeServer", &[]).await.ok();
    assert_eq!(described["did"], "did:web:own.test");
    let session = server.get(&alice.access, "com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&session["did"], &session["handle"]), (&json!(alice.did), &json!("own.test")));
    server.get("", "com.atproto.server.getSession", &[]).await.refused(401, "AuthMissing", "");
    let timeline = "app.bsky.feed.getTimeline";
    assert_eq!(server.get("", timeline, &[]).await.ok(), json!({"feed": []}));
    server.get("", timeline, &[("limit", "1000")]).await.refused(400, "InvalidRequest", "");
    server.get("", timeline, &[("limit", "7")]).await.refused(500, "InternalServerError", "");
    server.stop().await;
}

#[tokio::test]
async fn rate_limits_have_the_numbers_of_the_reference() {
    let server = Server::with(|builder| builder.rate_limits(true)).await;
    let attempt = async |ip: &str| {
        let request = server.request(reqwest::Method::POST, "/xrpc/com.atproto.server.createSession");
        let body = json!({"identifier": "nobody.test", "password": "x"});
        server.raw(request.header("x-forwarded-for", ip).json(&body)).await
    };
    let first = attempt("203.0.113.1").await;
    assert_eq!((first.status, &first.headers["ratelimit-limit"]), (401, &"30".parse().unwrap()));
    assert_eq!(first.headers["ratelimit-remaining"], "29");
    for _ in 0..29 {
        attempt("203.0.113.1").await;
    }
    let over = attempt("203.0.113.1").await;
    over.refused(429, "RateLimitExceeded", "Rate Limit Exceeded");
    assert_eq!(over.headers["retry-after"], "300");
    assert_eq!(attempt("203.0.113.2").await.status, 401);
    let alice = server.create("alice").await;
    let written = server.post(&alice.access, "com.atproto.repo.createRecord", alice.post("x")).await;
    assert_eq!(
        written.headers["ratelimit-limit"], "3000",
        "the tightest is shown: the address has fewer left"
    );
    written.ok();
    server.stop().await;
}

#[tokio::test]
async fn imports_can_be_switched_off() {
    let server = Server::with(|builder| builder.imports(false)).await;
    let alice = server.create("alice").await;
    let request = server.request(reqwest::Method::POST, "/xrpc/com.atproto.repo.importRepo");
    let answer = server
        .raw(request.bearer_auth(&alice.access).header("content-type", "application/vnd.ipld.car").body("x"));
    answer.await.refused(400, "InvalidRequest", "not accepting repo imports");
    server.stop().await;
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_tells_subscribers() {
    let server = Server::start().await;
    let url = format!("ws://{}/xrpc/com.atproto.sync.subscribeRepos", server.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = "POST /xrpc/com.atproto.server.createSession HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 46\r\n\r\n";
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(b"{\"identifier\":").await.unwrap();
    // An answer to another request on a fresh connection shows that the first is being read by now.
    server.get("", "com.atproto.server.describeServer", &[]).await.ok();
    let stopping = tokio::spawn(server.stop());
    let close = async {
        loop {
            match futures::StreamExt::next(&mut socket).await {
                Some(Ok(tokio_tungstenite::tungstenite::Message::Close(Some(frame)))) => {
                    return u16::from(frame.code);
                }
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), close).await.unwrap(), 1001);
    half.write_all(b"\"nobody.test\",\"password\":\"x\"   }").await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn no_address_comes_from_the_host_header() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    for path in [
        "/".to_owned(),
        "/.well-known/did.json".to_owned(),
        "/xrpc/com.atproto.server.describeServer".to_owned(),
        format!("/xrpc/com.atproto.repo.describeRepo?repo={}", alice.did),
        "/xrpc/com.atproto.identity.getRecommendedDidCredentials".to_owned(),
    ] {
        let request = server.request(reqwest::Method::GET, &path).bearer_auth(&alice.access);
        let asked = request.header("host", "evil.test").header("x-forwarded-host", "evil.test");
        let answer = server.raw(asked).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(!answer.text.contains("evil"), "{path}: {}", answer.text);
        assert!(!format!("{:?}", answer.headers).contains("evil"), "{path}: {:?}", answer.headers);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_operators_password_cannot_be_tried_for_ever() {
    let server = Server::with(|builder| builder.rate_limits(true)).await;
    let alice = server.create("alice").await;
    let info = format!("/xrpc/com.atproto.admin.getAccountInfo?did={}", alice.did);
    let read = format!("/xrpc/com.atproto.sync.getLatestCommit?did={}", alice.did);
    let ask = async |path: &str, ip: &str, password: &str| {
        let request = server.request(reqwest::Method::GET, path).basic_auth("admin", Some(password));
        server.raw(request.header("x-forwarded-for", ip)).await
    };
    ask(&info, "203.0.113.1", ADMIN).await.ok();
    for index in 0..30 {
        let path = if index % 2 == 0 { &info } else { &read };
        ask(path, "203.0.113.1", &index.to_string()).await.refused(401, "AuthenticationRequired", "");
    }
    ask(&info, "203.0.113.1", ADMIN).await.ok();
    ask(&info, "203.0.113.1", "one more").await.refused(429, "RateLimitExceeded", "");
    for path in [&info, &read] {
        ask(path, "203.0.113.1", ADMIN).await.refused(429, "RateLimitExceeded", "");
        ask(path, "203.0.113.2", ADMIN).await.ok();
    }
    server.clock.advance(5 * 60 * 1_000_000);
    ask(&info, "203.0.113.1", ADMIN).await.ok();
    server.stop().await;
}
