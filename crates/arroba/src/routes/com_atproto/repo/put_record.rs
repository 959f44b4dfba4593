//! `com.atproto.repo.putRecord`

use arroba_lexicons::com_atproto::repo::put_record::{self, PutRecord};
use arroba_xrpc::{Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::auth::WriteAuth;
use crate::host::{CommitOptions, Write};
use crate::rate_limits::{UPDATE_POINTS, WRITES};
use crate::records::Validate;
use crate::service::Service;

pub(crate) async fn put_record(
    State(service): State<Service>,
    auth: WriteAuth,
    limits: RequestLimits,
    Input(input): Input<PutRecord>,
) -> Result<Output<PutRecord>> {
    limits.consume(&WRITES, auth.caller().rate_key(), UPDATE_POINTS)?;
    let options =
        CommitOptions::default().validate(Validate::from_flag(input.validate)).swap_commit(input.swap_commit);
    let write = Write::Put {
        collection: input.collection,
        rkey: input.rkey,
        content: input.record.into(),
        swap: input.swap_record,
    };
    let (commit, written) = service.commit_one(auth, &input.repo, write, options).await?;
    Ok(Output(put_record::Output {
        uri: written.uri,
        cid: written.cid,
        commit,
        validation_status: written.validation,
    }))
}
