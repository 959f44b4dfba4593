//! The client against servers on loopback.

use std::time::Duration;

use arroba_net::Limits;
use arroba_xrpc::{CallError, Client, Input, Output, Query, Result, RouterExt, XrpcError};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use url::Url;

use super::endpoints::{Act, Get, GetParams, Post, Text};
use super::upstream::{client, says, serve};

async fn connect(router: Router) -> Client {
    Client::new(client(), Url::parse(&format!("http://{}", serve(router).await)).unwrap())
}

#[tokio::test]
async fn methods_are_calls() {
    let router = Router::new()
        .endpoint::<Get, _>(async |headers: HeaderMap, Query(params): Query<Get>| {
            let shown = |name: &str| headers[name].to_str().unwrap().to_owned();
            let text = format!(
                "{} {} {} {}",
                params.limit,
                params.tags.join("+"),
                shown("authorization"),
                shown("x-more")
            );
            Output::<Get>(Text { text })
        })
        .endpoint::<Post, _>(async |Input(text): Input<Post>| Output::<Post>(text))
        .endpoint::<Act, _>(async || ());
    let client = connect(router).await.bearer("secret").unwrap();
    let client = client.header(http::HeaderName::from_static("x-more"), HeaderValue::from_static("1"));
    let params = GetParams { limit: 7, tags: vec!["a b".to_owned(), "c&d".to_owned()] };
    assert_eq!(client.query::<Get>(&params).await.unwrap().text, "7 a b+c&d Bearer secret 1");
    let input = Text { text: "hello".to_owned() };
    assert_eq!(client.procedure::<Post>(&input).await.unwrap().text, "hello");
    client.procedure::<Act>(&arroba_lexicons::NoBody).await.unwrap();
    let untyped = client.query_json("test.it.get", &[("limit", "3")].into_iter().collect()).await.unwrap();
    assert_eq!(untyped, json!({"text": "3  Bearer secret 1"}));
    assert!(matches!(client.bearer("\n"), Err(CallError::Address)));
}

#[tokio::test]
async fn errors_have_names() {
    let router = Router::new()
        .endpoint::<Act, _>(async || -> Result<()> { Err(XrpcError::named("Declared", "a sentence")) });
    let error = connect(router).await.procedure::<Act>(&arroba_lexicons::NoBody).await.unwrap_err();
    assert!(error.is("Declared") && !error.is("Other"));
    assert_eq!(error.to_string(), "Declared: a sentence");
    let ask = async |answer: String| {
        let address = says(answer).await;
        let client = Client::new(client(), Url::parse(&format!("http://{address}")).unwrap());
        let limits = Limits::default().total(Duration::from_secs(5)).body_bytes(100);
        client.limits(limits).query::<Get>(&GetParams { limit: 1, tags: Vec::new() }).await.unwrap_err()
    };
    let of = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let html = ask(of("502 Bad Gateway", "<html>")).await;
    assert!(
        matches!(html, CallError::Refused { status, ref error, .. } if status == 502 && error.is_empty()),
        "{html:?}"
    );
    assert!(matches!(ask(of("200 OK", "{\"text\":1}")).await, CallError::Answer(_)));
    assert!(matches!(ask(of("200 OK", &"x".repeat(101))).await, CallError::Fetch(_)));
    assert!(matches!(ask(String::new()).await, CallError::Fetch(_)));
    let moved = ask("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    assert!(matches!(moved, CallError::Refused { status, .. } if status == 302), "{moved:?}");
}

#[tokio::test]
async fn downloads_have_a_limit_of_their_own() {
    let router =
        Router::new().route("/xrpc/test.it.get", get(async || Body::from(Bytes::from_static(&[7; 5000]))));
    let client = connect(router).await.limits(Limits::default().body_bytes(10));
    let params = GetParams { limit: 1, tags: Vec::new() };
    let body = client.download::<Get>(&params, 5000).await.unwrap();
    assert_eq!(body.bytes().await.unwrap().len(), 5000);
    let error = client.download::<Get>(&params, 4999).await.unwrap_err();
    assert!(matches!(error, CallError::Fetch(arroba_net::FetchError::TooLarge(4999))), "{error:?}");
    let mut body = client.download::<Get>(&params, 5000).await.unwrap();
    assert!(body.next().await.unwrap().is_ok());
}
