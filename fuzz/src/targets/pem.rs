//! Private keys as the Python library keeps them in Datastore: PEM, once decrypted.

use arroba_core::crypto::{Curve, PrivateKey};
use arroba_store::datastore::{EncryptedPropertyKeys, private_key_from_pem, private_key_to_pem};

use crate::fixtures;

/// The PEM of a PKCS#8 key; the list of the keys that encrypt it; and an encrypted value.
pub fn target(data: &[u8]) {
    if let Ok(key) = private_key_from_pem(data) {
        let pem = private_key_to_pem(&key);
        let again = private_key_from_pem(pem.as_bytes()).expect("our own PEM");
        assert_eq!(again.to_bytes(), key.to_bytes());
        assert_eq!(private_key_to_pem(&again), pem);
    }
    if let Ok(keys) = std::str::from_utf8(data)
        .map_err(drop)
        .and_then(|text| EncryptedPropertyKeys::parse(text).map_err(drop))
    {
        let sealed = keys.encrypt(data);
        assert_eq!(keys.decrypt(&sealed).expect("the same keys").as_slice(), data);
    }
    let keys = EncryptedPropertyKeys::parse(KEY).expect("32 bytes in base64");
    assert!(keys.decrypt(data).is_err(), "nobody guesses a tag");
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).expect("a scalar below the order");
    let pem = private_key_to_pem(&key);
    let mut seeds =
        vec![pem.as_bytes().to_vec(), KEY.as_bytes().to_vec(), format!("{KEY}\n\n {KEY}\n").into_bytes()];
    let vectors = fixtures::read("arroba/vectors.json");
    let vectors = vectors.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let plain = vectors.as_ref().and_then(|json| json.pointer("/encrypted_property/plaintext")?.as_str());
    seeds.extend(plain.map(|text| text.as_bytes().to_vec()));
    seeds
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
