//! Private keys as the Python library stores them: PEM under AES-256-GCM.
//!
//! A stored value is nonce (12 bytes), ciphertext, tag (16 bytes), without associated data and without the name of a key: nothing ties it
//! to its repository, and only trying tells which key fits. The plaintext is the PEM of a PKCS#8 private key.

mod pem;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::Aead};
use arroba_core::{crypto::PrivateKey, syntax::Did};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::Rng;
use zeroize::Zeroizing;

use crate::seal::{SealError, SealedKey, SealingKeys};

pub use pem::{PemError, private_key_from_pem, private_key_to_pem};

/// The keys that encrypt properties: the first encrypts, any decrypts. Wiped when dropped.
pub struct EncryptedPropertyKeys {
    first: Zeroizing<[u8; KEY]>,
    others: Vec<Zeroizing<[u8; KEY]>>,
}

impl EncryptedPropertyKeys {
    /// The variable that holds the keys.
    pub const VARIABLE: &'static str = "ENCRYPTED_PROPERTY_KEY";

    /// The file, in the working directory, that holds them where the variable is not set.
    pub const FILE: &'static str = "encrypted_property_key";

    /// Reads keys: 32 bytes each in base64, one a line; space around a line and empty lines are skipped.
    ///
    /// # Errors
    /// [`PropertyKeyError::Undecodable`] for any other line, [`PropertyKeyError::NoKey`] if none is left.
    pub fn parse(text: &str) -> Result<Self, PropertyKeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let bytes = STANDARD.decode(line).map(Zeroizing::new).ok();
            let key = bytes.and_then(|bytes| <[u8; KEY]>::try_from(bytes.as_slice()).ok());
            keys.push(Zeroizing::new(key.ok_or(PropertyKeyError::Undecodable { line: index + 1 })?));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(PropertyKeyError::NoKey)?;
        Ok(Self { first, others: keys.collect() })
    }

    /// Reads the keys from the variable [`Self::VARIABLE`], whose value `variable` gives, else from the file [`Self::FILE`] in `directory`.
    ///
    /// # Errors
    /// [`PropertyKeyError::NoKey`] if there is neither, [`PropertyKeyError::File`] for a file that cannot be read, and as
    /// [`Self::parse`].
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        directory: &Path,
    ) -> Result<Self, PropertyKeyError> {
        if let Some(text) = variable(Self::VARIABLE).filter(|text| !text.is_empty()).map(Zeroizing::new) {
            return Self::parse(&text);
        }
        let path = directory.join(Self::FILE);
        match fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(PropertyKeyError::NoKey),
            Err(source) => Err(PropertyKeyError::File { path, source }),
        }
    }

    /// Encrypts with the first key and a new nonce.
    pub fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        self.encrypt_with(nonce, plain)
    }

    fn encrypt_with(&self, nonce: [u8; NONCE], plain: &[u8]) -> Vec<u8> {
        let sealed = Aes256Gcm::new((&*self.first).into()).encrypt(&Nonce::from(nonce), plain);
        let sealed = sealed.expect("AES-GCM encrypts any message below 64 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Decrypts with whichever key fits.
    ///
    /// # Errors
    /// [`PropertyKeyError::Short`] for less than nonce and tag, [`PropertyKeyError::WrongKey`] if no key fits: it was encrypted under
    /// another one, or it is damaged; the form does not tell.
    pub fn decrypt(&self, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, PropertyKeyError> {
        let short = || PropertyKeyError::Short { bytes: stored.len() };
        let (nonce, sealed) = stored.split_first_chunk::<NONCE>().ok_or_else(short)?;
        if sealed.len() < TAG {
            return Err(short());
        }
        let nonce = Nonce::from(*nonce);
        let mut keys = std::iter::once(&self.first).chain(&self.others);
        let plain = keys.find_map(|key| Aes256Gcm::new((&**key).into()).decrypt(&nonce, sealed).ok());
        plain.map(Zeroizing::new).ok_or_else(|| PropertyKeyError::WrongKey { tried: self.count() })
    }

    /// A private key in its stored form.
    pub fn encrypt_private_key(&self, key: &PrivateKey) -> Vec<u8> {
        self.encrypt(private_key_to_pem(key).as_bytes())
    }

    /// A private key from its stored form.
    ///
    /// # Errors
    /// As [`Self::decrypt`], and [`PropertyKeyError::Pem`].
    pub fn decrypt_private_key(&self, stored: &[u8]) -> Result<PrivateKey, PropertyKeyError> {
        Ok(private_key_from_pem(&self.decrypt(stored)?)?)
    }

    fn count(&self) -> usize {
        1 + self.others.len()
    }
}

/// The stored form names no account, so a key can be opened for any.
impl SealingKeys for EncryptedPropertyKeys {
    fn seal(&self, _: &Did, key: &PrivateKey) -> SealedKey {
        SealedKey::from_bytes(self.encrypt_private_key(key))
    }

    fn open(&self, _: &Did, sealed: &SealedKey) -> Result<PrivateKey, SealError> {
        self.decrypt_private_key(sealed.as_bytes()).map_err(|error| SealError::Other(Arc::new(error)))
    }
}

impl fmt::Debug for EncryptedPropertyKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EncryptedPropertyKeys({})", self.count())
    }
}

/// Why a stored key cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyKeyError {
    /// Neither the variable nor the file holds a key.
    #[error("no key: set ENCRYPTED_PROPERTY_KEY or write the file encrypted_property_key")]
    NoKey,
    /// A line that is not 32 bytes in base64.
    #[error("line {line} of the property keys is not 32 bytes in base64")]
    Undecodable {
        /// Which line, from one.
        line: usize,
    },
    /// The file cannot be read.
    #[error("file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Too short for nonce and tag.
    #[error("encrypted value of {bytes} bytes")]
    Short {
        /// How long it is.
        bytes: usize,
    },
    /// No key fits.
    #[error("encrypted under another key than the {tried} at hand, or damaged")]
    WrongKey {
        /// How many keys were tried.
        tried: usize,
    },
    /// What was decrypted is no private key.
    #[error("private key")]
    Pem(#[from] PemError),
}

const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::crypto::{Curve, Signer};

    /// A vector of the Python library, where the fixtures are.
    fn vector() -> Option<serde_json::Value> {
        let root = std::env::var_os("ARROBA_FIXTURES").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
            PathBuf::from,
        );
        let path = root.join("arroba/vectors.json");
        let Ok(text) = fs::read(&path) else {
            assert!(std::env::var_os("CI").is_none(), "no {}", path.display());
            eprintln!("SKIPPED: no {}", path.display());
            return None;
        };
        Some(serde_json::from_slice(&text).unwrap())
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|index| u8::from_str_radix(&text[index..index + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_python_librarys_vector_both_ways() {
        let Some(vectors) = vector() else { return };
        let text = |name: &str| vectors["encrypted_property"][name].as_str().unwrap().to_owned();
        let keys = EncryptedPropertyKeys::parse(&text("aes_256_gcm_key_base64")).unwrap();
        let stored = unhex(&text("stored_blob_hex"));
        let plain = text("plaintext");
        assert_eq!((stored.len(), plain.len()), (265, 237));
        assert_eq!(keys.decrypt(&stored).unwrap().as_slice(), plain.as_bytes());
        let nonce = unhex(&text("nonce_hex")).try_into().unwrap();
        assert_eq!(keys.encrypt_with(nonce, plain.as_bytes()), stored);

        let key = keys.decrypt_private_key(&stored).unwrap();
        assert_eq!(key.public_key().to_did_key(), vectors["signature"]["did_key"].as_str().unwrap());
        assert_eq!(private_key_to_pem(&key).as_str(), plain);
        assert_eq!(keys.encrypt_with(nonce, private_key_to_pem(&key).as_bytes()), stored);
    }

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let old = EncryptedPropertyKeys::parse(&line(1)).unwrap();
        let both = EncryptedPropertyKeys::parse(&format!("\n  {}  \r\n\n{}\n", line(2), line(1))).unwrap();
        let new = EncryptedPropertyKeys::parse(&line(2)).unwrap();
        let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
        let by_old = old.encrypt_private_key(&key);
        let by_both = both.encrypt_private_key(&key);
        assert_eq!(by_both.len(), 265);
        assert_eq!(both.decrypt_private_key(&by_old).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(new.decrypt_private_key(&by_both).unwrap().to_bytes(), key.to_bytes());
        assert!(matches!(old.decrypt_private_key(&by_both), Err(PropertyKeyError::WrongKey { tried: 1 })));
        assert_ne!(both.encrypt_private_key(&key), by_both);
    }

    #[test]
    fn a_store_can_seal_with_them() {
        let keys: Arc<dyn SealingKeys> = Arc::new(EncryptedPropertyKeys::parse(&line(1)).unwrap());
        let did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
        for curve in [Curve::K256, Curve::P256] {
            let key = PrivateKey::from_bytes(curve, &[7; 32]).unwrap();
            let sealed = keys.seal(&did, &key);
            assert_eq!(keys.open(&did, &sealed).unwrap().to_bytes(), key.to_bytes());
        }
        let other = EncryptedPropertyKeys::parse(&line(2))
            .unwrap()
            .seal(&did, &PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap());
        let Err(SealError::Other(cause)) = keys.open(&did, &other) else { panic!() };
        assert!(matches!(cause.downcast_ref(), Some(PropertyKeyError::WrongKey { tried: 1 })));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let keys = EncryptedPropertyKeys::parse(&line(1)).unwrap();
        let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
        let stored = keys.encrypt_private_key(&key);
        for index in 0..stored.len() {
            let mut flipped = stored.clone();
            flipped[index] ^= 1;
            assert!(matches!(keys.decrypt(&flipped), Err(PropertyKeyError::WrongKey { .. })), "byte {index}");
            let cut = keys.decrypt(&stored[..index]);
            assert!(
                matches!(cut, Err(PropertyKeyError::WrongKey { .. } | PropertyKeyError::Short { .. })),
                "{index}"
            );
        }
        let text = keys.encrypt(b"no key");
        assert!(matches!(keys.decrypt_private_key(&text), Err(PropertyKeyError::Pem(_))));
    }

    #[test]
    fn keys_that_are_none_are_refused_by_line() {
        for text in ["", "\n \n"] {
            assert!(matches!(EncryptedPropertyKeys::parse(text), Err(PropertyKeyError::NoKey)));
        }
        for bad in
            ["0123", &"ab".repeat(32), &STANDARD.encode([1; 16]), &STANDARD.encode([1; 33]), "-----BEGIN"]
        {
            let error = EncryptedPropertyKeys::parse(&format!("{}\n\n{bad}\n", line(1))).unwrap_err();
            assert!(matches!(error, PropertyKeyError::Undecodable { line: 3 }), "{bad}");
            assert!(!error.to_string().contains(bad) || bad.is_empty());
        }
    }

    #[test]
    fn the_variable_comes_before_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let unset = |_: &str| None;
        let read = |variable: &dyn Fn(&str) -> Option<String>| {
            EncryptedPropertyKeys::from_variables(variable, directory.path())
        };
        assert!(matches!(read(&unset), Err(PropertyKeyError::NoKey)));
        fs::write(directory.path().join(EncryptedPropertyKeys::FILE), line(1)).unwrap();
        let by_file = read(&unset).unwrap().encrypt(b"x");
        let set = |name: &str| (name == "ENCRYPTED_PROPERTY_KEY").then(|| line(2));
        let keys = read(&set).unwrap();
        assert!(keys.decrypt(&by_file).is_err());
        assert_eq!(format!("{keys:?}"), "EncryptedPropertyKeys(1)");
    }
}
