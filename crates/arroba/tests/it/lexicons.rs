//! Records of types that the host does not know.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arroba::config::Config;
use arroba::core::lexicon::{Catalog, Document, Unknown};
use arroba::core::nsid;
use arroba::core::syntax::{Did, Nsid};
use arroba::identity::{LexiconResolver, Resolver};
use arroba::lexicons::json::ValidationStatus;
use arroba::records::{RecordError, Validate};
use arroba::store::{Memory, Sqlite, SqliteOptions};
use arroba::{
    Batch, CommitOptions, HostError, NewRepo, Pds, Repo, RepoHost, RepoHostBuilder, Secrets, Write,
    WriteResult,
};
use arroba_net::{Dns, DnsError, Guard, GuardedClient};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use http::{Request, header};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use super::fixture::keys;
use super::server::Server;

const NOTE: Nsid = nsid!("com.example.note");
const LABEL: Nsid = nsid!("com.example.labelled");
const GONE: Nsid = nsid!("com.example.gone");
const SCHEMA: Nsid = nsid!("com.atproto.lexicon.schema");

/// Names one account as the authority for everything, once it is told to answer.
#[derive(Debug)]
struct Names {
    authority: Mutex<Option<Did>>,
    answering: watch::Sender<bool>,
    lookups: AtomicUsize,
}

#[async_trait]
impl Dns for Names {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, DnsError> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    async fn txt(&self, _: &str) -> Result<Vec<String>, DnsError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let _ = self.answering.subscribe().wait_for(|answering| *answering).await;
        match &*self.authority.lock().unwrap() {
            Some(did) => Ok(vec![format!("did={did}")]),
            None => Err(DnsError::NotFound),
        }
    }
}

struct World {
    publisher: Server,
    names: Arc<Names>,
    resolver: LexiconResolver,
}

impl World {
    /// A server whose account publishes two lexicons.
    async fn new() -> Self {
        let publisher = Server::start().await;
        let authority: Did = publisher.create("authority").await.did.parse().unwrap();
        let fields = json!({"text": {"type": "string", "maxLength": 5}});
        let labels = json!({"labels": {"type": "ref", "ref": "com.atproto.label.defs#selfLabels"},
            "gone": {"type": "ref", "ref": "com.example.gone#it"}});
        let writes = [(NOTE, fields), (LABEL, labels)].map(|(name, fields)| {
            let record = json!({"lexicon": 1, "id": name.as_str(), "defs": {"main": {
                "type": "record", "key": "tid", "record": {"type": "object", "properties": fields}}}});
            Write::create_at(SCHEMA, name.as_str().parse().unwrap(), record)
        });
        publisher.host.repo(&authority).commit(writes).await.unwrap();
        let names = Arc::new(Names {
            authority: Mutex::new(Some(authority)),
            answering: watch::Sender::new(true),
            lookups: AtomicUsize::new(0),
        });
        let dns: Arc<dyn Dns> = Arc::clone(&names) as _;
        let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns)).unwrap();
        let directory = Arc::new(publisher.directory.clone());
        let resolver = Resolver::builder(directory, client.clone(), Arc::clone(&dns)).build();
        let resolver = LexiconResolver::builder(resolver, client, dns).build();
        Self { publisher, names, resolver }
    }

    /// Another host.
    async fn host(&self, build: impl FnOnce(RepoHostBuilder) -> RepoHostBuilder) -> RepoHost {
        let builder = RepoHost::builder("pds.test", keys(), Memory::default())
            .directory(Arc::new(self.publisher.directory.clone()));
        build(builder).build().await.unwrap()
    }

    /// Another host's account.
    async fn repo(&self, build: impl FnOnce(RepoHostBuilder) -> RepoHostBuilder) -> Repo {
        let host = self.host(build).await;
        host.create_repo(NewRepo::plc("alice.pds.test".parse().unwrap())).await.unwrap()
    }

    async fn resolving(&self) -> Repo {
        self.repo(|builder| self.resolves(builder)).await
    }

    fn resolves(&self, builder: RepoHostBuilder) -> RepoHostBuilder {
        // Generous: most tests are not about the time that it takes.
        builder.resolve_lexicons(self.resolver.clone()).lexicon_wait(Duration::from_secs(60))
    }

    fn lookups(&self) -> usize {
        self.names.lookups.load(Ordering::SeqCst)
    }
}

async fn write(repo: &Repo, collection: &Nsid, record: Value) -> Result<Option<ValidationStatus>, HostError> {
    write_with(repo, collection, record, Validate::Known).await
}

async fn write_with(
    repo: &Repo,
    collection: &Nsid,
    record: Value,
    validate: Validate,
) -> Result<Option<ValidationStatus>, HostError> {
    let options = CommitOptions::default().validate(validate);
    let outcome = repo.commit_with([Write::create(collection.clone(), record)], options).await?;
    match &outcome.results[0] {
        WriteResult::Created(written) => Ok(written.validation.clone()),
        other => panic!("{other:?}"),
    }
}

fn is_invalid(result: &Result<Option<ValidationStatus>, HostError>) -> bool {
    matches!(result, Err(HostError::Record(RecordError::Invalid { .. })))
}

fn is_unknown_type(result: &Result<Option<ValidationStatus>, HostError>) -> bool {
    matches!(result, Err(HostError::Record(RecordError::UnknownType(_))))
}

const VALID: Option<ValidationStatus> = Some(ValidationStatus::Valid);
const UNKNOWN: Option<ValidationStatus> = Some(ValidationStatus::Unknown);

#[tokio::test]
async fn nobody_is_asked_unless_the_host_is_told_to() {
    let world = World::new().await;
    let alice = world.repo(|builder| builder).await;
    assert_eq!(write(&alice, &NOTE, json!({"text": 1})).await.unwrap(), UNKNOWN);
    assert_eq!(world.lookups(), 0);
}

#[tokio::test]
async fn records_are_held_to_what_is_published() {
    let world = World::new().await;
    let alice = world.resolving().await;
    assert_eq!(write(&alice, &NOTE, json!({"text": "short"})).await.unwrap(), VALID);
    assert!(is_invalid(&write(&alice, &NOTE, json!({"text": "too long"})).await));
    assert_eq!(write_with(&alice, &NOTE, json!({"text": "short"}), Validate::Always).await.unwrap(), VALID);
    // A lexicon of the host's own below one that is published.
    assert_eq!(write(&alice, &LABEL, json!({"labels": {"values": [{"val": "x"}]}})).await.unwrap(), VALID);
    assert!(is_invalid(&write(&alice, &LABEL, json!({"labels": {"values": [{}]}})).await));
    assert_eq!(world.lookups(), 3);
}

#[tokio::test]
async fn what_does_not_resolve_is_unknown() {
    let world = World::new().await;
    let alice = world.resolving().await;
    assert_eq!(write(&alice, &GONE, json!({"any": 1})).await.unwrap(), UNKNOWN);
    assert!(is_unknown_type(&write_with(&alice, &GONE, json!({}), Validate::Always).await));
    // Known, but for what one field refers to.
    assert_eq!(write(&alice, &LABEL, json!({"gone": 1})).await.unwrap(), UNKNOWN);
    assert!(is_invalid(&write_with(&alice, &LABEL, json!({"gone": 1}), Validate::Always).await));
    assert_eq!(world.lookups(), 2);
    let lookups = world.lookups();
    assert_eq!(
        write_with(&alice, &nsid!("com.example.skipped"), json!({}), Validate::Never).await.unwrap(),
        None
    );
    alice.commit([Write::delete(nsid!("com.example.deleted"), "a".parse().unwrap())]).await.unwrap();
    assert_eq!(
        write(
            &alice,
            &nsid!("app.bsky.graph.block"),
            json!({"subject": "did:web:a.test",
        "createdAt": "2026-01-01T00:00:00Z"})
        )
        .await
        .unwrap(),
        VALID
    );
    assert_eq!(world.lookups(), lookups);
}

#[tokio::test]
async fn a_write_does_not_wait_for_ever() {
    let world = World::new().await;
    world.names.answering.send_replace(false);
    let alice = world.repo(|builder| world.resolves(builder).lexicon_wait(Duration::from_millis(20))).await;
    assert_eq!(write(&alice, &NOTE, json!({"text": "too long"})).await.unwrap(), UNKNOWN);
    assert!(is_unknown_type(&write_with(&alice, &NOTE, json!({}), Validate::Always).await));
    // The question was not dropped with the write that asked it.
    world.names.answering.send_replace(true);
    world.resolver.resolve(&NOTE).await.unwrap();
    assert!(is_invalid(&write(&alice, &NOTE, json!({"text": "too long"})).await));
    assert_eq!(world.lookups(), 1);
}

#[tokio::test]
async fn many_repos_and_many_collections() {
    let world = World::new().await;
    let host = world.host(|builder| world.resolves(builder)).await;
    let alice = host.create_repo(NewRepo::plc("alice.pds.test".parse().unwrap())).await.unwrap();
    let note = |text| Batch::new(alice.did().clone(), [Write::create(NOTE, json!({"text": text}))]);
    let results = host.commit_many([note("short"), note("too long"), note("again")]).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(matches!(results[1], Err(HostError::Record(RecordError::Invalid { .. }))));
    assert_eq!(world.lookups(), 1);
    let writes: Vec<_> = (0..30)
        .map(|n| Write::create(Nsid::parse(&format!("com.example.n{n}")).unwrap(), json!({})))
        .collect();
    alice.commit(writes).await.unwrap();
    assert_eq!(world.lookups(), 1 + 8);
}

#[tokio::test]
async fn a_host_may_refuse_what_it_does_not_know() {
    let world = World::new().await;
    let alice = world.repo(|builder| builder.unknown_lexicons(Unknown::Refuse)).await;
    for validate in [Validate::Known, Validate::Always, Validate::Never] {
        assert!(
            is_unknown_type(&write_with(&alice, &NOTE, json!({"text": "a"}), validate).await),
            "{validate:?}"
        );
    }
    let block = json!({"subject": "did:web:a.test", "createdAt": "2026-01-01T00:00:00Z"});
    let collection = nsid!("app.bsky.graph.block");
    assert_eq!(write(&alice, &collection, block).await.unwrap(), VALID);
    assert!(is_invalid(&write(&alice, &collection, json!({})).await));
    assert_eq!(write_with(&alice, &collection, json!({}), Validate::Never).await.unwrap(), None);
    alice.commit([Write::delete(NOTE, "a".parse().unwrap())]).await.unwrap();

    let bob = world.repo(|builder| world.resolves(builder).unknown_lexicons(Unknown::Refuse)).await;
    assert_eq!(write(&bob, &NOTE, json!({"text": "a"})).await.unwrap(), VALID);
    assert_eq!(write_with(&bob, &NOTE, json!({"text": "too long"}), Validate::Never).await.unwrap(), None);
    assert!(is_unknown_type(&write(&bob, &GONE, json!({})).await));
    assert!(is_invalid(&write(&bob, &LABEL, json!({"gone": 1})).await));
}

#[tokio::test]
async fn a_hosts_own_lexicons_come_first() {
    let world = World::new().await;
    let mut catalog = Catalog::over(arroba::lexicons::catalog());
    let own = json!({"lexicon": 1, "id": NOTE.as_str(), "defs": {"main": {"type": "record", "key": "any",
        "record": {"type": "object", "properties": {"text": {"type": "integer"}}}}}});
    catalog.add(Document::from_json(own).unwrap()).unwrap();
    let alice = world.repo(|builder| world.resolves(builder).catalog(Arc::new(catalog))).await;
    assert_eq!(write(&alice, &NOTE, json!({"text": 1})).await.unwrap(), VALID);
    assert!(is_invalid(&write(&alice, &NOTE, json!({"text": "short"})).await));
    assert_eq!(world.lookups(), 0);
}

#[tokio::test]
async fn clients_are_told_what_is_wrong() {
    let world = World::new().await;
    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let dns = Arc::clone(&world.names);
    let secrets = Secrets::generate().unwrap();
    let server = Server::over(store, world.publisher.directory.clone(), secrets, |builder| {
        builder.dns(dns).resolve_lexicons().unknown_lexicons(Unknown::Refuse)
    })
    .await;
    let alice = server.create("alice").await;
    let create = async |collection: &Nsid, text: &str| {
        let input = json!({"repo": alice.did, "collection": collection.as_str(), "record": {"text": text}});
        server.post(&alice.access, "com.atproto.repo.createRecord", input).await
    };
    assert_eq!(create(&NOTE, "short").await.ok()["validationStatus"], "valid");
    let reason = "Record/text must not be longer than 5 bytes";
    create(&NOTE, "too long").await.refused(400, "InvalidRequest", reason);
    create(&GONE, "").await.refused(400, "InvalidRequest", "Unknown lexicon type: com.example.gone");
    server.stop().await;
}

#[tokio::test]
async fn the_settings_say_what_becomes_of_unknown_types() {
    let world = World::new().await;
    let authority = world.names.authority.lock().unwrap().clone().unwrap().to_string();
    let create = async |settings: &[(&str, &str)], collection: &Nsid, text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let key = "01".repeat(32);
        let required = [
            ("PDS_DATA_DIRECTORY", directory.path().to_str().unwrap()),
            ("PDS_JWT_SECRET", "a secret of some length"),
            ("PDS_ADMIN_PASSWORD", "admin"),
            ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", key.as_str()),
            ("PDS_DEV_MODE", "true"),
            ("REPO_TOKEN", "towel"),
        ];
        let variables =
            required.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
        let config = Config::from_env(variables).unwrap().config;
        let builder = Pds::from_config(&config).await.unwrap();
        let builder = builder.directory(Arc::new(world.publisher.directory.clone()));
        let pds = builder.dns(Arc::clone(&world.names) as _).build().await.unwrap();
        let alice = pds.host().create_repo(NewRepo::plc("alice.test".parse().unwrap())).await.unwrap();
        let input = json!({"repo": alice.did(), "collection": collection.as_str(), "record": {"text": text}});
        let request = Request::post("/xrpc/com.atproto.repo.createRecord")
            .header(header::AUTHORIZATION, "Bearer towel")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(input.to_string()))
            .unwrap();
        let response = pds.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let json: Value = serde_json::from_slice(&body).unwrap();
        let told = if status == 200 { &json["validationStatus"] } else { &json["message"] };
        (status, told.as_str().unwrap().to_owned())
    };
    let unknown = || (200, "unknown".to_owned());
    let refused = |name: &Nsid| (400, format!("Unknown lexicon type: {name}"));
    let (refuse, resolve) = (("ARROBA_UNKNOWN_LEXICONS", "refuse"), ("ARROBA_RESOLVE_LEXICONS", "true"));
    assert_eq!(create(&[], &NOTE, "too long").await, unknown());
    assert_eq!(create(&[refuse], &NOTE, "short").await, refused(&NOTE));
    assert_eq!(world.lookups(), 0);

    // Whom DNS names is asked, and no longer than a write may wait.
    let (long, soon) = (("ARROBA_LEXICON_WAIT_MS", "60000"), ("ARROBA_LEXICON_WAIT_MS", "20"));
    let (status, message) = create(&[resolve, long], &NOTE, "too long").await;
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("must not be longer than 5 bytes"), "{message}");
    assert_eq!(create(&[resolve, long], &GONE, "").await, unknown());
    assert_eq!(create(&[resolve, long, refuse], &GONE, "").await, refused(&GONE));
    assert_eq!(world.lookups(), 3);
    world.names.answering.send_replace(false);
    assert_eq!(create(&[resolve, soon], &NOTE, "too long").await, unknown());
    assert_eq!(create(&[resolve, soon, refuse], &NOTE, "short").await, refused(&NOTE));

    // One account that publishes everything makes DNS needless.
    let lookups = world.lookups();
    let published = ("PDS_LEXICON_AUTHORITY_DID", authority.as_str());
    assert_eq!(create(&[resolve, long, published], &NOTE, "too long").await.0, 400);
    assert_eq!(create(&[resolve, long, published], &NOTE, "short").await, (200, "valid".to_owned()));
    assert_eq!(world.lookups(), lookups);
}
