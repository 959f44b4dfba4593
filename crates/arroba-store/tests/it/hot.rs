//! What is kept in memory of a repository says what its rows say.

use arroba_core::mst::Loader;
use arroba_store::{
    ApplyError, ChangeKind, RepoStatus, RepoStore, Sqlite, SqliteOptions, conformance::Author,
};

use crate::files::write;

/// Compares with the listing, which always reads the rows.
async fn agrees(store: &Sqlite, author: &Author) {
    let page = store.repos(None, 10).await.unwrap();
    let listed = page.repos.into_iter().find(|entry| entry.repo.did == author.did).unwrap();
    assert_eq!(store.repo(&author.did).await.unwrap(), Some(listed.repo.clone()));
    let loaded = store.load(&author.did, Loader::for_all()).await.unwrap().unwrap();
    assert_eq!((loaded.repo, loaded.head), (listed.repo, listed.head));
}

#[tokio::test]
async fn every_change_is_seen() {
    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let author = Author::new(1);
    author.create(&store, vec![write(1)]).await;
    agrees(&store, &author).await;
    let takedown = |reference: Option<&str>| ChangeKind::Takedown { reference: reference.map(str::to_owned) };
    // Each after a commit, which makes the repository hot.
    let kinds = [
        vec![ChangeKind::Announce],
        vec![ChangeKind::Identity { handle: None, sealed_key: None }],
        [RepoStatus::Deactivated, RepoStatus::Active].map(|status| ChangeKind::Status { status }).into(),
        vec![takedown(Some("case")), takedown(None)],
    ];
    for (number, kinds) in (2..).zip(kinds) {
        author.commit(&store, vec![write(number)]).await;
        agrees(&store, &author).await;
        for kind in kinds {
            store.apply(vec![author.change(kind, Vec::new())]).await.remove(0).unwrap();
            agrees(&store, &author).await;
        }
    }
    author.commit(&store, vec![write(99)]).await;
    let delete = author.change(ChangeKind::Delete, Vec::new());
    store.apply(vec![delete]).await.remove(0).unwrap();
    agrees(&store, &author).await;
}

#[tokio::test]
async fn changes_of_one_group_see_each_other() {
    let store = Sqlite::in_memory(SqliteOptions::default()).await.unwrap();
    let author = Author::new(1);
    author.create(&store, vec![write(1)]).await;
    author.commit(&store, vec![write(2)]).await;
    let commit = author.commit_change(&store, vec![write(3)], Vec::new()).await;
    let status = |status| author.change(ChangeKind::Status { status }, Vec::new());
    let results = store
        .apply(vec![
            status(RepoStatus::Deactivated),
            commit.clone(),
            status(RepoStatus::Active),
            commit.clone(),
            commit,
        ])
        .await;
    assert!(matches!(results[1], Err(ApplyError::Inactive(RepoStatus::Deactivated))));
    assert!(results[0].is_ok() && results[2].is_ok() && results[3].is_ok());
    assert!(matches!(results[4], Err(ApplyError::Conflict { .. })), "the head has moved within the group");
    agrees(&store, &author).await;
}
