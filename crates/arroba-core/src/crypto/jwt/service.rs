use super::{JwtError, encode};
use crate::crypto::Signer;
use crate::syntax::{Audience, Did, Nsid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The values of `typ` that a token between services must not have: such a token was made for something else.
pub const SERVICE_TYP_REFUSED: [&str; 3] = ["at+jwt", "refresh+jwt", "dpop+jwt"];

/// The claims of a token between services.
///
/// Spec: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    /// When it was issued, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Who issued it: the account's DID.
    pub iss: String,
    /// Whom it is for: the service's DID, with `#` and the service's id, or (older) without.
    pub aud: String,
    /// When it expires, in seconds since 1970.
    pub exp: u64,
    /// The method that it may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lxm: Option<String>,
    /// A random value, against replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ServiceClaims {
    /// The claims of an account towards a service, until `expires` (seconds since 1970; a minute ahead is usual).
    ///
    /// ```
    /// use arroba_core::crypto::{Curve, PrivateKey, jwt::ServiceClaims};
    /// use arroba_core::syntax::Audience;
    /// use arroba_core::{did, nsid};
    ///
    /// let key = PrivateKey::from_seed(Curve::K256, 1)?;
    /// let token = ServiceClaims::new(&did!("did:web:alice.test"), &Audience::Did(did!("did:web:relay.test")), 60)
    ///     .method(&nsid!("com.atproto.sync.requestCrawl"))
    ///     .claim("via", "bridge.test")
    ///     .sign(&key)?;
    /// assert_eq!(token.split('.').count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(issuer: &Did, audience: &Audience, expires: u64) -> Self {
        Self {
            iat: None,
            iss: issuer.to_string(),
            aud: audience.to_string(),
            exp: expires,
            lxm: None,
            jti: None,
            extra: Map::new(),
        }
    }

    /// For this method only.
    #[must_use]
    pub fn method(mut self, method: &Nsid) -> Self {
        self.lxm = Some(method.to_string());
        self
    }

    /// Issued at this time, in seconds since 1970.
    #[must_use]
    pub const fn issued(mut self, seconds: u64) -> Self {
        self.iat = Some(seconds);
        self
    }

    /// With this value against replay, which no other token has.
    #[must_use]
    pub fn nonce(mut self, value: impl Into<String>) -> Self {
        self.jti = Some(value.into());
        self
    }

    /// With a claim beyond those of the protocol. The name must be none of theirs.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// The token.
    ///
    /// # Errors
    /// [`JwtError::Reserved`] if an extra claim has the name of one of the protocol's.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, JwtError> {
        match ["iat", "iss", "aud", "exp", "lxm", "jti"].iter().find(|name| self.extra.contains_key(**name)) {
            Some(name) => Err(JwtError::Reserved(name)),
            None => encode("JWT", None, self, signer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Curve, PrivateKey, jwt::Token};
    use crate::{did, nsid};

    #[test]
    fn builds_and_signs() {
        let key = PrivateKey::from_seed(Curve::K256, 7).unwrap();
        let audience = Audience::parse("did:web:b.test#x").unwrap();
        let claims = ServiceClaims::new(&did!("did:web:a.test"), &audience, 9)
            .method(&nsid!("a.b.c"))
            .issued(5)
            .nonce("n")
            .claim("more", 1);
        let text = claims.sign(&key).unwrap();
        let token = Token::decode(&text).unwrap();
        token.verify(&key.public_key()).unwrap();
        assert_eq!(token.claims::<ServiceClaims>().unwrap(), claims);
        let json = r#"{"iat":5,"iss":"did:web:a.test","aud":"did:web:b.test#x","exp":9,"lxm":"a.b.c","jti":"n","more":1}"#;
        assert_eq!(serde_json::to_string(&claims).unwrap(), json);
        assert_eq!(claims.claim("iss", "did:web:evil.test").sign(&key), Err(JwtError::Reserved("iss")));
    }

    #[test]
    fn reads_and_writes() {
        let text = r#"{"iat":1,"iss":"did:web:a.test","aud":"did:web:b.test#x","exp":2,"nonce":"n"}"#;
        let claims: ServiceClaims = serde_json::from_str(text).unwrap();
        assert_eq!((claims.lxm.as_deref(), claims.exp), (None, 2));
        assert_eq!(serde_json::to_string(&claims).unwrap(), text);
    }

    #[test]
    fn refuses() {
        for text in [
            r#"{"iss":"a","aud":"b"}"#,
            r#"{"iss":"a","exp":1}"#,
            r#"{"iss":"a","aud":["b"],"exp":1}"#,
            r#"{"iss":"a","aud":"b","exp":-1}"#,
            r#"{"iss":"a","aud":"b","exp":"1"}"#,
            r#"{"iss":"a","aud":"b","exp":1,"aud":"c"}"#,
            r#"["a"]"#,
        ] {
            assert!(serde_json::from_str::<ServiceClaims>(text).is_err(), "{text}");
        }
    }
}
