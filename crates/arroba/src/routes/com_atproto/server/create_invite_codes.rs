//! `com.atproto.server.createInviteCodes`

use arroba_lexicons::com_atproto::server::CreateInviteCodes;
use arroba_lexicons::com_atproto::server::create_invite_codes::{AccountCodes, Output as Made};
use arroba_xrpc::{Input, Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AdminAuth;

pub(crate) async fn create_invite_codes(
    State(logins): State<Logins>,
    auth: AdminAuth,
    Input(input): Input<CreateInviteCodes>,
) -> Result<Output<CreateInviteCodes>> {
    let accounts = match input.for_accounts {
        Some(accounts) => accounts.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let made = logins.invite(&auth, accounts, input.code_count, input.use_count).await?;
    let codes = made.into_iter().map(|(account, codes)| AccountCodes {
        account: account.map_or_else(|| "admin".to_owned(), |did| did.to_string()),
        codes,
    });
    Ok(Output(Made { codes: codes.collect() }))
}
