//! The settings of a server: one documented list, read from the environment or from TOML.
//!
//! The names are those of the reference server, so that its environment file can be used unchanged, and those of the Python library
//! of the same name. Where both say the same, the reference server's name holds, and a line says so. A name that one of them knows
//! and that has no effect here is worth a line; a name that nobody knows is an error with a suggestion; a wrong or missing value is
//! one line that says which. Nothing starts half-configured.

#[cfg(feature = "datastore")]
mod datastore;
mod environment;
mod error;
mod host;
mod names;
mod program;
mod python;
mod read;
mod services;
mod value;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use arroba_core::lexicon::Unknown;
use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::json::Secret;
use url::Url;

use crate::host::{Collections, Exports, RestrictedExports};

pub use environment::{environment, variable_or_file};
pub use error::{ConfigError, ConfigErrors};
pub use program::Program;
pub use read::Loaded;
pub use value::{Days, Seconds, SequenceSource};

use value::Setting;

/// Declares [`Config`] and everything that must agree with it: names, defaults, documentation, reading.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $name:literal, default $default:expr; )+) => {
        /// The settings of a server or of a host. What one [`Program`] needs and another does not is optional here, and asked for when the
        /// settings are read. Each field names the environment variable that sets it; in TOML a setting has
        /// the field's name.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Config {
            $( $(#[doc = $doc])+ #[doc = ""] #[doc = concat!("Set by `", $name, "`.")] pub $field: $type, )+
        }

        impl Config {
            /// What each setting is called and does: variable, TOML name, documentation, default.
            pub(super) const SETTINGS: &'static [Described] = &[
                $( Described {
                    variable: $name,
                    field: stringify!($field),
                    doc: &[$($doc),+],
                    default: || { let default: $type = $default; default.show() },
                }, )+
            ];

            /// Reads every setting from `values`, keyed by variable; all that is wrong is reported at once.
            fn read(values: &HashMap<&'static str, String>) -> Result<Self, ConfigErrors> {
                let mut errors = Vec::new();
                $( let $field = match values.get($name) {
                    None => Some($default),
                    Some(text) => keep(<$type as Setting>::parse(text), $name, &mut errors),
                }; )+
                match ( $( $field, )+ ) {
                    ( $( Some($field), )+ ) => Ok(Self { $( $field, )+ }),
                    _ => Err(ConfigErrors(errors)),
                }
            }
        }
    };
}

/// One setting, as shown in the example file.
pub(super) struct Described {
    variable: &'static str,
    field: &'static str,
    doc: &'static [&'static str],
    /// The default as text; empty where there is none.
    default: fn() -> String,
}

fn keep<T>(parsed: Result<T, &'static str>, name: &'static str, errors: &mut Vec<ConfigError>) -> Option<T> {
    parsed.map_err(|expected| errors.push(ConfigError::Value { name, expected })).ok()
}

settings! {
    /// The public host name, without scheme and port. With `localhost` the public address is `http://localhost:PORT`.
    hostname: String = "PDS_HOSTNAME", default "localhost".to_owned();
    /// The port to listen on.
    port: u16 = "PDS_PORT", default 2583;
    /// The server's own DID; `did:web:` and the host name unless given.
    service_did: Option<Did> = "PDS_SERVICE_DID", default None;
    /// The directory of the database, the master key and, unless placed elsewhere, the blobs.
    data_directory: Option<PathBuf> = "PDS_DATA_DIRECTORY", default None;
    /// The directory of the blobs; `blobs` in the data directory unless given.
    blob_directory: Option<PathBuf> = "PDS_BLOBSTORE_DISK_LOCATION", default None;
    /// The largest blob that may be uploaded, in bytes.
    blob_upload_limit: u64 = "PDS_BLOB_UPLOAD_LIMIT", default 5 * 1024 * 1024;
    /// The address of the PLC directory.
    plc_url: Url = "PDS_DID_PLC_URL", default value::url("https://plc.directory");
    /// The domains under which handles are given out, comma-separated, each with its leading dot; the host name's
    /// own subdomains unless given (`.test` for `localhost`).
    handle_domains: Vec<String> = "PDS_SERVICE_HANDLE_DOMAINS", default Vec::new();
    /// Whether a new account needs an invite code.
    invite_required: bool = "PDS_INVITE_REQUIRED", default true;
    /// The secret that signs session tokens, at least 16 characters.
    jwt_secret: Option<Secret> = "PDS_JWT_SECRET", default None;
    /// The password of the user `admin` for administrative methods.
    admin_password: Option<Secret> = "PDS_ADMIN_PASSWORD", default None;
    /// The private key that signs did:plc operations: K-256, 64 hex digits.
    rotation_key: Option<Secret> = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", default None;
    /// The relays to tell of new events, comma-separated addresses.
    crawlers: Vec<Url> = "PDS_CRAWLERS", default Vec::new();
    /// The address of the app view, which gets every call that this server does not serve itself, as the account that calls.
    app_view_url: Option<Url> = "PDS_BSKY_APP_VIEW_URL", default None;
    /// The DID of the app view; needed with its address.
    app_view_did: Option<Did> = "PDS_BSKY_APP_VIEW_DID", default None;
    /// Where clients of the app view find pictures, with `%s` for preset, DID and CID; this server's `getBlob` unless given.
    app_view_pictures: Option<String> = "PDS_BSKY_APP_VIEW_CDN_URL_PATTERN", default None;
    /// The address of the moderation service, which gets the calls of `tools.ozone`.
    mod_service_url: Option<Url> = "PDS_MOD_SERVICE_URL", default None;
    /// The DID of the moderation service; needed with its address.
    mod_service_did: Option<Did> = "PDS_MOD_SERVICE_DID", default None;
    /// The address of the service that gets reports; the moderation service unless given.
    report_service_url: Option<Url> = "PDS_REPORT_SERVICE_URL", default None;
    /// The DID of the service that gets reports; needed with its address.
    report_service_did: Option<Did> = "PDS_REPORT_SERVICE_DID", default None;
    /// How long a service may take to begin its answer to a forwarded call, in milliseconds.
    proxy_headers_timeout: Duration = "PDS_PROXY_HEADERS_TIMEOUT", default Duration::from_secs(10);
    /// How long a service may be silent within its answer, in milliseconds.
    proxy_body_timeout: Duration = "PDS_PROXY_BODY_TIMEOUT", default Duration::from_secs(30);
    /// The largest answer of a service that is passed on, in bytes.
    proxy_max_response_size: u64 = "PDS_PROXY_MAX_RESPONSE_SIZE", default 10 * 1024 * 1024;
    /// How often a call without a body is sent again to a service that cannot be connected to, or that breaks off before its answer.
    proxy_max_retries: u32 = "PDS_PROXY_MAX_RETRIES", default 0;
    /// Whether requests are limited in rate.
    rate_limits_enabled: bool = "PDS_RATE_LIMITS_ENABLED", default false;
    /// Development: addresses on loopback may be asked.
    dev_mode: bool = "PDS_DEV_MODE", default false;
    /// Lets the server ask addresses on loopback when others name them; as in development mode unless given.
    ssrf_protection_disabled: Option<bool> = "PDS_DISABLE_SSRF_PROTECTION", default None;
    /// How far back subscribers of the event stream may ask, in milliseconds.
    repo_backfill_limit: Duration = "PDS_REPO_BACKFILL_LIMIT_MS", default Duration::from_secs(24 * 60 * 60);
    /// Whether repositories may be imported.
    accepting_repo_imports: bool = "PDS_ACCEPTING_REPO_IMPORTS", default true;
    /// The largest repository that may be imported, in bytes.
    max_repo_import_size: u64 = "PDS_MAX_REPO_IMPORT_SIZE", default 1 << 30;
    /// How many events back subscribers of the event stream may ask, besides the limit in time; any number unless given.
    rollback_window: Option<u64> = "ROLLBACK_WINDOW", default None;
    /// A token that may write to every repo, besides the accounts that log in; the content of the file `repo_token` unless given.
    repo_token: Option<Secret> = "REPO_TOKEN", default None;
    /// The collections whose records are written and read through methods, comma-separated; all of them unless given.
    supported_collections: Vec<Nsid> = "SUPPORTED_COLLECTIONS", default Vec::new();
    /// What becomes of records whose lexicon is not known: `allow` takes them and says that nobody has checked them, `refuse` does
    /// not take them.
    unknown_lexicons: Unknown = "ARROBA_UNKNOWN_LEXICONS", default Unknown::Allow;
    /// Whether the lexicon of a record that is not known is looked for where its author publishes it (`_lexicon` in DNS, then a record
    /// with its proof); what is not found stays unknown.
    resolve_lexicons: bool = "ARROBA_RESOLVE_LEXICONS", default false;
    /// How long a write may wait for that, in milliseconds.
    lexicon_wait: Duration = "ARROBA_LEXICON_WAIT_MS", default Duration::from_secs(2);
    /// The DID that publishes every lexicon that is looked for, instead of the one that DNS names.
    lexicon_authority_did: Option<Did> = "PDS_LEXICON_AUTHORITY_DID", default None;
    /// Whether `getRepo` answers only in a repo's first twelve hours, or to whoever shows `GETREPO_TOKEN`. Accounts may
    /// always export their own.
    disable_getrepo: bool = "DISABLE_GETREPO", default false;
    /// The Bearer token that opens `getRepo` where it is disabled; the content of the file `getrepo_token` unless given.
    getrepo_token: Option<Secret> = "GETREPO_TOKEN", default None;
    /// The largest remote blob, in bytes.
    blob_max_bytes: u64 = "BLOB_MAX_BYTES", default 300_000_000;
    /// After how many days a remote blob is fetched again when it is asked for; fractions are allowed.
    blob_refetch_days: Days = "BLOB_REFETCH_DAYS", default Days(Duration::from_secs(7 * 24 * 60 * 60));
    /// The kinds of remote blobs that are fetched again, comma-separated: media types up to the slash.
    blob_refetch_types: Vec<String> = "BLOB_REFETCH_TYPES", default vec!["image".to_owned()];
    /// The Google Cloud project whose Datastore keeps the repos; `GOOGLE_CLOUD_PROJECT` unless given.
    datastore_project_id: Option<String> = "DATASTORE_PROJECT_ID", default None;
    /// The Google Cloud project, where `DATASTORE_PROJECT_ID` names none.
    google_cloud_project: Option<String> = "GOOGLE_CLOUD_PROJECT", default None;
    /// The database within the project; the default one unless given.
    datastore_db: Option<String> = "DATASTORE_DB", default None;
    /// The host and port of a Datastore emulator, instead of the service.
    datastore_emulator_host: Option<String> = "DATASTORE_EMULATOR_HOST", default None;
    /// The AES-256-GCM keys of the accounts' keys in Datastore, in base64, one a line: the first seals, all open. The content
    /// of the file `encrypted_property_key` unless given.
    encrypted_property_key: Option<Secret> = "ENCRYPTED_PROPERTY_KEY", default None;
    /// Who gives out sequence numbers for Datastore; all programs on one database must agree. `datastore`: its counter, as the
    /// Python library with `DatastoreSequences`. `memcached`: as the Python library with `MemcacheSequences`. `exclusive`: this library
    /// alone, whose readers then wait for no missing number. `memcached` where `ARROBA_MEMCACHED` is given and `datastore`
    /// elsewhere, unless given.
    sequences: Option<SequenceSource> = "ARROBA_SEQUENCES", default None;
    /// The host and port of a memcached that gives out sequence numbers for Datastore, or `unix://` and the path of its socket.
    memcached: Option<String> = "ARROBA_MEMCACHED", default None;
    /// How many sequence numbers memcached is given at once.
    memcache_sequence_batch: u64 = "MEMCACHE_SEQUENCE_BATCH", default 1000;
    /// How few of them may be left before it is given more.
    memcache_sequence_buffer: u64 = "MEMCACHE_SEQUENCE_BUFFER", default 100;
    /// The least time between two looks for other programs' events in Datastore, in seconds; fractions are allowed, and less than
    /// a quarter of a second counts as that.
    subscribe_repos_batch_delay: Seconds = "SUBSCRIBE_REPOS_BATCH_DELAY", default Seconds(Duration::ZERO);
    /// How near to the newest a missing sequence number of Datastore must be to be waited for, which is 300 in the Python library;
    /// the time alone decides unless given. Of no effect with `ARROBA_SEQUENCES=exclusive`.
    subscribe_repos_skipped_seq_window: Option<u64> = "SUBSCRIBE_REPOS_SKIPPED_SEQ_WINDOW", default None;
    /// How long a missing sequence number of Datastore is waited for, in seconds; fractions are allowed. Of no effect with
    /// `ARROBA_SEQUENCES=exclusive`.
    subscribe_repos_skipped_seq_delay: Seconds = "SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY", default Seconds(Duration::from_secs(120));
    /// Whether the server writes its log to standard output.
    log_enabled: bool = "LOG_ENABLED", default false;
    /// The key that seals the accounts' signing keys in the database, 64 hex digits; `master.key` in the data
    /// directory unless given, made at the first start. Without it the database is worthless: keep a copy.
    master_key: Option<Secret> = "ARROBA_MASTER_KEY", default None;
    /// The address, on loopback or a private network, where Prometheus may read metrics; nowhere unless given.
    metrics_address: Option<std::net::SocketAddr> = "ARROBA_METRICS_ADDRESS", default None;
}

impl Config {
    /// Where clients reach the server: `https://` and the host name, or `http://localhost:PORT`.
    pub fn public_url(&self) -> String {
        match self.hostname.as_str() {
            "localhost" => format!("http://localhost:{}", self.port),
            hostname => format!("https://{hostname}"),
        }
    }

    /// The domains under which handles are given out, each with its leading dot.
    pub fn service_handle_domains(&self) -> Vec<String> {
        match (self.handle_domains.is_empty(), self.hostname.as_str()) {
            (false, _) => self.handle_domains.clone(),
            (true, "localhost") => vec![".test".to_owned()],
            (true, hostname) => vec![format!(".{hostname}")],
        }
    }

    /// Where the bytes of blobs are; nowhere but in memory if no directory is named.
    pub fn blob_location(&self) -> Option<PathBuf> {
        let in_data = || self.data_directory.as_ref().map(|data| data.join("blobs"));
        self.blob_directory.clone().or_else(in_data)
    }

    /// The records that methods write and read.
    pub fn collections(&self) -> Collections {
        match self.supported_collections.is_empty() {
            true => Collections::All,
            false => Collections::only(self.supported_collections.iter().cloned()),
        }
    }

    /// Who may export whole repos.
    pub fn exports(&self) -> Exports {
        let token = self.getrepo_token.as_ref().map_or("", Secret::expose);
        match self.disable_getrepo {
            true => Exports::Restricted(RestrictedExports::new().token(token)),
            false => Exports::Open,
        }
    }

    /// Whether addresses on loopback may be asked when others name them.
    pub fn allows_loopback(&self) -> bool {
        self.ssrf_protection_disabled.unwrap_or(self.dev_mode)
    }
}
