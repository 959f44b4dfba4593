//! A server's own session tokens: HMAC-SHA-256 under a secret that only the server knows.

use super::{JwtError, MAX_CHARS};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// The secret, prepared once. Never shown by `Debug`.
pub struct Key(hmac::Key);

/// The type of a token. The whole header is fixed by it, so that one type never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Typ {
    /// `at+jwt`: access tokens.
    Access,
    /// `refresh+jwt`: refresh tokens.
    Refresh,
}

impl Typ {
    /// The header as it stands in the token.
    const fn encoded(self) -> &'static str {
        match self {
            Self::Access => "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9",
            Self::Refresh => "eyJ0eXAiOiJyZWZyZXNoK2p3dCIsImFsZyI6IkhTMjU2In0",
        }
    }
}

impl Key {
    /// Prepares a secret of at least 16 bytes; 32 random bytes are right for a new one. (The reference server
    /// uses the bytes of its setting's text.)
    ///
    /// Returns `None` for a secret that is too short to be one.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= 16).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

/// Makes a token.
///
/// # Errors
/// [`JwtError::Json`] when the claims do not serialise.
pub fn sign(typ: Typ, claims: &impl Serialize, key: &Key) -> Result<String, JwtError> {
    let claims = serde_json::to_vec(claims).map_err(|_| JwtError::Json("claims"))?;
    let mut token = String::with_capacity(typ.encoded().len() + claims.len() * 4 / 3 + 48);
    token.push_str(typ.encoded());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let tag = hmac::sign(&key.0, token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    Ok(token)
}

/// Verifies a token's type and tag, and reads its claims. Times are the caller's to check.
///
/// # Errors
/// [`JwtError::Type`] when the header is not exactly this type's, [`JwtError::Signature`] when the tag does
/// not match, and for what is malformed.
pub fn verify<T: DeserializeOwned>(typ: Typ, token: &str, key: &Key) -> Result<T, JwtError> {
    if token.len() > MAX_CHARS {
        return Err(JwtError::TooLong);
    }
    let (signed, tag) = token.rsplit_once('.').ok_or(JwtError::Parts)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtError::Parts)?;
    if header != typ.encoded() {
        return Err(JwtError::Type);
    }
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| JwtError::Base64("signature"))?;
    // Compares in constant time.
    hmac::verify(&key.0, signed.as_bytes(), &tag).map_err(|_| JwtError::Signature)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| JwtError::Base64("claims"))?;
    serde_json::from_slice(&claims).map_err(|_| JwtError::Json("claims"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn headers_are_what_they_say() {
        for (typ, header) in [
            (Typ::Access, r#"{"typ":"at+jwt","alg":"HS256"}"#),
            (Typ::Refresh, r#"{"typ":"refresh+jwt","alg":"HS256"}"#),
        ] {
            assert_eq!(URL_SAFE_NO_PAD.encode(header), typ.encoded());
        }
    }

    #[test]
    fn round_trip_and_refusals() {
        let token = sign(Typ::Access, &json!({"sub": "a"}), &key(1)).unwrap();
        assert_eq!(verify::<Value>(Typ::Access, &token, &key(1)), Ok(json!({"sub": "a"})));
        let check = |typ, token: &str, byte| verify::<Value>(typ, token, &key(byte)).unwrap_err();
        assert_eq!(check(Typ::Refresh, &token, 1), JwtError::Type);
        assert_eq!(check(Typ::Access, &token, 2), JwtError::Signature);
        assert_eq!(check(Typ::Access, &token[..token.len() - 3], 1), JwtError::Signature);
        assert_eq!(check(Typ::Access, &format!("{token}="), 1), JwtError::Base64("signature"));
        assert_eq!(check(Typ::Access, "abc", 1), JwtError::Parts);
        let none = token.replacen(Typ::Access.encoded(), &URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), 1);
        assert_eq!(check(Typ::Access, &none, 1), JwtError::Type);
        let (signed, tag) = token.rsplit_once('.').unwrap();
        assert_eq!(check(Typ::Access, &format!("{signed}x.{tag}"), 1), JwtError::Signature);
        assert_eq!(check(Typ::Access, &format!("{signed}."), 1), JwtError::Signature);
    }

    /// The example of RFC 7515, appendix A.1: another header, so only the tag's computation is shared.
    #[test]
    fn tag_of_the_rfc() {
        let secret = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let tag = hmac::sign(&Key::new(&secret).unwrap().0, signed.as_bytes());
        assert_eq!(URL_SAFE_NO_PAD.encode(tag), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn short_secrets_are_refused() {
        assert!(Key::new(&[1; 15]).is_none());
    }
}
