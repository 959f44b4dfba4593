//! The client against the emulator.

use std::collections::BTreeSet;

use arroba_store::datastore::{
    Begin, Client, Code, DatastoreError, LimitError, Reads, RpcCounts, Select,
    api::{Entity, Query, Value, property_filter::Operator, property_order::Direction, value::ValueType},
    delete, insert, key_name,
    testing::Emulator,
    update, upsert,
};

fn entity(client: &Client, name: &str, number: i64) -> Entity {
    let value = Value { value_type: Some(ValueType::IntegerValue(number)), ..Value::default() };
    Entity {
        key: Some(client.database().key("Thing", name)),
        properties: [("number".to_owned(), value)].into(),
    }
}

fn number(entity: &Entity) -> i64 {
    match entity.properties["number"].value_type {
        Some(ValueType::IntegerValue(number)) => number,
        _ => panic!("{entity:?}"),
    }
}

#[tokio::test]
async fn writes_reads_and_removes() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let things = (0..5).map(|index| upsert(entity(&client, &format!("t{index}"), index))).collect();
    client.put(things).await.unwrap();
    client.put(vec![delete(client.database().key("Thing", "t3"))]).await.unwrap();
    let keys: Vec<_> = (0..6).map(|index| client.database().key("Thing", &format!("t{index}"))).collect();
    let doubled = keys.iter().chain(&keys).cloned().collect();
    let lookup = client.lookup(doubled, Reads::Strong).await.unwrap();
    let found: BTreeSet<_> =
        lookup.found.iter().map(|result| number(result.entity.as_ref().unwrap())).collect();
    assert_eq!(found, BTreeSet::from([0, 1, 2, 4]));
    assert_eq!(lookup.missing.len(), 2);
    let counts = RpcCounts { lookups: 1, keys: 6, commits: 2, ..RpcCounts::default() };
    assert_eq!(client.counts(), counts);
    assert_eq!(client.counts().total(), 3);
}

#[tokio::test]
async fn many_keys_are_asked_for_in_portions() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let things = (0..2_500).map(|index| upsert(entity(&client, &format!("t{index}"), index))).collect();
    client.put(things).await.unwrap();
    let before = client.counts();
    let keys: Vec<_> = (0..3_500).map(|index| client.database().key("Thing", &format!("t{index}"))).collect();
    let lookup = client.lookup(keys.clone(), Reads::Strong).await.unwrap();
    assert_eq!((lookup.found.len(), lookup.missing.len()), (2_500, 1_000));
    assert_eq!((client.counts() - before).lookups, 4);
    let before = client.counts();
    let (transaction, lookup) = client.begin(keys, Begin::ReadOnly(None)).await.unwrap();
    assert_eq!((lookup.found.len(), lookup.missing.len()), (2_500, 1_000));
    assert_eq!((client.counts() - before).total(), 4);
    client.rollback(&transaction).await.unwrap();
}

#[tokio::test]
async fn a_transaction_begins_with_its_first_lookup() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    client.put(vec![upsert(entity(&client, "counter", 1))]).await.unwrap();
    let before = client.counts();
    let key = client.database().key("Thing", "counter");
    let (transaction, lookup) = client.begin(vec![key.clone()], Begin::ReadWrite).await.unwrap();
    let next = number(lookup.found[0].entity.as_ref().unwrap()) + 1;
    let commit = client.commit(vec![upsert(entity(&client, "counter", next))], &transaction).await.unwrap();
    assert_eq!(commit.mutation_results.len(), 1);
    let counts = RpcCounts { lookups: 1, keys: 1, commits: 1, ..RpcCounts::default() };
    assert_eq!(client.counts() - before, counts);
    let lookup = client.lookup(vec![key], Reads::Eventual).await.unwrap();
    assert_eq!(number(lookup.found[0].entity.as_ref().unwrap()), 2);
    // It is closed now.
    let error = client.commit(vec![upsert(entity(&client, "counter", 9))], &transaction).await.unwrap_err();
    assert!(
        matches!(&error, DatastoreError::Status { status, attempts: 1, .. } if status.code() == Code::InvalidArgument),
        "{error:?}"
    );
}

#[tokio::test]
async fn of_two_transactions_on_one_entity_one_is_aborted() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let key = client.database().key("Thing", "counter");
    let (first, _) = client.begin(vec![key.clone()], Begin::ReadWrite).await.unwrap();
    let (second, _) = client.begin(vec![key.clone()], Begin::ReadWrite).await.unwrap();
    client.commit(vec![insert(entity(&client, "counter", 1))], &first).await.unwrap();
    let error = client.commit(vec![insert(entity(&client, "counter", 2))], &second).await.unwrap_err();
    assert!(error.is_conflict() && error.is_transient(), "{error:?}");
    let (again, lookup) = client.begin(vec![key], Begin::Again(&second)).await.unwrap();
    assert_eq!(lookup.found.len(), 1);
    client.commit(vec![update(entity(&client, "counter", 2))], &again).await.unwrap();
    let (empty, lookup) = client.begin(vec![], Begin::ReadWrite).await.unwrap();
    assert!(lookup.found.is_empty() && lookup.missing.is_empty());
    client.rollback(&empty).await.unwrap();
    assert_eq!(client.counts().begins, 1);
}

fn numbers_from(start: i64) -> Select {
    Select::from("Thing")
        .and("number", Operator::GreaterThanOrEqual, ValueType::IntegerValue(start))
        .order("number", Direction::Ascending)
}

#[tokio::test]
async fn queries_stop_at_their_limit_and_go_on_at_their_cursor() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let things = (0..10).map(|index| upsert(entity(&client, &format!("t{index}"), index))).collect();
    client.put(things).await.unwrap();
    let mut query = Query::from(numbers_from(2).limit(3));
    let mut seen = Vec::new();
    loop {
        let page = client.query(query.clone(), Reads::Strong).await.unwrap();
        assert!(page.results.len() <= 3);
        seen.extend(page.results.iter().map(|result| number(result.entity.as_ref().unwrap())));
        if !page.more || page.results.is_empty() {
            break;
        }
        query.start_cursor = page.end_cursor;
    }
    assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8, 9]);
    let page = client.query(numbers_from(2).into(), Reads::Strong).await.unwrap();
    assert_eq!((page.results.len(), page.more), (8, false));
    let first = page.results[0].entity.as_ref().unwrap().key.as_ref().unwrap();
    assert_eq!((key_name(first, "Thing"), key_name(first, "Other")), (Some("t2"), None));

    let below = numbers_from(2).and("number", Operator::LessThan, ValueType::IntegerValue(5));
    let first = client.query(below.clone().limit(1).into(), Reads::Strong).await.unwrap();
    let rest = client.query(below.after(first.end_cursor).keys_only().into(), Reads::Strong).await.unwrap();
    let keys = rest.results.iter().map(|result| result.entity.as_ref().unwrap());
    assert_eq!(keys.clone().map(|entity| entity.properties.len()).sum::<usize>(), 0);
    assert_eq!(
        keys.filter_map(|entity| key_name(entity.key.as_ref()?, "Thing")).collect::<Vec<_>>(),
        ["t3", "t4"]
    );
}

#[tokio::test]
async fn what_is_beyond_a_limit_is_not_sent() {
    let Some(emulator) = Emulator::shared().await else { return };
    let client = emulator.client().await;
    let blob = |name: &str, bytes: usize| {
        let value_type = Some(ValueType::BlobValue(vec![0; bytes]));
        let value = Value { value_type, exclude_from_indexes: true, ..Value::default() };
        Entity {
            key: Some(client.database().key("Thing", name)),
            properties: [("blob".to_owned(), value)].into(),
        }
    };
    let limit = |error| match error {
        DatastoreError::Limit(limit) => limit,
        other => panic!("{other:?}"),
    };
    let put = async |mutation| limit(client.put(vec![mutation]).await.unwrap_err());
    assert!(matches!(put(upsert(blob("large", 1 << 20))).await, LimitError::Value { .. }));
    let long = "x".repeat(1_501);
    assert!(matches!(put(upsert(blob(&long, 1))).await, LimitError::Key { bytes: 1_501, .. }));
    assert!(matches!(put(insert(blob("a", 1))).await, LimitError::NotRepeatable { .. }));
    let twice = vec![upsert(blob("a", 1)), upsert(blob("a", 1))];
    assert!(matches!(limit(client.put(twice).await.unwrap_err()), LimitError::Twice { .. }));
    let missing = client.lookup(vec![client.database().key("Thing", "")], Reads::Strong).await.unwrap_err();
    assert!(matches!(limit(missing), LimitError::IncompleteKey { .. }));
    assert_eq!(client.counts(), RpcCounts::default());

    // Twelve entities of nearly a mebibyte: two requests outside of a transaction, none within.
    let many: Vec<_> = (0..12).map(|index| upsert(blob(&format!("b{index}"), 1_000_000))).collect();
    client.put(many.clone()).await.unwrap();
    assert_eq!(client.counts().commits, 2);
    let (transaction, _) = client.begin(vec![], Begin::ReadWrite).await.unwrap();
    let error = limit(client.commit(many, &transaction).await.unwrap_err());
    assert!(matches!(error, LimitError::Request { .. }));
    assert_eq!(client.counts().commits, 2);
    client.rollback(&transaction).await.unwrap();
}
