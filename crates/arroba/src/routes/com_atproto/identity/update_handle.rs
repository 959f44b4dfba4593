//! `com.atproto.identity.updateHandle`

use arroba_lexicons::com_atproto::identity::UpdateHandle;
use arroba_xrpc::{Input, RequestLimits, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::{AccountAuth, not_taken_down};
use crate::rate_limits::UPDATE_HANDLE;

pub(crate) async fn update_handle(
    State(logins): State<Logins>,
    auth: AccountAuth,
    limits: RequestLimits,
    Input(input): Input<UpdateHandle>,
) -> Result<()> {
    not_taken_down(auth.status())?;
    limits.consume(&UPDATE_HANDLE, auth.did().as_str(), 1)?;
    logins.update_handle(auth.did(), &input.handle).await
}
