//! The directory over HTTP, through its client.

use super::support::{Hands, key, serve, state};
use arroba_core::{did, handle, syntax::Did};
use arroba_identity::plc::{
    Directory, DirectoryClient, PlcDirectory, PlcError, Unsigned, did_from_genesis, verify_log,
};
use axum::{Router, http::StatusCode};
use futures::StreamExt as _;
use serde_json::Value;
use std::time::Duration;
use tokio_tungstenite::{connect_async, tungstenite::Message};

const DID: Did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");

async fn served() -> (Directory, DirectoryClient, String, Hands) {
    let hands = Hands::new();
    let directory = Directory::without_rate_limits(hands.clock());
    let url = format!("http://{}", serve(directory.router()).await);
    (directory, DirectoryClient::new(&url).unwrap(), url, hands)
}

async fn text(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn one_answer_in_process_and_over_http() {
    let (directory, client, url, _) = served().await;
    let genesis = Unsigned::genesis(state(&[1, 2])).sign(&key(2)).unwrap();
    let did = did_from_genesis(&genesis);
    assert!(matches!(client.state(&did).await, Err(PlcError::NotFound)));
    client.submit(&did, &genesis).await.unwrap();
    let update = Unsigned::update(genesis.cid(), state(&[1, 2]).with_handle(&handle!("bob.test")));
    let update = update.sign(&key(2)).unwrap();
    client.submit(&did, &update).await.unwrap();
    let recovery = Unsigned::update(genesis.cid(), state(&[1])).sign(&key(1)).unwrap();
    client.submit(&did, &recovery).await.unwrap();
    let local: &dyn PlcDirectory = &directory;
    assert_eq!(client.document(&did).await.unwrap(), local.document(&did).await.unwrap());
    assert_eq!(client.state(&did).await.unwrap(), local.state(&did).await.unwrap());
    assert_eq!(client.last_operation(&did).await.unwrap(), recovery);
    let log = client.audit_log(&did).await.unwrap();
    assert_eq!(log, local.audit_log(&did).await.unwrap());
    verify_log(&did, log).unwrap();

    let (status, body) = text(&format!("{url}/{did}/log")).await;
    let operations: Vec<Value> = serde_json::from_str(&body).unwrap();
    assert_eq!((status, operations), (200, vec![genesis.to_json(), recovery.to_json()]));
    assert_eq!(text(&format!("{url}/_health")).await.0, 200);

    let error = client.submit(&did, &update).await.unwrap_err();
    assert!(
        matches!(&error, PlcError::Rejected { status, message }
        if *status == 400 && message == "invalid signature"),
        "{error:?}"
    );
    let end = Unsigned::tombstone(recovery.cid()).sign(&key(1)).unwrap();
    client.submit(&did, &end).await.unwrap();
    assert!(matches!(client.document(&did).await, Err(PlcError::Tombstoned)));
    assert!(matches!(client.state(&did).await, Err(PlcError::Tombstoned)));
    assert_eq!(client.last_operation(&did).await.unwrap(), end);
}

#[tokio::test]
async fn refusals_over_http() {
    let (_, _, url, _) = served().await;
    assert_eq!(text(&format!("{url}/{DID}")).await.0, 404);
    assert_eq!(text(&format!("{url}/not-a-did")).await.0, 400);
    for (query, status) in [
        ("count=0", 400),
        ("count=1001", 400),
        ("count=x", 400),
        ("after=yesterday", 400),
        ("count=1000", 200),
    ] {
        assert_eq!(text(&format!("{url}/export?{query}")).await.0, status, "{query}");
    }
    assert_eq!(text(&format!("{url}/export/stream")).await.0, 426);
    let post = |body: String| async {
        let request = reqwest::Client::new().post(format!("{url}/{DID}")).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("{}".to_owned()).await, 400);
    assert_eq!(post("x".repeat(102_401)).await, 413);
    let genesis = Unsigned::genesis(state(&[1])).sign(&key(1)).unwrap();
    assert_eq!(post(genesis.to_json().to_string()).await, 400);
}

#[tokio::test]
async fn exports() {
    let (directory, client, url, hands) = served().await;
    let mut times = Vec::new();
    for byte in [1, 3, 5] {
        let genesis = Unsigned::genesis(state(&[byte])).sign(&key(byte)).unwrap();
        let did = did_from_genesis(&genesis);
        client.submit(&did, &genesis).await.unwrap();
        times.push(directory.log(&did).unwrap().entries()[0].created_at.clone());
        hands.advance(Duration::from_secs(1));
    }
    let lines = |query: String| {
        let url = format!("{url}/export?{query}");
        async move {
            let (status, body) = text(&url).await;
            assert_eq!(status, 200);
            body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        }
    };
    let sequenced = lines("after=0".to_owned()).await;
    assert_eq!(sequenced.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(sequenced[0]["type"], "sequenced_op");
    assert_eq!(sequenced[0].get("nullified"), None);
    assert_eq!(lines("after=1&count=1".to_owned()).await, sequenced[1..2]);
    let legacy = lines(format!("after={}", times[0])).await;
    assert_eq!(legacy.len(), 2);
    assert_eq!(legacy[0]["createdAt"], times[1].as_str());
    assert_eq!(legacy[0]["nullified"], false);
    assert_eq!(legacy[0].get("seq"), None);
    assert_eq!(lines(String::new()).await.len(), 3);
    assert_eq!(lines("after=99999999999999999999999999".to_owned()).await.len(), 0);
}

#[tokio::test]
async fn the_stream_resumes_and_follows() {
    let (_, client, url, hands) = served().await;
    let create = |byte: u8| {
        let genesis = Unsigned::genesis(state(&[byte])).sign(&key(byte)).unwrap();
        let client = client.clone();
        async move { client.submit(&did_from_genesis(&genesis), &genesis).await.unwrap() }
    };
    create(1).await;
    create(3).await;
    let stream = |query: &str| {
        let url = format!("{}/export/stream{query}", url.replace("http", "ws"));
        async move { connect_async(url).await.unwrap().0 }
    };
    let seq = |message: Message| {
        let json: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(json["type"], "sequenced_op");
        json["seq"].as_u64().unwrap()
    };
    let mut resumed = stream("?cursor=1").await;
    assert_eq!(seq(resumed.next().await.unwrap().unwrap()), 2);
    let mut live = stream("").await;
    let mut caught_up = stream("?cursor=2").await;
    create(5).await;
    for stream in [&mut resumed, &mut caught_up] {
        assert_eq!(seq(stream.next().await.unwrap().unwrap()), 3);
    }
    // The live stream may have begun on either side of the last operation, but has nothing before it.
    create(7).await;
    assert!(seq(live.next().await.unwrap().unwrap()) >= 3);
    for (query, reason) in [("?cursor=99", "FutureCursor"), ("?cursor=0", "OutdatedCursor")] {
        if reason == "OutdatedCursor" {
            hands.advance(Duration::from_secs(8 * 24 * 60 * 60));
        }
        let mut stream = stream(query).await;
        let Message::Close(Some(frame)) = stream.next().await.unwrap().unwrap() else { panic!("no close") };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, reason));
    }
}

/// A directory that gives one answer to everything.
async fn answering(status: u16, body: &'static str) -> DirectoryClient {
    let status = StatusCode::from_u16(status).unwrap();
    let router = Router::new().fallback(move || async move { (status, body) });
    DirectoryClient::new(&format!("http://{}", serve(router).await)).unwrap()
}

#[tokio::test]
async fn answers_are_told_apart() {
    let genesis = Unsigned::genesis(state(&[1])).sign(&key(1)).unwrap();
    type Check = fn(&PlcError) -> bool;
    let cases: [(u16, &str, Check); 9] = [
        (404, r#"{"message":"DID not registered: x"}"#, |error| matches!(error, PlcError::NotFound)),
        (404, "<html>", |error| matches!(error, PlcError::NotFound)),
        (404, r#"{"message":"DID not available: x"}"#, |error| matches!(error, PlcError::Tombstoned)),
        (410, "", |error| matches!(error, PlcError::Tombstoned)),
        (409, "", |error| matches!(error, PlcError::Conflict)),
        (
            400,
            r#"{"message":"no\u0000 good"}"#,
            |error| matches!(error, PlcError::Rejected { message, .. } if message == "no good"),
        ),
        (429, "", |error| matches!(error, PlcError::Unavailable(_))),
        (503, "", |error| matches!(error, PlcError::Unavailable(_))),
        (302, "", |error| matches!(error, PlcError::Malformed(_))),
    ];
    for (status, body, check) in cases {
        let client = answering(status, body).await;
        for error in [client.state(&DID).await.unwrap_err(), client.submit(&DID, &genesis).await.unwrap_err()]
        {
            assert!(check(&error), "{status} {body}: {error:?}");
        }
    }
    let malformed = |error| matches!(error, PlcError::Malformed(_));
    for body in ["", "[]", "{}", r#"{"did":"did:plc:other"}"#] {
        let client = answering(200, body).await;
        assert!(malformed(client.state(&DID).await.unwrap_err()), "{body}");
        assert!(malformed(client.last_operation(&DID).await.unwrap_err()), "{body}");
        assert_eq!(client.audit_log(&DID).await.is_ok(), body == "[]", "{body}");
    }
}

#[tokio::test]
async fn endless_answers_are_cut_and_nobody_is_unavailable() {
    let endless = || async {
        let chunk = axum::body::Bytes::from_static(&[b' '; 10_000]);
        axum::body::Body::from_stream(futures::stream::repeat_with(move || {
            Ok::<_, std::convert::Infallible>(chunk.clone())
        }))
    };
    let address = serve(Router::new().fallback(endless)).await;
    let client = DirectoryClient::new(&format!("http://{address}")).unwrap();
    assert!(matches!(client.document(&DID).await, Err(PlcError::Malformed(_))));
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = DirectoryClient::new(&format!("http://{gone}")).unwrap();
    assert!(matches!(client.document(&DID).await, Err(PlcError::Unavailable(_))));
    for url in ["", "plc.directory", "ftp://plc.directory", "data:x"] {
        assert!(DirectoryClient::new(url).is_err(), "{url}");
    }
}
