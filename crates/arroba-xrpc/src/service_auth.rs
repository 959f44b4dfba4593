//! Tokens by which one service calls another in the name of an account.

use std::sync::Arc;
use std::time::Duration;

use arroba_core::crypto::PublicKey;
use arroba_core::crypto::jwt::{SERVICE_TYP_REFUSED, ServiceClaims, Token};
use arroba_core::syntax::{Did, Nsid};
use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::{Result, UnixClock, XrpcError};

/// Finds the key that an account signs with (`#atproto` in its DID document).
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// The account's key. With `fresh` any cached document is passed over: the signature did not match the key
    /// found before, which may have been rotated.
    async fn signing_key(&self, did: &Did, fresh: bool) -> Result<PublicKey>;
}

/// Clocks differ; a token is not refused for this many seconds.
const LEEWAY_SECONDS: u64 = 5;
/// The longest lifetime that any issuer of the network grants.
const MAX_LIFETIME_SECONDS: u64 = 60 * 60;
/// Replays are remembered for the tokens seen last, up to this many.
const REPLAYS: u64 = 100_000;

/// Verifies service tokens addressed to one service.
///
/// Spec: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>
#[derive(Clone)]
pub struct ServiceAuth {
    audiences: Arc<[String]>,
    keys: Arc<dyn SigningKeys>,
    clock: UnixClock,
    seen: Cache<(Did, String), ()>,
}

/// A verified token: who calls, and for which method. Only [`ServiceAuth`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCaller {
    issuer: Did,
    method: Nsid,
}

impl ServiceCaller {
    /// The account in whose name the service calls.
    pub fn issuer(&self) -> &Did {
        &self.issuer
    }

    /// The method that the token is for.
    pub fn method(&self) -> &Nsid {
        &self.method
    }
}

impl ServiceAuth {
    /// Takes tokens whose `aud` is one of `audiences`: the service's DID, with or without a `#service` fragment.
    pub fn new(
        audiences: impl IntoIterator<Item = String>,
        keys: Arc<dyn SigningKeys>,
        clock: UnixClock,
    ) -> Self {
        Self { audiences: audiences.into_iter().collect(), keys, clock, seen: replay_memory(REPLAYS) }
    }

    /// Verifies the bearer token in `headers` for a call of `method`.
    ///
    /// # Errors
    /// All 401: `MissingJwt`, `BadJwt`, `BadJwtType`, `JwtExpired`, `BadJwtAudience`, `BadJwtLexiconMethod`,
    /// `BadJwtIss`, `BadJwtSignature`.
    pub async fn verify(&self, headers: &HeaderMap, method: &Nsid) -> Result<ServiceCaller> {
        let token = bearer(headers).ok_or_else(|| XrpcError::unauthorized("MissingJwt", "missing jwt"))?;
        self.verify_token(token, method).await
    }

    /// Verifies a token for a call of `method`.
    ///
    /// A token without `jti` is taken, since older issuers leave it out; one with a `jti` is taken once.
    ///
    /// # Errors
    /// As [`ServiceAuth::verify`].
    pub async fn verify_token(&self, text: &str, method: &Nsid) -> Result<ServiceCaller> {
        let token = Token::decode(text).map_err(|e| bad("poorly formatted jwt").with_cause(e))?;
        let header = token.header();
        if header.typ.as_deref().is_some_and(refused_typ) {
            return Err(XrpcError::unauthorized("BadJwtType", "this type of token is not for services"));
        }
        if header.kid.as_deref().is_some_and(|kid| kid != "#atproto") {
            return Err(bad("token is not signed with the account's #atproto key"));
        }
        let claims: ServiceClaims = token.claims().map_err(|e| bad("poorly formatted jwt").with_cause(e))?;
        let issuer = self.check(&claims, method)?;

        let key = self.keys.signing_key(&issuer, false).await?;
        if token.verify(&key).is_err() {
            let rotated = self.keys.signing_key(&issuer, true).await?;
            token.verify(&rotated).map_err(|e| {
                XrpcError::unauthorized("BadJwtSignature", "jwt signature does not match jwt issuer")
                    .with_cause(e)
            })?;
        }
        self.remember(&issuer, claims.jti)?;
        Ok(ServiceCaller { issuer, method: method.clone() })
    }

    /// Everything that needs no key.
    fn check(&self, claims: &ServiceClaims, method: &Nsid) -> Result<Did> {
        let now = (self.clock)().as_secs();
        if claims.exp.saturating_add(LEEWAY_SECONDS) < now {
            return Err(XrpcError::unauthorized("JwtExpired", "jwt expired"));
        }
        let latest = now + MAX_LIFETIME_SECONDS + LEEWAY_SECONDS;
        if claims.exp > latest || claims.iat.is_some_and(|iat| iat > now + LEEWAY_SECONDS) {
            return Err(bad("jwt is valid too long, or not yet"));
        }
        if !self.audiences.contains(&claims.aud) {
            return Err(XrpcError::unauthorized("BadJwtAudience", "jwt audience does not match service did"));
        }
        if claims.lxm.as_deref() != Some(method.as_str()) {
            let message = match &claims.lxm {
                Some(_) => format!("bad jwt lexicon method (\"lxm\"). must match: {method}"),
                None => format!("missing jwt lexicon method (\"lxm\"). must match: {method}"),
            };
            return Err(XrpcError::unauthorized("BadJwtLexiconMethod", message));
        }
        Did::parse(&claims.iss)
            .map_err(|e| XrpcError::unauthorized("BadJwtIss", "jwt issuer is not a did").with_cause(e))
    }

    fn remember(&self, issuer: &Did, jti: Option<String>) -> Result<()> {
        let Some(jti) = jti else { return Ok(()) };
        if jti.len() > 256 {
            return Err(bad("jti is too long"));
        }
        let entry = self.seen.entry((issuer.clone(), jti)).or_insert(());
        if entry.is_fresh() { Ok(()) } else { Err(bad("jwt was used before")) }
    }
}

/// The newest tokens are remembered, however many there are: the default policy may refuse a new entry when it is full.
fn replay_memory(capacity: u64) -> Cache<(Did, String), ()> {
    let lifetime = Duration::from_secs(MAX_LIFETIME_SECONDS + 2 * LEEWAY_SECONDS);
    Cache::builder()
        .max_capacity(capacity)
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(lifetime)
        .build()
}

impl std::fmt::Debug for ServiceAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceAuth").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

/// The token after `Bearer`, whatever the letter case of the scheme.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn refused_typ(typ: &str) -> bool {
    SERVICE_TYP_REFUSED.iter().any(|refused| typ.eq_ignore_ascii_case(refused))
}

fn bad(message: &'static str) -> XrpcError {
    XrpcError::unauthorized("BadJwt", message)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use arroba_core::crypto::{Curve, PrivateKey, Signer, jwt};
    use serde_json::{Value, json};

    use super::*;

    struct Keys {
        cached: PublicKey,
        fresh: PublicKey,
        refetched: Mutex<u32>,
    }

    #[async_trait]
    impl SigningKeys for Keys {
        async fn signing_key(&self, _: &Did, fresh: bool) -> Result<PublicKey> {
            if fresh {
                *self.refetched.lock().unwrap() += 1;
            }
            Ok(if fresh { self.fresh.clone() } else { self.cached.clone() })
        }
    }

    fn key(curve: Curve, byte: u8) -> PrivateKey {
        PrivateKey::from_bytes(curve, &[byte; 32]).unwrap()
    }

    fn auth(cached: u8, fresh: u8, curve: Curve) -> (ServiceAuth, Arc<Keys>) {
        let keys = Arc::new(Keys {
            cached: key(curve, cached).public_key(),
            fresh: key(curve, fresh).public_key(),
            refetched: Mutex::new(0),
        });
        let source: Arc<dyn SigningKeys> = keys.clone();
        let clock: UnixClock = Arc::new(|| Duration::from_secs(1_000_000));
        (ServiceAuth::new(["did:web:pds.test".to_owned()], source, clock), keys)
    }

    fn method() -> Nsid {
        Nsid::parse("com.atproto.server.createAccount").unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "aud": "did:web:pds.test", "exp": 1_000_060,
            "iat": 1_000_000, "lxm": "com.atproto.server.createAccount", "jti": "a",
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    async fn outcome(
        auth: &ServiceAuth,
        typ: &str,
        kid: Option<&str>,
        claims: &Value,
        key: &PrivateKey,
    ) -> String {
        let token = jwt::encode(typ, kid, claims, key).unwrap();
        match auth.verify_token(&token, &method()).await {
            Ok(caller) => caller.issuer().to_string(),
            Err(error) => {
                assert_eq!(error.status(), 401);
                error.error().to_owned()
            }
        }
    }

    #[tokio::test]
    async fn good_tokens_pass_on_both_curves() {
        for curve in [Curve::K256, Curve::P256] {
            let (auth, keys) = auth(1, 1, curve);
            let issuer = outcome(&auth, "JWT", Some("#atproto"), &claims(), &key(curve, 1)).await;
            assert_eq!(issuer, "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
            assert_eq!(*keys.refetched.lock().unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn each_flaw_has_its_name() {
        let (auth, _) = auth(1, 1, Curve::K256);
        let signer = key(Curve::K256, 1);
        for (claims, error) in [
            (with("exp", json!(999_990)), "JwtExpired"),
            (with("exp", json!(2_000_000)), "BadJwt"),
            (with("iat", json!(1_000_100)), "BadJwt"),
            (with("aud", json!("did:web:other.test")), "BadJwtAudience"),
            (with("aud", json!("did:web:pds.test#atproto_labeler")), "BadJwtAudience"),
            (with("lxm", json!("com.atproto.server.deleteAccount")), "BadJwtLexiconMethod"),
            (with("lxm", Value::Null), "BadJwtLexiconMethod"),
            (with("iss", json!("did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto")), "BadJwtIss"),
            (with("exp", json!("soon")), "BadJwt"),
        ] {
            assert_eq!(outcome(&auth, "JWT", None, &claims, &signer).await, error, "{claims}");
        }
        for typ in ["at+jwt", "refresh+jwt", "DPoP+jwt"] {
            assert_eq!(outcome(&auth, typ, None, &claims(), &signer).await, "BadJwtType");
        }
        assert_eq!(outcome(&auth, "JWT", Some("#other"), &claims(), &signer).await, "BadJwt");
        assert_eq!(auth.verify_token("a.b", &method()).await.unwrap_err().error(), "BadJwt");
        assert_eq!(auth.verify(&HeaderMap::new(), &method()).await.unwrap_err().error(), "MissingJwt");
    }

    #[tokio::test]
    async fn a_rotated_key_is_fetched_once_more() {
        let (rotated, keys) = auth(1, 2, Curve::K256);
        let issuer = outcome(&rotated, "JWT", None, &claims(), &key(Curve::K256, 2)).await;
        assert_eq!(issuer, "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
        assert_eq!(*keys.refetched.lock().unwrap(), 1);
        let (forged, _) = auth(1, 2, Curve::K256);
        assert_eq!(outcome(&forged, "JWT", None, &claims(), &key(Curve::K256, 3)).await, "BadJwtSignature");
    }

    #[tokio::test]
    async fn a_token_is_good_once() {
        let (auth, _) = auth(1, 1, Curve::K256);
        let signer = key(Curve::K256, 1);
        assert!(outcome(&auth, "JWT", None, &claims(), &signer).await.starts_with("did:"));
        assert_eq!(outcome(&auth, "JWT", None, &claims(), &signer).await, "BadJwt");
    }

    #[test]
    fn a_full_memory_keeps_the_newest_tokens() {
        let (mut auth, _) = auth(1, 1, Curve::K256);
        auth.seen = replay_memory(100);
        let issuer = Did::parse("did:web:a.test").unwrap();
        let remember = |number: u32| auth.remember(&issuer, Some(number.to_string()));
        // Old tokens that are tried again and again are not dearer than new ones.
        for number in 0..100 {
            remember(number).unwrap();
            for _ in 0..5 {
                assert!(remember(number).is_err());
            }
        }
        auth.seen.run_pending_tasks();
        for number in 100..200 {
            remember(number).unwrap();
            auth.seen.run_pending_tasks();
            assert!(remember(number).is_err(), "{number} is forgotten at once");
        }
        for number in 101..200 {
            assert!(remember(number).is_err(), "{number} is forgotten");
        }
    }

    #[test]
    fn the_scheme_has_no_case() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "bEaReR  abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
