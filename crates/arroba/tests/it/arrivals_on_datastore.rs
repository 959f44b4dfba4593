//! Repos from elsewhere on a store whose revisions count events, as those of the Python library do.

use std::sync::Arc;

use arroba::core::nsid;
use arroba::store::datastore::testing::Emulator;
use arroba::store::datastore::{Datastore, DatastoreOptions, Numbering};
use arroba::store::{Memory, RepoStore};
use arroba::{HostError, ImportError, RepoHost, Write};
use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::json;

use super::fixture::{World, keys};

#[tokio::test]
async fn a_repo_whose_revisions_tell_the_time_leaves_nothing() {
    let Some(emulator) = Emulator::shared().await else { return };
    let elsewhere = World::<Memory>::new().await;
    let alice = elsewhere.account("alice").await;
    alice.commit([Write::create(nsid!("com.example.note"), json!({"text": "x"}))]).await.unwrap();
    let file: Vec<Bytes> = alice.export(None).await.unwrap().try_collect().await.unwrap();

    let options = DatastoreOptions::new(Numbering::Datastore);
    let store = Datastore::open(emulator.client().await, options).await.unwrap();
    let host = RepoHost::builder("pds.test", keys(), store.clone())
        .directory(Arc::clone(&elsewhere.directory) as _)
        .resolver(elsewhere.host.resolver().clone())
        .clock(Arc::clone(&elsewhere.clock) as _)
        .build()
        .await
        .unwrap();
    let pieces = file.into_iter().map(Ok::<_, std::io::Error>);
    let refused = host.import_any(futures::stream::iter(pieces)).await;
    assert!(matches!(refused, Err(HostError::Import(ImportError::RevAhead { .. }))), "{refused:?}");
    assert!(store.repo(alice.did()).await.unwrap().is_none(), "no repo was made for it");

    // No number was taken for it: what comes next has the first.
    let bob = host.create_repo(arroba::NewRepo::plc("bob.pds.test".parse().unwrap())).await.unwrap();
    let page = store.events(0, 10).await.unwrap();
    assert_eq!((page.events[0].seq, &page.events[0].did), (1, bob.did()));
    host.close().await;
}
