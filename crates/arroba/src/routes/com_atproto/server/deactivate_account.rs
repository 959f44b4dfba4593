//! `com.atproto.server.deactivateAccount`

use arroba_lexicons::com_atproto::server::DeactivateAccount;
use arroba_xrpc::{Input, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AnyAccountAuth;
use crate::session::{Access, invalid};

pub(crate) async fn deactivate_account(
    State(logins): State<Logins>,
    auth: AnyAccountAuth,
    Input(input): Input<DeactivateAccount>,
) -> Result<()> {
    if !matches!(auth.access(), Access::Full | Access::Takendown) {
        return Err(invalid("Bad token scope"));
    }
    let delete_after = input.delete_after.and_then(|time| u64::try_from(time.unix_micros()).ok());
    logins.deactivate(auth.did(), delete_after).await
}
