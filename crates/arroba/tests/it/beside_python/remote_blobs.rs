//! Blobs that live elsewhere: made, used and changed by both programs.

use arroba::core::syntax::{Did, RecordKey};
use arroba::core::{nsid, record_key};
use arroba::store::datastore::api::Entity;
use arroba::store::datastore::entity::AtpRemoteBlob;
use arroba::store::datastore::{Reads, Select};
use arroba::store::{BlobIndex, RemoteBlob, RemoteBlobIndex};
use arroba::{BlobConstraints, RemoteBlobs, Write};
use serde_json::{Value, json};

use super::super::media::png;
use super::super::media_server::MediaServer;
use super::accounts::did;
use super::shapes::{Shape, shape};
use super::side::{Setup, Side};

/// What both say of a blob.
async fn agreed(side: &Side, url: &str) -> (RemoteBlob, Value) {
    let ours = side.store.remote_blob(url).await.unwrap().unwrap();
    let theirs = side.python.call("read_remote_blob", json!({"url": url})).await;
    let cid = ours.cid.map(|cid| cid.to_string());
    let expected = json!({
        "url": ours.url, "cid": cid, "size": ours.size, "mime_type": ours.mime_type, "remote_id": ours.remote_id,
        "width": ours.width, "height": ours.height, "duration": ours.duration_ms,
        "status": ours.inactive.then_some("inactive"), "last_fetched": ours.last_fetched,
        "created": ours.created, "updated": ours.updated, "repos": theirs["repos"],
    });
    assert_eq!(theirs, expected);
    let mut users: Vec<String> = serde_json::from_value(theirs["repos"].clone()).unwrap();
    users.sort();
    let found = side.store.remote_blob_users(url, None, 100).await.unwrap();
    assert_eq!(found.iter().map(Did::to_string).collect::<Vec<_>>(), users);
    (ours, theirs)
}

async fn entity(side: &Side, url: &str) -> Entity {
    let key = AtpRemoteBlob::key(side.client.database(), url);
    let found = side.client.lookup(vec![key], Reads::Strong).await.unwrap().found;
    found.into_iter().next().unwrap().entity.unwrap()
}

/// Both send whoever asks for the blob to its URL.
async fn redirected(side: &Side, did: &Did, blob: &RemoteBlob) {
    let cid = blob.cid.unwrap();
    let theirs = side.python.call("get_blob", json!({"did": did.as_str(), "cid": cid.to_string()})).await;
    assert_eq!(theirs, json!({"status": 301, "to": blob.url}));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}", side.url);
    let ours = http.get(url).send().await.unwrap();
    assert_eq!(ours.status(), 301);
    assert_eq!(ours.headers()["location"], blob.url.as_str());
}

/// Both list the same.
async fn listed(side: &Side, did: &Did) -> Vec<String> {
    let cids = |json: &Value| {
        let mut cids: Vec<String> = serde_json::from_value(json["cids"].clone()).unwrap();
        cids.sort();
        cids
    };
    let theirs = cids(&side.python.call("list_blobs", json!({"did": did.as_str()})).await);
    let url = format!("{}/xrpc/com.atproto.sync.listBlobs?did={did}", side.url);
    let ours = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(cids(&serde_json::from_str(&ours).unwrap()), theirs);
    theirs
}

async fn refer(side: &Side, user: &Did, rkey: RecordKey, blob: &RemoteBlob) -> Result<(), arroba::HostError> {
    let reference = blob.blob_ref().unwrap();
    let image = json!({
        "$type": "blob", "ref": {"$link": reference.cid.to_string()}, "mimeType": reference.mime_type,
        "size": reference.size,
    });
    let write = Write::create_at(nsid!("com.example.note"), rkey, json!({ "image": image }));
    side.host.repo(user).commit([write]).await.map(|_| ())
}

async fn ours(blobs: &RemoteBlobs, url: &str, user: &Did) -> RemoteBlob {
    blobs.get_or_create(url, Some(user), &BlobConstraints::default(), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_make_and_change_remote_blobs() {
    let Some(side) = Side::start(Setup::default()).await else { return };
    let (python, rust) = (side.python_repo(1).await, did(2));
    side.rust_repo(2).await;
    let server = MediaServer::start().await;
    let (first, second) = (
        server.file("/python.png", "image/png", &png(37, 21)),
        server.file("/rust.png", "image/png", &png(4, 5)),
    );
    let blobs = side.host.remote_blobs().unwrap();

    // Made there, used, named and referred to here.
    let made = side.python.call("remote_blob", json!({"url": first, "did": python.as_str()})).await;
    let shape_of_theirs: Shape = shape(&entity(&side, &first).await);
    let (known, _) = agreed(&side, &first).await;
    assert_eq!((known.width, known.height, known.inactive), (Some(37), Some(21), false));
    assert_eq!(made["object"], json!({"cid": known.cid.unwrap().to_string(), "size": known.size}));
    refer(&side, &rust, record_key!("early"), &known).await.unwrap_err();
    let used = ours(blobs, &first, &rust).await;
    assert_eq!((server.asked("/python.png"), used.cid), (1, known.cid), "nobody asks for it again");
    side.store.set_remote_id(&first, used.updated + 1, Some("media 7")).await.unwrap();
    let (changed, theirs) = agreed(&side, &first).await;
    assert_eq!(theirs["repos"], json!([python.as_str(), rust.as_str()]));
    assert_eq!((changed.remote_id.as_deref(), changed.created), (Some("media 7"), known.created));
    for (user, rkey) in [(&python, record_key!("one")), (&rust, record_key!("two"))] {
        refer(&side, user, rkey, &changed).await.unwrap();
        redirected(&side, user, &changed).await;
        assert_eq!(listed(&side, user).await, [changed.cid.unwrap().to_string()]);
        assert!(side.store.missing(user, None, 9).await.unwrap().is_empty());
        side.agreed(user).await;
    }

    // Made here, used and named there.
    let made = ours(blobs, &second, &rust).await;
    assert_eq!(made.blob_ref().map(|blob| blob.size), Some(png(4, 5).len() as u64));
    side.python.call("remote_blob", json!({"url": second, "did": python.as_str()})).await;
    assert_eq!(server.asked("/rust.png"), 1, "nobody asks for it again");
    side.python.call("set_remote_id", json!({"url": second, "remote_id": "media 8"})).await;
    let (changed, theirs) = agreed(&side, &second).await;
    assert_eq!(theirs["repos"], json!([rust.as_str(), python.as_str()]));
    assert_eq!((changed.remote_id.as_deref(), changed.cid), (Some("media 8"), made.cid));
    redirected(&side, &python, &changed).await;
    assert_eq!(listed(&side, &python).await.len(), 2);

    // Gone for one is gone for both, and back for both.
    blobs.deactivate(&second).await.unwrap();
    agreed(&side, &second).await;
    let refused = side.python.refused("remote_blob", json!({"url": second, "did": python.as_str()})).await;
    assert!(refused.contains("inactive"), "{refused}");
    let given = json!({"url": second, "did": python.as_str(), "content": "other", "mime_type": "text/plain"});
    side.python.call("remote_blob", given).await;
    let (back, _) = agreed(&side, &second).await;
    assert_eq!((back.size, back.mime_type.as_str(), back.inactive), (Some(5), "text/plain", false));

    // The form is the same, whoever made it.
    let third = server.file("/third.png", "image/png", &png(6, 7));
    ours(blobs, &third, &rust).await;
    assert_eq!(shape(&entity(&side, &third).await), shape_of_theirs);
    let all = side.client.query(Select::from(AtpRemoteBlob::KIND).into(), Reads::Strong).await.unwrap();
    assert_eq!(all.results.len(), 3);
    side.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_both_add_at_once_are_all_kept() {
    let Some(side) = Side::start(Setup::default()).await else { return };
    let server = MediaServer::start().await;
    let url = server.file("/one.png", "image/png", &png(1, 1));
    let users: Vec<u64> = (1..9).collect();
    for number in &users {
        side.rust_repo(*number).await;
    }
    let blobs = side.host.remote_blobs().unwrap();
    ours(blobs, &url, &did(1)).await;
    let (odd, even): (Vec<u64>, Vec<u64>) = users.iter().partition(|number| **number % 2 == 1);
    let here = async {
        for number in odd {
            ours(blobs, &url, &did(number)).await;
        }
    };
    let there = async {
        for number in even {
            let arguments = json!({"url": url, "did": did(number).as_str()});
            side.python.call("remote_blob", arguments).await;
        }
    };
    futures::future::join(here, there).await;
    let found = side.store.remote_blob_users(&url, None, 100).await.unwrap();
    let mut expected: Vec<Did> = users.into_iter().map(did).collect();
    expected.sort();
    assert_eq!(found, expected);
    side.host.close().await;
}
