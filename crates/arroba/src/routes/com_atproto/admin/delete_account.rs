//! `com.atproto.admin.deleteAccount`

use arroba_lexicons::com_atproto::admin::DeleteAccount;
use arroba_xrpc::{Input, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn delete_account(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Input(input): Input<DeleteAccount>,
) -> Result<()> {
    logins.delete(&auth, &input.did).await
}
