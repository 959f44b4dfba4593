//! `com.atproto.server.deleteSession`

use arroba_xrpc::Result;
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::EndSessionAuth;

pub(crate) async fn delete_session(State(logins): State<Logins>, auth: EndSessionAuth) -> Result<()> {
    logins.end_session(auth.token()).await
}
