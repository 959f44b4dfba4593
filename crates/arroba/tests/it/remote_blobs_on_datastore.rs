//! Remote blobs of a host on Google Cloud Datastore.

use arroba::store::datastore::testing::Emulator;
use arroba::store::datastore::{Datastore, DatastoreOptions, Numbering};

use super::remote_blobs::{Served, lists, redirects};

async fn served(emulator: &Emulator) -> Served<Datastore> {
    let options = DatastoreOptions::new(Numbering::exclusive());
    Served::over(Datastore::open(emulator.client().await, options).await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_blob_answers_with_the_url() {
    let Some(emulator) = Emulator::shared().await else { return };
    redirects(served(&emulator).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_refer_to_them_and_lists_have_them() {
    let Some(emulator) = Emulator::shared().await else { return };
    lists(served(&emulator).await).await;
}
