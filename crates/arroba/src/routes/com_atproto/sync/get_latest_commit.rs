//! `com.atproto.sync.getLatestCommit`

use arroba_lexicons::com_atproto::sync::get_latest_commit::{self, GetLatestCommit};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn get_latest_commit(
    State(service): State<Service>,
    viewer: Viewer,
    Query(params): Query<GetLatestCommit>,
) -> Result<Output<GetLatestCommit>> {
    let head = service.head(&params.did, &viewer).await?;
    Ok(Output(get_latest_commit::Output { cid: head.cid, rev: head.rev }))
}
