//! Signing keys at rest: sealed under one master key.
//!
//! A sealed key is bound to its account and to the key that sealed it (both are associated data), so a row cannot be moved to
//! another account, and a wrong master key is told apart from damage.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use arroba_core::{
    crypto::{Curve, PrivateKey},
    syntax::Did,
};
use rand::{Rng, TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::Cause;

/// The first byte of a sealed key.
const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 12;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// The key that seals all signing keys of a server: 32 random bytes, wiped when dropped. Never derived from another secret.
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
}

/// A short public name of a master key, stored with everything it seals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID]);

/// A private key, encrypted. Sealed by a [`MasterKey`]: version, [`KeyId`], nonce, ciphertext with tag.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey(Vec<u8>);

/// The private keys of an account, as a store keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKeys {
    /// The one that signs commits.
    pub signing: SealedKey,
    /// The account's own one for did:plc operations, where the host's is not used for it.
    pub rotation: Option<SealedKey>,
}

impl SealedKeys {
    /// A signing key alone.
    pub const fn signing(key: SealedKey) -> Self {
        Self { signing: key, rotation: None }
    }

    /// No keys: what a deleted account has.
    pub const fn none() -> Self {
        Self::signing(SealedKey(Vec::new()))
    }
}

/// Seals private keys for the store, and opens them: a [`MasterKey`], or what another way of storing them demands.
///
/// # Contract
/// What was sealed for one account opens to the same key for that account, as long as the sealing key is at hand.
pub trait SealingKeys: fmt::Debug + Send + Sync {
    /// Encrypts a key of the account `did`.
    fn seal(&self, did: &Did, key: &PrivateKey) -> SealedKey;

    /// Decrypts it.
    ///
    /// # Errors
    /// [`SealError`] if the sealing key is not at hand, or the bytes are not what was sealed.
    fn open(&self, did: &Did, sealed: &SealedKey) -> Result<PrivateKey, SealError>;
}

impl SealingKeys for MasterKey {
    fn seal(&self, did: &Did, key: &PrivateKey) -> SealedKey {
        self.seal(did, key)
    }

    fn open(&self, did: &Did, sealed: &SealedKey) -> Result<PrivateKey, SealError> {
        self.open(did, sealed)
    }
}

impl MasterKey {
    /// Takes 32 bytes that nobody can guess.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes: Zeroizing::new(bytes) }
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::Random`] if the system has none.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *bytes).map_err(|error| SealError::Random(io::Error::other(error)))?;
        Ok(Self { bytes })
    }

    /// Reads 64 hexadecimal digits; space around them is ignored.
    ///
    /// # Errors
    /// [`SealError::Hex`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let text = text.trim().as_bytes();
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if text.len() != 64 {
            return Err(SealError::Hex);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
                *byte = (*byte << 4) | value.ok_or(SealError::Hex)?;
            }
        }
        Ok(Self { bytes })
    }

    /// The key as 64 hexadecimal digits.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in self.bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a hexadecimal digit"));
            }
        }
        text
    }

    /// Reads the key from a file, or makes a new one there, readable for its owner only (mode 0600).
    ///
    /// # Errors
    /// [`SealError::File`] if the file cannot be read or written, [`SealError::Hex`] if it holds something else: it is never
    /// replaced, because what an older key sealed would be lost.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, SealError> {
        let path = path.as_ref();
        match Self::load(path) {
            Err(SealError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let key = Self::generate()?;
        match write_private(path, &key.to_hex()) {
            Ok(()) => Ok(key),
            // Somebody else was faster: theirs is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(source) => Err(SealError::File { path: path.to_owned(), source }),
        }
    }

    /// Reads the key from a file.
    ///
    /// # Errors
    /// As [`MasterKey::load_or_create`], and when there is no file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SealError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| SealError::File { path: path.to_owned(), source })?;
        Self::from_hex(&text)
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new_with_prefix(b"arroba master key\0").chain_update(&self.bytes[..]).finalize();
        let mut id = [0; KEY_ID];
        id.iter_mut().zip(digest).for_each(|(id, byte)| *id = byte);
        KeyId(id)
    }

    /// Encrypts an account's signing key.
    pub fn seal(&self, did: &Did, key: &PrivateKey) -> SealedKey {
        let id = self.id();
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let mut plain = Zeroizing::new([0_u8; 33]);
        let (curve, scalar) = plain.split_at_mut(1);
        curve.fill(curve_code(key.curve()));
        scalar.copy_from_slice(&key.to_bytes()[..]);
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: &plain[..], aad: &associated(id, did) })
            .expect("AES-GCM encrypts any message below 64 GiB");
        let mut bytes = Vec::with_capacity(HEADER + sealed.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&id.0);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        SealedKey(bytes)
    }

    /// Decrypts an account's signing key.
    ///
    /// # Errors
    /// [`SealError::WrongMasterKey`] if another master key sealed it, [`SealError::Damaged`] if it is not what was sealed for
    /// this account.
    pub fn open(&self, did: &Did, sealed: &SealedKey) -> Result<PrivateKey, SealError> {
        let id = sealed.key_id().ok_or(SealError::Damaged)?;
        if id != self.id() {
            return Err(SealError::WrongMasterKey { needed: id, held: self.id() });
        }
        let (header, body) = sealed.0.split_at_checked(HEADER).ok_or(SealError::Damaged)?;
        let nonce: [u8; NONCE] = *header.last_chunk().ok_or(SealError::Damaged)?;
        let plain = self
            .cipher()
            .decrypt(&Nonce::from(nonce), Payload { msg: body, aad: &associated(id, did) })
            .map(Zeroizing::new)
            .map_err(|_| SealError::Damaged)?;
        let (curve, scalar) = plain.split_first().ok_or(SealError::Damaged)?;
        let curve = match curve {
            1 => Curve::K256,
            2 => Curve::P256,
            _ => return Err(SealError::Damaged),
        };
        let mut scalar: [u8; 32] = scalar.try_into().map_err(|_| SealError::Damaged)?;
        let key = PrivateKey::from_bytes(curve, &scalar).map_err(|_| SealError::Damaged);
        scalar.zeroize();
        key
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.bytes).into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({:?})", self.id())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl SealedKey {
    /// Takes what [`SealedKey::as_bytes`] gave; nothing is checked before it is opened.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The form to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Which master key sealed it; nothing if the bytes are no sealed key.
    pub fn key_id(&self) -> Option<KeyId> {
        let (version, rest) = self.0.split_first()?;
        (*version == VERSION).then_some(())?;
        rest.first_chunk().map(|id| KeyId(*id))
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedKey(under {:?})", self.key_id())
    }
}

/// Why a key could not be read, sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The master key file cannot be read or written.
    #[error("master key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A master key is 64 hexadecimal digits.
    #[error("master key is not 64 hexadecimal digits")]
    Hex,
    /// The system gave no random bytes.
    #[error("no randomness")]
    Random(#[source] io::Error),
    /// The signing key was sealed under another master key.
    #[error("signing key is sealed under master key {needed}, not {held}")]
    WrongMasterKey {
        /// The one that would open it.
        needed: KeyId,
        /// The one at hand.
        held: KeyId,
    },
    /// The sealed bytes are not what was sealed for this account.
    #[error("sealed signing key is damaged or belongs to another account")]
    Damaged,
    /// What another way of sealing says.
    #[error("sealed key cannot be opened")]
    Other(#[source] Cause),
}

const fn curve_code(curve: Curve) -> u8 {
    match curve {
        Curve::K256 => 1,
        Curve::P256 => 2,
    }
}

fn associated(id: KeyId, did: &Did) -> Vec<u8> {
    let mut data = b"arroba signing key\0".to_vec();
    data.push(VERSION);
    data.extend_from_slice(&id.0);
    data.extend_from_slice(did.as_str().as_bytes());
    data
}

/// Writes a new file that only its owner can read, whole or not at all, durable on return.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut suffix = [0; 8];
    rand::rng().fill_bytes(&mut suffix);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{:016x}", u64::from_be_bytes(suffix)));
    let temporary = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    // A link fails where a file already is; a rename would replace the key that is there.
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    linked?;
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arroba_core::crypto::Signer;

    fn did(text: &str) -> Did {
        text.parse().unwrap()
    }

    #[test]
    fn opens_what_it_sealed_for_the_same_account_only() {
        let master = MasterKey::from_bytes([7; 32]);
        let alice = did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
        for curve in [Curve::K256, Curve::P256] {
            let key = PrivateKey::from_bytes(curve, &[3; 32]).unwrap();
            let sealed = master.seal(&alice, &key);
            let opened = master.open(&alice, &sealed).unwrap();
            assert_eq!(opened.to_bytes(), key.to_bytes());
            assert_eq!(opened.public_key(), key.public_key());
            let bob = did("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb");
            assert!(matches!(master.open(&bob, &sealed), Err(SealError::Damaged)));
            let other = MasterKey::from_bytes([8; 32]);
            assert!(matches!(other.open(&alice, &sealed), Err(SealError::WrongMasterKey { .. })));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let master = MasterKey::from_bytes([7; 32]);
        let alice = did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
        let sealed = master.seal(&alice, &PrivateKey::from_bytes(Curve::K256, &[3; 32]).unwrap());
        for index in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[index] ^= 1;
            assert!(master.open(&alice, &SealedKey::from_bytes(bytes)).is_err(), "byte {index}");
            let cut = SealedKey::from_bytes(&sealed.as_bytes()[..index]);
            assert!(master.open(&alice, &cut).is_err(), "cut {index}");
        }
    }

    #[test]
    fn two_seals_of_one_key_differ() {
        let master = MasterKey::from_bytes([7; 32]);
        let alice = did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
        let key = PrivateKey::from_bytes(Curve::K256, &[3; 32]).unwrap();
        assert_ne!(master.seal(&alice, &key).as_bytes(), master.seal(&alice, &key).as_bytes());
    }

    #[test]
    fn the_file_is_private_kept_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let first = MasterKey::load_or_create(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(MasterKey::load_or_create(&path).unwrap().id(), first.id());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(SealError::Hex)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }

    #[test]
    fn secrets_do_not_show() {
        let master = MasterKey::from_bytes([0xab; 32]);
        assert!(!format!("{master:?}").contains("abab"));
    }
}
