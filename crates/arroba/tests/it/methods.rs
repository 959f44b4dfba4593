//! The repo and sync methods over HTTP, as clients and relays see them.

use arroba::core::car::{self, Limits};
use arroba::core::data::Cid;
use arroba::core::event::Frame;
use arroba::core::repo::verify::{self, CarLimits};
use arroba::core::syntax::{Did, RecordPath};
use arroba::identity::plc::{PlcDirectory, Unsigned};
use arroba::store::StoreError;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::server::{Account, Server};

const CREATE: &str = "com.atproto.repo.createRecord";
const PUT: &str = "com.atproto.repo.putRecord";
const DELETE: &str = "com.atproto.repo.deleteRecord";
const APPLY: &str = "com.atproto.repo.applyWrites";
const GET: &str = "com.atproto.repo.getRecord";
const LIST: &str = "com.atproto.repo.listRecords";
const NOTE: &str = "com.example.note";

fn note(account: &Account, rkey: &str, text: &str) -> Value {
    json!({"repo": account.did, "collection": NOTE, "rkey": rkey, "record": {"$type": NOTE, "text": text}})
}

fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

async fn bytes(server: &Server, token: &str, path: &str) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let mut request = server.request(Method::GET, path);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_record_is_created_read_replaced_and_deleted() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let made = server.post(&alice.access, CREATE, alice.post("hi")).await.ok();
    let uri = made["uri"].as_str().unwrap();
    assert!(uri.starts_with(&format!("at://{}/app.bsky.feed.post/", alice.did)), "{uri}");
    assert_eq!(made["validationStatus"], "valid");
    assert!(made["commit"]["cid"].is_string() && made["commit"]["rev"].as_str().unwrap().len() == 13);
    let rkey = uri.rsplit('/').next().unwrap();
    for repo in [&alice.did, &alice.handle] {
        let params = [("repo", repo.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", rkey)];
        let read = server.get("", GET, &params).await.ok();
        assert_eq!((&read["uri"], &read["cid"]), (&made["uri"], &made["cid"]));
        assert_eq!(read["value"], alice.post("hi")["record"]);
        let cid = made["cid"].as_str().unwrap();
        server.get("", GET, &[&params[..], &[("cid", cid)]].concat()).await.ok();
        let other = Cid::for_cbor(b"other").to_string();
        let answer = server.get("", GET, &[&params[..], &[("cid", &other)]].concat()).await;
        answer.refused(400, "RecordNotFound", "Could not locate record: at://");
    }
    let missing = [("repo", alice.did.as_str()), ("collection", NOTE), ("rkey", "none")];
    let sentence = format!("Could not locate record: at://{}/{NOTE}/none", alice.did);
    server.get("", GET, &missing).await.refused(400, "RecordNotFound", &sentence);
    let nobody = [("repo", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), ("collection", NOTE), ("rkey", "none")];
    server.get("", GET, &nobody).await.refused(400, "RecordNotFound", "Could not locate record");

    let put = server.post(&alice.access, PUT, note(&alice, "one", "a")).await.ok();
    assert_eq!(put["validationStatus"], "unknown");
    let again = server.post(&alice.access, PUT, note(&alice, "one", "a")).await.ok();
    assert_eq!((&again["cid"], again.get("commit")), (&put["cid"], None));
    let input = json!({"repo": alice.handle, "collection": NOTE, "rkey": "one"});
    let gone = server.post(&alice.access, DELETE, input.clone()).await.ok();
    assert!(gone["commit"]["rev"].is_string());
    assert_eq!(server.post(&alice.access, DELETE, input).await.ok(), json!({}));
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_writes_have_names() {
    let server = Server::start().await;
    let (alice, bob) = (server.create("alice").await, server.create("bob").await);
    let first = server.post(&alice.access, PUT, note(&alice, "one", "a")).await.ok();
    let post = |nsid: &'static str, input: Value| server.post(&alice.access, nsid, input);
    let at = first["cid"].as_str().unwrap();
    let other = json!(Cid::for_cbor(b"other").to_string());

    let input = with(note(&alice, "one", "b"), "swapRecord", Value::Null);
    post(PUT, input).await.refused(400, "InvalidSwap", &format!("Record was at {at}"));
    let input = with(note(&alice, "two", "b"), "swapRecord", other.clone());
    post(PUT, input).await.refused(400, "InvalidSwap", "Record was at null");
    for nsid in [CREATE, PUT, DELETE] {
        let mut input = with(note(&alice, "two", "b"), "swapCommit", other.clone());
        if nsid == DELETE {
            input.as_object_mut().unwrap().remove("record");
        }
        post(nsid, input).await.refused(400, "InvalidSwap", "Commit was at ");
    }
    post(CREATE, note(&alice, "one", "b")).await.refused(400, "InvalidRequest", "already exists");
    let wrong = with(note(&alice, "one", "b"), "record", json!({"$type": "a.b.c"}));
    post(PUT, wrong).await.refused(
        400,
        "InvalidRequest",
        "Invalid $type: expected com.example.note, got a.b.c",
    );
    let wrong = with(note(&alice, "one", "b"), "validate", json!(true));
    post(PUT, wrong).await.refused(400, "InvalidRequest", "Unknown lexicon type: com.example.note");
    let wrong = with(alice.post("x"), "record", json!({"text": 1}));
    post(CREATE, wrong).await.refused(400, "InvalidRequest", "Invalid app.bsky.feed.post record");
    let legacy = json!({"image": {"cid": Cid::for_raw(b"x").to_string(), "mimeType": "image/png"}});
    let wrong = with(note(&alice, "one", "b"), "record", legacy);
    post(PUT, wrong).await.refused(400, "InvalidRequest", "Legacy blobs are not allowed");
    let blob = json!({"image": {"$type": "blob", "ref": {"$link": Cid::for_raw(b"x")}, "mimeType": "image/png", "size": 1}});
    let wrong = with(note(&alice, "one", "b"), "record", blob);
    post(PUT, wrong).await.refused(400, "BlobNotFound", "Could not find blob");
    for rkey in ["", ".", "..", "a b", "a/b", &"k".repeat(513)] {
        let answer = post(PUT, note(&alice, rkey, "b")).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("InvalidRequest")), "{rkey:?}");
    }
    // Somebody else's repo, and nobody's.
    post(CREATE, note(&bob, "one", "x")).await.refused(401, "AuthenticationRequired", "");
    let nobody = with(note(&alice, "one", "b"), "repo", json!("nobody.test"));
    post(CREATE, nobody).await.refused(403, "AccountNotFound", "");
    server.post("", CREATE, note(&alice, "one", "x")).await.refused(401, "AuthMissing", "");

    let creates = |count: usize| -> Vec<Value> {
        let one =
            |index| json!({"$type": format!("{APPLY}#create"), "collection": NOTE, "value": {"n": index}});
        (0..count).map(one).collect()
    };
    let input = json!({"repo": alice.did, "writes": creates(201)});
    post(APPLY, input).await.refused(400, "InvalidRequest", "Too many writes. Max: 200");
    let input = json!({"repo": alice.did, "writes": [{"$type": format!("{APPLY}#update"), "collection": NOTE, "rkey": "none", "value": {}}]});
    post(APPLY, input).await.refused(400, "InvalidRequest", "Could not locate record");
    let deep = format!("{}1{}", "[".repeat(4000), "]".repeat(4000));
    let body = format!(r#"{{"repo":"{}","collection":"{NOTE}","record":{{"deep":{deep}}}}}"#, alice.did);
    let request = server.request(Method::POST, &format!("/xrpc/{CREATE}")).bearer_auth(&alice.access);
    let answer = server.raw(request.header("content-type", "application/json").body(body)).await;
    assert_eq!(
        (answer.status, answer.json["error"].as_str()),
        (400, Some("InvalidRequest")),
        "{}",
        answer.text
    );
    // Nothing of all that was written.
    let listed = server.get("", LIST, &[("repo", &alice.did), ("collection", NOTE)]).await.ok();
    assert_eq!(listed["records"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn batches_answer_in_order() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    server.post(&alice.access, PUT, note(&alice, "old", "a")).await.ok();
    let writes = json!([
        {"$type": format!("{APPLY}#create"), "collection": NOTE, "rkey": "new", "value": {"text": "new"}},
        {"$type": format!("{APPLY}#update"), "collection": NOTE, "rkey": "old", "value": {"text": "b"}},
        {"$type": format!("{APPLY}#delete"), "collection": NOTE, "rkey": "old"},
        {"$type": format!("{APPLY}#create"), "collection": NOTE, "rkey": "passing", "value": {}},
        {"$type": format!("{APPLY}#delete"), "collection": NOTE, "rkey": "passing"},
    ]);
    let answer = server.post(&alice.access, APPLY, json!({"repo": alice.did, "writes": writes})).await.ok();
    let kinds: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["$type"].as_str().unwrap())
        .collect();
    let expected =
        ["create", "update", "delete", "create", "delete"].map(|kind| format!("{APPLY}#{kind}Result"));
    assert_eq!(kinds, expected);
    assert!(answer["commit"]["cid"].is_string());
    let empty = server.post(&alice.access, APPLY, json!({"repo": alice.did, "writes": []})).await.ok();
    assert_eq!(empty, json!({"results": []}));
    server.stop().await;
}

#[tokio::test]
async fn lists_are_paged_both_ways() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let writes: Vec<_> = (0..25)
        .map(|index| json!({"$type": format!("{APPLY}#create"), "collection": NOTE, "rkey": format!("k{index:02}"), "value": {"n": index}}))
        .collect();
    server.post(&alice.access, APPLY, json!({"repo": alice.did, "writes": writes})).await.ok();
    for reverse in ["false", "true"] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let mut params = vec![
                ("repo", alice.handle.as_str()),
                ("collection", NOTE),
                ("limit", "10"),
                ("reverse", reverse),
            ];
            if let Some(cursor) = &cursor {
                params.push(("cursor", cursor));
            }
            let page = server.get("", LIST, &params).await.ok();
            seen.extend(
                page["records"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|record| record["value"]["n"].as_i64().unwrap()),
            );
            pages += 1;
            cursor = page["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let mut expected: Vec<_> = (0..25).collect();
        if reverse == "false" {
            expected.reverse();
        }
        assert_eq!((seen, pages), (expected, 3));
    }
    for limit in ["0", "101", "x"] {
        let params = [("repo", alice.did.as_str()), ("collection", NOTE), ("limit", limit)];
        assert_eq!(server.get("", LIST, &params).await.status, 400, "{limit}");
    }
    let nobody = server.get("", LIST, &[("repo", "nobody.test"), ("collection", NOTE)]).await;
    nobody.refused(400, "InvalidRequest", "Could not find repo: nobody.test");
    let described = server.get("", "com.atproto.repo.describeRepo", &[("repo", &alice.handle)]).await.ok();
    assert_eq!(described["collections"], json!([NOTE]));
    assert_eq!((&described["handle"], &described["handleIsCorrect"]), (&json!(alice.handle), &json!(true)));
    assert_eq!(described["didDoc"]["id"], json!(alice.did));
    server.stop().await;
}

#[tokio::test]
async fn exports_and_proofs_verify() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    for index in 0..30 {
        server.post(&alice.access, PUT, note(&alice, &format!("k{index}"), "x")).await.ok();
    }
    let did: Did = alice.did.parse().unwrap();
    let key = server.directory.state(&did).await.unwrap().signing_key().unwrap();
    let path = format!("/xrpc/com.atproto.sync.getRepo?did={did}");
    let (status, headers, file) = bytes(&server, "", &path).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/vnd.ipld.car"));
    let verified = verify::car(&file, &did, &key, CarLimits::default()).unwrap();
    assert_eq!(verified.records, 30);
    let latest = server.get("", "com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
    assert_eq!(
        latest,
        json!({"cid": verified.commit_cid.to_string(), "rev": verified.commit.rev.to_string()})
    );
    let root = server.get("", "com.atproto.sync.getHead", &[("did", &alice.did)]).await.ok();
    assert_eq!(root, json!({"root": latest["cid"]}));
    assert_eq!(bytes(&server, "", &format!("/xrpc/com.atproto.sync.getCheckout?did={did}")).await.2, file);

    // Not sent again to who has it.
    let tag = headers["etag"].to_str().unwrap();
    let request = server.request(Method::GET, &path).header("if-none-match", tag);
    assert_eq!(server.raw(request).await.status, 304);
    let request = server.request(Method::GET, &path).header("if-none-match", "\"other\"");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let since = format!("{path}&since={}", verified.commit.rev);
    let (_, headers, part) = bytes(&server, "", &since).await;
    assert_ne!(headers["etag"].to_str().unwrap(), tag);
    assert_eq!(car::read_all(&part, &Limits::REPOSITORY).unwrap().blocks.len(), 1);

    for (rkey, there) in [("k7", true), ("none", false)] {
        let path = format!("/xrpc/com.atproto.sync.getRecord?did={did}&collection={NOTE}&rkey={rkey}");
        let (status, _, proof) = bytes(&server, "", &path).await;
        assert_eq!(status, 200);
        let path = RecordPath::parse(&format!("{NOTE}/{rkey}")).unwrap();
        let proven = verify::record_proof(&proof, &did, &key, &path).unwrap();
        assert_eq!(proven.record.is_some(), there, "{rkey}");
    }
    let cid = verified.commit_cid;
    let (_, _, blocks) =
        bytes(&server, "", &format!("/xrpc/com.atproto.sync.getBlocks?did={did}&cids={cid}")).await;
    let blocks = car::read_all(&blocks, &Limits::SLICE).unwrap();
    assert!(blocks.roots.is_empty() && blocks.blocks.contains_key(&cid));
    let bob = server.create("bob").await;
    let theirs =
        server.get("", "com.atproto.sync.getBlocks", &[("did", &bob.did), ("cids", &cid.to_string())]).await;
    theirs.refused(400, "BlockNotFound", &format!("Could not find cids: {cid}"));
    server.stop().await;
}

#[tokio::test]
async fn inactive_repos_are_shown_to_their_owner_and_the_operator_only() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let image = server.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").bearer_auth(&alice.access);
    let blob =
        server.raw(image.header("content-type", "text/plain").body("hello")).await.ok()["blob"].clone();
    let record = json!({"$type": NOTE, "image": blob});
    server.post(&alice.access, PUT, with(note(&alice, "one", "x"), "record", record)).await.ok();
    let cid = Cid::for_raw(b"hello").to_string();
    let did = alice.did.as_str();
    let paths = [
        format!("/xrpc/com.atproto.sync.getRepo?did={did}"),
        format!("/xrpc/com.atproto.sync.getCheckout?did={did}"),
        format!("/xrpc/com.atproto.sync.getHead?did={did}"),
        format!("/xrpc/com.atproto.sync.getLatestCommit?did={did}"),
        format!("/xrpc/com.atproto.sync.getRecord?did={did}&collection={NOTE}&rkey=one"),
        format!("/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}"),
        format!("/xrpc/com.atproto.sync.getBlocks?did={did}&cids={cid}"),
        format!("/xrpc/com.atproto.sync.listBlobs?did={did}"),
    ];
    for (deactivate, name, status) in
        [(true, "RepoDeactivated", "deactivated"), (false, "RepoTakendown", "takendown")]
    {
        let id: Did = did.parse().unwrap();
        if deactivate {
            server.post(&alice.access, "com.atproto.server.deactivateAccount", json!({})).await.ok();
        } else {
            server.post(&alice.access, "com.atproto.server.activateAccount", Value::Null).await.ok();
            server.host.take_down(&id, Some("case".to_owned())).await.unwrap();
        }
        for path in &paths {
            let anyone = server.raw(server.request(Method::GET, path)).await;
            anyone.refused(400, name, did);
        }
        let path = &paths[0];
        let request = server.request(Method::GET, path).basic_auth("admin", Some(super::server::ADMIN));
        assert_eq!(request.send().await.unwrap().status(), 200);
        if deactivate {
            for path in &paths[..6] {
                assert_eq!(bytes(&server, &alice.access, path).await.0, 200, "{path}");
            }
        }
        let described = server.get("", "com.atproto.repo.describeRepo", &[("repo", did)]).await;
        described.refused(400, name, did);
        let read = server.get("", GET, &[("repo", did), ("collection", NOTE), ("rkey", "one")]).await;
        read.refused(400, "RecordNotFound", "");
        let listed = server.get("", LIST, &[("repo", did), ("collection", NOTE)]).await;
        listed.refused(400, "InvalidRequest", "Could not find repo");
        let known = server.get("", "com.atproto.sync.getRepoStatus", &[("did", did)]).await.ok();
        assert_eq!(known, json!({"did": did, "active": false, "status": status}));
        let repos = server.get("", "com.atproto.sync.listRepos", &[]).await.ok();
        assert_eq!(
            (&repos["repos"][0]["active"], &repos["repos"][0]["status"]),
            (&json!(false), &json!(status))
        );
    }
    for nsid in ["getRepo", "getLatestCommit", "getRepoStatus", "listBlobs"] {
        let nobody =
            server.get("", &format!("com.atproto.sync.{nsid}"), &[("did", "did:web:nobody.test")]).await;
        nobody.refused(400, "RepoNotFound", "Could not find repo for DID: did:web:nobody.test");
    }
    server.stop().await;
}

#[tokio::test]
async fn blobs_are_served_so_that_no_browser_runs_them() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let html = "<html><script>alert(1)</script></html>";
    let upload = server.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").bearer_auth(&alice.access);
    let blob = server.raw(upload.header("content-type", "text/html").body(html)).await.ok()["blob"].clone();
    assert_eq!((&blob["mimeType"], &blob["size"]), (&json!("text/html"), &json!(html.len())));
    let cid = Cid::for_raw(html.as_bytes()).to_string();
    let path = format!("/xrpc/com.atproto.sync.getBlob?did={}&cid={cid}", alice.did);
    server.raw(server.request(Method::GET, &path)).await.refused(400, "BlobNotFound", "Blob not found");
    let record = json!({"$type": NOTE, "file": blob});
    server.post(&alice.access, PUT, with(note(&alice, "one", "x"), "record", record)).await.ok();

    for method in [Method::GET, Method::HEAD] {
        let answer = server.raw(server.request(method.clone(), &path)).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"{cid}\""));
        assert_eq!(header("content-type"), "text/html");
        assert_eq!(header("content-length"), html.len().to_string());
        assert_eq!(answer.text, if method == Method::GET { html } else { "" });
    }
    let request = server.request(Method::GET, &path).header("range", "bytes=1-4");
    let part = server.raw(request).await;
    assert_eq!((part.status, part.text.as_str()), (206, "html"));
    assert_eq!(part.headers["content-range"].to_str().unwrap(), format!("bytes 1-4/{}", html.len()));
    let request = server.request(Method::GET, &path).header("range", "bytes=1000-");
    assert_eq!(server.raw(request).await.status, 416);
    let tag = format!("\"{cid}\"");
    let request = server.request(Method::GET, &path).header("if-none-match", tag);
    assert_eq!(server.raw(request).await.status, 304);
    let listed = server.get("", "com.atproto.sync.listBlobs", &[("did", &alice.did)]).await.ok();
    assert_eq!(listed, json!({"cids": [cid]}));

    let large = vec![0_u8; (5 << 20) + 1];
    let upload = server.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").bearer_auth(&alice.access);
    let answer = server.raw(upload.header("content-type", "image/png").body(large)).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (413, Some("PayloadTooLarge")));
    server.stop().await;
}

#[tokio::test]
async fn the_firehose_over_a_websocket() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let url = |query: &str| format!("ws://{}/xrpc/com.atproto.sync.subscribeRepos{query}", server.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url("?cursor=0")).await.unwrap();
    let mut next = async || match socket.next().await.unwrap().unwrap() {
        Message::Binary(frame) => Frame::decode(&frame).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(next().await, Frame::Identity(..)));
    assert!(matches!(next().await, Frame::Account(..)));
    let Frame::Commit(first, _) = next().await else { panic!() };
    assert!(first > 1 << 32);
    assert!(matches!(next().await, Frame::Sync(..)));
    server.post(&alice.access, CREATE, alice.post("live")).await.ok();
    let Frame::Commit(seq, commit) = next().await else { panic!() };
    assert_eq!((seq, commit.repo.as_str()), (first + 2, alice.did.as_str()));

    let (mut socket, _) =
        tokio_tungstenite::connect_async(url(&format!("?cursor={}", seq + 1))).await.unwrap();
    let Message::Binary(frame) = socket.next().await.unwrap().unwrap() else { panic!() };
    let Frame::Error(error) = Frame::decode(&frame).unwrap() else { panic!() };
    assert_eq!(error.name, "FutureCursor");
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_))) | None));
    for bad in ["?cursor=-1", "?cursor=x"] {
        let refused = tokio_tungstenite::connect_async(url(bad)).await.unwrap_err();
        let tokio_tungstenite::tungstenite::Error::Http(response) = refused else { panic!("{refused}") };
        assert_eq!(response.status(), 400, "{bad}");
    }
    let plain = server.get("", "com.atproto.sync.subscribeRepos", &[]).await;
    assert_eq!(plain.status, 426);
    server.stop().await;
}

#[tokio::test]
async fn a_repo_is_exported_and_imported_again() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    server.post(&alice.access, PUT, note(&alice, "one", "a")).await.ok();
    let path = format!("/xrpc/com.atproto.sync.getRepo?did={}", alice.did);
    let before = bytes(&server, "", &path).await.2;
    server.post(&alice.access, PUT, note(&alice, "two", "b")).await.ok();
    let import = async |token: &str, body: Vec<u8>| {
        let request = server.request(Method::POST, "/xrpc/com.atproto.repo.importRepo").bearer_auth(token);
        server.raw(request.header("content-type", "application/vnd.ipld.car").body(body)).await
    };
    let bob = server.create("bob").await;
    import(&bob.access, before.clone()).await.refused(400, "InvalidRequest", "the repo belongs to");
    import(&alice.access, b"nonsense".to_vec()).await.refused(400, "InvalidRequest", "car file");
    let imported = import(&alice.access, before).await;
    assert_eq!((imported.status, imported.text.as_str()), (200, ""));
    let listed = server.get("", LIST, &[("repo", &alice.did), ("collection", NOTE)]).await.ok();
    assert_eq!(listed["records"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_repo_is_described_whatever_its_handle() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    let did: Did = alice.did.parse().unwrap();
    // The identity takes another handle, and nobody told this server.
    let last = server.directory.last_operation(&did).await.unwrap();
    let state = last.state().unwrap().clone().with_handle(&"alice.example.com".parse().unwrap());
    let update = Unsigned::update(last.cid(), state).sign(&**server.secrets.rotation()).unwrap();
    server.directory.submit(&did, &update).await.unwrap();
    server.host.resolver().purge(&did);
    for repo in [&alice.did, &alice.handle] {
        let described = server.get("", "com.atproto.repo.describeRepo", &[("repo", repo)]).await.ok();
        assert_eq!((&described["did"], &described["handleIsCorrect"]), (&json!(alice.did), &json!(false)));
        assert_eq!(described["didDoc"]["alsoKnownAs"], json!(["at://alice.example.com"]));
        assert_eq!(described["collections"], json!([]), "no list is null");
    }
    server.stop().await;
}

/// Part of a file must not pass for the whole.
#[tokio::test]
async fn a_damaged_repo_is_not_served_as_a_whole_one() {
    let server = Server::start().await;
    let alice = server.create("alice").await;
    for index in 0..40 {
        server
            .post(&alice.access, PUT, note(&alice, &format!("k{index:02}"), &"x".repeat(10_000)))
            .await
            .ok();
    }
    let path = format!("/xrpc/com.atproto.sync.getRepo?did={}", alice.did);
    let whole = bytes(&server, "", &path).await.2;
    assert!(whole.len() > 400_000);
    let damage = "UPDATE record SET value = x'a0' WHERE substr(path, -3) = CAST('k39' AS BLOB)";
    let damaged = server
        .store
        .write(move |connection| Ok::<_, StoreError>(connection.execute(damage, [])?))
        .await
        .unwrap();
    assert_eq!(damaged, 1);
    let response = server.request(Method::GET, &path).send().await.unwrap();
    let status = response.status().as_u16();
    let read = response.bytes().await;
    assert!(status >= 500 || read.is_err(), "{status}, {} bytes", read.map_or(0, |bytes| bytes.len()));
    server.stop().await;
}
