//! `com.atproto.server.createInviteCode`

use arroba_lexicons::com_atproto::server::{CreateInviteCode, create_invite_code};
use arroba_xrpc::{Input, Output, Result, XrpcError};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn create_invite_code(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Input(input): Input<CreateInviteCode>,
) -> Result<Output<CreateInviteCode>> {
    let made = logins.invite(&auth, vec![input.for_account], 1, input.use_count).await?;
    let code = made.into_iter().flat_map(|(_, codes)| codes).next();
    let code = code.ok_or_else(|| XrpcError::internal("one code was asked for and none made"))?;
    Ok(Output(create_invite_code::Output { code }))
}
