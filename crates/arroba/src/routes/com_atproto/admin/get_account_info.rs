//! `com.atproto.admin.getAccountInfo`

use arroba_lexicons::com_atproto::admin::GetAccountInfo;
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn get_account_info(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Query(params): Query<GetAccountInfo>,
) -> Result<Output<GetAccountInfo>> {
    Ok(Output(logins.account_view(&auth, &params.did).await?))
}
