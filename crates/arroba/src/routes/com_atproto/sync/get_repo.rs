//! `com.atproto.sync.getRepo`

use arroba_lexicons::com_atproto::sync::get_repo::GetRepo;
use arroba_xrpc::{ClientIp, Query, RequestLimits, Result};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::rate_limits::GET_REPO;
use crate::service::{ExportAuth, Service};

pub(crate) async fn get_repo(
    State(service): State<Service>,
    auth: ExportAuth,
    client: ClientIp,
    limits: RequestLimits,
    headers: HeaderMap,
    Query(params): Query<GetRepo>,
) -> Result<Response> {
    limits.consume(&GET_REPO, client.0.to_string(), 1)?;
    service.export(&params.did, &auth, params.since, &headers).await
}
