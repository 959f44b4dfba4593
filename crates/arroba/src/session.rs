//! Session tokens: what a login yields and what later requests show.
//!
//! Access and refresh tokens are told apart by their `typ`, so that neither passes for the other. Both are HS256 under the
//! session secret; the claims are those of the reference server, so that tokens survive a change from it to this one.

use std::fmt;
use std::sync::Arc;

use arroba_core::crypto::jwt::{JwtError, hs256};
use arroba_core::syntax::Did;
use arroba_lexicons::json::Secret;
use arroba_xrpc::{Result, XrpcError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::environment::{Clock, Randomness};

/// How long an access token is good for, in seconds.
pub const ACCESS_SECONDS: u64 = 120 * 60;
/// How long a refresh token is good for, in seconds.
pub const REFRESH_SECONDS: u64 = 90 * 24 * 60 * 60;
/// How long a refresh token that was used stays good, in seconds.
pub const GRACE_SECONDS: u64 = 2 * 60 * 60;

const REFRESH_SCOPE: &str = "com.atproto.refresh";

/// What an access token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Everything that the account may do.
    Full,
    /// An app password with access to private messages.
    AppPassPrivileged,
    /// An app password.
    AppPass,
    /// A taken-down account: to read what it has and to leave.
    Takendown,
}

impl Access {
    const fn scope(self) -> &'static str {
        match self {
            Self::Full => "com.atproto.access",
            Self::AppPassPrivileged => "com.atproto.appPassPrivileged",
            Self::AppPass => "com.atproto.appPass",
            Self::Takendown => "com.atproto.takendown",
        }
    }

    fn of(scope: &str) -> Option<Self> {
        [Self::Full, Self::AppPassPrivileged, Self::AppPass, Self::Takendown]
            .into_iter()
            .find(|access| access.scope() == scope)
    }
}

/// The order of the fields is that of the reference server.
#[derive(Serialize, Deserialize)]
struct Claims {
    scope: String,
    aud: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    iat: u64,
    exp: u64,
    /// Never written: a token with one of these was made for something else.
    #[serde(default, skip_serializing)]
    lxm: Option<serde_json::Value>,
    #[serde(default, skip_serializing)]
    cnf: Option<serde_json::Value>,
}

/// A verified access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Whose session.
    pub did: Did,
    /// What it allows.
    pub access: Access,
    /// When it was issued, in seconds since 1970.
    pub issued: u64,
}

/// A verified refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose session.
    pub did: Did,
    /// The token's own id.
    pub id: String,
}

/// Issues and verifies session tokens of one server.
#[derive(Clone)]
pub struct SessionTokens {
    key: Arc<hs256::Key>,
    service: Did,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl SessionTokens {
    /// Tokens of `service` under `secret`; `None` if the secret has fewer than 16 bytes.
    pub fn new(
        secret: &[u8],
        service: Did,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Option<Self> {
        Some(Self { key: Arc::new(hs256::Key::new(secret)?), service, clock, randomness })
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        self.clock.now_micros() / 1_000_000
    }

    /// A new access token.
    ///
    /// # Errors
    /// 500 if it cannot be encoded.
    pub fn access(&self, did: &Did, access: Access) -> Result<Secret> {
        let claims = self.claims(did, access.scope(), None, self.now() + ACCESS_SECONDS);
        self.sign(hs256::Typ::Access, &claims)
    }

    /// A refresh token with this id, good until `expires` (seconds since 1970).
    ///
    /// # Errors
    /// 500 if it cannot be encoded.
    pub fn refresh(&self, did: &Did, id: &str, expires: u64) -> Result<Secret> {
        let claims = self.claims(did, REFRESH_SCOPE, Some(id.to_owned()), expires);
        self.sign(hs256::Typ::Refresh, &claims)
    }

    /// A fresh id for a refresh token: 32 random bytes.
    pub fn fresh_id(&self) -> String {
        let mut bytes = [0; 32];
        self.randomness.fill(&mut bytes);
        STANDARD.encode(bytes)
    }

    /// Verifies an access token.
    ///
    /// # Errors
    /// 400 `ExpiredToken`, which makes clients refresh; 400 `InvalidToken`.
    pub fn verify_access(&self, token: &str) -> Result<AccessToken> {
        let claims = self.verify(hs256::Typ::Access, token, false)?;
        let access = Access::of(&claims.scope).ok_or_else(|| invalid("Bad token scope"))?;
        Ok(AccessToken { did: subject(&claims)?, access, issued: claims.iat })
    }

    /// Verifies a refresh token; an expired one passes with `even_expired`.
    ///
    /// # Errors
    /// 400 `ExpiredToken`, 400 `InvalidToken`. Whether it was revoked is for the store to say.
    pub fn verify_refresh(&self, token: &str, even_expired: bool) -> Result<RefreshToken> {
        let claims = self.verify(hs256::Typ::Refresh, token, even_expired)?;
        if claims.scope != REFRESH_SCOPE {
            return Err(invalid("Bad token scope"));
        }
        let did = subject(&claims)?;
        let id = claims.jti.ok_or_else(|| invalid("Unexpected missing refresh token id"))?;
        Ok(RefreshToken { did, id })
    }

    fn claims(&self, did: &Did, scope: &str, jti: Option<String>, exp: u64) -> Claims {
        Claims {
            scope: scope.to_owned(),
            aud: self.service.to_string(),
            sub: did.to_string(),
            jti,
            iat: self.now(),
            exp,
            lxm: None,
            cnf: None,
        }
    }

    fn sign(&self, typ: hs256::Typ, claims: &Claims) -> Result<Secret> {
        hs256::sign(typ, claims, &self.key).map(Secret::from).map_err(XrpcError::internal)
    }

    fn verify(&self, typ: hs256::Typ, token: &str, even_expired: bool) -> Result<Claims> {
        let claims: Claims = hs256::verify(typ, token, &self.key).map_err(|error| match error {
            JwtError::Json(_) => invalid("Malformed token").with_cause(error),
            error => invalid("Token could not be verified").with_cause(error),
        })?;
        if claims.aud != self.service.as_str() || claims.lxm.is_some() || claims.cnf.is_some() {
            return Err(invalid("Token could not be verified"));
        }
        if !even_expired && claims.exp <= self.now() {
            return Err(XrpcError::named("ExpiredToken", "Token has expired"));
        }
        Ok(claims)
    }
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SessionTokens").field("service", &self.service).finish_non_exhaustive()
    }
}

fn subject(claims: &Claims) -> Result<Did> {
    Did::parse(&claims.sub).map_err(|error| invalid("Malformed token").with_cause(error))
}

/// 400 `InvalidToken`, as clients of the reference server know it.
pub(crate) fn invalid(message: &'static str) -> XrpcError {
    XrpcError::named("InvalidToken", message)
}

#[cfg(test)]
mod tests {
    use arroba_core::did;
    use serde_json::{Value, json};

    use super::*;
    use crate::environment::{FixedClock, SeededRandomness};

    const START: u64 = 1_700_000_000;
    const ALICE: Did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");

    fn tokens(secret: u8) -> (SessionTokens, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new(START * 1_000_000));
        let random = Arc::new(SeededRandomness::new([1; 32]));
        let service = did!("did:web:pds.test");
        (SessionTokens::new(&[secret; 16], service, clock.clone(), random).unwrap(), clock)
    }

    fn named(error: &XrpcError) -> (u16, &str, &str) {
        (error.status().as_u16(), error.error(), error.message())
    }

    fn signed(typ: hs256::Typ, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "scope": "com.atproto.access", "aud": "did:web:pds.test", "sub": ALICE, "iat": START, "exp": START + 9,
        });
        change(&mut claims);
        hs256::sign(typ, &claims, &hs256::Key::new(&[1; 16]).unwrap()).unwrap()
    }

    #[test]
    fn the_claims_are_those_of_the_reference() {
        let (tokens, _) = tokens(1);
        let token = tokens.access(&ALICE, Access::Full).unwrap();
        let payload = token.expose().split('.').nth(1).unwrap();
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
        assert_eq!(
            String::from_utf8(payload).unwrap(),
            format!(
                "{{\"scope\":\"com.atproto.access\",\"aud\":\"did:web:pds.test\",\"sub\":\"{ALICE}\",\"iat\":{START},\"exp\":{}}}",
                START + 7200
            )
        );
    }

    #[test]
    fn an_access_token_lives_two_hours() {
        let (tokens, clock) = tokens(1);
        let token = tokens.access(&ALICE, Access::AppPass).unwrap();
        clock.set((START + 7199) * 1_000_000);
        let verified = tokens.verify_access(token.expose()).unwrap();
        assert_eq!(verified, AccessToken { did: ALICE, access: Access::AppPass, issued: START });
        clock.set((START + 7200) * 1_000_000);
        let error = tokens.verify_access(token.expose()).unwrap_err();
        assert_eq!(named(&error), (400, "ExpiredToken", "Token has expired"));
    }

    #[test]
    fn a_refresh_token_passes_for_nothing_else() {
        let (tokens, clock) = tokens(1);
        let id = tokens.fresh_id();
        assert_eq!(STANDARD.decode(&id).unwrap().len(), 32);
        let token = tokens.refresh(&ALICE, &id, START + 5).unwrap();
        assert_eq!(tokens.verify_refresh(token.expose(), false).unwrap(), RefreshToken { did: ALICE, id });
        assert_eq!(tokens.verify_access(token.expose()).unwrap_err().error(), "InvalidToken");
        let access = tokens.access(&ALICE, Access::Full).unwrap();
        assert_eq!(tokens.verify_refresh(access.expose(), false).unwrap_err().error(), "InvalidToken");
        clock.set((START + 5) * 1_000_000);
        assert_eq!(tokens.verify_refresh(token.expose(), false).unwrap_err().error(), "ExpiredToken");
        assert!(tokens.verify_refresh(token.expose(), true).is_ok());
    }

    #[test]
    fn each_flaw_has_its_name() {
        let (good, _) = tokens(1);
        assert!(good.verify_access(&signed(hs256::Typ::Access, |_| {})).is_ok());
        let unverified = (400, "InvalidToken", "Token could not be verified");
        for (name, value, expected) in [
            ("aud", json!("did:web:other.test"), unverified),
            ("lxm", json!("a.b.c"), unverified),
            ("cnf", json!({"jkt": "x"}), unverified),
            ("scope", json!("com.atproto.refresh"), (400, "InvalidToken", "Bad token scope")),
            ("scope", json!("other"), (400, "InvalidToken", "Bad token scope")),
            ("sub", json!("me"), (400, "InvalidToken", "Malformed token")),
            ("exp", json!("soon"), (400, "InvalidToken", "Malformed token")),
            ("exp", json!(START), (400, "ExpiredToken", "Token has expired")),
        ] {
            let token = signed(hs256::Typ::Access, |claims| claims[name] = value);
            assert_eq!(named(&good.verify_access(&token).unwrap_err()), expected, "{name}");
        }
        let (other, _) = tokens(2);
        let forged = other.access(&ALICE, Access::Full).unwrap();
        assert_eq!(named(&good.verify_access(forged.expose()).unwrap_err()), unverified);
        for garbage in ["", "a.b", "a.b.c", "...."] {
            assert_eq!(named(&good.verify_access(garbage).unwrap_err()), unverified);
        }
    }
}
