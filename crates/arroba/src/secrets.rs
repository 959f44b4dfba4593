//! The secrets of a server: master key, rotation key, session secret.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arroba_core::crypto::jwt::hs256;
use arroba_core::crypto::{Curve, KeyError, PrivateKey};
use arroba_store::seal::{MasterKey, SealError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::host::HostKeys;

/// What a server must never lose or show.
///
/// - The master key seals the accounts' signing keys in the store. Without it they are gone.
/// - The rotation key signs did:plc operations: whoever has it controls the identities of all accounts.
/// - The session secret signs the tokens of logins.
///
/// None is derived from another, so that each can be replaced alone.
#[derive(Clone)]
pub struct Secrets {
    master: Arc<MasterKey>,
    rotation: Arc<PrivateKey>,
    session: Zeroizing<Vec<u8>>,
}

/// Why secrets cannot be had. Values are never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// The master key is malformed or its file cannot be used.
    #[error("failed to load the master key")]
    Master(#[source] SealError),
    /// The rotation key is malformed.
    #[error("failed to read the rotation key")]
    Rotation(#[source] KeyError),
    /// The session secret is too short.
    #[error("the session secret has fewer than 16 bytes")]
    Session,
    /// A variable is not set.
    #[error("{0} is required")]
    Missing(&'static str),
    /// The file cannot be read or written.
    #[error("failed to use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file has another form.
    #[error("{} is no file of secrets", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
}

/// The file's form: everything in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    master_key: String,
    rotation_key: String,
    session_secret: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.master_key.zeroize();
        self.rotation_key.zeroize();
        self.session_secret.zeroize();
    }
}

impl Secrets {
    /// Secrets from their parts. The session secret has at least 16 bytes.
    ///
    /// # Errors
    /// [`SecretsError::Session`].
    pub fn new(
        master: MasterKey,
        rotation: PrivateKey,
        session: impl Into<Vec<u8>>,
    ) -> Result<Self, SecretsError> {
        let session = Zeroizing::new(session.into());
        if hs256::Key::new(&session).is_none() {
            return Err(SecretsError::Session);
        }
        Ok(Self { master: Arc::new(master), rotation: Arc::new(rotation), session })
    }

    /// Fresh secrets, kept nowhere.
    ///
    /// # Errors
    /// [`SecretsError::Master`] if the system has no randomness.
    pub fn generate() -> Result<Self, SecretsError> {
        let master = MasterKey::generate().map_err(SecretsError::Master)?;
        let rotation = PrivateKey::generate(Curve::K256, |bytes| {
            rand::fill(bytes.as_mut_slice());
            Ok::<_, KeyError>(())
        })
        .map_err(SecretsError::Rotation)?;
        let session: [u8; 32] = rand::random();
        Self::new(master, rotation, session)
    }

    /// Reads the secrets in a TOML file; makes them and the file (mode 0600) if it does not exist.
    ///
    /// # Errors
    /// [`SecretsError::File`], [`SecretsError::Format`]. A file that cannot be used is never replaced.
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, SecretsError> {
        let path = path.as_ref();
        let failed = |source| SecretsError::File { path: path.to_owned(), source };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &Zeroizing::new(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secrets = Self::generate()?;
                secrets.create(path).map_err(failed)?;
                Ok(secrets)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The secrets in the variables of the reference server, `PDS_JWT_SECRET` and
    /// `PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX`, and in `ARROBA_MASTER_KEY`.
    ///
    /// # Errors
    /// [`SecretsError::Missing`], and values that are malformed.
    pub fn from_env() -> Result<Self, SecretsError> {
        let get = |name| std::env::var(name).map(Zeroizing::new).map_err(|_| SecretsError::Missing(name));
        let session = get("PDS_JWT_SECRET")?;
        let rotation = get("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX")?;
        let master = MasterKey::from_hex(&get("ARROBA_MASTER_KEY")?).map_err(SecretsError::Master)?;
        let rotation = PrivateKey::from_hex(Curve::K256, &rotation).map_err(SecretsError::Rotation)?;
        Self::new(master, rotation, session.as_bytes())
    }

    /// The secrets that a configuration names; the master key from its file in the data directory, made at the first
    /// start, unless the configuration has it.
    ///
    /// # Errors
    /// [`SecretsError::Master`], [`SecretsError::Rotation`], [`SecretsError::Session`], and [`SecretsError::Missing`] for what the
    /// configuration of a host has left out.
    pub fn from_config(config: &Config) -> Result<Self, SecretsError> {
        let session = config.jwt_secret.as_ref().ok_or(SecretsError::Missing("PDS_JWT_SECRET"))?;
        Self::new(master_key(config)?, rotation_key(config)?, session.expose().as_bytes())
    }

    /// The key that seals signing keys.
    pub fn master(&self) -> &Arc<MasterKey> {
        &self.master
    }

    /// The key that signs did:plc operations.
    pub fn rotation(&self) -> &Arc<PrivateKey> {
        &self.rotation
    }

    /// The secret behind session tokens.
    pub fn session(&self) -> &[u8] {
        &self.session
    }

    fn parse(path: &Path, text: &str) -> Result<Self, SecretsError> {
        let format = || SecretsError::Format { path: path.to_owned() };
        let stored: Stored = toml::from_str(text).map_err(|_| format())?;
        let master = MasterKey::from_hex(&stored.master_key).map_err(SecretsError::Master)?;
        let rotation =
            PrivateKey::from_hex(Curve::K256, &stored.rotation_key).map_err(SecretsError::Rotation)?;
        Self::new(master, rotation, decode_hex(&stored.session_secret).ok_or_else(format)?)
    }

    fn create(&self, path: &Path) -> std::io::Result<()> {
        let stored = Stored {
            master_key: self.master.to_hex().to_string(),
            rotation_key: self.rotation.to_hex().to_string(),
            session_secret: self.session.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let text = Zeroizing::new(toml::to_string(&stored).map_err(std::io::Error::other)?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(b"# Keep a copy of this file, and show it to nobody.\n")?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

impl HostKeys {
    /// The keys of a host without accounts, as a configuration names them: the master key and the key that signs did:plc operations, as
    /// [`Secrets::from_config`] has them. Keys of a host on Datastore are `Config::datastore_keys`.
    ///
    /// # Errors
    /// [`SecretsError::Master`], [`SecretsError::Rotation`], [`SecretsError::Missing`].
    pub fn from_config(config: &Config) -> Result<Self, SecretsError> {
        Ok(Self::new(master_key(config)?, rotation_key(config)?))
    }
}

/// The master key of a configuration, else that of the data directory.
fn master_key(config: &Config) -> Result<MasterKey, SecretsError> {
    let key = match (&config.master_key, &config.data_directory) {
        (Some(key), _) => MasterKey::from_hex(key.expose()),
        (None, Some(directory)) => MasterKey::load_or_create(directory.join("master.key")),
        (None, None) => return Err(SecretsError::Missing("ARROBA_MASTER_KEY or PDS_DATA_DIRECTORY")),
    };
    key.map_err(SecretsError::Master)
}

/// The key of a configuration that signs did:plc operations.
pub(crate) fn rotation_key(config: &Config) -> Result<PrivateKey, SecretsError> {
    const NAME: &str = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX";
    let key = config.rotation_key.as_ref().ok_or(SecretsError::Missing(NAME))?;
    PrivateKey::from_hex(Curve::K256, key.expose()).map_err(SecretsError::Rotation)
}

impl From<Secrets> for HostKeys {
    fn from(secrets: Secrets) -> Self {
        Self { sealing: secrets.master, rotation: secrets.rotation }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets(..)")
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/secrets.toml");
        let made = Secrets::load_or_create(&path).unwrap();
        let read = Secrets::load_or_create(&path).unwrap();
        assert_eq!(made.session(), read.session());
        assert_eq!(*made.master().to_hex(), *read.master().to_hex());
        assert_eq!(*made.rotation().to_hex(), *read.rotation().to_hex());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(format!("{made:?}"), "Secrets(..)");
    }

    #[test]
    fn a_broken_file_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.toml");
        std::fs::write(&path, "master_key = \"00\"").unwrap();
        assert!(matches!(Secrets::load_or_create(&path), Err(SecretsError::Format { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "master_key = \"00\"");
    }

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(decode_hex("00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!(decode_hex("0"), None);
        assert_eq!(decode_hex("0g"), None);
    }
}
