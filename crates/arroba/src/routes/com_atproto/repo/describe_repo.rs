//! `com.atproto.repo.describeRepo`

use arroba_lexicons::com_atproto::repo::describe_repo::{self, DescribeRepo};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::service::Service;

pub(crate) async fn describe_repo(
    State(service): State<Service>,
    Query(params): Query<DescribeRepo>,
) -> Result<Output<DescribeRepo>> {
    let repo = service.describe(&params.repo).await?;
    Ok(Output(describe_repo::Output {
        handle: repo.handle,
        did: repo.did,
        did_doc: repo.document,
        collections: repo.collections,
        handle_is_correct: repo.handle_is_correct,
    }))
}
