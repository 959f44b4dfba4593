//! `com.atproto.repo.listRecords`

use arroba_core::syntax::RecordKey;
use arroba_lexicons::com_atproto::repo::list_records::{self, ListRecords};
use arroba_store::Order;
use arroba_xrpc::{Output, Query, Result, XrpcError};
use axum::extract::State;

use crate::service::Service;

pub(crate) async fn list_records(
    State(service): State<Service>,
    Query(params): Query<ListRecords>,
) -> Result<Output<ListRecords>> {
    let after = params.cursor.as_deref().map(RecordKey::parse).transpose().map_err(|_| bad_cursor())?;
    let order = if params.reverse.unwrap_or(false) { Order::Ascending } else { Order::Descending };
    let page = service
        .public_records(&params.repo, &params.collection, after, order, params.limit)
        .await?
        .ok_or_else(|| XrpcError::invalid_request(format!("Could not find repo: {}", params.repo)))?;
    Ok(Output(list_records::Output {
        cursor: page.cursor.map(|rkey| rkey.to_string()),
        records: page
            .items
            .into_iter()
            .map(|record| list_records::Record { uri: record.uri, cid: record.cid, value: record.value })
            .collect(),
    }))
}

fn bad_cursor() -> XrpcError {
    XrpcError::invalid_request("Malformed cursor")
}
