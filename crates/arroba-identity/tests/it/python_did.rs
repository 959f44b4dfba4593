//! `arroba.did` of arroba 3.1 (Python), name by name: what it did when `e2e/python-parity` asked, beside what we do.

use super::support::{FakeDns, Hands, serve};
use arroba_core::{
    crypto::{Curve, PrivateKey, PublicKey, Signer as _},
    handle,
    syntax::{Did, Handle},
};
use arroba_identity::{
    CacheSettings, DidDocument, ResolveError, Resolver,
    plc::{self, ChangeError, Directory, DirectoryClient, Operation, State, did_from_genesis},
};
use arroba_net::{Guard, GuardedClient};
use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn facts() -> Value {
    serde_json::from_str(include_str!("../python/did.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// Python: `util.new_key(seed)`.
fn key(name: &str) -> PrivateKey {
    let seed = facts()["seeds"][name].as_u64().unwrap();
    let curve = if name == "p256" { Curve::P256 } else { Curve::K256 };
    PrivateKey::from_seed(curve, seed.into()).unwrap()
}

fn public(name: &str) -> PublicKey {
    key(name).public_key()
}

/// Its signatures are random, and ours are not: so DIDs and links differ, and nothing else may.
fn without_hashes(mut operation: Value) -> Value {
    let fields = operation.as_object_mut().unwrap();
    assert!(fields.remove("sig").is_some() && fields.remove("prev").is_some());
    operation
}

struct Steps {
    directory: Directory,
    did: Did,
    python: Vec<Value>,
}

impl Steps {
    async fn new() -> Self {
        let directory = Directory::without_rate_limits(Hands::new().clock());
        let state = State::account(
            [public("rotation")],
            &public("signing"),
            &handle!("alice.test"),
            "https://pds.test",
        );
        let created = plc::create(&directory, state, &key("rotation")).await.unwrap();
        let steps = Self { directory, did: created.did, python: list(&facts()["steps"]).to_vec() };
        steps.compare("create_plc", &created.operation);
        steps
    }

    async fn updated() -> Self {
        let steps = Self::new().await;
        let update = async |signer: &str, change: &(dyn Fn(State) -> State + Sync)| {
            plc::update(&steps.directory, &steps.did, &key(signer), change).await.unwrap()
        };
        let operation = update("rotation", &|state| state.with_handle(&handle!("bob.test"))).await;
        steps.compare("update_plc, another handle", &operation);
        let operation = update("rotation", &|state| {
            let mut state = state.with_rotation_keys([public("other")]);
            state.also_known_as.push("https://bob.test".to_owned());
            state
        })
        .await;
        steps.compare("update_plc, another rotation key", &operation);
        let operation =
            update("other", &|state| state.with_signing_key(&public("new")).with_pds("https://other.test"))
                .await;
        steps.compare("update_plc, another signing key and server", &operation);
        steps
    }

    /// Ours is what Python submitted, and follows on what came before.
    fn compare(&self, name: &str, ours: &Operation) {
        let index = self.python.iter().position(|step| step["name"] == name).unwrap();
        assert_eq!(
            without_hashes(ours.to_json()),
            without_hashes(self.python[index]["operation"].clone()),
            "{name}"
        );
        let log = self.directory.log(&self.did).unwrap();
        assert_eq!(log.entries().len(), index + 1, "{name}");
        assert_eq!(ours.prev(), index.checked_sub(1).map(|before| log.entries()[before].cid));
    }
}

#[tokio::test]
async fn create_plc() {
    Steps::new().await;
}

#[tokio::test]
async fn update_plc() {
    Steps::updated().await;
}

#[tokio::test]
async fn rollback_plc() {
    let steps = Steps::updated().await;
    let roll_back = async |operations, signer: &str| {
        plc::roll_back(&steps.directory, &steps.did, operations, &key(signer)).await
    };
    steps.compare("rollback_plc, 1", &roll_back(1, "other").await.unwrap());
    steps.compare("rollback_plc, 4", &roll_back(4, "other").await.unwrap());
    assert_eq!(
        facts()["refused"],
        json!({ "key": { "error": "AssertionError" }, "too many": { "error": "AssertionError" } })
    );
    assert!(matches!(roll_back(1, "new").await, Err(ChangeError::NotRotationKey { .. })));
    assert!(matches!(roll_back(6, "rotation").await, Err(ChangeError::Operations { asked: 6, most: 5 })));
}

#[tokio::test]
async fn write_plc() {
    let python = &facts()["write_plc"];
    let mut state = State::account(
        [public("rotation")],
        &public("signing"),
        &handle!("carol.test"),
        "https://pds.example.test",
    );
    state.also_known_as.push("https://carol.test".to_owned());
    let directory = Directory::new(Hands::new().clock());
    let created = plc::create(&directory, state, &key("rotation")).await.unwrap();
    assert_eq!(without_hashes(created.operation.to_json()), without_hashes(python["operation"].clone()));
    let theirs = Operation::from_json(python["operation"].to_string().as_bytes()).unwrap();
    assert_eq!(did_from_genesis(&theirs), text(&python["did"]));
}

/// What it signs and submits, a directory by the rules accepts.
#[tokio::test]
async fn write_plc_operation() {
    let facts = facts();
    let did = Did::parse(text(&facts["did"])).unwrap();
    let directory = Directory::new(Hands::new().clock());
    for step in list(&facts["steps"]) {
        let operation = Operation::from_json(step["operation"].to_string().as_bytes()).unwrap();
        assert_eq!(operation.cid().to_string(), text(&step["cid"]));
        assert_eq!(text(&step["url"]), format!("https://plc.test/{did}"));
        plc::submit(&directory, &did, &operation).await.unwrap();
    }
    assert_eq!(directory.log(&did).unwrap().valid().count(), 6);
}

#[test]
fn plc_operation_to_did_doc() {
    let facts = facts();
    let did = Did::parse(text(&facts["did"])).unwrap();
    let mut compared = 0;
    for step in list(&facts["steps"]).iter().filter(|step| !step["document"].is_null()) {
        let operation = Operation::from_json(step["operation"].to_string().as_bytes()).unwrap();
        assert_eq!(operation.state().unwrap().to_document(&did), step["document"]);
        compared += 1;
    }
    let written = &facts["write_plc"];
    let operation = Operation::from_json(written["operation"].to_string().as_bytes()).unwrap();
    let document = operation.state().unwrap().to_document(&did_from_genesis(&operation));
    assert_eq!(document, written["document"]);
    assert_eq!(compared, 4);
}

#[test]
fn encode_did_key() {
    let facts = facts();
    assert_eq!(public("signing").to_did_key(), text(&facts["encode_did_key"]["k256"]));
    assert_eq!(public("p256").to_did_key(), text(&facts["encode_did_key"]["p256"]));
}

#[test]
fn decode_did_key() {
    for case in list(&facts()["decode_did_key"]) {
        let key = PublicKey::from_did_key(text(&case["text"])).unwrap();
        assert_eq!(key.to_did_key(), text(&case["result"]));
    }
}

/// Ours look at every alias and every key until one is valid, and trust only keys that the DID itself controls, of
/// a type that is one of the protocol's.
fn documents() -> Vec<(DidDocument, Value, Value)> {
    let facts = facts();
    let cases = list(&facts["documents"]).iter().map(|case| {
        let did = Did::parse(text(&case["document"]["id"])).unwrap();
        let document = DidDocument::from_json(&did, case["document"].clone()).unwrap();
        (document, case["handle"].clone(), case["signing_key"].clone())
    });
    cases.collect()
}

#[test]
fn get_handle() {
    let mut ours = Vec::new();
    for (document, python, _) in documents() {
        let handle = document.handle().map(|handle| handle.to_string());
        if json!(handle) != python {
            ours.push((python, json!(handle)));
        }
    }
    let different = [
        (json!("not_valid"), json!("dave.test")),
        (json!("alice.test"), Value::Null),
        (json!("ALICE.test"), json!("alice.test")),
    ];
    assert_eq!(ours, different);
}

#[test]
fn get_signing_key() {
    let mut ours = Vec::new();
    for (document, python, key) in documents() {
        let signing_key = document.signing_key().map(|key| key.to_did_key());
        if json!(signing_key) != key {
            ours.push((python, signing_key.is_some()));
        }
    }
    // An id without the DID; a key that another DID controls; a type that is not the key's.
    let different = [(json!("not_valid"), true), (json!("alice.test"), false), (json!("ALICE.test"), false)];
    assert_eq!(ours, different);
}

#[test]
#[expect(non_snake_case, reason = "the name is Python's")]
fn HANDLE_RE() {
    let mut different = Vec::new();
    for case in list(&facts()["handles"]) {
        let handle = text(&case["handle"]);
        if Handle::parse(handle).is_ok() != case["matches"].as_bool().unwrap() {
            different.push(handle.len());
        }
    }
    // Longer than 253 characters: no domain name.
    assert_eq!(different, [309]);
}

/// A server that answers everything with one text (`HOST` in it is the name it was asked under), and remembers what it
/// was asked.
async fn server(answer: &Value) -> (u16, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
    let router = Router::new().fallback(move |request: Request| {
        let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
        log.lock().unwrap().push(format!("{host}{}", request.uri().path()));
        let answer = answer.replace("HOST", &host.replace(':', "%3A"));
        async move { (StatusCode::OK, answer).into_response() }
    });
    (serve(router).await.port(), asked)
}

fn resolver(port: u16) -> Resolver {
    let directory = DirectoryClient::new(&format!("http://127.0.0.1:{port}")).unwrap();
    let dns = Arc::new(FakeDns::default());
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns) as _).unwrap();
    Resolver::builder(Arc::new(directory), client, dns)
        .cache(CacheSettings::SIX_HOURS)
        .development_port(port)
        .build()
}

async fn resolved_dids(name: &str, hosts_only: bool) -> usize {
    let mut resolved = 0;
    for case in list(&facts()[name]) {
        let Ok(did) = Did::parse(text(&case["name"])) else {
            assert_eq!(case["result"]["error"], "ValueError");
            continue;
        };
        let (port, asked) = server(&case["answer"]).await;
        match did.method() {
            "plc" if !hosts_only => {
                let document = resolver(port).resolve_did(&did).await.unwrap();
                assert_eq!(document.json(), &case["result"]);
                let path = text(&case["asked"][0]).strip_prefix("https://plc.test").unwrap();
                assert_eq!(*asked.lock().unwrap(), [format!("127.0.0.1:{port}{path}")]);
                resolved += 1;
            }
            "web" if hosts_only || name == "resolve" => {
                resolved += usize::from(resolved_web(&did, case).await);
            }
            _ => {
                assert!(case["result"]["error"] == "ValueError", "{did}");
            }
        }
    }
    resolved
}

/// On a host of this machine, as there is no other in a test; which URLs are asked elsewhere is tested beside the code.
async fn resolved_web(did: &Did, case: &Value) -> bool {
    if did.identifier().contains(':') {
        // Python asks for the path; the protocol has only hosts.
        let (port, asked) = server(&json!({ "id": did.as_str() })).await;
        let error = resolver(port).resolve_did(did).await.unwrap_err();
        assert!(matches!(error, ResolveError::UnsupportedDid), "{error:?}");
        assert!(asked.lock().unwrap().is_empty());
        return false;
    }
    // The document says whose it is by the name under which it was asked for.
    let own = json!({ "id": "did:web:HOST", "alsoKnownAs": ["at://a.test"] });
    let (port, asked) = server(&own).await;
    let local = Did::parse(&format!("did:web:localhost%3A{port}")).unwrap();
    let document = resolver(port).resolve_did(&local).await.unwrap();
    assert_eq!((document.did(), document.handle()), (&local, Some(handle!("a.test"))));
    let url = text(&case["asked"][0]);
    let path = &url[url.find("/.well-known/").unwrap()..];
    assert_eq!(*asked.lock().unwrap(), [format!("localhost:{port}{path}")]);
    // Another's document is none.
    let (port, _) = server(&json!({ "id": "did:web:evil.test" })).await;
    let local = Did::parse(&format!("did:web:localhost%3A{port}")).unwrap();
    assert!(matches!(resolver(port).resolve_did(&local).await, Err(ResolveError::Malformed(_))));
    true
}

#[tokio::test]
async fn resolve() {
    assert_eq!(resolved_dids("resolve", false).await, 2);
    let error = resolver(1).resolve_did(&arroba_core::did!("did:key:z6Mk")).await.unwrap_err();
    assert!(matches!(error, ResolveError::UnsupportedDid));
}

#[tokio::test]
async fn resolve_plc() {
    assert_eq!(resolved_dids("resolve_plc", false).await, 1);
}

#[tokio::test]
async fn resolve_web() {
    assert_eq!(resolved_dids("resolve_web", true).await, 2);
}

#[tokio::test]
async fn resolve_handle() {
    for case in list(&facts()["resolve_handle"]) {
        let Ok(handle) = Handle::parse(text(&case["name"])) else {
            assert_eq!(case["result"]["error"], "ValueError");
            continue;
        };
        let (port, asked) = server(&case["answer"]).await;
        let ours = match resolver(port).resolve_handle(&handle).await {
            Ok(did) => json!(did.as_str()),
            Err(ResolveError::NotFound) => Value::Null,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(ours, case["result"], "{handle}");
        let path = text(&case["asked"][0]).strip_prefix(&format!("https://{handle}")).unwrap();
        assert_eq!(*asked.lock().unwrap(), [format!("{handle}:{port}{path}")]);
    }
}

#[test]
#[expect(non_snake_case, reason = "the name is Python's")]
fn CACHE_SIZE() {
    assert_eq!(CacheSettings::SIX_HOURS.entries, facts()["CACHE_SIZE"].as_u64().unwrap());
}

/// One answer for six hours, and then another.
#[tokio::test]
#[expect(non_snake_case, reason = "the name is Python's")]
async fn CACHE_TTL() {
    let ttl = Duration::from_secs_f64(facts()["CACHE_TTL"].as_f64().unwrap());
    assert_eq!(CacheSettings::SIX_HOURS.fresh, ttl);
    let (port, asked) = server(&json!("did:web:a.test")).await;
    let hands = Hands::new();
    let dns = Arc::new(FakeDns::default());
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns) as _).unwrap();
    let directory = Arc::new(Directory::new(hands.clock()));
    let resolver = Resolver::builder(directory, client, dns)
        .cache(CacheSettings::SIX_HOURS)
        .clock(hands.clock())
        .development_port(port)
        .build();
    let handle = handle!("alice.test");
    for (wait, questions) in
        [(Duration::ZERO, 1), (ttl - Duration::from_millis(1), 1), (Duration::from_millis(1), 2)]
    {
        hands.advance(wait);
        assert_eq!(resolver.resolve_handle(&handle).await.unwrap(), "did:web:a.test");
        assert_eq!(asked.lock().unwrap().len(), questions);
    }
}
