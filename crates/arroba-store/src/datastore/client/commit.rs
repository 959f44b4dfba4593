//! Writes: whole in a transaction, or repeatable outside of one.

use std::collections::HashSet;

use gcloud_sdk::google::datastore::v1::{
    CommitRequest, CommitResponse, Entity, Key, Mutation,
    commit_request::{Mode, TransactionSelector},
    mutation::Operation,
};

use super::{
    super::{DatastoreError, LimitError, Malformed, RpcKind, limits, retry::Effect},
    Client, Transaction,
};

/// What a request has besides its mutations: names, the transaction, tags. Generous.
const ENVELOPE_BYTES: usize = 4 << 10;

impl Client {
    /// Commits a transaction: all mutations or none. Several of one entity are applied in order.
    ///
    /// # Errors
    /// [`DatastoreError::Limit`] before anything is sent: a transaction cannot be split. [`DatastoreError::Conflict`] if it was aborted;
    /// [`DatastoreError::UnknownOutcome`] if nobody can know; [`DatastoreError::Status`] if it was refused.
    pub async fn commit(
        &self,
        mutations: Vec<Mutation>,
        transaction: &Transaction,
    ) -> Result<CommitResponse, DatastoreError> {
        transaction.check_age()?;
        mutations.iter().try_for_each(limits::check_mutation)?;
        if let Some(limit) = self.options().limits.mutations.filter(|limit| mutations.len() > *limit) {
            return Err(LimitError::Mutations { count: mutations.len(), limit }.into());
        }
        let bytes = mutations.iter().map(limits::request_bytes).sum::<usize>() + ENVELOPE_BYTES;
        if bytes > limits::TRANSACTION_BYTES {
            return Err(LimitError::Request { bytes, limit: limits::TRANSACTION_BYTES }.into());
        }
        let selector = TransactionSelector::Transaction(transaction.id().to_vec());
        self.send(mutations, Mode::Transactional, Some(selector), Effect::CommitTransaction).await
    }

    /// Writes upserts and deletions outside of a transaction, in as many requests as they need, one after the other. An attempt without
    /// an answer is repeated, so a write may land twice: the caller knows that nobody else writes something different to the same
    /// entities meanwhile, or that it does not matter.
    ///
    /// # Errors
    /// [`DatastoreError::Limit`] before anything is sent, with [`LimitError::NotRepeatable`] for inserts and updates and
    /// [`LimitError::Twice`] for two mutations of one entity. After any other error a part may have been written.
    pub async fn put(&self, mutations: Vec<Mutation>) -> Result<(), DatastoreError> {
        let mut seen = HashSet::with_capacity(mutations.len());
        for mutation in &mutations {
            limits::check_mutation(mutation)?;
            let Some(key) = key_of(mutation) else { return Err(LimitError::NoOperation.into()) };
            if !matches!(mutation.operation, Some(Operation::Upsert(_) | Operation::Delete(_))) {
                return Err(LimitError::NotRepeatable { key: limits::shown(key) }.into());
            }
            if !seen.insert(&key.path) {
                return Err(LimitError::Twice { key: limits::shown(key) }.into());
            }
        }
        for portion in self.portions(mutations) {
            self.send(portion, Mode::NonTransactional, None, Effect::Repeatable).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        mutations: Vec<Mutation>,
        mode: Mode,
        transaction_selector: Option<TransactionSelector>,
        effect: Effect,
    ) -> Result<CommitResponse, DatastoreError> {
        let database = self.database();
        let count = mutations.len();
        let request = CommitRequest {
            project_id: database.project().to_owned(),
            database_id: database.id().to_owned(),
            mode: mode.into(),
            mutations,
            request_options: None,
            transaction_selector,
        };
        let answer = self.call(RpcKind::Commit, effect, || self.rpc().commit(request.clone())).await?;
        let results = answer.mutation_results.len();
        if results != count {
            let problem = Malformed::Results { mutations: count, results };
            return Err(DatastoreError::Malformed { rpc: RpcKind::Commit, problem });
        }
        Ok(answer)
    }

    /// Mutations in portions that each fit into one request.
    fn portions(&self, mutations: Vec<Mutation>) -> Vec<Vec<Mutation>> {
        let count = self.options().limits.mutations.unwrap_or(usize::MAX);
        let mut portions: Vec<Vec<Mutation>> = Vec::new();
        let mut bytes = 0;
        for mutation in mutations {
            let more = limits::request_bytes(&mutation);
            match portions.last_mut() {
                Some(portion)
                    if portion.len() < count && bytes + more + ENVELOPE_BYTES <= limits::REQUEST_BYTES =>
                {
                    bytes += more;
                    portion.push(mutation);
                }
                _ => {
                    bytes = more;
                    portions.push(vec![mutation]);
                }
            }
        }
        portions
    }
}

/// Writes the entity, whether it is there or not.
pub fn upsert(entity: Entity) -> Mutation {
    of(Operation::Upsert(entity))
}

/// Writes the entity; ALREADY_EXISTS if it is there.
pub fn insert(entity: Entity) -> Mutation {
    of(Operation::Insert(entity))
}

/// Writes the entity; NOT_FOUND if it is not there.
pub fn update(entity: Entity) -> Mutation {
    of(Operation::Update(entity))
}

/// Removes an entity, if it is there.
pub fn delete(key: Key) -> Mutation {
    of(Operation::Delete(key))
}

fn of(operation: Operation) -> Mutation {
    Mutation { operation: Some(operation), ..Mutation::default() }
}

fn key_of(mutation: &Mutation) -> Option<&Key> {
    match mutation.operation.as_ref()? {
        Operation::Insert(entity) | Operation::Update(entity) | Operation::Upsert(entity) => {
            entity.key.as_ref()
        }
        Operation::Delete(key) => Some(key),
    }
}
