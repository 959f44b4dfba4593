//! Public keys and signatures.

use arroba_core::crypto::{Curve, PrivateKey, PublicKey, Signature, Signer, base58_decode};

use crate::{fixtures, repository};

/// Keys in their three forms, and signatures.
pub fn target(data: &[u8]) {
    if let Ok(signature) = Signature::from_slice(data) {
        let _ = repository::public_key().verify(b"message", &signature);
        let _ = signature.to_low_s(Curve::P256).is_low_s(Curve::P256);
    }
    for curve in [Curve::K256, Curve::P256] {
        if let Ok(key) = PublicKey::from_bytes(curve, data) {
            assert_eq!(PublicKey::from_did_key(&key.to_did_key()).as_ref(), Ok(&key));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = base58_decode(text);
    let _ = Signature::from_base64url(text);
    for key in [
        PublicKey::from_did_key(text),
        PublicKey::from_multibase(text),
        PublicKey::from_legacy_multibase(Curve::K256, text),
        PublicKey::from_legacy_multibase(Curve::P256, text),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(PublicKey::from_did_key(&key.to_did_key()), Ok(key));
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let p256 = PrivateKey::from_bytes(Curve::P256, &[7; 32]).expect("seven times 32 is a scalar");
    let mut seeds = Vec::new();
    for key in [p256.public_key(), repository::public_key()] {
        seeds.push(key.to_did_key().into_bytes());
        seeds.push(key.to_multibase().into_bytes());
        seeds.push(key.to_bytes().to_vec());
    }
    seeds.push(p256.sign(b"message").as_bytes().to_vec());
    seeds.push(p256.sign(b"message").to_base64url().into_bytes());
    for name in ["w3c_didkey_K256", "w3c_didkey_P256"] {
        let strings = fixtures::items(&format!("atproto-interop-tests/crypto/{name}.json"), "publicDidKey");
        seeds.extend(strings.into_iter().map(|text| text.into_iter().filter(|byte| *byte != b'"').collect()));
    }
    seeds
}
