//! The strict service refuses what production refuses, and answers in parts.

use std::sync::Arc;

use arroba_store::datastore::{
    Client, ClientOptions, Code, DatastoreError, LimitError, Limits, Reads, Rpc, Select,
    api::{
        ArrayValue, CommitRequest, Entity, LookupRequest, Mutation, Query, Value, commit_request::Mode,
        property_filter::Operator, property_order::Direction, value::ValueType,
    },
    testing::{Emulator, Index, Strict, StrictOptions},
    upsert,
};

use super::table::Table;

fn strict() -> Strict<Table> {
    Strict::new(Table::new(), StrictOptions::default())
}

fn blob(bytes: usize, exclude_from_indexes: bool) -> Value {
    Value { meaning: 0, exclude_from_indexes, value_type: Some(ValueType::BlobValue(vec![0; bytes])) }
}

fn entity(rpc: &impl Rpc, name: &str, properties: Vec<(&str, Value)>) -> Entity {
    let properties = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity { key: Some(rpc.database().key("Thing", name)), properties }
}

async fn commit(rpc: &impl Rpc, mutations: Vec<Mutation>) -> Code {
    let request =
        CommitRequest { mode: Mode::NonTransactional.into(), mutations, ..CommitRequest::default() };
    rpc.commit(request).await.err().map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn the_limits_are_those_of_production() {
    let strict = strict();
    let keys =
        |count: usize| (0..count).map(|index| strict.database().key("Thing", &index.to_string())).collect();
    let lookup = async |keys| {
        let request = LookupRequest { keys, ..LookupRequest::default() };
        strict.lookup(request).await.err().map_or(Code::Ok, |status| status.code())
    };
    assert_eq!(lookup(keys(1_000)).await, Code::Ok);
    assert_eq!(lookup(keys(1_001)).await, Code::InvalidArgument);
    let put =
        async |name: &str, properties| commit(&strict, vec![upsert(entity(&strict, name, properties))]).await;
    assert_eq!(put(&"k".repeat(1_500), vec![]).await, Code::Ok);
    assert_eq!(put(&"k".repeat(1_501), vec![]).await, Code::InvalidArgument);
    assert_eq!(put("a", vec![("p", blob(1_500, false))]).await, Code::Ok);
    assert_eq!(put("a", vec![("p", blob(1_501, false))]).await, Code::InvalidArgument);
    assert_eq!(put("a", vec![("p", blob(1_048_000, true))]).await, Code::Ok);
    assert_eq!(put("a", vec![("p", blob(1_048_488, true))]).await, Code::InvalidArgument);
    let two = vec![("p", blob(600_000, true)), ("q", blob(600_000, true))];
    assert_eq!(put("a", two).await, Code::InvalidArgument);
    assert_eq!(put("a", vec![("__p__", blob(1, true))]).await, Code::InvalidArgument);
    assert_eq!(put("a", vec![("p", Value::default())]).await, Code::InvalidArgument);
    let array = |count| Value {
        value_type: Some(ValueType::ArrayValue(ArrayValue { values: vec![blob(1, false); count] })),
        ..Value::default()
    };
    assert_eq!(put("a", vec![("p", array(20_000))]).await, Code::Ok);
    assert_eq!(put("a", vec![("p", array(20_001))]).await, Code::InvalidArgument);
    let twice = vec![upsert(entity(&strict, "a", vec![])), upsert(entity(&strict, "a", vec![]))];
    assert_eq!(commit(&strict, twice).await, Code::InvalidArgument);
    let large = |count| {
        let large = |index| upsert(entity(&strict, &format!("{index}"), vec![("p", blob(1_000_000, true))]));
        (0..count).map(large).collect::<Vec<_>>()
    };
    assert_eq!(commit(&strict, large(10)).await, Code::Ok);
    assert_eq!(commit(&strict, large(11)).await, Code::InvalidArgument);
}

#[tokio::test]
async fn the_client_stays_within_every_limit() {
    let mut options = StrictOptions::default();
    options.mutations = Some(500);
    let strict = Arc::new(Strict::new(Table::new(), options));
    let mut options = ClientOptions::default();
    options.limits = Limits::LEGACY;
    let client = Client::new(strict.clone(), options);
    let many = |count: usize, bytes| {
        let one = |index| upsert(entity(&*strict, &format!("{index}"), vec![("p", blob(bytes, true))]));
        (0..count).map(one).collect::<Vec<_>>()
    };
    client.put(many(1_234, 10)).await.unwrap();
    assert_eq!(client.counts().commits, 3);
    client.put(many(30, 1_000_000)).await.unwrap();
    assert_eq!((client.counts().commits, strict.inner().rows()), (6, 1_234));
    let keys = (0..2_345).map(|index| client.database().key("Thing", &format!("{index}"))).collect();
    let lookup = client.lookup(keys, Reads::Strong).await.unwrap();
    assert_eq!((lookup.found.len(), lookup.missing.len()), (1_234, 1_111));

    // What the strict service would refuse, the client refuses by name, without a call.
    let before = client.counts();
    let array = Value {
        value_type: Some(ValueType::ArrayValue(ArrayValue { values: vec![blob(1, false); 20_001] })),
        ..Value::default()
    };
    let nested = Value {
        value_type: Some(ValueType::ArrayValue(ArrayValue { values: vec![array.clone()] })),
        ..Value::default()
    };
    let long = "k".repeat(501);
    for (name, properties) in [
        ("a", vec![("p", blob(1_501, false))]),
        ("a", vec![("p", blob(1_048_488, true))]),
        ("a", vec![("p", blob(600_000, true)), ("q", blob(600_000, true))]),
        ("a", vec![("__p__", blob(1, true))]),
        ("a", vec![("", blob(1, true))]),
        ("a", vec![(long.as_str(), blob(1, true))]),
        ("a", vec![("p", Value::default())]),
        ("a", vec![("p", array)]),
        ("a", vec![("p", nested)]),
        ("", vec![]),
    ] {
        let bad = || vec![upsert(entity(&*strict, name, properties.clone()))];
        assert_eq!(commit(&*strict, bad()).await, Code::InvalidArgument);
        assert!(matches!(client.put(bad()).await, Err(DatastoreError::Limit(_))));
    }
    let error = client.put(vec![Mutation::default()]).await.unwrap_err();
    assert!(matches!(error, DatastoreError::Limit(LimitError::NoOperation)));
    let (transaction, _) = client.begin(vec![], arroba_store::datastore::Begin::ReadWrite).await.unwrap();
    let error = client.commit(many(501, 1), &transaction).await.unwrap_err();
    assert!(matches!(error, DatastoreError::Limit(LimitError::Mutations { count: 501, limit: 500 })));
    assert_eq!((client.counts() - before).commits, 0);
}

fn ordered(kind: &str, property: &str, direction: Direction) -> Select {
    Select::from(kind).order(property, direction)
}

#[tokio::test]
async fn unfinished_batches_are_followed_and_limits_kept() {
    let Some(emulator) = Emulator::shared().await else { return };
    let connection = emulator.connection(emulator.database()).await;
    let strict = Arc::new(Strict::new(connection, StrictOptions::default()));
    let client = Client::new(strict, ClientOptions::default());
    let number = |number| Value { value_type: Some(ValueType::IntegerValue(number)), ..Value::default() };
    let things = (0..300).map(|index| {
        let properties = [("number".to_owned(), number(index))].into();
        upsert(Entity { key: Some(client.database().key("Thing", &format!("t{index}"))), properties })
    });
    client.put(things.collect()).await.unwrap();
    let numbers = |results: &[arroba_store::datastore::api::EntityResult]| {
        let number = |result: &arroba_store::datastore::api::EntityResult| match result
            .entity
            .as_ref()
            .unwrap()
            .properties["number"]
            .value_type
        {
            Some(ValueType::IntegerValue(number)) => number,
            _ => panic!(),
        };
        results.iter().map(number).collect::<Vec<_>>()
    };
    let query = Query::from(ordered("Thing", "number", Direction::Ascending));
    let page = client.query(query.clone(), Reads::Strong).await.unwrap();
    assert_eq!(numbers(&page.results), (0..300).collect::<Vec<_>>());
    assert!(!page.more);
    assert!(client.counts().queries >= 15, "{:?}", client.counts());

    let mut query = Query { limit: Some(70), offset: 25, ..query };
    let page = client.query(query.clone(), Reads::Strong).await.unwrap();
    assert_eq!(numbers(&page.results), (25..95).collect::<Vec<_>>());
    assert!(page.more);
    query.start_cursor = page.end_cursor;
    query.offset = 0;
    let page = client.query(query.clone(), Reads::Strong).await.unwrap();
    assert_eq!(numbers(&page.results), (95..165).collect::<Vec<_>>());

    let mut batches = client.batches(Query { limit: None, ..query }, Reads::Strong);
    let mut count = 0;
    while let Some(batch) = batches.next().await.unwrap() {
        assert!(batch.len() <= 20);
        count += batch.len();
    }
    assert_eq!(count, 205);
}

#[tokio::test]
async fn a_query_needs_its_index() {
    let Some(emulator) = Emulator::shared().await else { return };
    let connection = emulator.connection(emulator.database()).await;
    let mut options = StrictOptions::default();
    options.indexes = Some(vec![Index::new("AtpBlock", &["repo", "seq"])]);
    let client = Client::new(Arc::new(Strict::new(connection, options)), ClientOptions::default());
    let equal =
        |property: &str, select: Select| select.and(property, Operator::Equal, ValueType::IntegerValue(1));
    let code = async |select: Select| match client.query(select.into(), Reads::Strong).await {
        Ok(_) => Code::Ok,
        Err(DatastoreError::Status { status, .. }) => status.code(),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(code(ordered("AtpBlock", "seq", Direction::Ascending)).await, Code::Ok);
    assert_eq!(code(equal("repo", ordered("AtpBlock", "seq", Direction::Ascending))).await, Code::Ok);
    assert_eq!(code(equal("repo", ordered("AtpBlock", "__key__", Direction::Ascending))).await, Code::Ok);
    let missing = equal("cid", ordered("AtpRemoteBlob", "updated", Direction::Descending));
    assert_eq!(code(missing).await, Code::FailedPrecondition);
    let backwards = equal("repo", ordered("AtpBlock", "seq", Direction::Descending));
    assert_eq!(code(backwards).await, Code::FailedPrecondition);
}
