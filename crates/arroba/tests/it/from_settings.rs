//! Hosts that are put together from settings.

use std::sync::Arc;

use arroba::config::{Config, Program};
use arroba::core::nsid;
use arroba::identity::Clock;
use arroba::identity::plc::Directory;
use arroba::store::{Memory, Sqlite};
use arroba::{Error, HostKeys, NewRepo, Pds, RepoHost, Secrets, SecretsError, Write};
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn settings(more: &[(&str, &str)]) -> Config {
    let mut all = vec![
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", KEY),
        ("ARROBA_MASTER_KEY", KEY),
        ("PDS_HOSTNAME", "bridge.test"),
    ];
    all.extend(more);
    let all = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::from_env_for(Program::Host, all).unwrap().config
}

/// The host's routes, and the DID of its one repo.
async fn served(config: &Config) -> (Router, RepoHost, String) {
    let keys = HostKeys::from_config(config).unwrap();
    let host = RepoHost::from_config(config, keys, Memory::new()).unwrap();
    // The settings' directory is the public one, which a test does not ask.
    let host = host.directory(Arc::new(Directory::new(Clock::system()))).build().await.unwrap();
    let alice = host.create_repo(NewRepo::plc("alice.bridge.test".parse().unwrap())).await.unwrap();
    for collection in [nsid!("app.bsky.feed.post"), nsid!("com.example.note")] {
        let record = json!({"$type": collection.as_str(), "text": "hi", "createdAt": host.now()});
        alice.commit([Write::create(collection, record)]).await.unwrap();
    }
    let router = host.routes().configured(config).unwrap().router().unwrap();
    (router, host, alice.did().to_string())
}

async fn ask(app: &Router, request: http::request::Builder, body: Body) -> (u16, Value) {
    let answer = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn get(app: &Router, path: &str) -> (u16, Value) {
    ask(app, Request::get(path), Body::empty()).await
}

async fn create(app: &Router, token: &str, did: &str) -> (u16, Value) {
    let body = json!({"repo": did, "collection": "app.bsky.feed.post",
        "record": {"text": "hi", "createdAt": "2026-01-01T00:00:00.000Z"}});
    let request = Request::post("/xrpc/com.atproto.repo.createRecord")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    ask(app, request, Body::from(body.to_string())).await
}

#[tokio::test]
async fn a_host_writes_for_whoever_shows_the_token_of_its_settings() {
    let (app, _host, did) = served(&settings(&[("REPO_TOKEN", "towel")])).await;
    assert_eq!(create(&app, "towel", &did).await.0, 200);
    assert_eq!(create(&app, "other", &did).await.0, 401);
    let (app, _host, did) = served(&settings(&[])).await;
    assert_eq!(create(&app, "towel", &did).await.0, 501);
}

#[tokio::test]
async fn a_host_has_the_policies_of_its_settings() {
    let config = settings(&[
        ("SUPPORTED_COLLECTIONS", "app.bsky.feed.post"),
        ("PDS_HOSTNAME", "localhost"),
        ("PDS_PORT", "2583"),
        ("PDS_BLOB_UPLOAD_LIMIT", "77"),
        ("ROLLBACK_WINDOW", "1"),
    ]);
    let (app, host, did) = served(&config).await;
    let listed = async |collection: &str| {
        let path = format!("/xrpc/com.atproto.repo.listRecords?repo={did}&collection={collection}");
        get(&app, &path).await.1["records"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((listed("app.bsky.feed.post").await, listed("com.example.note").await), (1, 0));
    // Relays know a host on localhost by its port too.
    assert_eq!((host.hostname(), host.public_url()), ("localhost:2583", "http://localhost:2583"));
    let (app, host, _) = served(&settings(&[])).await;
    assert_eq!((host.hostname(), host.public_url()), ("bridge.test", "https://bridge.test"));
    assert_eq!(get(&app, "/xrpc/com.atproto.server.describeServer").await.1["did"], "did:web:bridge.test");
}

#[tokio::test]
async fn uploads_go_to_the_directory_of_the_settings() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let (app, _host, _did) =
        served(&settings(&[("PDS_DATA_DIRECTORY", directory), ("REPO_TOKEN", "towel")])).await;
    assert_eq!(get(&app, "/xrpc/com.atproto.sync.listRepos").await.0, 200);
    assert!(data.path().join("blobs").is_dir());
}

#[tokio::test]
async fn settings_of_a_host_make_no_server_and_say_what_is_missing() {
    let config = settings(&[]);
    let Err(Error::Config(errors)) = Pds::from_config(&config).await else {
        panic!("a server without secrets")
    };
    assert_eq!(
        errors.to_string(),
        "PDS_DATA_DIRECTORY is required\nPDS_JWT_SECRET is required\nPDS_ADMIN_PASSWORD is required"
    );
    assert!(matches!(Secrets::from_config(&config), Err(SecretsError::Missing("PDS_JWT_SECRET"))));
    let rotation = ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX".to_owned(), KEY.to_owned());
    let keyless = Config::from_env_for(Program::Host, [rotation]).unwrap().config;
    assert!(matches!(HostKeys::from_config(&keyless), Err(SecretsError::Missing(_))));
}

/// The master key of the settings opens what it sealed at the first start.
#[tokio::test]
async fn the_keys_of_the_settings_are_kept_in_their_directory() {
    let data = tempfile::tempdir().unwrap();
    let given = [
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", KEY),
        ("PDS_DATA_DIRECTORY", data.path().to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let plc = Arc::new(Directory::new(Clock::system()));
    let open = async || {
        let config = Config::from_env_for(Program::Host, given.clone()).unwrap().config;
        let store = Sqlite::open(data.path().join("host.sqlite")).await.unwrap();
        let keys = HostKeys::from_config(&config).unwrap();
        let host = RepoHost::from_config(&config, keys, store.clone()).unwrap();
        (store, host.directory(Arc::<Directory>::clone(&plc)).build().await.unwrap())
    };
    let (store, host) = open().await;
    let handle: arroba::core::syntax::Handle = "alice.bridge.test".parse().unwrap();
    host.create_repo(NewRepo::plc(handle.clone())).await.unwrap();
    host.close().await;
    store.close().await.unwrap();
    let (_store, host) = open().await;
    let alice = host.repo_of(&handle).await.unwrap().unwrap();
    let post = json!({"text": "hi", "createdAt": host.now()});
    alice.commit([Write::create(nsid!("app.bsky.feed.post"), post)]).await.unwrap();
}

#[cfg(feature = "datastore")]
mod on_datastore {
    use std::error::Error as _;

    use arroba::store::RepoStore;
    use arroba::store::datastore::testing::Emulator;

    use super::*;

    /// Settings of a host on an empty database of the emulator.
    fn of_database(emulator: &Emulator, project: &str, more: &[(&str, &str)]) -> Config {
        let mut all = vec![
            ("GOOGLE_CLOUD_PROJECT", project),
            ("DATASTORE_EMULATOR_HOST", emulator.host()),
            ("ENCRYPTED_PROPERTY_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
            ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", KEY),
            ("PDS_HOSTNAME", "bridge.test"),
        ];
        all.extend(more);
        let all = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::from_env_for(Program::DatastoreHost, all).unwrap().config
    }

    /// Two programs with the same settings, the numbers of Rust alone: what one writes the other reads, keys included.
    #[tokio::test]
    async fn two_hosts_of_the_same_settings_share_a_database() {
        let Some(emulator) = Emulator::shared().await else { return };
        let database = emulator.database();
        let config = of_database(&emulator, database.project(), &[("ARROBA_SEQUENCES", "exclusive")]);
        let plc = Arc::new(Directory::new(Clock::system()));
        let open = async || {
            let store = config.datastore().await.unwrap();
            let host =
                RepoHost::from_config(&config, config.datastore_keys().unwrap(), store.clone()).unwrap();
            (store, host.directory(Arc::<Directory>::clone(&plc)).build().await.unwrap())
        };
        let ((one, first), (other, second)) = (open().await, open().await);
        let handle: arroba::core::syntax::Handle = "alice.bridge.test".parse().unwrap();
        let alice = first.create_repo(NewRepo::plc(handle.clone())).await.unwrap();
        let there = second.repo_of(&handle).await.unwrap().unwrap();
        assert_eq!(there.did(), alice.did());
        let post = json!({"text": "hi", "createdAt": second.now()});
        there.commit([Write::create(nsid!("app.bsky.feed.post"), post)]).await.unwrap();
        assert_eq!(
            alice.contents(10).await.unwrap().values().map(std::collections::BTreeMap::len).sum::<usize>(),
            1
        );
        // Nobody else's numbers are waited for: the first host sees the second one's commit as soon as it looks.
        let mut tail = one.tail();
        tokio::time::timeout(
            std::time::Duration::from_secs(60),
            tail.wait_for(|seq| *seq >= second.newest_seq()),
        )
        .await
        .unwrap()
        .unwrap();
        for (host, store) in [(first, one), (second, other)] {
            host.close().await;
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_memcached_that_is_not_there_is_named() {
        let Some(emulator) = Emulator::shared().await else { return };
        // Nobody listens there any more.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        drop(socket);
        let database = emulator.database();
        let config = of_database(&emulator, database.project(), &[("ARROBA_MEMCACHED", &address)]);
        let error = config.datastore().await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Store(_)), "{error:?}");
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        assert!(text.contains("memcached"), "{text}");
    }

    #[tokio::test]
    async fn no_project_is_said_before_anything_is_opened() {
        let config = settings(&[]);
        let error = config.datastore().await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "GOOGLE_CLOUD_PROJECT is required");
        let error = config.datastore_keys().map(drop).unwrap_err();
        assert_eq!(error.to_string(), "ENCRYPTED_PROPERTY_KEY is required");
    }
}
