//! `com.atproto.admin.getSubjectStatus`

use arroba_lexicons::com_atproto::admin::{GetSubjectStatus, get_subject_status};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn get_subject_status(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Query(params): Query<GetSubjectStatus>,
) -> Result<Output<GetSubjectStatus>> {
    let found = logins.subject_status(&auth, params.did, params.uri, params.blob).await?;
    Ok(Output(get_subject_status::Output {
        subject: found.subject,
        takedown: found.takedown,
        deactivated: found.deactivated,
    }))
}
