//! JSON web tokens.

use arroba_core::crypto::jwt::{ServiceClaims, Token, encode, hs256};

use crate::repository;

/// Tokens between services, and session tokens.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = Token::decode(text) {
        let _ = token.header();
        let _ = token.claims::<ServiceClaims>();
        let _ = token.verify(&repository::public_key());
    }
    if let Some(key) = hs256::Key::new(&[5; 32]) {
        for typ in [hs256::Typ::Access, hs256::Typ::Refresh] {
            let _ = hs256::verify::<serde_json::Value>(typ, text, &key);
        }
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let claims = serde_json::json!({
        "iss": "did:web:a.test", "aud": "did:web:b.test#atproto_pds", "exp": 1, "iat": 1, "jti": "x",
        "lxm": "com.atproto.repo.createRecord",
    });
    let mut seeds = Vec::new();
    if let Ok(token) = encode("JWT", None, &claims, &repository::key()) {
        seeds.push(token.into_bytes());
    }
    if let Some(key) = hs256::Key::new(&[5; 32]) {
        seeds.extend(hs256::sign(hs256::Typ::Access, &claims, &key).map(String::into_bytes));
    }
    seeds.push(b"eyJhbGciOiJub25lIn0.e30.".to_vec());
    seeds
}
