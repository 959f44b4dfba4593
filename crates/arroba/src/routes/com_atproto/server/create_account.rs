//! `com.atproto.server.createAccount`

use arroba_lexicons::com_atproto::server::CreateAccount;
use arroba_lexicons::com_atproto::server::create_account;
use arroba_xrpc::{ClientIp, Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::MaybeService;
use crate::rate_limits::CREATE_ACCOUNT;

pub(crate) async fn create_account(
    State(logins): State<Logins>,
    auth: MaybeService,
    client: ClientIp,
    limits: RequestLimits,
    Input(input): Input<CreateAccount>,
) -> Result<Output<CreateAccount>> {
    limits.consume(&CREATE_ACCOUNT, client.0.to_string(), 1)?;
    let session = logins.create(input, auth.issuer()).await?;
    let did_doc = logins.document(&session.view.did).await;
    Ok(Output(create_account::Output {
        access_jwt: session.access,
        refresh_jwt: session.refresh,
        handle: session.view.handle,
        did: session.view.did,
        did_doc,
    }))
}
