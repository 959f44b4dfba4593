//! `com.atproto.sync.getRepoStatus`

use arroba_lexicons::com_atproto::sync::get_repo_status::{self, GetRepoStatus};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::service::{Service, wire_status};

pub(crate) async fn get_repo_status(
    State(service): State<Service>,
    Query(params): Query<GetRepoStatus>,
) -> Result<Output<GetRepoStatus>> {
    let repo = service.status(&params.did).await?;
    let status = wire_status(repo.status);
    let active = status.is_none();
    let rev = repo.rev.filter(|_| active);
    Ok(Output(get_repo_status::Output { did: params.did, active, status, rev }))
}
