//! Resolution of handles.

use super::support::{FakeDns, serve};
use arroba_core::syntax::{Did, Handle};
use arroba_identity::{HandleResolver, ResolveError};
use arroba_net::{Guard, GuardedClient};
use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use std::{
    future,
    sync::{Arc, atomic::Ordering},
};

const A: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

/// What hosts say, by the first label of their name.
async fn well_known(headers: HeaderMap) -> Response {
    let host = headers["host"].to_str().unwrap();
    match host.split('.').next().unwrap() {
        "plain" => A.into_response(),
        "spaced" => format!("  {A}\r\n\n").into_response(),
        "other" => B.into_response(),
        "moved" => Redirect::to("/elsewhere").into_response(),
        "page" => "<!doctype html><title>did:plc:aaaaaaaaaaaaaaaaaaaaaaaa</title>".into_response(),
        "two" => format!("{A}\n{B}").into_response(),
        "long" => "x".repeat(3000).into_response(),
        "binary" => vec![0xff_u8; 10].into_response(),
        "broken" => StatusCode::BAD_GATEWAY.into_response(),
        "away" => Redirect::to("http://10.0.0.1/").into_response(),
        "silent" => future::pending().await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn resolver(dns: &Arc<FakeDns>) -> HandleResolver {
    let router = Router::new()
        .route("/.well-known/atproto-did", get(well_known))
        .route("/elsewhere", get(|| async { A }));
    let port = serve(router).await.port();
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(dns) as _).unwrap();
    HandleResolver::new(client, Arc::clone(dns) as _).development_port(port)
}

async fn resolve(resolver: &HandleResolver, handle: &str) -> Result<Did, ResolveError> {
    resolver.resolve(&Handle::parse(handle).unwrap()).await
}

fn did(text: &str) -> Did {
    Did::parse(text).unwrap()
}

#[tokio::test]
async fn by_https() {
    let resolver = resolver(&Arc::default()).await;
    for handle in ["plain.test", "spaced.test", "moved.test"] {
        assert_eq!(resolve(&resolver, handle).await.unwrap(), did(A), "{handle}");
    }
    for handle in ["page.test", "two.test", "binary.test", "nobody.test"] {
        assert!(matches!(resolve(&resolver, handle).await, Err(ResolveError::NotFound)), "{handle}");
    }
    assert!(matches!(resolve(&resolver, "long.test").await, Err(ResolveError::Malformed(_))));
    assert!(matches!(resolve(&resolver, "away.test").await, Err(ResolveError::Disallowed)));
    let error = resolve(&resolver, "broken.test").await.unwrap_err();
    assert!(!error.is_definite(), "{error}");
}

#[tokio::test]
async fn by_dns() {
    let dns = Arc::new(FakeDns::default());
    let resolver = resolver(&dns).await;
    let same = [format!("did={A}"), format!("did={A}")];
    let same: Vec<&str> = same.iter().map(String::as_str).collect();
    dns.set("one.test", &[&format!("did={A}")]);
    dns.set("same.test", &same);
    dns.set(
        "noise.test",
        &["v=spf1", A, "did=", "did=nonsense", "did= ", &format!("DID={B}"), &format!("did={A}")],
    );
    for handle in ["one.test", "same.test", "noise.test"] {
        assert_eq!(resolve(&resolver, handle).await.unwrap(), did(A), "{handle}");
    }
    // Several DIDs settle nothing, whatever HTTPS says.
    dns.set("plain.test", &[&format!("did={A}"), &format!("did={B}")]);
    assert!(matches!(resolve(&resolver, "plain.test").await, Err(ResolveError::Ambiguous)));
    dns.set("none.test", &["did=nonsense"]);
    assert!(matches!(resolve(&resolver, "none.test").await, Err(ResolveError::NotFound)));
}

#[tokio::test]
async fn both_ways_together() {
    let dns = Arc::new(FakeDns::default());
    let resolver = resolver(&dns).await;
    for handle in ["other.test", "broken.test", "away.test", "silent.test"] {
        dns.set(handle, &[&format!("did={A}")]);
        assert_eq!(resolve(&resolver, handle).await.unwrap(), did(A), "{handle}");
    }
    dns.down.store(true, Ordering::SeqCst);
    assert_eq!(resolve(&resolver, "plain.test").await.unwrap(), did(A));
    // One way says no, the other says nothing: nothing is known.
    for handle in ["nobody.test", "broken.test"] {
        assert!(!resolve(&resolver, handle).await.unwrap_err().is_definite(), "{handle}");
    }
}

#[tokio::test]
async fn some_domains_are_never_asked() {
    let dns = Arc::new(FakeDns::default());
    let resolver = resolver(&dns).await;
    let public = GuardedClient::new(Guard::Public, Arc::clone(&dns) as _).unwrap();
    let public = HandleResolver::new(public, Arc::clone(&dns) as _);
    for handle in
        ["a.local", "a.arpa", "handle.invalid", "a.localhost", "a.internal", "a.example", "a.alt", "a.onion"]
    {
        for resolver in [&resolver, &public] {
            assert!(matches!(resolve(resolver, handle).await, Err(ResolveError::Disallowed)), "{handle}");
        }
    }
    assert!(matches!(resolve(&public, "a.test").await, Err(ResolveError::Disallowed)));
    assert_eq!(dns.lookups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_handle_too_long_for_dns_has_https() {
    let dns = Arc::new(FakeDns::default());
    let resolver = resolver(&dns).await;
    let label = "x".repeat(59);
    let handle = format!("plain.{label}.{label}.{label}.{label}.test");
    assert!(handle.len() > 244);
    assert_eq!(resolve(&resolver, &handle).await.unwrap(), did(A));
    assert_eq!(dns.lookups.load(Ordering::SeqCst), 0);
}
