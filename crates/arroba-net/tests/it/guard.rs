//! What may be reached.

use super::server::{FakeDns, client, serve, url};
use arroba_net::{FetchError, Guard, GuardedClient, Limits, Request};
use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Redirect,
    routing::{get, post},
};
use std::sync::{Arc, atomic::Ordering};

#[tokio::test]
async fn loopback_is_refused_on_the_internet() {
    let address = serve(Router::new().route("/", get(|| async { "secret" }))).await;
    for host in ["one.test", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let target = url(&format!("https://{host}:{}/", address.port()));
        let error = client(Guard::Public).send(Request::get(target)).await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden(_)), "{host}: {error}");
        assert!(error.is_refusal());
    }
    let plain = client(Guard::Public).send(Request::get(url("http://one.test/"))).await.unwrap_err();
    assert!(matches!(plain, FetchError::Scheme(_)), "{plain}");
}

#[tokio::test]
async fn loopback_is_reached_in_development() {
    let address = serve(Router::new().route("/", get(|| async { "hello" }))).await;
    for host in ["one.test", "127.0.0.1"] {
        let target = url(&format!("http://{host}:{}/", address.port()));
        let response = client(Guard::AllowLoopback).send(Request::get(target)).await.unwrap();
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(&response.bytes().await.unwrap()[..], b"hello");
    }
}

#[tokio::test]
async fn redirects_are_checked_like_first_targets() {
    for target in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "http://private.test/",
        "http://user:pass@one.test/",
        "file:///etc/passwd",
        "gopher://one.test/",
    ] {
        let address = serve(Router::new().route("/", get(move || async move { Redirect::to(target) }))).await;
        let dns = FakeDns::default().answer("one.test", &["127.0.0.1"]).answer("private.test", &["10.1.2.3"]);
        let client = GuardedClient::new(Guard::AllowLoopback, Arc::new(dns)).unwrap();
        let start = url(&format!("http://one.test:{}/", address.port()));
        let error = client.send(Request::get(start)).await.unwrap_err();
        assert!(error.is_refusal(), "{target}: {error}");
    }
}

#[tokio::test]
async fn private_addresses_among_others_are_left_out() {
    let address = serve(Router::new().route("/", get(|| async { "hello" }))).await;
    let dns = FakeDns::default().answer("mixed.test", &["10.0.0.1", "127.0.0.1", "192.168.0.1"]);
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::new(dns)).unwrap();
    let target = url(&format!("http://mixed.test:{}/", address.port()));
    assert_eq!(&client.send(Request::get(target)).await.unwrap().bytes().await.unwrap()[..], b"hello");
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    // The first answer is harmless, the second is not: each connection is made to what was checked for it.
    let router = Router::new().route("/", get(|| async { ([(header::CONNECTION, "close")], "hello") }));
    let address = serve(router).await;
    let dns = Arc::new(
        FakeDns::default().answer("rebind.test", &["127.0.0.1"]).answer("rebind.test", &["10.0.0.1"]),
    );
    let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns) as _).unwrap();
    let target = url(&format!("http://rebind.test:{}/", address.port()));
    client.send(Request::get(target.clone())).await.unwrap().bytes().await.unwrap();
    assert_eq!(dns.lookups.load(Ordering::Relaxed), 1);
    let error = client.send(Request::get(target)).await.unwrap_err();
    assert!(matches!(error, FetchError::Forbidden(_)), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let router = Router::new()
        .route("/loop", get(|| async { Redirect::to("/loop") }))
        .route("/a", get(|| async { Redirect::permanent("/b") }))
        .route("/b", get(|| async { Redirect::temporary("/c") }))
        .route("/c", get(|| async { "end" }))
        .route("/nowhere", get(|| async { StatusCode::FOUND }))
        .route("/post", post(|| async { Redirect::to("/c") }));
    let address = serve(router).await;
    let client = client(Guard::AllowLoopback);
    let target = |path: &str| url(&format!("http://{address}{path}"));
    let response = client.send(Request::get(target("/a"))).await.unwrap();
    assert_eq!(response.url.path(), "/c");
    assert_eq!(&response.bytes().await.unwrap()[..], b"end");
    let error = client.send(Request::get(target("/loop"))).await.unwrap_err();
    assert!(matches!(error, FetchError::TooManyRedirects(3)), "{error}");
    let error = client.send(Request::get(target("/nowhere"))).await.unwrap_err();
    assert!(matches!(error, FetchError::Redirect), "{error}");
    let request = Request::get(target("/a")).limits(Limits::default().redirects(0));
    assert_eq!(client.send(request).await.unwrap().status, StatusCode::PERMANENT_REDIRECT);
    let request = Request::new(Method::POST, target("/post"));
    assert_eq!(client.send(request).await.unwrap().status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let echo = |headers: HeaderMap| async move {
        format!("{} {}", headers.contains_key("authorization"), headers.contains_key("x-other"))
    };
    let other = serve(Router::new().route("/echo", get(echo))).await;
    let away = format!("http://two.test:{}/echo", other.port());
    let router = Router::new()
        .route("/echo", get(echo))
        .route("/here", get(|| async { Redirect::to("/echo") }))
        .route("/away", get(move || async move { Redirect::to(&away) }));
    let address = serve(router).await;
    for (path, expected) in [("/here", "true true"), ("/away", "false true")] {
        let request = Request::get(url(&format!("http://one.test:{}{path}", address.port())))
            .header(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"))
            .header(HeaderName::from_static("x-other"), HeaderValue::from_static("1"));
        let body = client(Guard::AllowLoopback).send(request).await.unwrap().bytes().await.unwrap();
        assert_eq!(&body[..], expected.as_bytes());
    }
}

#[tokio::test]
async fn unknown_names() {
    let error = client(Guard::Public).send(Request::get(url("https://nobody.test/"))).await.unwrap_err();
    assert!(matches!(error, FetchError::Dns(arroba_net::DnsError::NotFound)), "{error}");
    assert!(!error.is_refusal());
}

#[tokio::test]
async fn the_host_header_is_the_urls() {
    let router = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move { headers["host"].clone().to_str().unwrap().to_owned() }),
    );
    let address = serve(router).await;
    let request = Request::get(url(&format!("http://one.test:{}/", address.port())))
        .header(header::HOST, HeaderValue::from_static("two.test"));
    let body = client(Guard::AllowLoopback).send(request).await.unwrap().bytes().await.unwrap();
    assert_eq!(body, format!("one.test:{}", address.port()));
    let long = url(&format!("http://one.test/{}", "x".repeat(9000)));
    let error = client(Guard::AllowLoopback).send(Request::get(long)).await.unwrap_err();
    assert!(matches!(error, FetchError::UrlLength), "{error}");
}

#[tokio::test]
async fn what_the_operator_names_may_be_anywhere() {
    let address = serve(Router::new().route("/", get(|| async { "hello" }))).await;
    for host in ["one.test", "127.0.0.1"] {
        let target = url(&format!("http://{host}:{}/", address.port()));
        let response = client(Guard::Configured).send(Request::get(target)).await.unwrap();
        assert_eq!(&response.bytes().await.unwrap()[..], b"hello");
    }
    for refused in ["ftp://one.test/", "http://user:pass@one.test/"] {
        assert!(client(Guard::Configured).send(Request::get(url(refused))).await.unwrap_err().is_refusal());
    }
}
