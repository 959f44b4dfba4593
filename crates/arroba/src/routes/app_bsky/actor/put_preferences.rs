//! `app.bsky.actor.putPreferences`

use arroba_lexicons::app_bsky::actor::put_preferences::PutPreferences;
use arroba_xrpc::{Input, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::{AccountAuth, not_taken_down};

pub(crate) async fn put_preferences(
    State(logins): State<Logins>,
    auth: AccountAuth,
    Input(input): Input<PutPreferences>,
) -> Result<()> {
    not_taken_down(auth.status())?;
    logins.put_preferences(auth.did(), auth.access(), input.preferences).await
}
