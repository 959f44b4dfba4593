//! `com.atproto.server.getSession`

use arroba_lexicons::com_atproto::server::{GetSession, get_session};
use arroba_store::RepoStatus;
use arroba_xrpc::{Output, Result, XrpcError};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AccountAuth;

pub(crate) async fn get_session(
    State(logins): State<Logins>,
    auth: AccountAuth,
) -> Result<Output<GetSession>> {
    if auth.status() == RepoStatus::Takendown {
        let message = format!("Could not find user info for account: {}", auth.did());
        return Err(XrpcError::invalid_request(message));
    }
    let view = logins.view(auth.did()).await?;
    Ok(Output(get_session::Output {
        handle: view.handle,
        did: view.did,
        did_doc: None,
        email: view.email,
        email_confirmed: Some(view.email_confirmed),
        email_auth_factor: None,
        active: Some(view.active),
        status: view.status,
    }))
}
