//! `com.atproto.sync.getHead`

use arroba_lexicons::com_atproto::sync::get_head::{self, GetHead};
use arroba_xrpc::{Output, Query, Result, XrpcError};
use axum::extract::State;

use crate::auth::Viewer;
use crate::service::Service;

pub(crate) async fn get_head(
    State(service): State<Service>,
    viewer: Viewer,
    Query(params): Query<GetHead>,
) -> Result<Output<GetHead>> {
    let head = service.head(&params.did, &viewer).await.map_err(|error| match error.error() {
        "RepoNotFound" => {
            XrpcError::named("HeadNotFound", format!("Could not find root for DID: {}", params.did))
        }
        _ => error,
    })?;
    Ok(Output(get_head::Output { root: head.cid }))
}
