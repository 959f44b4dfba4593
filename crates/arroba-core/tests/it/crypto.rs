//! The published vectors of `crypto`.

use super::fixtures;
use arroba_core::crypto::{Curve, PrivateKey, PublicKey, Signature, Signer, base58_decode};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::Value;

fn vectors(name: &str) -> Option<Vec<Value>> {
    fixtures::json(&format!("atproto-interop-tests/crypto/{name}"))
        .map(|json| json.as_array().expect("an array").clone())
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("no {name} in {vector}"))
}

#[test]
fn signature_vectors() {
    let Some(vectors) = vectors("signature-fixtures.json") else { return };
    let mut assertions = 0;
    for vector in &vectors {
        let key = PublicKey::from_did_key(text(vector, "publicKeyDid")).unwrap();
        let curve = match text(vector, "algorithm") {
            "ES256" => Curve::P256,
            "ES256K" => Curve::K256,
            other => panic!("unknown algorithm {other}"),
        };
        assert_eq!(key.curve(), curve);
        assert_eq!(key.to_did_key(), text(vector, "publicKeyDid"));
        let legacy = PublicKey::from_legacy_multibase(curve, text(vector, "publicKeyMultibase")).unwrap();
        assert_eq!(legacy, key);
        let message = STANDARD_NO_PAD.decode(text(vector, "messageBase64")).unwrap();
        let signature = STANDARD_NO_PAD.decode(text(vector, "signatureBase64")).unwrap();
        let valid = Signature::from_slice(&signature).and_then(|signature| key.verify(&message, &signature));
        assert_eq!(valid.is_ok(), vector["validSignature"].as_bool().unwrap(), "{vector}");
        assertions += 4;
    }
    assert_eq!(vectors.len(), 6);
    println!("vectors: signatures: {assertions} assertions");
}

#[test]
fn did_key_vectors() {
    let mut assertions = 0;
    for (name, curve) in [("w3c_didkey_K256.json", Curve::K256), ("w3c_didkey_P256.json", Curve::P256)] {
        let Some(vectors) = vectors(name) else { return };
        assert!(!vectors.is_empty());
        for vector in &vectors {
            let key = match curve {
                Curve::K256 => PrivateKey::from_hex(curve, text(vector, "privateKeyBytesHex")).unwrap(),
                Curve::P256 => {
                    let bytes = base58_decode(text(vector, "privateKeyBytesBase58")).unwrap();
                    PrivateKey::from_bytes(curve, &bytes.try_into().unwrap()).unwrap()
                }
            };
            let public = key.public_key();
            assert_eq!(public.to_did_key(), text(vector, "publicDidKey"));
            assert_eq!(text(vector, "publicDidKey").parse::<PublicKey>().unwrap(), public);
            public.verify(b"message", &key.sign(b"message")).unwrap();
            assertions += 3;
        }
    }
    println!("vectors: did:key: {assertions} assertions");
}

#[test]
fn keys_that_are_refused() {
    let good = "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme";
    PublicKey::from_multibase(good).unwrap();
    for bad in [
        "",
        "z",
        &good[1..],
        &good[..good.len() - 1],
        // An Ed25519 key.
        "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        // An uncompressed point is only accepted in the older key types.
        "zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3dgPKNu86vt9GR",
        &format!("z{}", "1".repeat(300)),
    ] {
        assert!(PublicKey::from_multibase(bad).is_err(), "{bad}");
        assert!(PublicKey::from_did_key(&format!("did:key:{bad}")).is_err(), "{bad}");
    }
    assert!(PublicKey::from_did_key(good).is_err());
    for curve in [Curve::K256, Curve::P256] {
        for bytes in [&[][..], &[0], &[2; 33][..32], &[5; 33], &[0xff; 33], &[4; 65], &[6; 65]] {
            assert!(PublicKey::from_bytes(curve, bytes).is_err(), "{curve} {bytes:?}");
        }
    }
}
