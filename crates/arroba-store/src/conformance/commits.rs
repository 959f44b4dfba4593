//! Commits, heads and revs.

use std::sync::Arc;

use arroba_core::{
    event::Frame,
    mst::Loader,
    repo::{self, Write},
    syntax::Tid,
};
use futures::future::join_all;

use super::author::{Author, Model, agrees, apply, create, path, record};
use crate::{ApplyError, ChangeKind, RepoStore};

pub(super) async fn an_empty_repository_has_its_root<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    assert!(store.repo(&author.did).await.unwrap().is_none());
    assert!(store.load(&author.did, Loader::for_all()).await.unwrap().is_none());
    author.create(&*store, Vec::new()).await;
    agrees(&*store, &author.did, &Model::new()).await;
    author.commit(&*store, vec![create("a.b.c/1")]).await;
    agrees(&*store, &author.did, &[(path("a.b.c/1"), record("a.b.c/1"))].into()).await;
    author.commit(&*store, vec![Write::delete(path("a.b.c/1"))]).await;
    agrees(&*store, &author.did, &Model::new()).await;
}

/// A stream of numbers that is the same in every run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Writes for the model, which is brought up to date.
pub(super) fn random_writes(numbers: &mut Numbers, model: &mut Model, count: u64) -> Vec<Write> {
    let collections =
        ["test.alpha.one", "test.alpha.one.b", "test.beta.two", "app.gamma.three", "app.gamma.threeX"];
    let mut writes = Vec::new();
    for _ in 0..count {
        let collection = collections[numbers.below(collections.len() as u64) as usize];
        let path = path(&format!("{collection}/{}", numbers.below(60)));
        if model.contains_key(&path) && numbers.below(2) == 0 {
            model.remove(&path);
            writes.push(Write::delete(path));
        } else {
            // Few different values, so that equal records stand at several paths.
            let value = record(&format!("value {}", numbers.below(20)));
            model.insert(path.clone(), value.clone());
            writes.push(Write::put(path, value));
        }
    }
    writes
}

pub(super) async fn random_batches_agree_with_a_model<S: RepoStore>(store: Arc<S>) {
    let authors = [Author::new(1), Author::new(2)];
    let mut models = [Model::new(), Model::new()];
    let mut numbers = Numbers::new(0x5eed);
    for (author, model) in authors.iter().zip(&mut models) {
        let writes = random_writes(&mut numbers, model, 0);
        author.create(&*store, writes).await;
    }
    for round in 0..120 {
        for (author, model) in authors.iter().zip(&mut models) {
            let count = 1 + numbers.below(if round % 10 == 0 { 150 } else { 6 });
            let writes = random_writes(&mut numbers, model, count);
            author.commit(&*store, writes).await;
            if round % 3 == 0 {
                agrees(&*store, &author.did, model).await;
            }
        }
    }
    for (author, model) in authors.iter().zip(&models) {
        agrees(&*store, &author.did, model).await;
        let everything: Vec<_> = model.keys().cloned().collect();
        for piece in everything.chunks(150) {
            author.commit(&*store, piece.iter().cloned().map(Write::delete).collect()).await;
        }
        agrees(&*store, &author.did, &Model::new()).await;
    }
}

pub(super) async fn heads_are_compared_and_swapped<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let one = author.commit_change(&*store, vec![create("a.b.c/1")], Vec::new()).await;
    let two = author.commit_change(&*store, vec![create("a.b.c/2")], Vec::new()).await;
    apply(&*store, two).await.unwrap();
    let head = store.load(&author.did, Loader::for_read([])).await.unwrap().unwrap().head.unwrap();
    match apply(&*store, one).await {
        Err(ApplyError::Conflict { head: Some(current) }) => assert_eq!(current, head.cid),
        other => panic!("rule 3: a commit on an old head is a conflict, not {other:?}"),
    }
    agrees(&*store, &author.did, &[(path("a.b.c/2"), record("a.b.c/2"))].into()).await;
    let again = author.creation(&*store, Vec::new(), None).await;
    assert!(matches!(apply(&*store, again).await, Err(ApplyError::Exists)));
    let stranger = Author::new(2);
    let mut lost = author.commit_change(&*store, vec![create("a.b.c/3")], Vec::new()).await;
    lost.did = stranger.did;
    lost.events.clear();
    assert!(matches!(apply(&*store, lost).await, Err(ApplyError::NotFound)));
}

pub(super) async fn concurrent_writers_lose_nothing<S: RepoStore>(store: Arc<S>) {
    let (writers, each) = (8, 12);
    let authors = [Arc::new(Author::new(1)), Arc::new(Author::new(2))];
    for author in &authors {
        author.create(&*store, Vec::new()).await;
    }
    let tasks = (0..writers).map(|writer| {
        let (store, author) = (Arc::clone(&store), Arc::clone(&authors[writer % 2]));
        tokio::spawn(async move {
            let mut conflicts = 0_u32;
            for number in 0..each {
                loop {
                    let write = create(&format!("a.b.c/{writer}-{number}"));
                    let change = author.commit_change(&*store, vec![write], Vec::new()).await;
                    match apply(&*store, change).await {
                        Ok(_) => break,
                        Err(ApplyError::Conflict { .. }) => conflicts += 1,
                        Err(error) => panic!("rule 3: {error}"),
                    }
                }
            }
            conflicts
        })
    });
    join_all(tasks).await.into_iter().for_each(|task| {
        task.unwrap();
    });
    for (parity, author) in authors.iter().enumerate() {
        let paths = (0..writers)
            .filter(|writer| writer % 2 == parity)
            .flat_map(|writer| (0..each).map(move |number| format!("a.b.c/{writer}-{number}")));
        let model = paths.map(|text| (path(&text), record(&text))).collect();
        agrees(&*store, &author.did, &model).await;
        // Every commit is told once, each on the one before.
        let page = store.events(0, usize::MAX).await.unwrap();
        let commits =
            page.events.iter().filter(|event| event.did == author.did).filter_map(
                |event| match Frame::decode(&event.frame).unwrap() {
                    Frame::Commit(_, commit) => Some(commit),
                    _ => None,
                },
            );
        let mut last: Option<Tid> = None;
        let mut count = 0;
        for commit in commits {
            assert_eq!(commit.since, last, "rules 3 and 5: events chain");
            last = Some(commit.rev);
            count += 1;
        }
        assert_eq!(count, 1 + writers / 2 * each, "rule 5: one event for each commit");
    }
}

pub(super) async fn revs_grow<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, Vec::new()).await;
    let mut stale = author.commit_change(&*store, vec![create("a.b.c/1")], Vec::new()).await;
    let rev = store.repo(&author.did).await.unwrap().unwrap().rev.unwrap();
    if let ChangeKind::Commit(commit) = &mut stale.kind {
        commit.signed.rev = rev;
    }
    assert!(matches!(apply(&*store, stale).await, Err(ApplyError::Conflict { .. })), "rule 3: revs grow");
    author.commit(&*store, vec![create("a.b.c/1")]).await;
    assert!(store.repo(&author.did).await.unwrap().unwrap().rev > Some(rev));
    // A commit that changes no record is one all the same.
    let loaded = store.load(&author.did, Loader::for_read([])).await.unwrap().unwrap();
    let staged = repo::resign(&loaded.tree).unwrap();
    let signed = author.sign(&*store, staged, Some(&loaded), (0, 1)).await;
    apply(&*store, author.commit_of(signed, &loaded, Vec::new())).await.unwrap();
    agrees(&*store, &author.did, &[(path("a.b.c/1"), record("a.b.c/1"))].into()).await;
}

pub(super) async fn changes_of_one_call_are_made_in_order<S: RepoStore>(store: Arc<S>) {
    let authors: Vec<_> = (0..20).map(Author::new).collect();
    let mut changes = Vec::new();
    for author in &authors {
        changes.push(author.creation(&*store, vec![create("a.b.c/1")], None).await);
    }
    for author in &authors {
        changes.push(author.change(ChangeKind::Announce, vec![author.identity()]));
    }
    changes.push(Author::new(99).change(ChangeKind::Announce, Vec::new()));
    let answers = store.apply(changes).await;
    assert_eq!(answers.len(), 41, "one answer for each change");
    let (refused, made) = answers.split_last().unwrap();
    assert!(matches!(refused, Err(ApplyError::NotFound)), "a refusal is its own answer only");
    let seqs: Vec<_> = made.iter().map(|answer| answer.as_ref().unwrap().seqs.clone()).collect();
    for (number, author) in authors.iter().enumerate() {
        assert_eq!(seqs[number].clone().count(), 4);
        assert!(seqs[number].end <= seqs[number + 20].start, "changes of one repository are made in order");
        agrees(&*store, &author.did, &[(path("a.b.c/1"), record("a.b.c/1"))].into()).await;
    }
}
