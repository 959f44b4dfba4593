//! The client against a service that fails, on a stopped clock.

use std::{sync::Arc, time::Duration};

use arroba_store::datastore::{
    Begin, Client, ClientOptions, Code, Database, DatastoreError, LimitError, Malformed, Reads, Rpc, RpcKind,
    Status,
    api::{
        BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, Entity,
        LookupRequest, LookupResponse, RollbackRequest, RollbackResponse, RunQueryRequest, RunQueryResponse,
        Value, value::ValueType,
    },
    delete,
    testing::{Fault, Strict, StrictOptions, When},
    upsert,
};
use tokio::time::Instant;

use super::table::Table;

fn calm() -> StrictOptions {
    let mut options = StrictOptions::default();
    options.deferred = 0.0;
    options
}

fn with(options: StrictOptions) -> (Arc<Strict<Table>>, Client) {
    let strict = Arc::new(Strict::new(Table::new(), options));
    let mut options = ClientOptions::default();
    options.seed = 1;
    (strict.clone(), Client::new(strict, options))
}

fn entity(client: &Client, name: &str) -> Entity {
    let value = Value { value_type: Some(ValueType::IntegerValue(1)), ..Value::default() };
    Entity {
        key: Some(client.database().key("Thing", name)),
        properties: [("number".to_owned(), value)].into(),
    }
}

const PASSING: [Code; 5] =
    [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Aborted, Code::Unknown];

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated() {
    let (strict, client) = with(calm());
    for code in PASSING {
        for fault in [Fault::before(code), Fault::after(code)] {
            let before = client.counts();
            strict.inject(RpcKind::Commit, fault);
            strict.inject(RpcKind::Commit, fault);
            client.put(vec![upsert(entity(&client, "a"))]).await.unwrap();
            strict.inject(RpcKind::Lookup, fault);
            let lookup =
                client.lookup(vec![client.database().key("Thing", "a")], Reads::Strong).await.unwrap();
            assert_eq!(lookup.found.len(), 1);
            let counts = client.counts() - before;
            assert_eq!((counts.commits, counts.lookups), (3, 2), "{code:?}");
        }
    }
    assert_eq!(strict.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_in_the_end() {
    let (strict, client) = with(calm());
    let key = || vec![client.database().key("Thing", "a")];
    for _ in 0..6 {
        strict.inject(RpcKind::Lookup, Fault::before(Code::Unavailable));
    }
    let error = client.lookup(key(), Reads::Strong).await.unwrap_err();
    assert!(
        matches!(&error, DatastoreError::Status { rpc: RpcKind::Lookup, attempts: 6, status } if status.code() == Code::Unavailable),
        "{error:?}"
    );
    assert!(error.is_transient());
    // Whatever came before it, one INTERNAL is borne.
    for code in [Code::Unavailable, Code::Internal, Code::Unavailable] {
        strict.inject(RpcKind::Lookup, Fault::before(code));
    }
    client.lookup(key(), Reads::Strong).await.unwrap();
    // INTERNAL is repeated once, and what is wrong with the request not at all.
    for (code, attempts) in [(Code::Internal, 2), (Code::PermissionDenied, 1), (Code::FailedPrecondition, 1)]
    {
        for _ in 0..attempts {
            strict.inject(RpcKind::Lookup, Fault::before(code));
        }
        let error = client.lookup(key(), Reads::Strong).await.unwrap_err();
        assert!(
            matches!(&error, DatastoreError::Status { attempts: made, .. } if *made == attempts),
            "{error:?}"
        );
        assert_eq!(strict.pending(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_answers_ends() {
    let (strict, client) = with(calm());
    strict.inject(RpcKind::Lookup, Fault::silence(When::Before));
    let started = Instant::now();
    let key = vec![client.database().key("Thing", "a")];
    assert_eq!(client.lookup(key.clone(), Reads::Strong).await.unwrap().missing.len(), 1);
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(31), "{waited:?}");

    for _ in 0..6 {
        strict.inject(RpcKind::Lookup, Fault::silence(When::Before));
    }
    let started = Instant::now();
    let error = client.lookup(key, Reads::Strong).await.unwrap_err();
    assert!(
        matches!(&error, DatastoreError::Status { status, .. } if status.code() == Code::DeadlineExceeded)
    );
    assert!(started.elapsed() <= Duration::from_secs(120), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_transaction_may_be_unknown() {
    let (strict, client) = with(calm());
    let key = || vec![client.database().key("Thing", "a")];
    for (fault, written) in [
        (Fault::before(Code::Unavailable), false),
        (Fault::after(Code::Unavailable), true),
        (Fault::after(Code::DeadlineExceeded), true),
        (Fault::before(Code::Internal), false),
        (Fault::silence(When::After), true),
        (Fault::silence(When::Before), false),
    ] {
        client.put(vec![delete(key().remove(0))]).await.unwrap();
        let (transaction, _) = client.begin(key(), Begin::ReadWrite).await.unwrap();
        strict.inject(RpcKind::Commit, fault);
        let before = client.counts();
        let error = client.commit(vec![upsert(entity(&client, "a"))], &transaction).await.unwrap_err();
        assert!(matches!(error, DatastoreError::UnknownOutcome { .. }), "{error:?}");
        assert!(!error.is_conflict() && !error.is_transient());
        assert_eq!((client.counts() - before).commits, 1, "it is not repeated");
        let found = client.lookup(key(), Reads::Strong).await.unwrap().found.len();
        assert_eq!(found, usize::from(written), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_aborted_transaction_is_a_conflict() {
    let (strict, client) = with(calm());
    let key = || vec![client.database().key("Thing", "a")];
    let (transaction, _) = client.begin(key(), Begin::ReadWrite).await.unwrap();
    strict.inject(RpcKind::Lookup, Fault::before(Code::Aborted));
    assert!(client.lookup(key(), Reads::In(&transaction)).await.unwrap_err().is_conflict());
    strict.inject(RpcKind::Commit, Fault::before(Code::Aborted));
    let error = client.commit(vec![upsert(entity(&client, "a"))], &transaction).await.unwrap_err();
    assert!(error.is_conflict());
    // Refused before it did anything, the same commit may be sent again.
    strict.inject(RpcKind::Commit, Fault::before(Code::ResourceExhausted));
    client.commit(vec![upsert(entity(&client, "a"))], &transaction).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transaction_begun_twice_is_begun() {
    let (strict, client) = with(calm());
    strict.inject(RpcKind::Lookup, Fault::after(Code::Unavailable));
    let keys = vec![client.database().key("Thing", "a")];
    let (transaction, lookup) = client.begin(keys, Begin::ReadWrite).await.unwrap();
    assert_eq!(lookup.missing.len(), 1);
    client.commit(vec![upsert(entity(&client, "a"))], &transaction).await.unwrap();
    strict.inject(RpcKind::BeginTransaction, Fault::before(Code::Unavailable));
    let (transaction, _) = client.begin(vec![], Begin::ReadOnly(None)).await.unwrap();
    strict.inject(RpcKind::Rollback, Fault::after(Code::Unavailable));
    client.rollback(&transaction).await.unwrap();
    assert_eq!((client.counts().begins, client.counts().rollbacks), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn deferred_keys_are_asked_for_until_all_have_an_answer() {
    for seed in 0..20 {
        let mut options = StrictOptions::default();
        options.seed = seed;
        options.deferred = 0.6;
        let (_, client) = with(options);
        client
            .put((0..50).map(|index| upsert(entity(&client, &format!("t{index}")))).collect())
            .await
            .unwrap();
        let keys: Vec<_> =
            (0..80).map(|index| client.database().key("Thing", &format!("t{index}"))).collect();
        let lookup = client.lookup(keys.clone(), Reads::Strong).await.unwrap();
        assert_eq!((lookup.found.len(), lookup.missing.len()), (50, 30));
        assert!(client.counts().lookups > 1);
        // In a new transaction all of them are read in that one.
        let (transaction, lookup) = client.begin(keys.clone(), Begin::ReadWrite).await.unwrap();
        assert_eq!((lookup.found.len(), lookup.missing.len()), (50, 30));
        client.put(vec![upsert(entity(&client, "t49"))]).await.unwrap();
        let error = client.commit(vec![upsert(entity(&client, "t1"))], &transaction).await.unwrap_err();
        assert!(error.is_conflict());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_defers_everything_is_given_up() {
    #[derive(Debug)]
    struct Never(Table);
    #[async_trait::async_trait]
    impl Rpc for Never {
        fn database(&self) -> &Database {
            self.0.database()
        }
        async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status> {
            Ok(LookupResponse { deferred: request.keys, ..LookupResponse::default() })
        }
        async fn run_query(&self, request: RunQueryRequest) -> Result<RunQueryResponse, Status> {
            self.0.run_query(request).await
        }
        async fn begin_transaction(
            &self,
            request: BeginTransactionRequest,
        ) -> Result<BeginTransactionResponse, Status> {
            self.0.begin_transaction(request).await
        }
        // It forgets its results.
        async fn commit(&self, _: CommitRequest) -> Result<CommitResponse, Status> {
            Ok(CommitResponse::default())
        }
        async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status> {
            self.0.rollback(request).await
        }
    }
    let client = Client::new(Arc::new(Never(Table::new())), ClientOptions::default());
    let keys = vec![client.database().key("Thing", "a"), client.database().key("Thing", "b")];
    let error = client.lookup(keys.clone(), Reads::Strong).await.unwrap_err();
    assert!(matches!(error, DatastoreError::Deferred { left: 2, attempts: 6 }), "{error:?}");
    let error = client.begin(keys, Begin::ReadWrite).await.unwrap_err();
    assert!(
        matches!(error, DatastoreError::Malformed { problem: Malformed::NoTransaction, .. }),
        "{error:?}"
    );
    let error = client.put(vec![upsert(entity(&client, "a"))]).await.unwrap_err();
    let problem = Malformed::Results { mutations: 1, results: 0 };
    assert!(matches!(error, DatastoreError::Malformed { problem: found, .. } if found == problem));
}

#[tokio::test(start_paused = true)]
async fn transactions_expire() {
    let (_, client) = with(calm());
    let begin =
        async || client.begin(vec![client.database().key("Thing", "a")], Begin::ReadWrite).await.unwrap().0;
    let write = async |transaction| client.commit(vec![upsert(entity(&client, "a"))], &transaction).await;
    let transaction = begin().await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    write(transaction).await.unwrap();
    // Idle for too long: the service says so.
    let transaction = begin().await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let error = write(transaction).await.unwrap_err();
    assert!(
        matches!(&error, DatastoreError::Status { status, attempts: 1, .. } if status.code() == Code::InvalidArgument)
    );
    // Too old: it is not even sent.
    let transaction = begin().await;
    tokio::time::sleep(Duration::from_secs(271)).await;
    let before = client.counts();
    let error = write(transaction).await.unwrap_err();
    assert!(matches!(error, DatastoreError::Limit(LimitError::TransactionAge { .. })));
    assert_eq!(client.counts(), before);
}

#[tokio::test(start_paused = true)]
async fn faults_by_chance_repeat_with_the_seed() {
    let run = async |seed| {
        let mut options = StrictOptions::default();
        options.seed = seed;
        options.faults = 0.3;
        let (strict, client) = with(options);
        for index in 0..50 {
            client.put(vec![upsert(entity(&client, &format!("t{index}")))]).await.unwrap();
        }
        assert_eq!(strict.inner().rows(), 50);
        client.counts()
    };
    let first = run(7).await;
    assert!(first.commits > 50);
    assert_eq!(run(7).await, first);
    assert_ne!(run(8).await, first);
}
