//! JSON web tokens (RFC 7519) in compact form, as far as the protocol uses them.
//!
//! Tokens between services are signed by accounts' keys (`ES256K`, `ES256`): [`encode`], [`Token`]. A
//! server's own session tokens are [`hs256`]. Reading a token never trusts its `alg`: the key decides, and
//! the header must agree.
//!
//! Spec: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>

pub mod hs256;
mod service;

pub use self::service::{SERVICE_TYP_REFUSED, ServiceClaims};

use super::{PublicKey, Signature, Signer};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use thiserror::Error;

/// The longest token that is read, in characters.
pub const MAX_CHARS: usize = 8 * 1024;

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwtError {
    /// Longer than [`MAX_CHARS`].
    #[error("token is longer than {MAX_CHARS} characters")]
    TooLong,
    /// Not three parts separated by dots.
    #[error("token has not three parts")]
    Parts,
    /// A part is no strict base64url without padding.
    #[error("malformed base64url in the token's {0}")]
    Base64(&'static str),
    /// A part is no JSON object of the expected form.
    #[error("malformed JSON in the token's {0}")]
    Json(&'static str),
    /// The header demands extensions (`crit`), of which none is known.
    #[error("token header has critical extensions")]
    Critical,
    /// The header's `alg` is not the key's.
    #[error("token algorithm does not match the key")]
    Algorithm,
    /// The header's `typ` is not the one demanded.
    #[error("wrong type of token")]
    Type,
    /// The signature is not the key's.
    #[error("token signature does not match")]
    Signature,
    /// An extra claim has a name that the protocol uses.
    #[error("claim {0} is the protocol's own")]
    Reserved(&'static str),
}

/// A token's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// The type of token, `JWT` for tokens between services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// The algorithm. Compared with the key, never believed.
    pub alg: String,
    /// Which key: for tokens between services the fragment of a verification method, with its `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(default, skip_serializing)]
    crit: Option<serde_json::Value>,
}

/// Encodes and signs a token; the header is `typ`, the key's `alg`, and `kid` if there is one.
///
/// # Errors
/// [`JwtError::Json`] when the claims do not serialise.
pub fn encode(
    typ: &str,
    kid: Option<&str>,
    claims: &impl Serialize,
    signer: &dyn Signer,
) -> Result<String, JwtError> {
    let header = Header {
        typ: Some(typ.to_owned()),
        alg: signer.public_key().curve().jwt_algorithm().to_owned(),
        kid: kid.map(str::to_owned),
        crit: None,
    };
    let mut token = signing_input(&header, claims)?;
    let signature = signer.sign(token.as_bytes());
    token.push('.');
    token.push_str(&signature.to_base64url());
    Ok(token)
}

fn signing_input(header: &impl Serialize, claims: &impl Serialize) -> Result<String, JwtError> {
    let header = serde_json::to_vec(header).map_err(|_| JwtError::Json("header"))?;
    let claims = serde_json::to_vec(claims).map_err(|_| JwtError::Json("claims"))?;
    let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 96);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    Ok(token)
}

/// A token that has been taken apart, and proves nothing until [`verify`](Self::verify) says so.
///
/// `Debug` shows the header only: a token in a log is a token for whoever reads the log.
#[derive(Clone)]
pub struct Token<'a> {
    header: Header,
    claims: Vec<u8>,
    signing_input: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart, strictly.
    ///
    /// # Errors
    /// When it is too long or malformed.
    pub fn decode(token: &'a str) -> Result<Self, JwtError> {
        if token.len() > MAX_CHARS {
            return Err(JwtError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwtError::Parts)?;
        let (header, claims) = signing_input.split_once('.').ok_or(JwtError::Parts)?;
        if claims.contains('.') {
            return Err(JwtError::Parts);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| JwtError::Base64("header"))?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| JwtError::Base64("claims"))?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| JwtError::Json("header"))?;
        if header.crit.is_some() {
            return Err(JwtError::Critical);
        }
        Ok(Self { header, claims, signing_input, signature })
    }

    /// The header, unverified.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The claims, unverified.
    ///
    /// # Errors
    /// [`JwtError::Json`] when they do not have the form of `T`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JwtError> {
        serde_json::from_slice(&self.claims).map_err(|_| JwtError::Json("claims"))
    }

    /// Verifies the signature. Both forms of `s` are accepted, as JWT libraries do not normalise it.
    ///
    /// # Errors
    /// [`JwtError::Algorithm`] when the header's `alg` is not the key's, [`JwtError::Signature`] else.
    pub fn verify(&self, key: &PublicKey) -> Result<(), JwtError> {
        if self.header.alg != key.curve().jwt_algorithm() {
            return Err(JwtError::Algorithm);
        }
        let signature = Signature::from_base64url(self.signature).map_err(|_| JwtError::Signature)?;
        key.verify_jwt(self.signing_input.as_bytes(), &signature).map_err(|_| JwtError::Signature)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("header", &self.header).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Curve, PrivateKey};
    use serde_json::{Value, json};

    fn key(curve: Curve) -> PrivateKey {
        PrivateKey::from_bytes(curve, &[7; 32]).unwrap()
    }

    fn with_header(header: &Value, curve: Curve) -> String {
        let mut token = signing_input(header, &json!({"iss": "x"})).unwrap();
        let signature = key(curve).sign(token.as_bytes());
        token.push('.');
        token.push_str(&signature.to_base64url());
        token
    }

    #[test]
    fn round_trip_on_both_curves() {
        for curve in [Curve::K256, Curve::P256] {
            let text = encode("JWT", Some("#atproto"), &json!({"iss": "x"}), &key(curve)).unwrap();
            let token = Token::decode(&text).unwrap();
            assert_eq!(token.header().typ.as_deref(), Some("JWT"));
            assert_eq!(token.header().kid.as_deref(), Some("#atproto"));
            assert_eq!(token.claims::<Value>().unwrap(), json!({"iss": "x"}));
            assert!(!format!("{token:?}").contains(text.rsplit('.').next().unwrap()));
            token.verify(&key(curve).public_key()).unwrap();
            let other = PrivateKey::from_bytes(curve, &[8; 32]).unwrap();
            assert_eq!(token.verify(&other.public_key()), Err(JwtError::Signature));
        }
    }

    #[test]
    fn the_key_decides_the_algorithm() {
        for alg in ["none", "HS256", "ES256", "es256k", ""] {
            let text = with_header(&json!({"alg": alg}), Curve::K256);
            let token = Token::decode(&text).unwrap();
            assert_eq!(token.verify(&key(Curve::K256).public_key()), Err(JwtError::Algorithm), "{alg}");
        }
        let text = with_header(&json!({"alg": "ES256K"}), Curve::K256);
        Token::decode(&text).unwrap().verify(&key(Curve::K256).public_key()).unwrap();
        let text = with_header(&json!({"alg": "ES256K"}), Curve::P256);
        let token = Token::decode(&text).unwrap();
        assert_eq!(token.verify(&key(Curve::P256).public_key()), Err(JwtError::Algorithm));
        let text = with_header(&json!({"alg": "ES256K", "crit": ["b64"]}), Curve::K256);
        assert_eq!(Token::decode(&text).unwrap_err(), JwtError::Critical);
    }

    #[test]
    fn malformed_tokens() {
        let good = with_header(&json!({"alg": "ES256K"}), Curve::K256);
        let dup = format!("{}.e30.x", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256K","alg":"none"}"#));
        for (bad, error) in [
            (String::new(), JwtError::Parts),
            ("a.b".to_owned(), JwtError::Parts),
            (format!("{good}.x"), JwtError::Parts),
            (format!("={good}"), JwtError::Base64("header")),
            (format!("{good} "), JwtError::Signature),
            (format!("{good}=="), JwtError::Signature),
            (good.replacen('.', "=.", 1), JwtError::Base64("header")),
            ("e30.e30.x".to_owned(), JwtError::Json("header")),
            (dup, JwtError::Json("header")),
            ("x".repeat(MAX_CHARS + 1), JwtError::TooLong),
        ] {
            let result = Token::decode(&bad).and_then(|token| token.verify(&key(Curve::K256).public_key()));
            assert_eq!(result, Err(error), "{bad}");
        }
    }
}
