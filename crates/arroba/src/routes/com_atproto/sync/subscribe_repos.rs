//! `com.atproto.sync.subscribeRepos`

use arroba_lexicons::com_atproto::sync::subscribe_repos::SubscribeRepos;
use arroba_xrpc::{Query, Result, Subscriptions, Upgrade, XrpcError};
use axum::extract::State;
use axum::response::Response;

use crate::firehose::Frames;
use crate::service::Service;

pub(crate) async fn subscribe_repos(
    State(service): State<Service>,
    State(subscriptions): State<Subscriptions>,
    Query(params): Query<SubscribeRepos>,
    upgrade: Upgrade,
) -> Result<Response> {
    let cursor = params.cursor.map(u64::try_from).transpose();
    let cursor = cursor.map_err(|_| XrpcError::invalid_request("cursor must not be negative"))?;
    upgrade.serve(&subscriptions, Frames::new(service.subscribe(cursor)))
}
