//! `com.atproto.repo.deleteRecord`

use arroba_lexicons::com_atproto::repo::delete_record::{self, DeleteRecord};
use arroba_lexicons::json::SwapRecord;
use arroba_xrpc::{Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::auth::WriteAuth;
use crate::host::{CommitOptions, Write};
use crate::rate_limits::{DELETE_POINTS, WRITES};
use crate::service::Service;

pub(crate) async fn delete_record(
    State(service): State<Service>,
    auth: WriteAuth,
    limits: RequestLimits,
    Input(input): Input<DeleteRecord>,
) -> Result<Output<DeleteRecord>> {
    limits.consume(&WRITES, auth.caller().rate_key(), DELETE_POINTS)?;
    let write = Write::Delete {
        collection: input.collection,
        rkey: input.rkey,
        swap: input.swap_record.map_or(SwapRecord::Any, SwapRecord::At),
    };
    let options = CommitOptions::default().swap_commit(input.swap_commit);
    let outcome = service.commit(auth, &input.repo, vec![write], options).await?;
    Ok(Output(delete_record::Output { commit: outcome.commit.map(Into::into) }))
}
