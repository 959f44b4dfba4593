//! A store on Google Cloud Datastore from settings.

use std::sync::Arc;

use arroba_lexicons::json::Secret;
use arroba_store::datastore::{
    Client, ClientOptions, Connection, ConnectionOptions, Database, Datastore, DatastoreOptions,
    EncryptedPropertyKeys, MemcachedOptions, Numbering,
};

use super::{Config, ConfigError, ConfigErrors, SequenceSource};
use crate::error::Result;
use crate::host::HostKeys;
use crate::secrets::rotation_key;

impl Config {
    /// Opens the Datastore that the settings name: Google's service with the credentials that the environment provides, or an emulator.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if no project is named, [`Error::Datastore`](crate::Error::Datastore) if there is
    /// no connection, [`Error::Store`](crate::Error::Store) if the database or memcached cannot be read.
    pub async fn datastore(&self) -> Result<Datastore> {
        let connection = Connection::open(self.datastore_connection()?).await?;
        let client = Client::new(Arc::new(connection), ClientOptions::default());
        Ok(Datastore::open(client, self.datastore_options()).await?)
    }

    /// Where the Datastore is.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] if no project is named; [`Error::Datastore`](crate::Error::Datastore) for a name that cannot be one, which
    /// reading the settings has refused.
    pub fn datastore_connection(&self) -> Result<ConnectionOptions> {
        let missing = || ConfigErrors::from(ConfigError::Missing { name: "GOOGLE_CLOUD_PROJECT" });
        let project = self.datastore_project().ok_or_else(missing)?;
        let database = Database::new(project, self.datastore_db.as_deref().unwrap_or_default())?;
        Ok(ConnectionOptions::new(database, self.datastore_emulator_host.clone()))
    }

    /// The project, by the first name that Google's libraries take.
    pub(super) fn datastore_project(&self) -> Option<&str> {
        self.datastore_project_id.as_deref().or(self.google_cloud_project.as_deref())
    }

    /// How the store numbers and follows events.
    pub fn datastore_options(&self) -> DatastoreOptions {
        let mut options = DatastoreOptions::new(self.numbering());
        let log = &mut options.log;
        log.poll = log.poll.max(self.subscribe_repos_batch_delay.0);
        log.idle_poll = log.idle_poll.max(log.poll);
        log.skipped_delay = self.subscribe_repos_skipped_seq_delay.0;
        log.skipped_window = self.subscribe_repos_skipped_seq_window;
        options
    }

    fn numbering(&self) -> Numbering {
        let memcached = |server: &String| {
            let mut options = MemcachedOptions::new(server);
            options.batch = self.memcache_sequence_batch;
            options.buffer = self.memcache_sequence_buffer;
            Numbering::Memcached(options)
        };
        match (self.sequences, &self.memcached) {
            (Some(SequenceSource::Exclusive), _) => Numbering::exclusive(),
            // Reading the settings has refused a source that contradicts the server.
            (_, Some(server)) => memcached(server),
            (_, None) => Numbering::Datastore,
        }
    }

    /// The keys that open and seal the accounts' keys in Datastore.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] and [`ConfigError::Value`], which shows nothing of the value.
    pub fn property_keys(&self) -> Result<EncryptedPropertyKeys, ConfigErrors> {
        const NAME: &str = EncryptedPropertyKeys::VARIABLE;
        let text = self.encrypted_property_key.as_ref().ok_or(ConfigError::Missing { name: NAME })?;
        let expected = "keys of 32 bytes in base64, one a line";
        EncryptedPropertyKeys::parse(Secret::expose(text))
            .map_err(|_| ConfigError::Value { name: NAME, expected }.into())
    }

    /// The keys of a host on Datastore: what opens and seals the accounts' keys there, and the key that signs did:plc operations of accounts
    /// without one of their own.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) and [`Error::Secrets`](crate::Error::Secrets) with what is missing.
    pub fn datastore_keys(&self) -> Result<HostKeys> {
        Ok(HostKeys::new(self.property_keys()?, rotation_key(self)?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::config::{Loaded, Program};

    const ROTATION: &str = "0101010101010101010101010101010101010101010101010101010101010101";

    fn with(more: &[(&str, &str)]) -> std::result::Result<Loaded, ConfigErrors> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_env_for(Program::DatastoreHost, more)
    }

    fn complete(more: &[(&str, &str)]) -> std::result::Result<Loaded, ConfigErrors> {
        let key = STANDARD.encode([7; 32]);
        let mut all = vec![
            ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", ROTATION),
            ("PDS_BLOBSTORE_DISK_LOCATION", "blobs"),
            ("ENCRYPTED_PROPERTY_KEY", &key),
        ];
        all.extend(more);
        with(&all)
    }

    #[test]
    fn what_is_missing_is_listed_at_once_and_no_key_is_shown() {
        assert_eq!(
            with(&[]).unwrap_err().to_string(),
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is required\nGOOGLE_CLOUD_PROJECT is required\n\
             ENCRYPTED_PROPERTY_KEY is required"
        );
        assert_eq!(
            with(&[("ENCRYPTED_PROPERTY_KEY", "c2VjcmV0"), ("ARROBA_SEQUENCES", "memcached")])
                .unwrap_err()
                .to_string(),
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is required\nGOOGLE_CLOUD_PROJECT is required\n\
             ENCRYPTED_PROPERTY_KEY must be keys of 32 bytes in base64, one a line\n\
             ARROBA_MEMCACHED must be given where ARROBA_SEQUENCES is memcached"
        );
        let contradiction = [
            ("GOOGLE_CLOUD_PROJECT", "app"),
            ("ARROBA_SEQUENCES", "exclusive"),
            ("ARROBA_MEMCACHED", "127.0.0.1:11211"),
        ];
        assert_eq!(
            complete(&contradiction).unwrap_err().to_string(),
            "ARROBA_MEMCACHED must be left out where ARROBA_SEQUENCES is not memcached"
        );
    }

    #[test]
    fn the_project_is_that_of_googles_libraries() {
        let Loaded { config, warnings } = complete(&[("GOOGLE_CLOUD_PROJECT", "app")]).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let options = config.datastore_connection().unwrap();
        assert_eq!((options.database.project(), options.database.id(), options.emulator), ("app", "", None));
        // The name that the Python library's Datastore client takes first.
        let Loaded { config, warnings } = complete(&[
            ("GOOGLE_CLOUD_PROJECT", "other"),
            ("DATASTORE_DATASET", "app"),
            ("DATASTORE_DB", "db"),
            ("DATASTORE_EMULATOR_HOST", "localhost:8089"),
        ])
        .unwrap();
        assert_eq!(
            warnings,
            [
                "GOOGLE_CLOUD_PROJECT (other) is not used: the project is app, by DATASTORE_PROJECT_ID or DATASTORE_DATASET"
            ]
        );
        let options = config.datastore_connection().unwrap();
        assert_eq!((options.database.project(), options.database.id()), ("app", "db"));
        assert_eq!(options.emulator.as_deref(), Some("localhost:8089"));
        let both = complete(&[("DATASTORE_PROJECT_ID", "app"), ("DATASTORE_DATASET", "other")]).unwrap();
        assert_eq!(both.config.datastore_project(), Some("app"));
        assert_eq!(both.warnings.len(), 1, "{:?}", both.warnings);
    }

    #[test]
    fn numbers_come_from_whom_the_settings_name() {
        let project = ("GOOGLE_CLOUD_PROJECT", "app");
        let numbering = |more: &[(&str, &str)]| {
            let all: Vec<_> = more.iter().copied().chain([project]).collect();
            complete(&all).unwrap().config.datastore_options().sequences.numbering
        };
        assert!(matches!(numbering(&[]), Numbering::Datastore));
        assert!(matches!(numbering(&[("ARROBA_SEQUENCES", "datastore")]), Numbering::Datastore));
        assert!(matches!(numbering(&[("ARROBA_SEQUENCES", "exclusive")]), Numbering::Exclusive { .. }));
        let memcached = numbering(&[
            ("ARROBA_MEMCACHED", "127.0.0.1:11211"),
            ("MEMCACHE_SEQUENCE_BATCH", "500"),
            ("MEMCACHE_SEQUENCE_BUFFER", "50"),
        ]);
        let Numbering::Memcached(options) = memcached else { panic!("{memcached:?}") };
        assert_eq!((&*options.server, options.batch, options.buffer), ("127.0.0.1:11211", 500, 50));
    }

    #[test]
    fn the_log_is_followed_as_the_settings_say() {
        let log = |more: &[(&str, &str)]| {
            let all: Vec<_> = more.iter().copied().chain([("GOOGLE_CLOUD_PROJECT", "app")]).collect();
            complete(&all).unwrap().config.datastore_options().log
        };
        let usual = log(&[]);
        assert_eq!((usual.poll, usual.idle_poll), (Duration::from_millis(250), Duration::from_secs(1)));
        assert_eq!((usual.skipped_delay, usual.skipped_window), (Duration::from_secs(120), None));
        let slow = log(&[
            ("SUBSCRIBE_REPOS_BATCH_DELAY", "2.5"),
            ("SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY", "60"),
            ("SUBSCRIBE_REPOS_SKIPPED_SEQ_WINDOW", "30"),
        ]);
        assert_eq!((slow.poll, slow.idle_poll), (Duration::from_millis(2500), Duration::from_millis(2500)));
        assert_eq!((slow.skipped_delay, slow.skipped_window), (Duration::from_secs(60), Some(30)));
        assert_eq!(log(&[("SUBSCRIBE_REPOS_BATCH_DELAY", "0.1")]).poll, Duration::from_millis(250));
    }

    #[test]
    fn names_that_do_nothing_for_such_a_host_are_said() {
        let warnings = complete(&[
            ("GOOGLE_CLOUD_PROJECT", "app"),
            ("PDS_INVITE_REQUIRED", "false"),
            ("ARROBA_MASTER_KEY", ROTATION),
        ]);
        assert_eq!(
            warnings.unwrap().warnings,
            [
                "ARROBA_MASTER_KEY has no effect here: ENCRYPTED_PROPERTY_KEY seals the accounts' keys in Datastore",
                "PDS_INVITE_REQUIRED has no effect here: nobody logs in to a host with a password",
            ]
        );
    }
}
