//! `com.atproto.server.refreshSession`

use arroba_lexicons::com_atproto::server::{RefreshSession, refresh_session};
use arroba_xrpc::{Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::RefreshAuth;

pub(crate) async fn refresh_session(
    State(logins): State<Logins>,
    auth: RefreshAuth,
) -> Result<Output<RefreshSession>> {
    let session = logins.refresh(auth.token()).await?;
    Ok(Output(refresh_session::Output {
        access_jwt: session.access,
        refresh_jwt: session.refresh,
        handle: session.view.handle,
        did: session.view.did,
        did_doc: None,
        email: session.view.email,
        email_confirmed: Some(session.view.email_confirmed),
        email_auth_factor: None,
        active: Some(session.view.active),
        status: session.view.status,
    }))
}
