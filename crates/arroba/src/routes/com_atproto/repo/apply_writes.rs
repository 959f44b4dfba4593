//! `com.atproto.repo.applyWrites`

use arroba_lexicons::com_atproto::repo::apply_writes::{self, ApplyWrites};
use arroba_xrpc::{Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::auth::WriteAuth;
use crate::host::{CommitOptions, Write, WriteResult};
use crate::rate_limits::{CREATE_POINTS, DELETE_POINTS, UPDATE_POINTS, WRITES};
use crate::records::Validate;
use crate::service::Service;

pub(crate) async fn apply_writes(
    State(service): State<Service>,
    auth: WriteAuth,
    limits: RequestLimits,
    Input(input): Input<ApplyWrites>,
) -> Result<Output<ApplyWrites>> {
    let points = input.writes.iter().map(points).fold(0, u32::saturating_add);
    limits.consume(&WRITES, auth.caller().rate_key(), points)?;
    let options =
        CommitOptions::default().validate(Validate::from_flag(input.validate)).swap_commit(input.swap_commit);
    let writes = input.writes.into_iter().map(write).collect();
    let outcome = service.commit(auth, &input.repo, writes, options).await?;
    let results = outcome.results.into_iter().map(result).collect();
    Ok(Output(apply_writes::Output { commit: outcome.commit.map(Into::into), results: Some(results) }))
}

const fn points(write: &apply_writes::Write) -> u32 {
    match write {
        apply_writes::Write::Create { .. } => CREATE_POINTS,
        apply_writes::Write::Update { .. } => UPDATE_POINTS,
        apply_writes::Write::Delete { .. } => DELETE_POINTS,
    }
}

fn write(write: apply_writes::Write) -> Write {
    match write {
        apply_writes::Write::Create { collection, rkey, value } => {
            Write::Create { collection, rkey, content: value.into() }
        }
        apply_writes::Write::Update { collection, rkey, value } => Write::update(collection, rkey, value),
        apply_writes::Write::Delete { collection, rkey } => Write::delete(collection, rkey),
    }
}

fn result(result: WriteResult) -> apply_writes::WriteResult {
    match result {
        WriteResult::Created(written) => apply_writes::WriteResult::Create {
            uri: written.uri,
            cid: written.cid,
            validation_status: written.validation,
        },
        WriteResult::Updated(written) => apply_writes::WriteResult::Update {
            uri: written.uri,
            cid: written.cid,
            validation_status: written.validation,
        },
        WriteResult::Deleted(_) => apply_writes::WriteResult::Delete {},
    }
}
