//! `server`, `xrpc_repo`, `xrpc_server`, `xrpc_sync`: the same requests to the routes of an embedded host.

use std::sync::Arc;

use arroba::auth::{Authenticator, Caller, StaticToken};
use arroba::core::car::{self, Limits};
use arroba::core::nsid;
use arroba::core::scopes::Scopes;
use arroba::core::syntax::{Did, RecordKey};
use arroba::store::Memory;
use arroba::{Collections, Exports, NewRepo, RepoHost, RestrictedExports, Write};
use arroba_xrpc::Result as XrpcResult;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::request::Parts;
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{NOTE, alice, python, sorted, texts};
use crate::it::fixture::{START_MICROS, World, keys};

const HOUR: u64 = 60 * 60 * 1_000_000;

/// Where this library answers otherwise: the request, our status and name, and why.
const DIFFERENT: &[(&str, u16, &str, &str)] = &[
    ("write without credentials", 401, "AuthMissing", "the protocol's answer to missing credentials"),
    (
        "write with the wrong token",
        401,
        "AuthenticationRequired",
        "the protocol's answer to wrong credentials",
    ),
    ("write to no repo", 400, "RepoNotFound", ""),
    ("scoped other repo", 401, "AuthenticationRequired", "as the reference server"),
    ("delete", 200, "", "Python's own check of its output refuses it after the deletion"),
    ("delete what is not there", 200, "", "Python's own check of its output refuses it"),
    (
        "uploadBlob",
        400,
        "InvalidRequest",
        "here it works for the repo that ?repo= names; Python hides its own 501",
    ),
    ("unknown method", 404, "", "the router has no fallback, so that it merges; unknown_methods() adds one"),
    ("getRecord proof missing", 200, "", "the proof that there is none, as the specification"),
    ("getRecord of nobody", 400, "RecordNotFound", "as the reference server, whose sentence clients match"),
];

struct Scoped;

#[async_trait]
impl Authenticator for Scoped {
    async fn caller(&self, _: &Parts) -> XrpcResult<Option<Caller>> {
        let scopes = Scopes::parse("atproto repo:com.example.note?action=create repo:com.example.mark");
        Ok(Some(Caller::owner(alice()).scopes(scopes)))
    }
}

/// Another host over the same store, with other policies.
async fn host(world: &World<Memory>, collections: Collections, exports: Exports) -> RepoHost {
    RepoHost::builder("pds.test", keys(), world.store.clone())
        .directory(Arc::clone(&world.directory) as _)
        .resolver(world.host.resolver().clone())
        .clock(Arc::clone(&world.clock) as _)
        .supported_collections(collections)
        .exports(exports)
        .build()
        .await
        .unwrap()
}

async fn ask(router: &Router, fact: &Value) -> (u16, Value, http::HeaderMap, Vec<u8>) {
    let mut uri = format!("/xrpc/{}", fact["nsid"].as_str().unwrap());
    if let Some(params) = fact["params"].as_object() {
        let pairs = params.iter().flat_map(|(name, value)| match value {
            Value::Array(values) => {
                values.iter().map(|value| format!("{name}={}", value.as_str().unwrap())).collect()
            }
            value => vec![format!("{name}={}", value.as_str().unwrap())],
        });
        uri = format!("{uri}?{}", pairs.collect::<Vec<_>>().join("&"));
    }
    let mut request = Request::builder().uri(uri);
    if let Some(token) = fact["token"].as_str() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = match &fact["body"] {
        Value::Null => request.body(Body::empty()),
        body => request
            .method("POST")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string())),
    };
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    (parts.status.as_u16(), json, parts.headers, bytes)
}

/// What both answers must share.
fn assert_same(fact: &Value, json: &Value, bytes: &[u8], head: &str) {
    let name = &fact["name"];
    let expected = &fact["json"];
    for field in ["uri", "cid", "value", "did", "active", "status", "availableUserDomains"] {
        let commit = field == "cid" && expected.get("rev").is_some();
        if let Some(expected) = expected.get(field).filter(|_| !commit) {
            assert_eq!(&json[field], expected, "{name}: {field}");
        }
    }
    if let Some(records) = expected.get("records").and_then(Value::as_array) {
        let by_uri = |records: &[Value]| {
            let mut records = records.to_vec();
            records.sort_by_key(|record| record["uri"].to_string());
            records
        };
        assert_eq!(by_uri(json["records"].as_array().unwrap()), by_uri(records), "{name}");
    }
    if let Some(results) = expected.get("results").and_then(Value::as_array) {
        let without_status = |result: &Value| {
            let mut result = result.clone();
            result.as_object_mut().unwrap().remove("validationStatus");
            result
        };
        let found: Vec<_> = json["results"].as_array().unwrap().iter().map(without_status).collect();
        assert_eq!(&found, results, "{name}");
    }
    if let Some(repos) = expected.get("repos").and_then(Value::as_array) {
        let shown = |repo: &Value| json!([repo["did"], repo["active"], repo.get("status")]);
        let found: Vec<_> = json["repos"].as_array().unwrap().iter().map(shown).collect();
        assert_eq!(found, repos.iter().map(shown).collect::<Vec<_>>(), "{name}");
    }
    if !fact["cids"].is_null() {
        let file = car::read_all(bytes, &Limits::REPOSITORY).unwrap();
        let found = file.blocks.keys().map(ToString::to_string).filter(|cid| cid != head).collect();
        assert_eq!(sorted(found), texts(&fact["cids"]), "{name}");
    }
}

#[tokio::test]
async fn requests_are_answered_as_by_the_python_library() {
    let world = World::<Memory>::new().await;
    for name in ["alice", "bob"] {
        let did = Did::parse(&format!("did:web:{name}.test")).unwrap();
        let new = NewRepo::existing(did, Some(format!("{name}.test").parse().unwrap()));
        world.host.create_repo(new.active()).await.unwrap();
    }
    let repo = world.host.repo(&alice());
    let note = |n: i64| json!({"$type": NOTE, "text": format!("note {n}"), "n": n});
    let writes = (0..3).map(|n| {
        Write::create_at(nsid!("com.example.note"), RecordKey::parse(&format!("key{n}")).unwrap(), note(n))
    });
    repo.commit(writes).await.unwrap();

    let marks = Collections::only([nsid!("com.example.mark")]);
    let restricted = || RestrictedExports::new();
    let plain = world.host.routes().authenticator(StaticToken::unset()).router().unwrap();
    let token = world.host.routes().authenticator(StaticToken::new("towel")).router().unwrap();
    let only_marks = host(&world, marks, Exports::Open).await;
    let only_marks = only_marks.routes().authenticator(StaticToken::new("towel")).router().unwrap();
    let closed = host(&world, Collections::All, Exports::Restricted(restricted())).await.router();
    let keyed = host(&world, Collections::All, Exports::Restricted(restricted().token("key"))).await.router();
    let scoped = world.host.routes().authenticator(Scoped).router().unwrap();

    let facts = python()["xrpc"].take();
    let mut same = 0;
    for fact in facts.as_array().unwrap() {
        let name = fact["name"].as_str().unwrap();
        let router = match name {
            "write without REPO_TOKEN" => &plain,
            _ if name.starts_with("unsupported") => &only_marks,
            _ if name.contains("token") && name.starts_with("getRepo") => &keyed,
            _ if name.ends_with("a new repo") || name.ends_with("an old repo") => &closed,
            _ if name.starts_with("scoped") => &scoped,
            _ => &token,
        };
        let age = if name.contains("an old repo") { 13 } else { 11 };
        world.clock.set(START_MICROS + age * HOUR);
        if name.ends_with("deactivated") {
            repo.deactivate().await.unwrap();
        }
        let head = repo.head().await.unwrap().0.to_string();
        let (status, json, headers, bytes) = ask(router, fact).await;
        let known = DIFFERENT.iter().find(|(known, ..)| *known == name);
        let (expected, error) = match known {
            Some((_, status, error, _)) => (*status, *error),
            None => (
                u16::try_from(fact["status"].as_u64().unwrap()).unwrap(),
                fact["json"]["error"].as_str().unwrap_or_default(),
            ),
        };
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(
            (status, json["error"].as_str().unwrap_or_default()),
            (expected, error),
            "{name}: {shown}"
        );
        if known.is_none() && status == 200 {
            assert_same(fact, &json, &bytes, &head);
            same += 1;
        }
        if error == "insufficient_scope" {
            assert_eq!(json["message"], fact["json"]["message"]);
            assert_eq!(headers["www-authenticate"], fact["www_authenticate"].as_str().unwrap());
        }
        if name.starts_with("unsupported") && status == 400 {
            assert_eq!(json["message"], fact["json"]["message"]);
        }
    }
    assert!(same >= 18, "{same} answers compared");
}
