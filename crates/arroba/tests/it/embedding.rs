//! What a builder adds to a host: who may write, methods of its own, routes of its own.

use std::net::SocketAddr;
use std::time::Duration;

use arroba::auth::{Authenticator, Caller, Repos, StaticToken};
use arroba::core::lexicon::{Catalog, Document};
use arroba::core::nsid;
use arroba::core::scopes::Scopes;
use arroba::core::syntax::Did;
use arroba::methods::{Call, MethodError};
use arroba::store::{Memory, Sqlite, SqliteOptions};
use arroba::{Pds, RepoHost, Secrets, Write};
use arroba_xrpc::XrpcError;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use futures::StreamExt;
use http::request::Parts;
use http::{Request, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt;

use super::fixture::{World, keys};
use super::server::Server;

const CREATE: &str = "com.atproto.repo.createRecord";

async fn send(router: &Router, request: Request<Body>) -> (u16, Value, http::HeaderMap) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let json = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (parts.status.as_u16(), json, parts.headers)
}

async fn post(router: &Router, token: &str, nsid: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(format!("/xrpc/{nsid}")).header(header::CONTENT_TYPE, "application/json");
    let request = match token {
        "" => request,
        token => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
    };
    let (status, json, _) = send(router, request.body(Body::from(body.to_string())).unwrap()).await;
    (status, json)
}

async fn fetch(router: &Router, uri: &str) -> (u16, Value) {
    let (status, json, _) = send(router, Request::get(uri).body(Body::empty()).unwrap()).await;
    (status, json)
}

fn note(repo: &str, text: &str) -> Value {
    json!({"repo": repo, "collection": "com.example.note", "record": {"text": text}})
}

#[tokio::test]
async fn a_static_token_writes_to_every_repo() {
    let world = World::<Memory>::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let router = world.host.routes().authenticator(StaticToken::new("towel")).router().unwrap();
    for repo in [alice.did().as_str(), bob.did().as_str(), "alice.pds.test"] {
        let (status, json) = post(&router, "towel", CREATE, &note(repo, "x")).await;
        assert_eq!(status, 200, "{json}");
    }
    for (token, error) in
        [("", "AuthMissing"), ("towe", "AuthenticationRequired"), ("towels", "AuthenticationRequired")]
    {
        let (status, json) = post(&router, token, CREATE, &note(alice.did().as_str(), "x")).await;
        assert_eq!((status, &json["error"]), (401, &json!(error)));
    }
    // Reading needs no token, and a wrong one does no harm.
    let request =
        Request::get("/xrpc/com.atproto.sync.listRepos").header(header::AUTHORIZATION, "Bearer wrong");
    let (status, json, _) = send(&router, request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, json["repos"].as_array().unwrap().len()), (200, 2));
}

#[tokio::test]
async fn without_a_token_every_write_is_a_501_that_says_why() {
    let world = World::<Memory>::new().await;
    let alice = world.account("alice").await;
    for token in [StaticToken::unset(), StaticToken::new("")] {
        let router = world.host.routes().authenticator(token).router().unwrap();
        for nsid in [CREATE, "com.atproto.repo.applyWrites", "com.atproto.repo.uploadBlob"] {
            let (status, json) = post(&router, "x", nsid, &note(alice.did().as_str(), "x")).await;
            assert_eq!((status, &json["error"]), (501, &json!("MethodNotImplemented")), "{nsid}: {json}");
            assert!(json["message"].as_str().unwrap().contains("REPO_TOKEN"), "{json}");
        }
    }
    // Without an authenticator nobody writes at all.
    assert_eq!(post(&world.host.router(), "x", CREATE, &note("a.test", "x")).await.0, 404);
}

/// Knows callers by the header `x-caller: DID scopes`.
struct ByHeader;

#[async_trait]
impl Authenticator for ByHeader {
    async fn caller(&self, request: &Parts) -> arroba_xrpc::Result<Option<Caller>> {
        let Some(value) = request.headers.get("x-caller") else { return Ok(None) };
        let (did, scopes) = value.to_str().unwrap().split_once(' ').unwrap();
        let did = Did::parse(did).map_err(|_| XrpcError::authentication_required("no DID"))?;
        Ok(Some(Caller::owner(did).scopes(Scopes::parse(scopes))))
    }
}

async fn scoped(router: &Router, caller: &str, nsid: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(format!("/xrpc/{nsid}")).header(header::CONTENT_TYPE, "application/json");
    let request = request.header("x-caller", caller).body(Body::from(body.to_string())).unwrap();
    let (status, json, headers) = send(router, request).await;
    let challenge = headers.get("www-authenticate").map(|value| value.to_str().unwrap().starts_with("DPoP "));
    assert_eq!(json["error"] == "insufficient_scope", challenge == Some(true), "{json}");
    (status, json)
}

#[tokio::test]
async fn writes_are_checked_against_the_scopes() {
    let world = World::<Memory>::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let router = world.host.routes().authenticator(ByHeader).router().unwrap();
    let did = alice.did().as_str();
    let mut update = note(did, "b");
    update["rkey"] = json!("one");
    let put = "com.atproto.repo.putRecord";
    let (create, change) = (
        format!("{did} repo:com.example.note?action=create"),
        format!("{did} repo:com.example.note?action=update"),
    );
    let missing = |action: &str| json!(format!("Missing scope repo:com.example.note?action={action}"));

    let (status, json) = scoped(&router, &change, put, &update).await;
    assert_eq!((status, &json["message"]), (403, &missing("create")), "there is no record yet");
    assert_eq!(scoped(&router, &create, put, &update).await.0, 200);
    update["record"]["text"] = json!("c");
    let (status, json) = scoped(&router, &create, put, &update).await;
    assert_eq!((status, &json["message"]), (403, &missing("update")), "now there is one");
    assert_eq!(scoped(&router, &change, put, &update).await.0, 200);
    let expecting = |swap: Value| {
        let mut input = update.clone();
        input["swapRecord"] = swap;
        input
    };
    let (status, json) = scoped(&router, &change, put, &expecting(Value::Null)).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidSwap")));

    // In a batch each write counts, and one that is not allowed stops all.
    let kind = |kind: &str| json!({"$type": format!("com.atproto.repo.applyWrites#{kind}"), "collection": "com.example.note", "rkey": "one", "value": {"text": "d"}});
    let batch = |kinds: &[&str]| json!({"repo": did, "writes": kinds.iter().map(|name| kind(name)).collect::<Vec<_>>()});
    let apply = "com.atproto.repo.applyWrites";
    assert_eq!(scoped(&router, &change, apply, &batch(&["update"])).await.0, 200);
    let (status, json) = scoped(&router, &change, apply, &batch(&["update", "delete"])).await;
    assert_eq!((status, &json["message"]), (403, &missing("delete")));
    let (_, before) = alice.head().await.unwrap();
    scoped(&router, &format!("{did} atproto"), apply, &batch(&["update"])).await;
    assert_eq!(alice.head().await.unwrap().1, before, "nothing of a refused batch is written");

    // The scopes of one repo say nothing of another.
    let (status, json) = scoped(&router, &create, CREATE, &note(bob.did().as_str(), "x")).await;
    assert_eq!((status, &json["error"]), (401, &json!("AuthenticationRequired")));
    // Uploads have a scope of their own.
    let upload = async |scopes: &str, media_type: &str| {
        let request =
            Request::post("/xrpc/com.atproto.repo.uploadBlob").header("x-caller", format!("{did} {scopes}"));
        let request = request.header(header::CONTENT_TYPE, media_type).body(Body::from("GIF89a")).unwrap();
        send(&router, request).await.0
    };
    assert_eq!(upload("blob:image/*", "image/gif").await, 200);
    assert_eq!(upload("blob:video/*", "image/gif").await, 403);
    assert_eq!(upload("repo:*", "image/gif").await, 403);
}

#[tokio::test]
async fn the_token_of_every_repo_uploads_for_the_repo_that_the_request_names() {
    let world = World::<Memory>::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let did = alice.did().as_str();
    let router = world.host.routes().authenticator(StaticToken::new("towel")).router().unwrap();
    let upload = async |router: &Router, query: &str, credentials: (&str, &str)| {
        let request = Request::post(format!("/xrpc/com.atproto.repo.uploadBlob{query}"))
            .header(credentials.0, credentials.1)
            .header(header::CONTENT_TYPE, "image/gif");
        let (status, json, _) = send(router, request.body(Body::from("GIF89a")).unwrap()).await;
        (status, json)
    };
    let towel = ("authorization", "Bearer towel");

    let (status, json) = upload(&router, "", towel).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")));
    assert!(json["message"].as_str().unwrap().contains("parameter repo"), "{json}");
    for (query, answer) in [
        (format!("?repo={did}&repo={did}"), (400, "InvalidRequest")),
        ("?repo=nobody".to_owned(), (400, "InvalidRequest")),
        ("?repo=nobody.pds.test".to_owned(), (403, "AccountNotFound")),
        ("?repo=did:web:nobody.test".to_owned(), (400, "RepoNotFound")),
    ] {
        let (status, json) = upload(&router, &query, towel).await;
        assert_eq!((status, &json["error"]), (answer.0, &json!(answer.1)), "{query}: {json}");
    }

    // The blob is of the repo that was named, and of no other.
    let mut uploaded = Vec::new();
    for query in [format!("?repo={did}"), "?repo=alice.pds.test".to_owned()] {
        let (status, json) = upload(&router, &query, towel).await;
        assert_eq!(status, 200, "{query}: {json}");
        uploaded.push(json["blob"].clone());
    }
    assert_eq!(uploaded[0], uploaded[1]);
    let mut picture = note(bob.did().as_str(), "x");
    picture["record"]["picture"] = uploaded[0].clone();
    let (status, json) = post(&router, "towel", CREATE, &picture).await;
    assert_eq!((status, &json["error"]), (400, &json!("BlobNotFound")), "{json}");
    picture["repo"] = json!(did);
    assert_eq!(post(&router, "towel", CREATE, &picture).await.0, 200);

    // Whoever has one account names it or nobody.
    let by_header = world.host.routes().authenticator(ByHeader).router().unwrap();
    let alices = format!("{did} blob:*/*");
    assert_eq!(upload(&by_header, &format!("?repo={did}"), ("x-caller", &alices)).await.0, 200);
    let (status, json) = upload(&by_header, "?repo=bob.pds.test", ("x-caller", &alices)).await;
    assert_eq!((status, &json["error"]), (401, &json!("AuthenticationRequired")));
    world.host.take_down(alice.did(), Some("mod".to_owned())).await.unwrap();
    let (status, json) = upload(&router, &format!("?repo={did}"), towel).await;
    assert_eq!((status, &json["error"]), (401, &json!("AccountTakedown")));
}

fn lexicon() -> std::sync::Arc<Catalog> {
    let document = json!({"lexicon": 1, "id": "com.example.greet", "defs": {"main": {
        "type": "procedure",
        "parameters": {"type": "params", "properties": {"loud": {"type": "boolean"}}},
        "input": {"encoding": "application/json", "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 10}}}},
        "output": {"encoding": "application/json", "schema": {"type": "object", "required": ["greeting"], "properties": {"greeting": {"type": "string"}}}},
    }}});
    let mut catalog = Catalog::new();
    catalog.add(Document::from_slice(document.to_string().as_bytes()).unwrap()).unwrap();
    std::sync::Arc::new(catalog)
}

#[derive(Deserialize)]
struct Greet {
    name: String,
}

async fn greet(call: Call) -> arroba_xrpc::Result<Value> {
    let Greet { name } = call.input()?;
    Ok(match name.as_str() {
        "nobody" => json!({"greeting": 1}),
        name => json!({"greeting": format!("hello {name}")}),
    })
}

#[tokio::test]
async fn own_methods_are_checked_by_their_lexicon() {
    let host =
        RepoHost::builder("pds.test", keys(), Memory::default()).catalog(lexicon()).build().await.unwrap();
    let router = host.routes().method(nsid!("com.example.greet"), greet).router().unwrap();
    let call =
        async |query: &str, body: Value| post(&router, "", &format!("com.example.greet{query}"), &body).await;
    assert_eq!(call("", json!({"name": "arroba"})).await, (200, json!({"greeting": "hello arroba"})));
    for (query, body) in [
        ("", json!({})),
        ("", json!({"name": 1})),
        ("", json!({"name": "much too long"})),
        ("?loud=maybe", json!({"name": "a"})),
    ] {
        let (status, json) = call(query, body).await;
        assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "{json}");
    }
    let (status, json) = call("", json!({"name": "nobody"})).await;
    assert_eq!(
        (status, &json["error"]),
        (500, &json!("InternalServerError")),
        "an answer that breaks the lexicon"
    );
    let (status, json) = fetch(&router, "/xrpc/com.example.greet").await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "a procedure is no query: {json}");
    let request = Request::post("/xrpc/com.example.greet").body(Body::from("{}")).unwrap();
    assert_eq!(send(&router, request).await.0, 400, "JSON must be declared");
    host.close().await;
}

#[tokio::test]
async fn own_methods_without_a_lexicon_are_served_as_they_are() {
    let world = World::<Memory>::new().await;
    let alice = world.account("alice").await;
    let host = world.host.clone();
    let router = world
        .host
        .routes()
        .authenticator(StaticToken::new("towel"))
        .method(nsid!("com.example.echo"), async |call: Call| {
            let params: Vec<_> = call.params().iter().map(|(name, value)| json!([name, value])).collect();
            Ok(json!({"params": params, "input": call.json()}))
        })
        .method(nsid!("com.example.write"), move |call: Call| {
            let host = host.clone();
            async move {
                assert_eq!(call.caller().await?.repos, Repos::All);
                let repo = host.repo_of(&"alice.pds.test".parse().unwrap()).await?.unwrap();
                repo.commit([Write::create(nsid!("com.example.note"), call.json().clone())]).await?;
                Ok(())
            }
        })
        .router()
        .unwrap();
    assert_eq!(
        fetch(&router, "/xrpc/com.example.echo?a=1&a=2").await,
        (200, json!({"params": [["a", "1"], ["a", "2"]], "input": null}))
    );
    assert_eq!(
        post(&router, "", "com.example.echo", &json!({"x": [1]})).await,
        (200, json!({"params": [], "input": {"x": [1]}}))
    );
    let request = Request::post("/xrpc/com.example.echo").header(header::CONTENT_TYPE, "application/json");
    let (status, json, _) = send(&router, request.body(Body::from("{\"a\":1,\"a\":2}")).unwrap()).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "duplicate keys");
    assert_eq!(post(&router, "wrong", "com.example.write", &json!({"text": "x"})).await.0, 401);
    assert_eq!(post(&router, "towel", "com.example.write", &json!({"text": "x"})).await.0, 200);
    assert_eq!(alice.contents(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn own_methods_stand_in_place_of_the_librarys() {
    let world = World::<Memory>::new().await;
    let alice = world.account("alice").await;
    let describe = nsid!("com.atproto.server.describeServer");
    let routes = || {
        let about = json!({"did": "did:web:own.test", "availableUserDomains": [], "links": {"privacyPolicy": "https://own.test/"}});
        world
            .host
            .routes()
            .authenticator(StaticToken::new("towel"))
            .method(describe.clone(), move |_: Call| std::future::ready(Ok(about.clone())))
            .method(nsid!("com.atproto.repo.createRecord"), async |call: Call| {
                let repo = call.json()["repo"].as_str().unwrap_or_default();
                Ok(match repo {
                    "nobody.test" => json!({"uri": "no address"}),
                    repo => json!({"uri": format!("at://{repo}/com.example.note/own"), "cid": CID}),
                })
            })
    };
    let router = routes().router().unwrap();
    let (status, json) = fetch(&router, "/xrpc/com.atproto.server.describeServer").await;
    assert_eq!((status, &json["did"]), (200, &json!("did:web:own.test")), "{json}");
    let (status, json) = post(&router, "towel", CREATE, &note(alice.did().as_str(), "x")).await;
    assert_eq!((status, &json["cid"]), (200, &json!(CID)), "{json}");
    assert!(alice.contents(10).await.unwrap().is_empty(), "the library's own handler is not asked");

    // Calls and answers are checked by the lexicon that is bundled.
    let (status, json) = post(&router, "towel", CREATE, &json!({"repo": "alice.pds.test"})).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "{json}");
    let (status, json) = fetch(&router, &format!("/xrpc/{CREATE}")).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "a procedure is no query: {json}");
    assert_eq!(post(&router, "towel", CREATE, &note("nobody.test", "x")).await.0, 500);

    // The others are there as before.
    assert_eq!(fetch(&router, "/xrpc/com.atproto.sync.listRepos").await.0, 200);
    assert_eq!(post(&router, "", "com.atproto.repo.deleteRecord", &json!({})).await.0, 401);

    // A host whose catalog has none of the library's lexicons checks by them all the same.
    let bare =
        RepoHost::builder("pds.test", keys(), Memory::default()).catalog(lexicon()).build().await.unwrap();
    let own = async |call: Call| Ok(call.json().clone());
    let bare_router = bare.routes().method(nsid!("com.atproto.repo.createRecord"), own).router().unwrap();
    let (status, json) = post(&bare_router, "", CREATE, &json!({"repo": "alice.pds.test"})).await;
    assert_eq!((status, &json["error"]), (400, &json!("InvalidRequest")), "{json}");
    bare.close().await;
}

const CID: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";

#[tokio::test]
async fn methods_that_cannot_be_served_are_named() {
    let world = World::<Memory>::new().await;
    let nothing = async |_: Call| Ok(());
    let (name, stream) = (nsid!("com.example.ping"), nsid!("com.atproto.sync.subscribeRepos"));
    let twice = world.host.routes().method(name.clone(), nothing).method(name.clone(), nothing).router();
    assert_eq!(twice.unwrap_err(), MethodError::Twice(name.clone()));
    let streamed = world.host.routes().method(stream.clone(), nothing).router();
    assert_eq!(streamed.unwrap_err(), MethodError::Stream(stream));

    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let pds = Pds::builder("pds.test", Secrets::generate().unwrap(), store)
        .method(name.clone(), nothing)
        .method(name, nothing);
    let refused = pds.build().await.unwrap_err();
    assert_eq!(refused.to_string(), "two handlers for the method com.example.ping");
}

#[tokio::test]
async fn two_hosts_and_own_routes_live_in_one_process() {
    let (one, two) = (World::<Memory>::new().await, World::<Sqlite>::new().await);
    let (alice, bob) = (one.account("alice").await, two.account("bob").await);
    let mut events = two.host.events(None);
    alice.commit([Write::create(nsid!("com.example.note"), json!({"text": "x"}))]).await.unwrap();
    bob.commit([Write::create(nsid!("com.example.note"), json!({"text": "y"}))]).await.unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert_eq!(event.did(), Some(bob.did()), "a host tells of its own repos only");
    let app = Router::new()
        .route("/inbox", get(async || "mail"))
        .merge(one.host.router())
        .nest("/other", two.host.router());
    assert_eq!(fetch(&app, "/inbox").await, (200, json!("mail")));
    let listed = async |path: &str| fetch(&app, &format!("{path}/xrpc/com.atproto.sync.listRepos")).await.1;
    assert_eq!(listed("").await["repos"][0]["did"], alice.did().as_str());
    assert_eq!(listed("/other").await["repos"][0]["did"], bob.did().as_str());
    assert_eq!(fetch(&app, "/nothing").await.0, 404);
}

#[tokio::test]
async fn closing_a_host_tells_the_subscribers_of_its_router_to_go() {
    let world = World::<Memory>::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = world.host.router().into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let url = format!("ws://{address}/xrpc/com.atproto.sync.subscribeRepos");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    world.account("alice").await;
    assert!(matches!(socket.next().await, Some(Ok(Message::Binary(_)))));
    let host = world.host.clone();
    let closing = tokio::spawn(async move { host.close().await });
    let code = loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    };
    assert_eq!(code, 1001);
    drop(socket);
    tokio::time::timeout(Duration::from_secs(20), closing).await.unwrap().unwrap();
    serving.abort();
}

#[tokio::test]
async fn a_server_with_accounts_takes_a_static_token_and_own_methods_too() {
    let server = Server::with(|builder| {
        builder.authenticator(StaticToken::new("towel")).method(
            nsid!("com.example.who"),
            async |call: Call| {
                let caller = call.caller().await?;
                Ok(json!({"did": caller.did().map(Did::as_str)}))
            },
        )
    })
    .await;
    let (alice, bob) = (server.create("alice").await, server.create("bob").await);
    server.post("towel", CREATE, alice.post("by token")).await.ok();
    server.post("towel", CREATE, bob.post("by token")).await.ok();
    server.post(&alice.access, CREATE, alice.post("by login")).await.ok();
    server.post("wrong", CREATE, alice.post("x")).await.refused(400, "InvalidToken", "");
    // What is about an account itself stays for its login.
    let answer = server.post("towel", "com.atproto.server.deactivateAccount", json!({})).await;
    assert_eq!(
        (answer.status, answer.json["error"].as_str()),
        (400, Some("InvalidToken")),
        "{}",
        answer.text
    );
    assert_eq!(server.get("towel", "com.example.who", &[]).await.ok(), json!({"did": null}));
    assert_eq!(server.get(&alice.access, "com.example.who", &[]).await.ok(), json!({"did": alice.did}));
    server.get("", "com.example.who", &[]).await.refused(401, "AuthMissing", "");
    server.stop().await;
}

#[tokio::test]
async fn exports_can_be_closed_to_all_but_new_repos_owners_and_a_token() {
    use arroba::{Exports, RestrictedExports};
    let restricted = Exports::Restricted(RestrictedExports::new().token("key"));
    let server = Server::with(|builder| builder.exports(restricted)).await;
    let (alice, bob) = (server.create("alice").await, server.create("bob").await);
    let params = [("did", alice.did.as_str())];
    for nsid in ["com.atproto.sync.getRepo", "com.atproto.sync.getCheckout"] {
        let status = async |token: &str| server.get(token, nsid, &params).await.status;
        assert_eq!(status("").await, 200, "a new repo");
        server.clock.advance(12 * 60 * 60 * 1_000_000 + 1);
        let answer = server.get("", nsid, &params).await;
        answer.refused(501, "MethodNotImplemented", "first 12 hours");
        assert_eq!(status("key").await, 200);
        assert_ne!(status("no key").await, 200);
        server.clock.set(super::server::START_MICROS);
    }
    // The login of the owner is as old as the repo here, so it is renewed.
    server.clock.advance(13 * 60 * 60 * 1_000_000);
    let renew = async |refresh: &str| {
        let answer = server.post(refresh, "com.atproto.server.refreshSession", Value::Null).await.ok();
        answer["accessJwt"].as_str().unwrap().to_owned()
    };
    let (own, other) = (renew(&alice.refresh).await, renew(&bob.refresh).await);
    assert_eq!(server.get(&own, "com.atproto.sync.getRepo", &params).await.status, 200);
    assert_eq!(server.get(&other, "com.atproto.sync.getRepo", &params).await.status, 501);
    server.stop().await;
}
