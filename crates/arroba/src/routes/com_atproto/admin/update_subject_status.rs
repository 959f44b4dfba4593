//! `com.atproto.admin.updateSubjectStatus`

use arroba_lexicons::com_atproto::admin::{UpdateSubjectStatus, update_subject_status};
use arroba_xrpc::{Input, Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn update_subject_status(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Input(input): Input<UpdateSubjectStatus>,
) -> Result<Output<UpdateSubjectStatus>> {
    let (takedown, deactivated) = (input.takedown.as_ref(), input.deactivated.as_ref());
    logins.moderate(&auth, &input.subject, takedown, deactivated).await?;
    Ok(Output(update_subject_status::Output { subject: input.subject, takedown: input.takedown }))
}
