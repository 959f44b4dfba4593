//! `app.bsky.actor.getPreferences`

use arroba_lexicons::app_bsky::actor::get_preferences::{self, GetPreferences};
use arroba_xrpc::{Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AnyAccountAuth;

pub(crate) async fn get_preferences(
    State(logins): State<Logins>,
    auth: AnyAccountAuth,
) -> Result<Output<GetPreferences>> {
    let preferences = logins.preferences(auth.did(), auth.access()).await?;
    Ok(Output(get_preferences::Output { preferences }))
}
