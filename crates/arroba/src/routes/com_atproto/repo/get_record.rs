//! `com.atproto.repo.getRecord`

use arroba_core::syntax::RecordPath;
use arroba_lexicons::com_atproto::repo::get_record::{self, GetRecord};
use arroba_xrpc::{Output, Query, Result, XrpcError};
use axum::extract::State;

use crate::service::Service;

pub(crate) async fn get_record(
    State(service): State<Service>,
    Query(params): Query<GetRecord>,
) -> Result<Output<GetRecord>> {
    let path = RecordPath::new(params.collection, params.rkey);
    let found = service.public_record(&params.repo, &path).await?;
    match found {
        Some(record) if params.cid.is_none_or(|cid| cid == record.cid) => {
            Ok(Output(get_record::Output { uri: record.uri, cid: Some(record.cid), value: record.value }))
        }
        // Clients match on this sentence.
        _ => Err(XrpcError::named(
            "RecordNotFound",
            format!("Could not locate record: at://{}/{path}", params.repo),
        )),
    }
}
