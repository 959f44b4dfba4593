//! Blobs that live elsewhere, in entities that the Python library reads and writes too.

use std::{sync::Arc, time::Duration};

use arroba_core::{
    data::{BlobRef, Cid},
    mst::Loader,
    repo::Write,
    syntax::Did,
};
use arroba_store::{
    ApplyError, ChangeKind, RemoteAttempt, RemoteBlob, RemoteBlobIndex, RemoteContent, RepoStore, Retention,
    StoreError,
    conformance::{self, Author, Traits},
    datastore::{
        Client, ClientOptions, Connection, Datastore, DatastoreError, DatastoreOptions, LimitError,
        Numbering, Reads, RpcCounts,
        api::{Entity, Value, value::ValueType},
        entity::{AtpRemoteBlob, AtpRepo, EntityError, EntityProblem, StoredStatus},
        testing::{Emulator, Index, Strict, StrictOptions},
        upsert,
    },
};

use super::entities::samples;
use crate::files::write;

const URL: &str = "https://media.test/one.png";

async fn store(client: &Client) -> Datastore {
    let mut options = DatastoreOptions::new(Numbering::exclusive());
    // What others write is not asked for while calls are counted.
    (options.log.poll, options.log.idle_poll) = (Duration::from_secs(3600), Duration::from_secs(3600));
    Datastore::open(client.clone(), options).await.unwrap()
}

/// A service that answers in parts and has only the indexes that the Python library's projects have.
async fn strict(emulator: &Emulator, faults: f64) -> (Arc<Strict<Connection>>, Client) {
    let mut options = StrictOptions::default();
    (options.faults, options.deferred) = (faults, 0.1);
    options.indexes = Some(vec![
        Index::new("AtpBlock", &["repo", "seq"]),
        Index::new("AtpRemoteBlob", &["cid", "-updated"]),
    ]);
    let strict = Arc::new(Strict::new(emulator.connection(emulator.database()).await, options));
    (Arc::clone(&strict), client(strict))
}

fn client(strict: Arc<Strict<Connection>>) -> Client {
    let mut options = ClientOptions::default();
    (options.attempts, options.backoff) = (20, Duration::from_millis(1));
    Client::new(strict, options)
}

fn content(bytes: &[u8]) -> RemoteAttempt {
    RemoteAttempt::Fetched(RemoteContent {
        cid: Cid::for_raw(bytes),
        size: bytes.len() as u64,
        mime_type: "image/png".into(),
        width: Some(3),
        height: Some(4),
        duration_ms: None,
    })
}

fn reference(bytes: &[u8]) -> BlobRef {
    BlobRef { cid: Cid::for_raw(bytes), mime_type: "image/png".into(), size: bytes.len() as u64 }
}

async fn raw(client: &Client, url: &str) -> Entity {
    let lookup = client.lookup(vec![AtpRemoteBlob::key(client.database(), url)], Reads::Strong).await;
    lookup.unwrap().found.pop().unwrap().entity.unwrap()
}

fn limit(error: ApplyError) -> LimitError {
    let ApplyError::Store(StoreError::Backend(cause)) = error else { panic!("{error:?}") };
    match cause.downcast_ref::<DatastoreError>() {
        Some(DatastoreError::Limit(limit)) => limit.clone(),
        other => panic!("{other:?}"),
    }
}

fn did(number: usize) -> Did {
    format!("did:plc:{number:024}").parse().unwrap()
}

/// Answers in parts, with the indexes that there are and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_on_a_strict_service() {
    let Some(emulator) = Emulator::shared().await else { return };
    let make = || async {
        let (_, client) = strict(&emulator, 0.0).await;
        store(&client).await
    };
    conformance::remote_blobs(Traits::default().with_short_keys(), make).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_python_stored_is_changed_and_the_rest_kept() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let kind = |entity: &Entity| entity.key.as_ref().unwrap().path[0].kind == AtpRemoteBlob::KIND;
    for mut entity in samples().into_iter().filter(kind) {
        let before = AtpRemoteBlob::from_entity(entity.clone()).unwrap();
        entity.key = Some(client.database().key(AtpRemoteBlob::KIND, &before.name));
        let unknown = Value { value_type: Some(ValueType::StringValue("?".into())), ..Value::default() };
        entity.properties.insert("of_a_later_version".into(), unknown);
        client.put(vec![upsert(entity.clone())]).await.unwrap();
        let url = before.url().to_owned();
        let found = store.remote_blob(&url).await.unwrap().unwrap();
        assert_eq!(found, before.to_remote_blob().unwrap());
        assert_eq!((found.cid, found.created), (before.cid, before.created.unwrap()));
        let time = before.updated.unwrap() + 1_000_000;
        store.use_remote_blob(&url, Some(&author.did), time).await.unwrap();

        let mut users = before.repos.clone();
        users.push(author.did.clone());
        let expected = AtpRemoteBlob { repos: users, updated: Some(time), ..before };
        let expected = expected.onto(client.database(), entity).unwrap();
        assert_eq!(raw(&client, &url).await.properties, expected.properties, "one user more, nothing else");
        store.record_attempt(&url, time + 1, RemoteAttempt::Gone).await.unwrap();
        let mut gone = AtpRemoteBlob::from_entity(expected.clone()).unwrap();
        (gone.inactive, gone.last_fetched, gone.updated) = (true, Some(time + 1), Some(time + 1));
        let gone = gone.onto(client.database(), expected).unwrap();
        assert!(gone.properties.contains_key("of_a_later_version"));
        assert_eq!(raw(&client, &url).await.properties, gone.properties);
    }
}

#[tokio::test]
async fn what_is_missing_or_wrong_in_an_entity() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    let key = Some(AtpRemoteBlob::key(client.database(), URL));
    // As the Python library leaves it for a moment, and less.
    client.put(vec![upsert(Entity { key: key.clone(), ..Entity::default() })]).await.unwrap();
    assert_eq!(store.remote_blob(URL).await.unwrap(), Some(RemoteBlob::new(URL, 0)));
    let fetched = store.record_attempt(URL, 7, content(b"x")).await.unwrap();
    assert_eq!((fetched.created, fetched.updated, fetched.last_fetched), (7, 7, Some(7)));
    let stored = AtpRemoteBlob::from_entity(raw(&client, URL).await).unwrap();
    assert_eq!((stored.created, stored.updated), (None, Some(7)), "nobody knows when it was made");

    let mut wrong = raw(&client, URL).await;
    let status = Value { value_type: Some(ValueType::StringValue("asleep".into())), ..Value::default() };
    wrong.properties.insert("status".into(), status);
    client.put(vec![upsert(wrong.clone())]).await.unwrap();
    let refused = store.use_remote_blob(URL, None, 9).await.unwrap_err();
    let ApplyError::Store(StoreError::Corrupt { source: Some(source), .. }) = refused else { panic!() };
    let error = source.downcast_ref::<EntityError>().unwrap();
    assert_eq!((error.kind, error.property), ("AtpRemoteBlob", "status"));
    assert_eq!(error.problem, EntityProblem::Unknown("asleep".into()));
    assert!(matches!(store.remote_blob(URL).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(raw(&client, URL).await.properties, wrong.properties, "it stays as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_lose_nothing() {
    let Some(emulator) = Emulator::shared().await else { return };
    let (rpc, one) = strict(&emulator, 0.05).await;
    let stores = [store(&one).await, store(&client(rpc)).await];
    let authors: Vec<Author> = (1..13).map(Author::new).collect();
    for author in &authors {
        author.create(&stores[0], Vec::new()).await;
    }
    let uses = authors.iter().enumerate().map(|(index, author)| {
        let store = &stores[index % 2];
        async move { store.use_remote_blob(URL, Some(&author.did), 10).await.map(|_| ()) }
    });
    let uses = futures::future::try_join_all(uses);
    let attempts = async {
        stores[0].use_remote_blob(URL, None, 5).await?;
        stores[0].record_attempt(URL, 20, content(b"x")).await?;
        stores[1].set_remote_id(URL, 30, Some("media 7")).await
    };
    futures::future::try_join(uses, attempts).await.unwrap();
    let users = stores[1].remote_blob_users(URL, None, 100).await.unwrap();
    let mut expected: Vec<Did> = authors.into_iter().map(|author| author.did).collect();
    expected.sort();
    assert_eq!(users, expected);
    let blob = stores[0].remote_blob(URL).await.unwrap().unwrap();
    assert_eq!((blob.cid, blob.remote_id.as_deref()), (Some(Cid::for_raw(b"x")), Some("media 7")));
}

#[tokio::test]
async fn urls_that_are_too_long_are_refused_by_name() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    // 1,500 bytes are 750 of these.
    let fits = format!("https://a.test/{}", "é".repeat(742));
    let long = format!("{fits}é");
    assert_eq!((fits.len(), long.chars().count()), (1_499, 758));
    store.use_remote_blob(&fits, None, 1).await.unwrap();
    let before = client.counts();
    let refused = limit(store.use_remote_blob(&long, None, 1).await.unwrap_err());
    assert!(matches!(refused, LimitError::Key { bytes: 1_501, limit: 1_500, .. }), "{refused:?}");
    assert!(refused.to_string().contains("AtpRemoteBlob(https://a.test/é"), "{refused}");
    let refused = limit(store.record_attempt(&long, 1, RemoteAttempt::Gone).await.unwrap_err());
    assert!(matches!(refused, LimitError::Key { .. }));
    assert!(store.remote_blob(&long).await.is_err());
    assert_eq!((client.counts() - before).total(), 0, "the service was asked for nothing");
    // In ASCII any length will do.
    let ascii = format!("https://a.test/{}", "x".repeat(8_000));
    assert_eq!(store.use_remote_blob(&ascii, None, 1).await.unwrap().url, ascii);
    // Other texts that have an index.
    let large = "x".repeat(1_501);
    let refused = limit(store.set_remote_id(&fits, 2, Some(&large)).await.unwrap_err());
    assert!(matches!(&refused, LimitError::Value { property, .. } if property == "remote_id"), "{refused:?}");
    assert_eq!(store.remote_blob(&fits).await.unwrap().unwrap(), RemoteBlob::new(&fits, 1));
}

#[tokio::test]
async fn an_entity_that_is_full_takes_no_more_users() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    // Each of these takes 57 of the 1,048,572 bytes.
    let users = (0..18_380).map(did).collect();
    let entity = AtpRemoteBlob { repos: users, ..AtpRemoteBlob::new(URL) }.to_entity(client.database());
    client.put(vec![upsert(entity.unwrap())]).await.unwrap();
    for number in 1..40 {
        let author = Author::new(number);
        author.create(&store, Vec::new()).await;
        let before = raw(&client, URL).await;
        let Err(error) = store.use_remote_blob(URL, Some(&author.did), 1).await else { continue };
        let refused = limit(error);
        assert!(matches!(refused, LimitError::Entity { bytes: 1_048_573.., .. }), "{refused:?}");
        assert_eq!(raw(&client, URL).await, before, "it stays as it was");
        let blob = AtpRemoteBlob::from_entity(before).unwrap();
        assert!(number > 1 && blob.repos.len() == 18_379 + number as usize);
        return;
    }
    panic!("there was room for all");
}

fn url(number: usize) -> String {
    format!("https://media.test/{number}")
}

/// Uses many blobs; they are in the database already, as somebody else's.
async fn uses_many(client: &Client, user: &Did, count: usize) {
    let other = did(1);
    let entities = (0..count).map(|number| {
        let blob = AtpRemoteBlob {
            repos: vec![other.clone(), user.clone()],
            cid: Some(Cid::for_raw(url(number).as_bytes())),
            size: Some(1),
            created: Some(1),
            updated: Some(1),
            ..AtpRemoteBlob::new(url(number))
        };
        upsert(blob.to_entity(client.database()).unwrap())
    });
    client.put(entities.collect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_was_cut_off_is_taken_up_again() {
    let Some(emulator) = Emulator::shared().await else { return };
    let (_, client) = strict(&emulator, 0.0).await;
    let store = store(&client).await;
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    uses_many(&client, &author.did, 350).await;
    assert_eq!(store.remote_blobs_of(&author.did, None, 1_000).await.unwrap().len(), 350);
    let delete = author.change(ChangeKind::Delete, Vec::new());
    store.apply(vec![delete]).await.pop().unwrap().unwrap();
    assert!(store.remote_blobs_of(&author.did, None, 1_000).await.unwrap().is_empty(), "at once");
    let left = async || {
        let keys = (0..350).map(|number| AtpRemoteBlob::key(client.database(), &url(number))).collect();
        let found = client.lookup(keys, Reads::Strong).await.unwrap().found;
        let blobs =
            found.into_iter().map(|result| AtpRemoteBlob::from_entity(result.entity.unwrap()).unwrap());
        let blobs: Vec<AtpRemoteBlob> = blobs.collect();
        assert!(
            blobs.iter().all(|blob| blob.repos.contains(&did(1)) && blob.updated == Some(1)),
            "others stay"
        );
        blobs.iter().filter(|blob| blob.repos.contains(&author.did)).count()
    };
    // When the second portion is on its way, the first is written and the third is not.
    let commits = client.counts().commits;
    let second = async {
        while client.counts().commits < commits + 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = second => {}
        swept = store.sweep(Retention::default()) => panic!("{swept:?}"),
    }
    let after = left().await;
    assert!(after > 0 && after < 350, "{after}");
    assert!(store.remote_blobs_of(&author.did, None, 1_000).await.unwrap().is_empty(), "nobody sees it");
    while store.sweep(Retention::default()).await.unwrap().more {}
    assert_eq!(left().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_comes_back_uses_nothing_whoever_deleted_it() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    uses_many(&client, &author.did, 3).await;
    // As the Python library does it.
    let key = AtpRepo::key(client.database(), &author.did);
    let row = client.lookup(vec![key], Reads::Strong).await.unwrap().found.pop().unwrap().entity.unwrap();
    let mut row = AtpRepo::from_entity(row).unwrap();
    row.status = Some(StoredStatus::Tombstoned);
    client.put(vec![upsert(row.to_entity(client.database()).unwrap())]).await.unwrap();
    assert!(store.remote_blobs_of(&author.did, None, 9).await.unwrap().is_empty());
    let refused = store.use_remote_blob(URL, Some(&author.did), 1).await;
    assert!(matches!(refused, Err(ApplyError::Inactive(_))), "{refused:?}");
    let loaded = store.load(&author.did, Loader::for_read([])).await.unwrap();
    let back = author.creation(&store, Vec::new(), loaded.as_ref()).await;
    store.apply(vec![back]).await.pop().unwrap().unwrap();
    assert!(store.remote_blobs_of(&author.did, None, 9).await.unwrap().is_empty());
    let blob = AtpRemoteBlob::from_entity(raw(&client, &url(1)).await).unwrap();
    assert_eq!(blob.repos, [did(1)]);
}

/// A commit of one record with these blobs.
async fn commit(
    store: &Datastore,
    author: &Author,
    number: u32,
    blobs: Vec<BlobRef>,
) -> Result<(), ApplyError> {
    let write: Write = write(number);
    let blobs = blobs.into_iter().map(|blob| (write.path().clone(), blob)).collect();
    let change = author.commit_change(store, vec![write], blobs).await;
    store.apply(vec![change]).await.pop().unwrap().map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_few_and_counted() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let store = store(&client).await;
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    let since = |before: RpcCounts| {
        let RpcCounts { lookups, queries, commits, rollbacks, .. } = client.counts() - before;
        (lookups, queries, commits, rollbacks)
    };
    let before = client.counts();
    store.use_remote_blob(URL, Some(&author.did), 1).await.unwrap();
    assert_eq!(since(before), (1, 0, 1, 0), "made and used");
    let before = client.counts();
    store.record_attempt(URL, 2, content(b"x")).await.unwrap();
    assert_eq!(since(before), (1, 0, 1, 0), "an attempt");
    let before = client.counts();
    store.use_remote_blob(URL, Some(&author.did), 3).await.unwrap();
    assert_eq!(since(before), (1, 0, 0, 1), "used already");

    let mut number = 0;
    let mut cost = async |blobs: Vec<BlobRef>| {
        let before = client.counts();
        number += 1;
        commit(&store, &author, number, blobs).await.unwrap();
        client.counts() - before
    };
    cost(Vec::new()).await;
    let (plain, with) = (cost(Vec::new()).await, cost(vec![reference(b"x")]).await);
    assert_eq!((with.queries - plain.queries, with.lookups - plain.lookups), (1, 1), "{plain:?} {with:?}");
    assert_eq!(with.commits, plain.commits);
}

/// Commits that name remote blobs look those up, and are not disturbed by whoever writes to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_not_in_the_way_of_other_blobs() {
    let Some(emulator) = Emulator::shared().await else { return };
    let database = emulator.database();
    let connect = async || {
        let connection = emulator.connection(database.clone()).await;
        Client::new(Arc::new(connection), ClientOptions::default())
    };
    let (client, other) = (connect().await, connect().await);
    let store = store(&client).await;
    let others = self::store(&other).await;
    let author = Author::new(1);
    author.create(&store, Vec::new()).await;
    store.use_remote_blob(URL, Some(&author.did), 1).await.unwrap();
    store.record_attempt(URL, 2, content(b"x")).await.unwrap();
    commit(&store, &author, 0, vec![reference(b"x")]).await.unwrap();
    let before = client.counts();
    let commits = async {
        for number in 1..21 {
            commit(&store, &author, number, vec![reference(b"x")]).await.unwrap();
        }
    };
    let (done, mut stop) = tokio::sync::oneshot::channel::<()>();
    let noise = async {
        let mut made = 0;
        while stop.try_recv().is_err() {
            others.use_remote_blob(&url(made), None, 1).await.unwrap();
            made += 1;
        }
        made
    };
    let commits = async {
        commits.await;
        done.send(()).unwrap();
    };
    let ((), made) = futures::future::join(commits, noise).await;
    assert!(made > 0);
    let counts = client.counts() - before;
    assert_eq!((counts.queries, counts.rollbacks), (20, 0), "none was begun again: {counts:?}");
}
