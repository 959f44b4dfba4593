//! Queries: batch by batch, until the service says that it is finished.

use gcloud_sdk::google::datastore::v1::{
    EntityResult, Query, QueryResultBatch, RunQueryRequest, RunQueryResponse,
    query_result_batch::MoreResultsType, run_query_request::QueryType,
};

use super::{
    super::{DatastoreError, Malformed, RpcKind},
    Client, Reads,
};

/// The results of a query, one batch after the other; see [`Client::batches`].
#[derive(Debug)]
pub struct Batches<'a> {
    client: &'a Client,
    reads: Reads<'a>,
    query: Query,
    end: Option<MoreResultsType>,
    stalled: u32,
}

/// All results of a query.
#[derive(Clone, Debug)]
pub struct QueryPage {
    /// The results. Each has an entity.
    pub results: Vec<EntityResult>,
    /// Where the next page starts: the `start_cursor` of a query that is otherwise the same.
    pub end_cursor: Vec<u8>,
    /// Whether the query stopped at its limit, or at its end cursor, and not at the last result.
    pub more: bool,
}

impl Client {
    /// Runs a query to its end and gives everything that it finds; without a limit that may be much. Larger results are read with
    /// [`Client::batches`].
    ///
    /// # Errors
    /// [`DatastoreError::Status`] (FAILED_PRECONDITION where an index is missing), [`DatastoreError::Conflict`] in a transaction,
    /// [`DatastoreError::Malformed`].
    pub async fn query(&self, query: Query, reads: Reads<'_>) -> Result<QueryPage, DatastoreError> {
        let mut batches = self.batches(query, reads);
        let mut results = Vec::new();
        while let Some(batch) = batches.next().await? {
            results.extend(batch);
        }
        let more = batches.end != Some(MoreResultsType::NoMoreResults);
        Ok(QueryPage { results, end_cursor: batches.query.start_cursor, more })
    }

    /// Runs a query one batch at a time; the service decides how large they are.
    pub fn batches<'a>(&'a self, query: Query, reads: Reads<'a>) -> Batches<'a> {
        Batches { client: self, reads, query, end: None, stalled: 0 }
    }
}

impl Batches<'_> {
    /// The next batch, which may be empty; nothing after the last.
    ///
    /// # Errors
    /// As [`Client::query`]. After an error the same batch can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<EntityResult>>, DatastoreError> {
        if self.end.is_some() {
            return Ok(None);
        }
        if self.stalled > 0 {
            tokio::time::sleep(self.client.shared.backoff.wait(self.stalled)).await;
        }
        let request = self.request();
        let rpc = self.client.rpc();
        let send = || rpc.run_query(request.clone());
        let answer = self.client.call(RpcKind::RunQuery, self.reads.effect(), send).await?;
        let problem = |problem| DatastoreError::Malformed { rpc: RpcKind::RunQuery, problem };
        self.take(answer).map(Some).map_err(problem)
    }

    fn request(&self) -> RunQueryRequest {
        let database = self.client.database();
        RunQueryRequest {
            project_id: database.project().to_owned(),
            database_id: database.id().to_owned(),
            partition_id: Some(database.partition()),
            read_options: Some(self.reads.options()),
            property_mask: None,
            explain_options: None,
            request_options: None,
            query_type: Some(QueryType::Query(self.query.clone())),
        }
    }

    /// Checks a batch and moves the query behind it.
    fn take(&mut self, answer: RunQueryResponse) -> Result<Vec<EntityResult>, Malformed> {
        let batch = answer.batch.ok_or(Malformed::NoBatch)?;
        let end = MoreResultsType::try_from(batch.more_results).unwrap_or(MoreResultsType::Unspecified);
        if batch.entity_results.iter().any(|result| result.entity.is_none()) {
            return Err(Malformed::NoEntity);
        }
        let skipped = u32::try_from(batch.skipped_results).map_err(|_| Malformed::NoProgress)?;
        let (limit, offset) = self.left(&batch, skipped)?;
        match end {
            MoreResultsType::Unspecified => return Err(Malformed::NoEnd(batch.more_results)),
            MoreResultsType::NotFinished if limit == Some(0) => {
                self.end = Some(MoreResultsType::MoreResultsAfterLimit)
            }
            MoreResultsType::NotFinished => {
                let moved = !batch.end_cursor.is_empty() && batch.end_cursor != self.query.start_cursor;
                if !moved && (skipped > 0 || !batch.entity_results.is_empty()) {
                    return Err(Malformed::NoProgress);
                }
                self.stalled = if moved { 0 } else { self.stalled + 1 };
                if self.stalled >= self.client.options().attempts {
                    return Err(Malformed::NoProgress);
                }
            }
            end => self.end = Some(end),
        }
        self.query.limit = limit;
        self.query.offset = offset;
        if !batch.end_cursor.is_empty() {
            self.query.start_cursor = batch.end_cursor;
        }
        Ok(batch.entity_results)
    }

    /// What remains of limit and offset.
    fn left(&self, batch: &QueryResultBatch, skipped: u32) -> Result<(Option<i32>, i32), Malformed> {
        let results = i32::try_from(batch.entity_results.len()).map_err(|_| Malformed::NoProgress)?;
        let minus = |from: i32, count: i32| {
            from.checked_sub(count).filter(|left| *left >= 0).ok_or(Malformed::NoProgress)
        };
        let limit = self.query.limit.map(|limit| minus(limit, results)).transpose()?;
        let offset = minus(self.query.offset, i32::try_from(skipped).map_err(|_| Malformed::NoProgress)?)?;
        Ok((limit, offset))
    }
}
