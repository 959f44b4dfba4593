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

#[cfg(test)]
mod tests {
    use super::*;

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
