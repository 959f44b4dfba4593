//! `com.atproto.server.getServiceAuth`

use arroba_core::syntax::{Audience, Nsid};
use arroba_lexicons::com_atproto::server::GetServiceAuth;
use arroba_lexicons::com_atproto::server::get_service_auth::{self, Params};
use arroba_xrpc::{Output, Query, Result, XrpcError};
use axum::extract::State;

use crate::accounts::Logins;
use crate::auth::AnyAccountAuth;
use crate::auth::delegated::{is_create_account, is_privileged, is_protected};
use crate::session::{Access, invalid};

const DEFAULT_SECONDS: u64 = 60;
const LONGEST_SECONDS: i64 = 60 * 60;
/// Without a method the token is good for everything, so it is short-lived.
const LONGEST_SECONDS_FOR_ALL: i64 = 60;

pub(crate) async fn get_service_auth(
    State(logins): State<Logins>,
    auth: AnyAccountAuth,
    Query(Params { aud, exp, lxm }): Query<GetServiceAuth>,
) -> Result<Output<GetServiceAuth>> {
    let audience = audience(&aud)?;
    let expires = expiry(exp, lxm.is_some(), logins.now_seconds())?;
    allowed(auth.access(), lxm.as_ref())?;
    let token = logins.service_token(auth.did(), &audience, lxm.as_ref(), expires).await?;
    Ok(Output(get_service_auth::Output { token }))
}

fn audience(aud: &str) -> Result<Audience> {
    let refuse = |error| {
        XrpcError::invalid_request("aud must be a DID, optionally with the fragment of a service")
            .with_cause(error)
    };
    Audience::parse(aud).map_err(refuse)
}

fn expiry(exp: Option<i64>, for_one_method: bool, now: u64) -> Result<u64> {
    let refuse = |message| Err(XrpcError::named("BadExpiration", message));
    let Some(exp) = exp else { return Ok(now + DEFAULT_SECONDS) };
    let ahead = exp.saturating_sub(i64::try_from(now).unwrap_or(i64::MAX));
    if ahead < 0 {
        return refuse("expiration is in past");
    }
    if ahead > LONGEST_SECONDS {
        return refuse("cannot request a token with an expiration more than an hour in the future");
    }
    if !for_one_method && ahead > LONGEST_SECONDS_FOR_ALL {
        return refuse(
            "cannot request a method-less token with an expiration more than a minute in the future",
        );
    }
    u64::try_from(exp).or_else(|_| refuse("expiration is in past"))
}

fn allowed(access: Access, lxm: Option<&Nsid>) -> Result<()> {
    if let Some(method) = lxm.filter(|method| is_protected(method)) {
        return Err(XrpcError::invalid_request(format!(
            "cannot request a service auth token for the following protected method: {method}"
        )));
    }
    match access {
        Access::Takendown if !lxm.is_some_and(is_create_account) => Err(invalid("Bad token scope")),
        Access::AppPass => match lxm.filter(|method| is_privileged(method)) {
            Some(method) => Err(XrpcError::invalid_request(format!(
                "insufficient access to request a service auth token for the following method: {method}"
            ))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::delegated::CREATE_ACCOUNT;

    #[test]
    fn expirations() {
        let named = |result: Result<u64>| result.map_err(|error| error.error().to_owned());
        let bad = Err("BadExpiration".to_owned());
        assert_eq!(named(expiry(None, false, 1000)), Ok(1060));
        assert_eq!(named(expiry(Some(4600), true, 1000)), Ok(4600));
        assert_eq!(named(expiry(Some(4601), true, 1000)), bad);
        assert_eq!(named(expiry(Some(1060), false, 1000)), Ok(1060));
        assert_eq!(named(expiry(Some(1061), false, 1000)), bad);
        assert_eq!(named(expiry(Some(999), true, 1000)), bad);
        assert_eq!(named(expiry(Some(i64::MIN), true, 1000)), bad);
        assert_eq!(named(expiry(Some(i64::MAX), true, 1000)), bad);
    }

    #[test]
    fn who_may_ask_for_what() {
        let may = |access, name: &str| allowed(access, Nsid::parse(name).ok().as_ref()).is_ok();
        assert!(
            may(Access::Full, "chat.bsky.convo.getLog")
                && may(Access::AppPassPrivileged, "chat.bsky.convo.getLog")
        );
        assert!(!may(Access::AppPass, "chat.bsky.convo.getLog") && !may(Access::AppPass, CREATE_ACCOUNT));
        assert!(may(Access::AppPass, "app.bsky.feed.getTimeline") && may(Access::AppPass, ""));
        assert!(!may(Access::Full, "com.atproto.server.getSession"));
        assert!(!may(Access::Full, "com.atproto.server.GETSESSION"));
        assert!(may(Access::Takendown, CREATE_ACCOUNT) && !may(Access::Takendown, ""));
    }

    #[test]
    fn audiences() {
        assert!(audience("did:web:a.test").is_ok() && audience("did:web:a.test#bsky_appview").is_ok());
        for bad in ["", "a.test", "did:web:a.test#", "did:web:a.test#a#b", "#a", "did:web:a.test#a b"] {
            assert!(audience(bad).is_err(), "{bad}");
        }
    }
}
