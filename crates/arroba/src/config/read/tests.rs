use super::*;
use crate::host::{Collections, Exports};
use arroba_core::lexicon::Unknown;

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn required() -> Vec<(String, String)> {
    [
        ("PDS_DATA_DIRECTORY", "data"),
        ("PDS_JWT_SECRET", "a secret of some length"),
        ("PDS_ADMIN_PASSWORD", "admin"),
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn with(more: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_env(required().into_iter().chain(more))
}

fn lines(result: Result<Loaded, ConfigErrors>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let Loaded { config, warnings } = with(&[]).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(config.public_url(), "http://localhost:2583");
    assert_eq!(config.service_handle_domains(), [".test"]);
    assert!(config.invite_required && !config.rate_limits_enabled && !config.allows_loopback());
    assert_eq!(config.max_repo_import_size, 1 << 30);
    assert_eq!(config.blob_location().as_deref(), Some(Path::new("data/blobs")));
    assert_eq!(config.plc_url.as_str(), "https://plc.directory/");
}

#[test]
fn values_are_read_by_type() {
    let config = with(&[
        ("PDS_HOSTNAME", "pds.example.com"),
        ("PDS_PORT", "3000"),
        ("PDS_SERVICE_HANDLE_DOMAINS", ".a.test, .b.test"),
        ("PDS_CRAWLERS", "https://bsky.network,"),
        ("PDS_DEV_MODE", "1"),
        ("PDS_REPO_BACKFILL_LIMIT_MS", "5000"),
        ("ARROBA_METRICS_ADDRESS", "127.0.0.1:9000"),
        ("UNRELATED", "x"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.public_url(), "https://pds.example.com");
    assert_eq!(config.handle_domains, [".a.test", ".b.test"]);
    assert_eq!(config.crawlers.len(), 1);
    assert!(config.allows_loopback());
    assert_eq!(config.repo_backfill_limit.as_secs(), 5);
    assert_eq!(config.metrics_address.unwrap().port(), 9000);
}

#[test]
fn what_is_missing_is_listed() {
    assert_eq!(
        lines(Config::from_env([])),
        "PDS_DATA_DIRECTORY is required\nPDS_JWT_SECRET is required\nPDS_ADMIN_PASSWORD is required\n\
         PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is required"
    );
    assert_eq!(
        lines(with(&[("PDS_JWT_SECRET", "short")])),
        "PDS_JWT_SECRET must be at least 16 characters long"
    );
}

#[test]
fn wrong_values_are_one_line_and_not_shown() {
    for (name, value, line) in [
        ("PDS_PORT", "70000", "PDS_PORT must be a port number"),
        ("PDS_INVITE_REQUIRED", "yes", "PDS_INVITE_REQUIRED must be true or false"),
        (
            "PDS_DID_PLC_URL",
            "ftp://x",
            "PDS_DID_PLC_URL must be an address that starts with http:// or https://",
        ),
        ("PDS_SERVICE_DID", "me", "PDS_SERVICE_DID must be a DID"),
        ("PDS_HOSTNAME", "https://x", "PDS_HOSTNAME must be a host name without scheme and port"),
        (
            "PDS_SERVICE_HANDLE_DOMAINS",
            "x.test",
            "PDS_SERVICE_HANDLE_DOMAINS must be a list of domains that start with a dot",
        ),
        ("ARROBA_MASTER_KEY", "secret", "ARROBA_MASTER_KEY must be 64 hexadecimal digits"),
    ] {
        assert_eq!(lines(with(&[(name, value)])), line);
    }
}

#[test]
fn unknown_lexicons_are_allowed_unless_they_are_not() {
    let config = with(&[]).unwrap().config;
    assert_eq!((config.unknown_lexicons, config.resolve_lexicons), (Unknown::Allow, false));
    let loaded = with(&[
        ("ARROBA_UNKNOWN_LEXICONS", "refuse"),
        ("ARROBA_RESOLVE_LEXICONS", "true"),
        ("ARROBA_LEXICON_WAIT_MS", "70"),
        ("PDS_LEXICON_AUTHORITY_DID", "did:web:a.test"),
    ])
    .unwrap();
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.config.unknown_lexicons, Unknown::Refuse);
    assert_eq!(loaded.config.lexicon_wait.as_millis(), 70);
    assert_eq!(
        lines(with(&[("ARROBA_UNKNOWN_LEXICONS", "resolve")])),
        "ARROBA_UNKNOWN_LEXICONS must be allow or refuse"
    );
    let alone = with(&[("PDS_LEXICON_AUTHORITY_DID", "did:web:a.test")]).unwrap().warnings;
    assert!(alone[0].starts_with("PDS_LEXICON_AUTHORITY_DID has no effect"), "{alone:?}");
}

#[test]
fn unknown_names_get_a_suggestion() {
    assert_eq!(
        lines(with(&[("PDS_HOSTNAM", "x")])),
        "PDS_HOSTNAM is not a setting, did you mean PDS_HOSTNAME?"
    );
    assert_eq!(lines(with(&[("PDS_QQQ", "x")])), "PDS_QQQ is not a setting");
}

#[test]
fn names_of_the_reference_warn_once_each() {
    let warnings = with(&[("PDS_EMAIL_SMTP_URL", "smtp://x"), ("PDS_BSKY_APP_VIEW_URL", "https://a.test")]);
    assert_eq!(
        warnings.unwrap().warnings,
        [
            "PDS_EMAIL_SMTP_URL has no effect yet: this server does not serve it",
            "PDS_BSKY_APP_VIEW_URL and PDS_BSKY_APP_VIEW_DID have no effect without each other",
        ]
    );
    assert!(with(&[("PDS_EMAIL_SMTP_URL", "")]).unwrap().warnings.is_empty());
}

#[test]
fn names_of_the_python_library_are_settings() {
    let key = STANDARD.encode([7; 32]);
    let Loaded { config, warnings } = with(&[
        ("PDS_HOST", "pds.example.com"),
        ("PLC_HOST", "plc.example.com"),
        ("RELAY_HOST", "relay.example.com"),
        ("APPVIEW_HOST", "api.example.com:8080"),
        ("REPO_TOKEN", "token"),
        ("ROLLBACK_WINDOW", "50000"),
        ("SUPPORTED_COLLECTIONS", "app.bsky.feed.post, app.bsky.feed.like"),
        ("DISABLE_GETREPO", "1"),
        ("GETREPO_TOKEN", "other"),
        ("BLOB_MAX_BYTES", "100000000"),
        ("BLOB_REFETCH_DAYS", "0.5"),
        ("BLOB_REFETCH_TYPES", "image,video"),
        ("ENCRYPTED_PROPERTY_KEY", &key),
        ("GOOGLE_CLOUD_PROJECT", "bridge"),
        ("DATASTORE_DB", "arroba"),
        ("MEMCACHE_SEQUENCE_BATCH", "500"),
        ("MEMCACHE_SEQUENCE_BUFFER", "50"),
        ("SUBSCRIBE_REPOS_BATCH_DELAY", "0.25"),
        ("SUBSCRIBE_REPOS_SKIPPED_SEQ_WINDOW", "30"),
        ("SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY", "60"),
    ])
    .unwrap();
    assert_eq!(config.public_url(), "https://pds.example.com");
    assert_eq!(config.plc_url.as_str(), "https://plc.example.com/");
    assert_eq!(config.crawlers[0].as_str(), "https://relay.example.com/");
    assert_eq!(config.app_view_url.as_ref().unwrap().as_str(), "https://api.example.com:8080/");
    assert_eq!(config.app_view_did.as_ref().unwrap().as_str(), "did:web:api.example.com%3A8080");
    assert_eq!(config.repo_token.as_ref().unwrap().expose(), "token");
    assert_eq!(config.rollback_window, Some(50_000));
    let post = arroba_core::nsid!("app.bsky.feed.post");
    assert!(config.collections().has(&post));
    assert!(!config.collections().has(&arroba_core::nsid!("app.bsky.graph.follow")));
    let Exports::Restricted(restricted) = config.exports() else { panic!("exports are open") };
    assert!(restricted.opened_by("other") && !restricted.opened_by("token"));
    assert_eq!((config.blob_max_bytes, config.blob_refetch_days.0.as_secs()), (100_000_000, 43_200));
    assert_eq!(config.blob_refetch_types, ["image", "video"]);
    assert_eq!(config.encrypted_property_key.as_ref().unwrap().expose(), key);
    assert_eq!(
        (config.google_cloud_project.as_deref(), config.datastore_db.as_deref()),
        (Some("bridge"), Some("arroba"))
    );
    assert_eq!((config.memcache_sequence_batch, config.memcache_sequence_buffer), (500, 50));
    assert_eq!(config.subscribe_repos_batch_delay.0.as_millis(), 250);
    assert_eq!(config.subscribe_repos_skipped_seq_window, Some(30));
    assert_eq!(config.subscribe_repos_skipped_seq_delay.0.as_secs(), 60);
    // Each that has no effect on a server says so; the others say nothing.
    let silent = |line: &&String| line.contains(" has no effect here: ");
    assert_eq!(warnings.iter().filter(silent).count(), 8, "{warnings:?}");
    assert_eq!(warnings.len(), 8, "{warnings:?}");
    assert!(!warnings.iter().any(|line| line.starts_with("REPO_TOKEN") || line.starts_with("PLC_HOST")));
}

#[test]
fn a_host_needs_less_than_a_server() {
    let host = |more: &[(&str, &str)]| {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_env_for(Program::Host, more)
    };
    assert_eq!(lines(host(&[])), "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is required");
    let rotation = ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", KEY);
    let Loaded { config, warnings } = host(&[rotation]).unwrap();
    assert!(warnings.len() == 1 && warnings[0].starts_with("uploaded blobs are kept in memory"));
    let missing: Vec<_> = Program::Pds.missing(&config).iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        ["PDS_DATA_DIRECTORY is required", "PDS_JWT_SECRET is required", "PDS_ADMIN_PASSWORD is required"]
    );
    let warnings = host(&[
        rotation,
        ("PDS_DATA_DIRECTORY", "data"),
        ("PDS_ADMIN_PASSWORD", "admin"),
        ("GOOGLE_CLOUD_PROJECT", "app"),
        ("ARROBA_MASTER_KEY", KEY),
    ]);
    let warnings = warnings.unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("GOOGLE_CLOUD_PROJECT has no effect here: "), "{warnings:?}");
    assert_eq!(
        warnings[1],
        "PDS_ADMIN_PASSWORD has no effect here: nobody logs in to a host with a password"
    );
    // Wrong values are refused even where they have no effect.
    assert_eq!(
        lines(host(&[rotation, ("PDS_JWT_SECRET", "short")])),
        "PDS_JWT_SECRET must be at least 16 characters long"
    );
}

#[test]
fn the_defaults_are_those_of_the_python_library() {
    let config = with(&[]).unwrap().config;
    assert_eq!((config.blob_max_bytes, config.blob_refetch_days.0.as_secs()), (300_000_000, 7 * 86_400));
    assert_eq!(config.blob_refetch_types, ["image"]);
    assert_eq!((config.memcache_sequence_batch, config.memcache_sequence_buffer), (1000, 100));
    assert_eq!(config.subscribe_repos_batch_delay.0.as_secs(), 0);
    assert_eq!(config.subscribe_repos_skipped_seq_window, None);
    assert_eq!(config.subscribe_repos_skipped_seq_delay.0.as_secs(), 120);
    assert!(config.repo_token.is_none() && matches!(config.exports(), Exports::Open));
    assert_eq!(config.collections(), Collections::All);
}

#[test]
fn a_name_of_the_reference_comes_before_one_of_the_python_library() {
    let Loaded { config, warnings } = with(&[
        ("PLC_HOST", "a.test"),
        ("PDS_DID_PLC_URL", "https://b.test"),
        ("RELAY_HOST", "c.test"),
        ("BGS_HOST", "d.test"),
        ("PRELOAD_WINDOW", "4000"),
        ("REPO_PASSWORD", "secret"),
    ])
    .unwrap();
    assert_eq!(config.plc_url.as_str(), "https://b.test/");
    assert_eq!(config.crawlers[0].as_str(), "https://c.test/");
    assert_eq!(
        warnings,
        [
            "PRELOAD_WINDOW has no effect: nothing is loaded before it is asked for",
            "REPO_PASSWORD has no effect: each account has a password of its own",
            "PLC_HOST is not used: PDS_DID_PLC_URL says the same, and it comes first",
            "BGS_HOST is not used: RELAY_HOST says the same, and it comes first",
        ]
    );
    let Loaded { config, warnings } = with(&[("BGS_HOST", "d.test"), ("DISABLE_GETREPO", "false")]).unwrap();
    assert_eq!(config.crawlers[0].as_str(), "https://d.test/");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("DISABLE_GETREPO is false"));
}

#[test]
fn wrong_values_of_the_python_library_name_its_variable() {
    for (name, value, line) in [
        ("PLC_HOST", "https://a.test", "PLC_HOST must be a host name, perhaps with a port"),
        ("RELAY_HOST", "a.test/path", "RELAY_HOST must be a host name, perhaps with a port"),
        ("APPVIEW_HOST", "", ""),
        ("BLOB_REFETCH_DAYS", "-1", "BLOB_REFETCH_DAYS must be a number of days"),
        ("BLOB_REFETCH_DAYS", "inf", "BLOB_REFETCH_DAYS must be a number of days"),
        (
            "SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY",
            "1e3",
            "SUBSCRIBE_REPOS_SKIPPED_SEQ_DELAY must be a number of seconds",
        ),
        ("ROLLBACK_WINDOW", "many", "ROLLBACK_WINDOW must be a whole number"),
        ("DISABLE_GETREPO", "yes", "DISABLE_GETREPO must be true or false"),
        ("SUPPORTED_COLLECTIONS", "post", "SUPPORTED_COLLECTIONS must be a list of collection names (NSIDs)"),
        (
            "ENCRYPTED_PROPERTY_KEY",
            "c2hvcnQ=",
            "ENCRYPTED_PROPERTY_KEY must be keys of 32 bytes in base64, one a line",
        ),
        (
            "ENCRYPTED_PROPERTY_KEY",
            "\n ",
            "ENCRYPTED_PROPERTY_KEY must be keys of 32 bytes in base64, one a line",
        ),
        (
            "DATASTORE_DATASET",
            "my app",
            "DATASTORE_DATASET must be made of letters, digits and - _ . : alone",
        ),
        ("DATASTORE_DB", "a/b", "DATASTORE_DB must be made of letters, digits and - _ . : alone"),
        (
            "ARROBA_MEMCACHED",
            "localhost",
            "ARROBA_MEMCACHED must be a host and a port, such as 127.0.0.1:11211",
        ),
        ("ARROBA_SEQUENCES", "python", "ARROBA_SEQUENCES must be datastore, memcached or exclusive"),
        (
            "ARROBA_SEQUENCES",
            "memcached",
            "ARROBA_MEMCACHED must be given where ARROBA_SEQUENCES is memcached",
        ),
        (
            "MEMCACHE_SEQUENCE_BATCH",
            "0",
            "MEMCACHE_SEQUENCE_BATCH must be at least 1\nMEMCACHE_SEQUENCE_BUFFER must be less than MEMCACHE_SEQUENCE_BATCH",
        ),
    ] {
        match line {
            "" => assert!(with(&[(name, value)]).is_ok(), "an empty value counts as absent"),
            line => assert_eq!(lines(with(&[(name, value)])), line),
        }
    }
}

#[test]
fn services_are_those_of_the_reference() {
    let prefixes = |config: &Config| {
        config
            .services()
            .into_iter()
            .map(|(prefix, service)| format!("{prefix} {}", service.service()))
            .collect::<Vec<_>>()
    };
    let mut given = vec![
        ("PDS_BSKY_APP_VIEW_URL", "https://api.test"),
        ("PDS_BSKY_APP_VIEW_DID", "did:web:api.test"),
        ("PDS_MOD_SERVICE_URL", "https://mod.test"),
        ("PDS_MOD_SERVICE_DID", "did:web:mod.test"),
    ];
    let all = [
        "did:web:api.test#bsky_appview",
        "did:web:mod.test#atproto_labeler",
        "did:web:mod.test#atproto_labeler",
    ];
    let names = ["", "tools.ozone", "com.atproto.moderation.createReport"];
    let expected: Vec<String> =
        names.iter().zip(all).map(|(name, service)| format!("{name} {service}")).collect();
    assert_eq!(prefixes(&with(&given).unwrap().config), expected);
    given
        .extend([("PDS_REPORT_SERVICE_URL", "https://r.test"), ("PDS_REPORT_SERVICE_DID", "did:web:r.test")]);
    given.extend([("PDS_PROXY_BODY_TIMEOUT", "5"), ("PDS_PROXY_MAX_RETRIES", "2")]);
    let config = with(&given).unwrap().config;
    assert_eq!(prefixes(&config)[2], "com.atproto.moderation.createReport did:web:r.test#atproto_labeler");
    assert_eq!((config.proxy_limits().idle.as_millis(), config.proxy_limits().headers.as_secs()), (5, 10));
    assert_eq!(config.proxy_limits().retries, 2);
    assert_eq!(with(&[]).unwrap().config.proxy_limits().retries, 0);
    assert!(with(&[]).unwrap().config.services().is_empty());
    let python = with(&[("APPVIEW_HOST", "api.test")]).unwrap().config;
    assert_eq!(prefixes(&python), expected[..1]);
    assert_eq!(python.app_view_pictures.as_deref(), Some("https://cdn.bsky.app/img/%s/plain/%s/%s@jpeg"));
}

#[test]
fn toml_has_the_names_of_the_fields_and_yields_to_variables() {
    let text = "hostname = \"a.test\"\nport = 9\ncrawlers = [\"https://x.test\", \"https://y.test\"]\ndev_mode = true";
    let port = ("PDS_PORT".to_owned(), "10".to_owned());
    let config = Config::from_toml(text, required().into_iter().chain([port])).unwrap().config;
    assert_eq!((config.hostname.as_str(), config.port, config.crawlers.len()), ("a.test", 10, 2));
    assert_eq!(
        lines(Config::from_toml("hostnam = 1", required())),
        "hostnam is not a setting, did you mean hostname?"
    );
    assert!(lines(Config::from_toml("= 1", required())).starts_with("failed to parse the settings"));
}

#[test]
fn the_example_file_is_the_one_that_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pds.env");
    let file = std::fs::read_to_string(path).unwrap();
    assert_eq!(file, Config::example(), "write it anew: arroba serve --example > docs/pds.env");
}

#[test]
fn the_example_names_every_setting() {
    let example = Config::example();
    for setting in Config::SETTINGS {
        assert!(example.contains(&format!("{}=", setting.variable)), "{}", setting.variable);
    }
    assert!(example.contains("\n#PDS_PORT=2583\n") && example.contains("\nPDS_JWT_SECRET=\n"), "{example}");
}
