//! `com.atproto.repo.createRecord`

use arroba_lexicons::com_atproto::repo::create_record::{self, CreateRecord};
use arroba_xrpc::{Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::auth::WriteAuth;
use crate::host::{CommitOptions, Write};
use crate::rate_limits::{CREATE_POINTS, WRITES};
use crate::records::Validate;
use crate::service::Service;

pub(crate) async fn create_record(
    State(service): State<Service>,
    auth: WriteAuth,
    limits: RequestLimits,
    Input(input): Input<CreateRecord>,
) -> Result<Output<CreateRecord>> {
    limits.consume(&WRITES, auth.caller().rate_key(), CREATE_POINTS)?;
    let validate = Validate::from_flag(input.validate);
    let options = CommitOptions::default()
        .validate(validate)
        .swap_commit(input.swap_commit)
        .replace_duplicates(validate != Validate::Never);
    let write =
        Write::Create { collection: input.collection, rkey: input.rkey, content: input.record.into() };
    let (commit, written) = service.commit_one(auth, &input.repo, write, options).await?;
    Ok(Output(create_record::Output {
        uri: written.uri,
        cid: written.cid,
        commit,
        validation_status: written.validation,
    }))
}
