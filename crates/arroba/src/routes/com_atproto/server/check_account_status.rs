//! `com.atproto.server.checkAccountStatus`

use arroba_lexicons::com_atproto::server::CheckAccountStatus;
use arroba_xrpc::{Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AccountAuth;

pub(crate) async fn check_account_status(
    State(logins): State<Logins>,
    auth: AccountAuth,
) -> Result<Output<CheckAccountStatus>> {
    Ok(Output(logins.report(auth.did()).await?))
}
