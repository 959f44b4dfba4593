//! `com.atproto.sync.listRepos`

use arroba_lexicons::com_atproto::sync::list_repos::{self, ListRepos};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::service::Service;

pub(crate) async fn list_repos(
    State(service): State<Service>,
    Query(params): Query<ListRepos>,
) -> Result<Output<ListRepos>> {
    let page = service.repos(params.cursor.as_deref(), params.limit).await?;
    Ok(Output(list_repos::Output {
        cursor: page.cursor,
        repos: page
            .items
            .into_iter()
            .map(|repo| list_repos::Repo {
                active: Some(repo.status.is_none()),
                status: repo.status,
                did: repo.did,
                head: repo.head,
                rev: repo.rev,
            })
            .collect(),
    }))
}
