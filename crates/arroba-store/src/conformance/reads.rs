//! Reading records and listing repositories.

use std::sync::Arc;

use arroba_core::{repo::Write, syntax::RecordKey};
use bytes::Bytes;

use super::author::{Author, apply, create, path, record};
use crate::{ChangeKind, Order, RecordQuery, RecordRange, RepoStore, Subject};

async fn keys<S: RepoStore + ?Sized>(
    store: &S,
    author: &Author,
    after: Option<&str>,
    limit: usize,
    order: Order,
) -> (Vec<String>, bool) {
    let after = after.map(|rkey| RecordKey::parse(rkey).unwrap());
    let query = RecordQuery::collection("a.b.c".parse().unwrap(), after, limit, order);
    let page = store.records(&author.did, query).await.unwrap().unwrap();
    assert_eq!(page.repo.did, author.did);
    (page.records.iter().map(|record| record.path.rkey.as_str().to_owned()).collect(), page.more)
}

pub(super) async fn ranges_both_ways<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    // Neighbours whose paths sort close by must not leak in.
    let others = ["a.b.c.d/1", "a.b.cc/1", "a.b.b/9", "a.b.d/0", "a.b.C/5"];
    let writes = ["1", "2", "3", "4", "~", "-"].map(|rkey| create(&format!("a.b.c/{rkey}")));
    author.create(&*store, writes.into_iter().chain(others.map(create)).collect()).await;
    let up = ["-", "1", "2", "3", "4", "~"].map(str::to_owned);
    let down: Vec<_> = up.iter().rev().cloned().collect();
    assert_eq!(keys(&*store, &author, None, 100, Order::Ascending).await, (up.to_vec(), false));
    assert_eq!(keys(&*store, &author, None, 100, Order::Descending).await, (down.clone(), false));
    assert_eq!(keys(&*store, &author, None, 6, Order::Ascending).await, (up.to_vec(), false));
    assert_eq!(keys(&*store, &author, None, 5, Order::Ascending).await, (up[..5].to_vec(), true));
    assert_eq!(keys(&*store, &author, Some("2"), 2, Order::Ascending).await, (up[3..5].to_vec(), true));
    assert_eq!(
        keys(&*store, &author, Some("2"), 2, Order::Descending).await,
        (up[..2].iter().rev().cloned().collect(), false)
    );
    assert_eq!(keys(&*store, &author, Some("25"), 9, Order::Descending).await, (down[3..].to_vec(), false));
    assert_eq!(keys(&*store, &author, Some("~"), 9, Order::Ascending).await, (vec![], false));
    assert_eq!(keys(&*store, &author, None, 0, Order::Ascending).await, (vec![], true));
    let one = store.records(&author.did, RecordQuery::one(path("a.b.c/3"))).await.unwrap().unwrap();
    assert_eq!((one.records.len(), one.records[0].value.clone()), (1, record("a.b.c/3")));
    assert_eq!(one.head.rev, one.records[0].rev);
    let none = store.records(&author.did, RecordQuery::one(path("a.b.c/5"))).await.unwrap().unwrap();
    assert!(none.records.is_empty() && !none.more);
    let these = ["a.b.d/0", "a.b.c/9", "a.b.c/~", "a.b.c/1", "x.y.z/1", "a.b.c/1"].map(path);
    let these = store.records(&author.did, RecordQuery::these(these.into())).await.unwrap().unwrap();
    let found = these.records.iter().map(|record| (record.path.to_string(), record.value.clone()));
    let expected = ["a.b.c/1", "a.b.c/~", "a.b.d/0"].map(|path| (path.to_owned(), record(path)));
    assert!(found.eq(expected) && !these.more, "several records, in the order of their paths");
    let none = store.records(&author.did, RecordQuery::these(Vec::new())).await.unwrap().unwrap();
    assert!(none.records.is_empty() && !none.more);
    assert!(store.records(&Author::new(2).did, RecordQuery::one(path("a.b.c/3"))).await.unwrap().is_none());
}

pub(super) async fn pages_are_bounded_in_bytes<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, vec![create("a.b.c/0")]).await;
    let large: Bytes =
        [&[0xa1, 0x61, b'b', 0x5a][..], &900_000_u32.to_be_bytes(), &[7; 900_000]].concat().into();
    let rkeys: Vec<String> = (1..=8).map(|number| number.to_string()).collect();
    for rkey in &rkeys {
        author.commit(&*store, vec![Write::create(path(&format!("a.b.c/{rkey}")), large.clone())]).await;
    }
    let up: Vec<String> = std::iter::once("0".to_owned()).chain(rkeys).collect();
    let down: Vec<_> = up.iter().rev().cloned().collect();
    // Five large records have more than a page may have, four have less.
    for (order, all, first) in [(Order::Ascending, up, 6), (Order::Descending, down, 5)] {
        assert_eq!(keys(&*store, &author, None, 100, order).await, (all[..first].to_vec(), true));
        let rest = keys(&*store, &author, Some(&all[first - 1]), 100, order).await;
        assert_eq!(rest, (all[first..].to_vec(), false), "the next page has the rest");
        assert_eq!(keys(&*store, &author, None, 3, order).await, (all[..3].to_vec(), true));
    }
    let whole = store.records(&author.did, RecordQuery::all(None, 100)).await.unwrap().unwrap();
    assert_eq!((whole.records.len(), whole.more), (9, false), "whoever asks for everything gets it");
}

pub(super) async fn hidden_records_are_left_out<S: RepoStore>(store: Arc<S>) {
    let author = Author::new(1);
    author.create(&*store, ["1", "2", "3"].map(|rkey| create(&format!("a.b.c/{rkey}"))).into()).await;
    let subject = Subject::Record(path("a.b.c/2"));
    let hide = |reference: Option<&str>| {
        let reference = reference.map(str::to_owned);
        author.change(ChangeKind::Hide { subject: subject.clone(), reference }, Vec::new())
    };
    assert_eq!(store.hidden(&author.did, &subject).await.unwrap(), None);
    apply(&*store, hide(Some("case 7"))).await.unwrap();
    assert_eq!(store.hidden(&author.did, &subject).await.unwrap().as_deref(), Some("case 7"));
    assert_eq!(
        keys(&*store, &author, None, 2, Order::Ascending).await,
        (vec!["1".into(), "3".into()], false)
    );
    let one = store.records(&author.did, RecordQuery::one(path("a.b.c/2"))).await.unwrap().unwrap();
    assert!(one.records.is_empty());
    let these = RecordQuery::these(["a.b.c/3", "a.b.c/2"].map(path).into());
    let found = store.records(&author.did, these.clone()).await.unwrap().unwrap().records;
    assert_eq!((found.len(), &found[0].path), (1, &path("a.b.c/3")));
    let these = RecordQuery { visible_only: false, ..these };
    assert_eq!(store.records(&author.did, these).await.unwrap().unwrap().records.len(), 2);
    let all = RecordQuery { range: RecordRange::One(path("a.b.c/2")), visible_only: false };
    assert_eq!(store.records(&author.did, all).await.unwrap().unwrap().records.len(), 1);
    assert_eq!(
        super::author::export(&*store, &author.did, crate::BlockQuery::All).await.len(),
        super::author::nodes_of(
            &["1", "2", "3"]
                .map(|rkey| (path(&format!("a.b.c/{rkey}")), record(&format!("a.b.c/{rkey}"))))
                .into()
        )
        .len()
            + 4,
        "the tree is signed, so an export keeps a record that is taken down"
    );
    apply(&*store, hide(None)).await.unwrap();
    assert_eq!(keys(&*store, &author, None, 9, Order::Ascending).await.0.len(), 3);
}

pub(super) async fn repositories_are_listed_in_order<S: RepoStore>(store: Arc<S>) {
    let authors: Vec<_> = [5, 3, 9, 1, 7].map(Author::new).into();
    for author in &authors {
        author.create(&*store, vec![create("a.b.c/1")]).await;
    }
    apply(&*store, authors[1].change(ChangeKind::Delete, Vec::new())).await.unwrap();
    let mut order = None;
    for limit in [1, 2, 5, 10] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.repos(after.as_ref(), limit).await.unwrap();
            assert!(page.repos.len() <= limit);
            seen.extend(page.repos.into_iter().map(|entry| (entry.repo.did, entry.head.is_some())));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let order = order.get_or_insert_with(|| seen.clone());
        assert_eq!(seen, *order, "the order does not change with the size of the pages");
        let expected = authors.iter().enumerate().map(|(index, author)| (author.did.clone(), index != 1));
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected, "each comes once, deleted ones without a head");
    }
}
