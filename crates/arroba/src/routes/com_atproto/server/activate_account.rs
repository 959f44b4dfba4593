//! `com.atproto.server.activateAccount`

use arroba_xrpc::Result;
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::FullAuth;

pub(crate) async fn activate_account(State(logins): State<Logins>, auth: FullAuth) -> Result<()> {
    logins.activate(auth.did()).await
}
