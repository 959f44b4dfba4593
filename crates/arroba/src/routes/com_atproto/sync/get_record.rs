//! `com.atproto.sync.getRecord`

use arroba_core::syntax::RecordPath;
use arroba_lexicons::com_atproto::sync::get_record::GetRecord;
use arroba_xrpc::{Query, Result};
use axum::extract::State;
use axum::response::Response;

use crate::auth::Viewer;
use crate::service::Service;

/// Proves that the record is there, or that it is not.
pub(crate) async fn get_record(
    State(service): State<Service>,
    viewer: Viewer,
    Query(params): Query<GetRecord>,
) -> Result<Response> {
    let path = RecordPath::new(params.collection, params.rkey);
    service.record_proof(&params.did, &viewer, &path).await
}
