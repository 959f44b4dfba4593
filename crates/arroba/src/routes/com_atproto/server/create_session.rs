//! `com.atproto.server.createSession`

use arroba_lexicons::com_atproto::server::{CreateSession, create_session};
use arroba_xrpc::{ClientIp, Input, Output, RequestLimits, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::rate_limits::CREATE_SESSION;

pub(crate) async fn create_session(
    State(logins): State<Logins>,
    client: ClientIp,
    limits: RequestLimits,
    Input(input): Input<CreateSession>,
) -> Result<Output<CreateSession>> {
    let key = format!("{}-{}", client.0, input.identifier.to_lowercase());
    limits.consume(&CREATE_SESSION, key, 1)?;
    let even_takendown = input.allow_takendown.unwrap_or(false);
    let session = logins.authenticate(&input.identifier, input.password.expose(), even_takendown).await?;
    Ok(Output(create_session::Output {
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
