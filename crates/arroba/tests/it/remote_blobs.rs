//! Blobs that live elsewhere: fetching, refetching, checking, serving.

use std::sync::Arc;
use std::time::Duration;

use arroba::core::data::Cid;
use arroba::core::syntax::{Did, Nsid, RecordKey};
use arroba::core::{nsid, record_key};
use arroba::environment::FixedClock;
use arroba::remote_blobs::{GivenContent, Located, MediaMetadata, RemoteBlobLimits, media_metadata};
use arroba::store::{BlobIndex, Memory, RemoteBlob, RemoteBlobIndex, RepoStore};
use arroba::{BlobConstraints, RemoteBlobError, RemoteBlobs, Write};
use arroba_net::{FetchError, Guard, GuardedClient, SystemDns};
use serde_json::json;

use super::fixture::{START_MICROS, World};
use super::media::{Video, gif, jpeg, png, wav, webm, webp};
use super::media_server::{MediaServer, Then};

const DAY: u64 = 24 * 60 * 60 * 1_000_000;
const NOTE: Nsid = nsid!("com.example.note");

pub(crate) fn client() -> GuardedClient {
    let dns = SystemDns::with_servers([std::net::SocketAddr::from(([127, 0, 0, 1], 1))]).unwrap();
    GuardedClient::new(Guard::AllowLoopback, Arc::new(dns)).unwrap()
}

fn limits() -> RemoteBlobLimits {
    RemoteBlobLimits::default().stall_time(Duration::from_millis(500)).fetch_time(Duration::from_secs(20))
}

struct Place {
    server: MediaServer,
    store: Memory,
    clock: Arc<FixedClock>,
    blobs: RemoteBlobs,
}

impl Place {
    async fn new(limits: RemoteBlobLimits) -> Self {
        let (store, clock) = (Memory::new(), Arc::new(FixedClock::new(START_MICROS)));
        let blobs =
            RemoteBlobs::builder(store.clone(), client()).clock(Arc::clone(&clock) as _).limits(limits);
        Self { server: MediaServer::start().await, store, clock, blobs: blobs.build() }
    }

    async fn get(&self, url: &str) -> Result<RemoteBlob, RemoteBlobError> {
        self.blobs.get_or_create(url, None, &BlobConstraints::default(), None).await
    }

    async fn known(&self, url: &str) -> RemoteBlob {
        self.store.remote_blob(url).await.unwrap().unwrap()
    }
}

/// Small files and what is in them.
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>, Option<MediaMetadata>)> {
    let media = |width, height, duration_ms| Some(MediaMetadata { width, height, duration_ms });
    let video = Video::mp4(640, 360, 12_345);
    let late = Video { index_first: false, data_bytes: 3_000, ..video };
    let film = Video { brand: *b"qt  ", ..video };
    let unknown = Video { brand: *b"zzzz", ..late };
    let codec = Video { codec: *b"zzzz", ..video };
    vec![
        ("png", png(37, 21), media(Some(37), Some(21), None)),
        ("gif", gif(300, 2), media(Some(300), Some(2), None)),
        ("jpeg", jpeg(123, 456), media(Some(123), Some(456), None)),
        ("webp", webp(77, 99), media(Some(77), Some(99), None)),
        ("mp4", video.file(), media(Some(640), Some(360), Some(12_345))),
        ("late.mp4", late.file(), media(Some(640), Some(360), Some(12_345))),
        ("mov", film.file(), media(Some(640), Some(360), Some(12_345))),
        ("brand.mp4", unknown.file(), media(Some(640), Some(360), Some(12_345))),
        ("codec.mp4", codec.file(), media(Some(640), Some(360), Some(12_345))),
        ("webm", webm(320, 240, 2_500), media(Some(320), Some(240), Some(2_500))),
        ("wav", wav(250), media(None, None, Some(250))),
        ("txt", b"hello".to_vec(), None),
        ("empty", Vec::new(), None),
    ]
}

#[test]
fn media_are_understood() {
    for (name, file, expected) in samples() {
        if let Some(directory) = std::env::var_os("ARROBA_WRITE_SAMPLES") {
            std::fs::write(std::path::Path::new(&directory).join(name), &file).unwrap();
        }
        assert_eq!(media_metadata(&file), expected, "{name}");
        // A part of a file is less, and never a panic.
        for end in 0..file.len().min(1200) {
            let _ = media_metadata(&file[..end]);
        }
    }
}

#[tokio::test]
async fn a_fetch_finds_out_what_it_is() {
    let place = Place::new(limits()).await;
    for (name, file, media) in samples() {
        let url = place.server.file(&format!("/{name}"), "application/x-test", &file);
        let blob = place.get(&url).await.unwrap();
        let media = media.unwrap_or_default();
        assert_eq!((blob.cid, blob.size), (Some(Cid::for_raw(&file)), Some(file.len() as u64)), "{name}");
        assert_eq!(
            (blob.width, blob.height, blob.duration_ms),
            (media.width, media.height, media.duration_ms),
            "{name}"
        );
        assert_eq!((blob.last_fetched, blob.inactive), (Some(START_MICROS), false));
        let reference = blob.blob_ref().unwrap();
        assert_eq!((reference.mime_type.as_str(), reference.size), ("application/x-test", file.len() as u64));
        assert_eq!(place.known(&url).await, blob);
    }
}

#[tokio::test]
async fn a_blob_larger_than_the_memory_for_it_goes_to_the_disk() {
    let place = Place::new(limits()).await;
    let video = Video { index_first: false, data_bytes: 5 << 20, ..Video::mp4(64, 32, 900) }.file();
    let blob = place.get(&place.server.file("/large.mp4", "video/mp4", &video)).await.unwrap();
    assert_eq!(blob.cid, Some(Cid::for_raw(&video)));
    assert_eq!((blob.width, blob.height, blob.duration_ms), (Some(64), Some(32), Some(900)));
}

#[tokio::test]
async fn the_type_is_the_servers_else_the_names_else_unknown() {
    let place = Place::new(limits()).await;
    for (path, header, expected) in [
        ("/a.jpg", "content-type: Image/PNG; charset=binary\r\n", "image/png"),
        ("/b.webp", "", "image/webp"),
        ("/c.mp4", "content-type: nonsense\r\n", "video/mp4"),
        ("/d.jpg?size=large", "content-type: */*\r\n", "image/jpeg"),
        ("/e", "", "application/octet-stream"),
    ] {
        let url =
            place.server.answer(path, &format!("200 OK\r\n{header}content-length: 1"), b"?", Then::Close);
        assert_eq!(place.get(&url).await.unwrap().mime_type, expected, "{path}");
    }
}

#[tokio::test]
async fn pictures_are_asked_for_again_after_a_week_and_others_never() {
    let place = Place::new(limits()).await;
    let picture = place.server.file("/picture", "image/png", &png(1, 2));
    let video = place.server.file("/video", "video/mp4", &Video::mp4(4, 4, 50).file());
    let first = place.get(&picture).await.unwrap();
    place.get(&video).await.unwrap();
    place.clock.set(START_MICROS + 7 * DAY);
    assert_eq!(place.get(&picture).await.unwrap(), first);
    assert_eq!(place.server.asked("/picture"), 1, "a week has not passed");
    place.clock.advance(1);
    place.server.file("/picture", "image/gif", &gif(3, 4));
    let changed = place.get(&picture).await.unwrap();
    assert_eq!((changed.cid, changed.width), (Some(Cid::for_raw(&gif(3, 4))), Some(3)));
    assert_eq!((changed.mime_type.as_str(), changed.created), ("image/gif", START_MICROS));
    place.get(&video).await.unwrap();
    assert_eq!((place.server.asked("/picture"), place.server.asked("/video")), (2, 1));
}

#[tokio::test]
async fn what_fails_is_inactive_only_if_it_is_gone_or_never_was() {
    let place = Place::new(limits()).await;
    let (there, never) = (place.server.file("/there", "image/png", &png(1, 1)), place.server.url("/never"));
    let first = place.get(&there).await.unwrap();
    place.server.answer("/never", "503 Busy\r\ncontent-length: 0", b"", Then::Close);
    assert!(matches!(place.get(&never).await, Err(RemoteBlobError::Status(status)) if status == 503));
    assert!(place.known(&never).await.inactive);
    place.server.file("/never", "image/png", &png(1, 1));
    assert!(matches!(place.get(&never).await, Err(RemoteBlobError::Inactive)));
    assert_eq!(place.server.asked("/never"), 1, "an inactive blob is not asked for");

    place.clock.advance(8 * DAY);
    place.server.answer("/there", "500 Oh\r\ncontent-length: 0", b"", Then::Close);
    assert!(matches!(place.get(&there).await, Err(RemoteBlobError::Status(_))));
    let known = place.known(&there).await;
    assert_eq!(
        (known.inactive, known.cid, known.last_fetched),
        (false, first.cid, Some(START_MICROS + 8 * DAY))
    );
    assert_eq!(place.get(&there).await.unwrap().cid, first.cid, "what was known holds until it is due again");
    place.clock.advance(8 * DAY);
    place.server.answer("/there", "410 Gone\r\ncontent-length: 0", b"", Then::Close);
    assert!(matches!(place.get(&there).await, Err(RemoteBlobError::Gone(status)) if status == 410));
    assert!(place.known(&there).await.inactive);

    // Content that is given makes it active again.
    let content = GivenContent { bytes: png(5, 6).into(), mime_type: "image/png".into() };
    let none = BlobConstraints::default();
    let given = place.blobs.get_or_create(&there, None, &none, Some(content)).await.unwrap();
    assert_eq!((given.cid, given.width, given.inactive), (Some(Cid::for_raw(&png(5, 6))), Some(5), false));
    assert_eq!(place.server.asked("/there"), 3);
    place.blobs.deactivate(&there).await.unwrap();
    assert!(place.known(&there).await.inactive);
}

#[tokio::test]
async fn bad_servers_leave_nothing_half_known() {
    let place = Place::new(limits().max_bytes(100_000)).await;
    let server = &place.server;
    let redirect = |path: &str, to: &str| {
        server.answer(path, &format!("302 Found\r\nlocation: {to}\r\ncontent-length: 0"), b"", Then::Close)
    };
    let forbidden =
        |error: &RemoteBlobError| matches!(error, RemoteBlobError::Fetch(FetchError::Forbidden(_)));
    type Expected<'a> = &'a dyn Fn(&RemoteBlobError) -> bool;
    let cases: Vec<(String, Expected<'_>)> = vec![
        (redirect("/metadata", "http://169.254.169.254/latest"), &forbidden),
        (redirect("/inside", "http://10.0.0.1/"), &forbidden),
        (redirect("/name", "http://[::ffff:10.0.0.1]/"), &forbidden),
        (redirect("/file", "file:///etc/passwd"), &|error| {
            matches!(error, RemoteBlobError::Fetch(FetchError::Scheme(_)))
        }),
        (redirect("/round", "/round"), &|error| {
            matches!(error, RemoteBlobError::Fetch(FetchError::TooManyRedirects(5)))
        }),
        (server.answer("/silent", "200 OK", b"some", Then::Silence), &|error| {
            matches!(error, RemoteBlobError::Stalled)
        }),
        (server.answer("/short", "200 OK\r\ncontent-length: 50", b"less", Then::Close), &|error| {
            matches!(error, RemoteBlobError::Fetch(FetchError::Transport(_)))
        }),
        (
            server.file("/page", "image/png", b"<!DOCTYPE html><html><body>not here</body></html>"),
            &|error| matches!(error, RemoteBlobError::WrongType { mime_type } if mime_type == "image/png"),
        ),
        (server.file("/clip", "image/gif", &Video::mp4(4, 4, 50).file()), &|error| {
            matches!(error, RemoteBlobError::WrongType { .. })
        }),
    ];
    for (url, expected) in cases {
        let error = place.get(&url).await.unwrap_err();
        assert!(expected(&error), "{url}: {error:?}");
        let blob = place.known(&url).await;
        assert!(blob.inactive && blob.last_fetched == Some(START_MICROS), "{url}: {blob:?}");
        let plain = RemoteBlob {
            inactive: true,
            last_fetched: Some(START_MICROS),
            ..RemoteBlob::new(&url, START_MICROS)
        };
        assert_eq!(blob, plain, "{url}");
    }
    // More is announced than is allowed, or more comes, or it never ends: type and size are kept, and nobody tries again.
    let (announced, chunk) = (1_u64 << 40, [0; 1 << 10]);
    let long = format!("200 OK\r\ncontent-type: video/mp4\r\ncontent-length: {announced}");
    let urls = [
        server.answer("/announced", &long, b"x", Then::Silence),
        server.answer("/endless", "200 OK\r\ncontent-type: video/mp4", &chunk, Then::Repeat),
    ];
    for (url, path) in urls.iter().zip(["/announced", "/endless"]) {
        for _ in 0..2 {
            let error = place.get(url).await.unwrap_err();
            assert!(
                matches!(error, RemoteBlobError::TooLarge { size, limit: 100_000 } if size > 100_000),
                "{url}: {error:?}"
            );
        }
        let blob = place.known(url).await;
        assert_eq!((blob.cid, blob.inactive, blob.mime_type.as_str()), (None, false, "video/mp4"));
        assert_eq!(server.asked(path), 1);
    }
    // What answers without an end in small pieces hits the time limit.
    let slow = Place::new(limits().fetch_time(Duration::from_millis(700))).await;
    let url = slow.server.answer("/slow", "200 OK", b"", Then::Silence);
    assert!(matches!(
        slow.get(&url).await,
        Err(RemoteBlobError::Stalled | RemoteBlobError::Fetch(FetchError::Timeout))
    ));
    for url in ["", "no url", "data:text/plain,hello", "http://10.0.0.1/a.png", "ftp://media.test/a"] {
        assert!(place.get(url).await.is_err(), "{url}");
        assert_eq!(place.store.remote_blob(url).await.unwrap(), None, "{url}: nothing is kept of it");
    }
    let long = format!("https://media.test/{}", "x".repeat(9000));
    assert!(matches!(place.get(&long).await, Err(RemoteBlobError::UrlLength(_))));
}

#[tokio::test]
async fn a_failed_refetch_of_other_content_keeps_what_was() {
    let place = Place::new(limits().max_bytes(1000)).await;
    let url = place.server.file("/a", "image/png", &png(1, 1));
    let first = place.get(&url).await.unwrap();
    let wrong = b"<!DOCTYPE html><html></html>";
    let bodies: [&[u8]; 2] = [wrong, &[7; 2000]];
    for body in bodies {
        place.clock.advance(8 * DAY);
        place.server.file("/a", "image/png", body);
        place.get(&url).await.unwrap_err();
        let known = place.known(&url).await;
        assert_eq!(
            known,
            RemoteBlob { last_fetched: known.last_fetched, updated: known.updated, ..first.clone() }
        );
    }
}

#[tokio::test]
async fn constraints_of_the_field_and_of_the_host() {
    let place = Place::new(limits()).await;
    let picture = place.server.file("/picture", "image/png", &png(1, 1));
    let field = |accept: &[&str], max_size| BlobConstraints {
        name: "avatar".into(),
        accept: accept.iter().map(|&pattern| pattern.to_owned()).collect(),
        max_size,
    };
    let get = async |url: &str, constraints: BlobConstraints| {
        place.blobs.get_or_create(url, None, &constraints, None).await
    };
    get(&picture, field(&["image/*"], Some(1000))).await.unwrap();
    let small = get(&picture, field(&["image/*"], Some(10))).await.unwrap_err();
    assert!(matches!(&small, RemoteBlobError::OverMaxSize { name, max_size: 10, .. } if name == "avatar"));
    let other = get(&picture, field(&["video/mp4", "image/jpeg"], None)).await.unwrap_err();
    assert!(matches!(&other, RemoteBlobError::NotAccepted { mime_type, .. } if mime_type == "image/png"));
    assert_eq!(place.server.asked("/picture"), 1, "what does not fit is known all the same");
    let ten = |millis: u32| Video::mp4(4, 4, 10 * 60 * 1000 + millis).file();
    get(&place.server.file("/ten", "video/mp4", &ten(0)), field(&[], None)).await.unwrap();
    let longer =
        get(&place.server.file("/longer", "video/mp4", &ten(1)), field(&[], None)).await.unwrap_err();
    assert!(matches!(longer, RemoteBlobError::TooLong { limit, .. } if limit == Duration::from_secs(600)));
    let content = GivenContent { bytes: ten(1).into(), mime_type: "video/mp4".into() };
    let given = place.blobs.get_or_create(&picture, None, &field(&[], None), Some(content)).await;
    assert!(matches!(given, Err(RemoteBlobError::TooLong { .. })));
    let content = GivenContent { bytes: ten(0).into(), mime_type: "image/png".into() };
    let given = place.blobs.get_or_create(&picture, None, &field(&[], None), Some(content)).await;
    assert!(matches!(given, Err(RemoteBlobError::WrongType { .. })));
}

#[tokio::test]
async fn callers_at_once_share_one_fetch() {
    let place = Place::new(limits()).await;
    let url = place.server.file("/a", "image/png", &png(1, 1));
    let all = futures::future::join_all((0..20).map(|_| place.get(&url))).await;
    assert!(all.iter().all(|blob| blob.as_ref().unwrap().cid.is_some()));
    assert_eq!(place.server.asked("/a"), 1);
}

#[tokio::test]
async fn a_cid_is_located_at_the_url_that_changed_last() {
    let place = Place::new(limits()).await;
    let file = png(1, 1);
    let cid = Cid::for_raw(&file);
    assert_eq!(place.blobs.locate(&cid).await.unwrap(), Located::Unknown);
    let urls: Vec<_> =
        (0..3).map(|number| place.server.file(&format!("/{number}"), "image/png", &file)).collect();
    for url in &urls {
        place.get(url).await.unwrap();
        place.clock.advance(10);
    }
    let at = |url: &str| Located::At(url.parse().unwrap());
    assert_eq!(place.blobs.locate(&cid).await.unwrap(), at(&urls[2]));
    place.blobs.deactivate(&urls[2]).await.unwrap();
    assert_eq!(place.blobs.locate(&cid).await.unwrap(), at(&urls[1]), "inactive ones are passed over");
    // Both are due: one is gone, the other one has other content.
    place.clock.advance(8 * DAY);
    place.server.answer("/1", "404 Not Found\r\ncontent-length: 0", b"", Then::Close);
    place.server.file("/0", "image/png", &png(2, 2));
    assert_eq!(place.blobs.locate(&cid).await.unwrap(), Located::Gone);
    assert_eq!(place.blobs.locate(&cid).await.unwrap(), Located::Gone);
    assert!(place.known(&urls[1]).await.inactive);
    assert_eq!(place.blobs.locate(&Cid::for_raw(&png(2, 2))).await.unwrap(), at(&urls[0]));
    assert_eq!((place.server.asked("/0"), place.server.asked("/1"), place.server.asked("/2")), (2, 2, 1));
}

/// A host that serves them.
pub(crate) struct Served<S> {
    world: World<S>,
    server: MediaServer,
    alice: Did,
    address: String,
    http: reqwest::Client,
    task: tokio::task::JoinHandle<()>,
}

impl<S> Drop for Served<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Served<Memory> {
    async fn new() -> Self {
        Self::over(Memory::new()).await
    }
}

impl<S: RepoStore + BlobIndex + RemoteBlobIndex + Clone> Served<S> {
    pub(crate) async fn over(store: S) -> Self {
        let world = World::with_remote_blobs(store, client(), limits()).await;
        let alice = world.account("alice").await.did().clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = world.host.router();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { world, server: MediaServer::start().await, alice, address, http, task }
    }

    async fn blob(&self, cid: &Cid) -> reqwest::Response {
        let url = format!("{}/xrpc/com.atproto.sync.getBlob?did={}&cid={cid}", self.address, self.alice);
        self.http.get(url).send().await.unwrap()
    }

    async fn json(&self, method: &str, more: &str) -> serde_json::Value {
        let url = format!("{}/xrpc/com.atproto.sync.{method}?did={}{more}", self.address, self.alice);
        let response = self.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    async fn fetched(&self, path: &str, file: &[u8]) -> RemoteBlob {
        let url = self.server.file(path, "image/png", file);
        let blobs = self.world.host.remote_blobs().unwrap();
        let none = BlobConstraints::default();
        blobs.get_or_create(&url, Some(&self.alice), &none, None).await.unwrap()
    }

    async fn refer(&self, rkey: RecordKey, blob: &RemoteBlob) {
        let reference = blob.blob_ref().unwrap();
        let image = json!({
            "$type": "blob",
            "ref": {"$link": reference.cid.to_string()},
            "mimeType": reference.mime_type,
            "size": reference.size,
        });
        let alice = self.world.host.repo(&self.alice);
        alice.commit([Write::put(NOTE, rkey, json!({ "image": image }))]).await.unwrap();
    }
}

#[tokio::test]
async fn get_blob_answers_with_the_url() {
    redirects(Served::new().await).await;
}

pub(crate) async fn redirects<S: RepoStore + BlobIndex + RemoteBlobIndex + Clone>(served: Served<S>) {
    let blob = served.fetched("/a.png", &png(1, 1)).await;
    let cid = blob.cid.unwrap();
    let answer = served.blob(&cid).await;
    assert_eq!(answer.status(), 301);
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(&answer, "location"), Some(blob.url.clone()));
    assert_eq!(header(&answer, "cache-control").as_deref(), Some("public, max-age=86400"));
    // One that was there once is gone for as long; of one that nobody knows nobody says how long.
    served.world.host.remote_blobs().unwrap().deactivate(&blob.url).await.unwrap();
    let gone = served.blob(&cid).await;
    assert_eq!(gone.status(), 400);
    assert_eq!(header(&gone, "cache-control").as_deref(), Some("public, max-age=86400"));
    assert!(gone.text().await.unwrap().contains("BlobNotFound"));
    let unknown = served.blob(&Cid::for_raw(b"unknown")).await;
    assert_eq!((unknown.status().as_u16(), header(&unknown, "cache-control")), (400, None));
}

#[tokio::test]
async fn a_takedown_covers_a_remote_blob() {
    let served = Served::new().await;
    let cid = served.fetched("/a.png", &png(1, 1)).await.cid.unwrap();
    let subject = arroba::store::Subject::Blob(cid);
    served.world.host.hide(&served.alice, subject, Some("case".into())).await.unwrap();
    assert_eq!(served.blob(&cid).await.status(), 400);
}

#[tokio::test]
async fn records_refer_to_remote_blobs_and_lists_have_them() {
    lists(Served::new().await).await;
}

pub(crate) async fn lists<S: RepoStore + BlobIndex + RemoteBlobIndex + Clone>(served: Served<S>) {
    let blobs = [
        served.fetched("/used.png", &png(1, 1)).await,
        served.fetched("/free.png", &png(2, 2)).await,
        served.fetched("/other.png", &png(3, 3)).await,
    ];
    // The same bytes again are the same blob.
    served.fetched("/copy.png", &png(2, 2)).await;
    let cids = blobs.each_ref().map(|blob| blob.cid.unwrap().to_string());
    served.refer(record_key!("one"), &blobs[0]).await;
    let alice = served.world.host.repo(&served.alice);
    let text = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"uploaded"))]);
    let uploaded = alice.upload_blob(Some("text/plain"), text).await.unwrap();
    let file = json!({
        "$type": "blob", "ref": {"$link": uploaded.cid.to_string()}, "mimeType": "text/plain", "size": 8,
    });
    alice.commit([Write::put(NOTE, record_key!("two"), json!({ "file": file }))]).await.unwrap();

    let mut referenced = vec![cids[0].clone(), uploaded.cid.to_string()];
    referenced.sort_by_key(|cid| Cid::parse(cid).unwrap());
    for limit in 1..6 {
        let mut listed = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = served.json("listBlobs", &format!("&limit={limit}{cursor}")).await;
            let page_cids = page["cids"].as_array().unwrap();
            assert!(page_cids.len() <= limit);
            listed.extend(page_cids.iter().map(|cid| cid.as_str().unwrap().to_owned()));
            let Some(next) = page["cursor"].as_str() else { break };
            cursor = format!("&cursor={}", urlencode(next));
        }
        assert_eq!(listed[..2], referenced, "those that records refer to come first, page size {limit}");
        let mut rest = listed.split_off(2);
        rest.sort();
        rest.dedup();
        let mut expected = cids[1..].to_vec();
        expected.sort();
        assert_eq!(rest, expected, "then the others, page size {limit}");
    }
    let missing = served.world.store.missing(&served.alice, None, 10).await.unwrap();
    assert!(missing.is_empty(), "{missing:?}");
    let rev = alice.row().await.unwrap().unwrap().rev.unwrap();
    let newer = served.json("listBlobs", &format!("&since={rev}")).await;
    assert_eq!(newer["cids"].as_array().unwrap().len(), 0);
}

fn urlencode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
