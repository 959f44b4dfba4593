//! A table in memory as the service, for tests that stop the clock: lookups, and commits that detect conflicts.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use arroba_store::datastore::{
    Database, Rpc, Status,
    api::{
        BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, Entity,
        EntityResult, Key, LookupRequest, LookupResponse, MutationResult, RollbackRequest, RollbackResponse,
        RunQueryRequest, RunQueryResponse, commit_request::TransactionSelector, key::PathElement,
        mutation::Operation, read_options::ConsistencyType,
    },
};
use async_trait::async_trait;

#[derive(Debug)]
pub(crate) struct Table {
    database: Database,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    version: i64,
    rows: HashMap<Vec<PathElement>, (i64, Entity)>,
    open: HashMap<Vec<u8>, Open>,
    begun: u64,
}

#[derive(Debug)]
struct Open {
    began: i64,
    read: HashSet<Vec<PathElement>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { database: Database::new("table", "").unwrap(), state: Mutex::default() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.state().rows.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn begin(&mut self) -> Vec<u8> {
        self.begun += 1;
        let id = self.begun.to_be_bytes().to_vec();
        self.open.insert(id.clone(), Open { began: self.version, read: HashSet::new() });
        id
    }

    fn row(&self, key: &Key) -> EntityResult {
        let (version, entity) = match self.rows.get(&key.path) {
            Some((version, entity)) => (*version, entity.clone()),
            None => (0, Entity { key: Some(key.clone()), ..Entity::default() }),
        };
        EntityResult { entity: Some(entity), version, ..EntityResult::default() }
    }
}

fn gone() -> Status {
    Status::invalid_argument("the transaction is closed")
}

#[async_trait]
impl Rpc for Table {
    fn database(&self) -> &Database {
        &self.database
    }

    async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status> {
        let mut state = self.state();
        let mut answer = LookupResponse::default();
        let transaction = match request.read_options.and_then(|options| options.consistency_type) {
            Some(ConsistencyType::NewTransaction(_)) => {
                answer.transaction = state.begin();
                Some(answer.transaction.clone())
            }
            Some(ConsistencyType::Transaction(id)) => Some(id),
            _ => None,
        };
        if let Some(id) = transaction {
            let open = state.open.get_mut(&id).ok_or_else(gone)?;
            open.read.extend(request.keys.iter().map(|key| key.path.clone()));
        }
        for key in &request.keys {
            let row = state.row(key);
            if state.rows.contains_key(&key.path) { answer.found.push(row) } else { answer.missing.push(row) }
        }
        Ok(answer)
    }

    async fn run_query(&self, _: RunQueryRequest) -> Result<RunQueryResponse, Status> {
        Err(Status::unimplemented("a table has no queries"))
    }

    async fn begin_transaction(
        &self,
        _: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status> {
        Ok(BeginTransactionResponse { transaction: self.state().begin() })
    }

    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status> {
        let mut state = self.state();
        if let Some(TransactionSelector::Transaction(id)) = request.transaction_selector {
            let open = state.open.remove(&id).ok_or_else(gone)?;
            let newer = |path| state.rows.get(path).is_some_and(|row| row.0 > open.began);
            if open.read.iter().any(newer) {
                return Err(Status::aborted("somebody was faster"));
            }
        }
        state.version += 1;
        let version = state.version;
        let mut answer = CommitResponse::default();
        for mutation in request.mutations {
            match mutation.operation {
                Some(Operation::Delete(key)) => drop(state.rows.remove(&key.path)),
                Some(Operation::Insert(entity) | Operation::Update(entity) | Operation::Upsert(entity)) => {
                    let path = entity.key.as_ref().unwrap().path.clone();
                    state.rows.insert(path, (version, entity));
                }
                None => return Err(Status::invalid_argument("empty")),
            }
            answer.mutation_results.push(MutationResult { version, ..MutationResult::default() });
        }
        Ok(answer)
    }

    async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status> {
        self.state().open.remove(&request.transaction);
        Ok(RollbackResponse {})
    }
}
