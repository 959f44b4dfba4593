//! `com.atproto.repo.listMissingBlobs`

use arroba_core::data::Cid;
use arroba_lexicons::com_atproto::repo::list_missing_blobs::{self, ListMissingBlobs};
use arroba_xrpc::{Output, Query, Result, XrpcError};
use axum::extract::State;

use crate::auth::AccountAuth;
use crate::service::Service;

pub(crate) async fn list_missing_blobs(
    State(service): State<Service>,
    auth: AccountAuth,
    Query(params): Query<ListMissingBlobs>,
) -> Result<Output<ListMissingBlobs>> {
    let after = params.cursor.as_deref().map(Cid::parse).transpose();
    let after = after.map_err(|_| XrpcError::invalid_request("Malformed cursor"))?;
    let page = service.missing_blobs(auth.did(), after, params.limit).await?;
    Ok(Output(list_missing_blobs::Output {
        cursor: page.cursor.map(|cid| cid.to_string()),
        blobs: page
            .items
            .into_iter()
            .map(|(cid, record_uri)| list_missing_blobs::RecordBlob { cid, record_uri })
            .collect(),
    }))
}
