//! Every released schema still opens.

use arroba_core::{data::Cid, mst::Loader};
use arroba_store::{BlobIndex, RecordQuery, RepoStatus, RepoStore, Sqlite, conformance::Author};

use crate::files::{blocks, write};

#[tokio::test]
async fn version_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.sqlite");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v2.sqlite");
    std::fs::copy(fixture, &path).unwrap();
    let store = Sqlite::open(&path).await.unwrap();
    let author = Author::new(1);
    let start = 1_u64 << 40;
    let page = store.events(0, 100).await.unwrap();
    assert_eq!((page.start, page.oldest), (start, start));
    // Creation and commit of the first, the takedown of the second, the deletion of the third: the rest is hidden.
    let seqs: Vec<u64> = page.events.iter().map(|event| event.seq - start).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 9, 14]);
    let records = store.records(&author.did, RecordQuery::all(None, 10)).await.unwrap().unwrap();
    let keys: Vec<&str> = records.records.iter().map(|record| record.path.rkey.as_str()).collect();
    assert_eq!(keys, ["1", "3", "4"]);
    let blob = store.blob(&author.did, &Cid::for_raw(b"blob")).await.unwrap().unwrap();
    assert_eq!((blob.object.as_str(), blob.temporary, blob.size), ("object/1", false, 4));
    blocks(&store, &author).await.unwrap();
    let taken = store.repo(&Author::new(2).did).await.unwrap().unwrap();
    assert_eq!((taken.status, taken.takedown.as_deref()), (RepoStatus::Takendown, Some("case")));
    let deleted = store.repo(&Author::new(3).did).await.unwrap().unwrap();
    assert_eq!((deleted.status, deleted.handle), (RepoStatus::Deleted, None));
    assert_eq!(author.commit(&store, vec![write(1)]).await.seqs.start, start + 15);
    let loaded = store.load(&author.did, Loader::for_all()).await.unwrap().unwrap();
    assert_eq!(loaded.tree.entries().count(), 3);
    blocks(&store, &author).await.unwrap();
}
