//! `com.atproto.identity.getRecommendedDidCredentials`

use arroba_lexicons::com_atproto::identity::GetRecommendedDidCredentials;
use arroba_xrpc::{Output, Result};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AccountAuth;

pub(crate) async fn get_recommended_did_credentials(
    State(logins): State<Logins>,
    auth: AccountAuth,
) -> Result<Output<GetRecommendedDidCredentials>> {
    Ok(Output(logins.recommended_credentials(auth.did()).await?))
}
