//! What settings are for: a server with accounts, or a host in somebody else's program.

use super::{Config, ConfigError};

/// The program that settings are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A [`Pds`](crate::Pds): accounts with passwords, everything in SQLite.
    Pds,
    /// A [`RepoHost`](crate::RepoHost) on any store but Datastore.
    Host,
    /// A [`RepoHost`](crate::RepoHost) on Datastore.
    #[cfg(feature = "datastore")]
    DatastoreHost,
}

/// A setting that some program cannot do without: its name, and whether it was given.
type Need = (&'static str, fn(&Config) -> bool);

const SERVER: &[Need] = &[
    ("PDS_DATA_DIRECTORY", |config| config.data_directory.is_some()),
    ("PDS_JWT_SECRET", |config| config.jwt_secret.is_some()),
    ("PDS_ADMIN_PASSWORD", |config| config.admin_password.is_some()),
    ROTATION_KEY,
];
const HOST: &[Need] = &[ROTATION_KEY];
#[cfg(feature = "datastore")]
const DATASTORE_HOST: &[Need] = &[
    ROTATION_KEY,
    ("GOOGLE_CLOUD_PROJECT", |config| config.datastore_project().is_some()),
    ("ENCRYPTED_PROPERTY_KEY", |config| config.encrypted_property_key.is_some()),
];
const ROTATION_KEY: Need =
    ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", |config| config.rotation_key.is_some());

/// Settings of Datastore.
const OF_DATASTORE: &[&str] = &[
    "DATASTORE_PROJECT_ID",
    "GOOGLE_CLOUD_PROJECT",
    "DATASTORE_DB",
    "DATASTORE_EMULATOR_HOST",
    "ENCRYPTED_PROPERTY_KEY",
    "ARROBA_SEQUENCES",
    "ARROBA_MEMCACHED",
    "MEMCACHE_SEQUENCE_BATCH",
    "MEMCACHE_SEQUENCE_BUFFER",
    "SUBSCRIBE_REPOS_BATCH_DELAY",
    "SUBSCRIBE_REPOS_SKIPPED_SEQ_WINDOW",
    "SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY",
];

/// Settings of accounts that log in.
const OF_ACCOUNTS: &[&str] = &[
    "PDS_SERVICE_DID",
    "PDS_SERVICE_HANDLE_DOMAINS",
    "PDS_INVITE_REQUIRED",
    "PDS_JWT_SECRET",
    "PDS_ADMIN_PASSWORD",
    "PDS_RATE_LIMITS_ENABLED",
    "PDS_ACCEPTING_REPO_IMPORTS",
];

impl Program {
    /// Whether a setting must be given.
    pub(super) fn needs(self, variable: &str) -> bool {
        self.all_needed().iter().any(|(name, _)| *name == variable)
    }

    /// What must be given and was not.
    pub(crate) fn missing(self, config: &Config) -> Vec<ConfigError> {
        let missing = self.all_needed().iter().filter(|(_, given)| !given(config));
        missing.map(|(name, _)| ConfigError::Missing { name }).collect()
    }

    /// Why a setting has no effect on this program, if it has none.
    pub(super) fn ignores(self, variable: &str) -> Option<&'static str> {
        let datastore = OF_DATASTORE.contains(&variable);
        let accounts = OF_ACCOUNTS.contains(&variable);
        match self {
            _ if datastore && !cfg!(feature = "datastore") => Some(
                "it is for hosts on Datastore, and this program is built without the feature `datastore`",
            ),
            Self::Pds if datastore => Some(
                "a server with accounts keeps everything in SQLite; it is for hosts that open `Config::datastore`",
            ),
            Self::Host if datastore => Some("this host keeps its repos elsewhere than in Datastore"),
            Self::Host if accounts => Some(NO_ACCOUNTS),
            #[cfg(feature = "datastore")]
            Self::DatastoreHost if accounts => Some(NO_ACCOUNTS),
            #[cfg(feature = "datastore")]
            Self::DatastoreHost if variable == "ARROBA_MASTER_KEY" => {
                Some("ENCRYPTED_PROPERTY_KEY seals the accounts' keys in Datastore")
            }
            _ => None,
        }
    }

    /// What the operator should know about settings that are right.
    pub(super) fn remarks(self, config: &Config) -> Vec<String> {
        let mut remarks = Vec::new();
        if self != Self::Pds && config.blob_location().is_none() {
            remarks.push(
                "uploaded blobs are kept in memory and gone at the end: neither PDS_BLOBSTORE_DISK_LOCATION nor \
                 PDS_DATA_DIRECTORY is given"
                    .to_owned(),
            );
        }
        #[cfg(feature = "datastore")]
        if let (Self::DatastoreHost, Some(used), Some(other)) =
            (self, &config.datastore_project_id, &config.google_cloud_project)
            && used != other
        {
            remarks.push(format!(
                "GOOGLE_CLOUD_PROJECT ({other}) is not used: the project is {used}, by DATASTORE_PROJECT_ID or \
                 DATASTORE_DATASET"
            ));
        }
        remarks
    }

    const fn all_needed(self) -> &'static [Need] {
        match self {
            Self::Pds => SERVER,
            Self::Host => HOST,
            #[cfg(feature = "datastore")]
            Self::DatastoreHost => DATASTORE_HOST,
        }
    }
}

const NO_ACCOUNTS: &str = "nobody logs in to a host with a password";
