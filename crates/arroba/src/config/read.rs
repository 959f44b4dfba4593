//! Where settings come from.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use arroba_core::crypto::{Curve, PrivateKey};

use super::names::{UNSERVED, WITHOUT_EFFECT};
use super::{Config, ConfigError, ConfigErrors};

/// Settings, and what the operator should know about them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// One line each: names that are accepted and have no effect.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads settings from variables, for example [`std::env::vars`]. An empty value counts as absent; variables that
    /// belong to others are ignored.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
        let ours = |name: &str| {
            name.starts_with("PDS_") || Self::SETTINGS.iter().any(|setting| setting.variable == name)
        };
        load(variables.into_iter().filter(|(name, _)| ours(name)))
    }

    /// Reads settings from TOML, where each has the name of its field. Variables of the environment come before it.
    ///
    /// # Errors
    /// As [`Config::from_env`], and text that is no TOML.
    pub fn from_toml(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| ConfigError::Toml(e.message().to_owned()))?;
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, value) in table {
            match Self::SETTINGS.iter().find(|setting| setting.field == name) {
                Some(setting) => {
                    values.insert(setting.variable.to_owned(), plain(&value));
                }
                None => errors.push(unknown(&name, Self::SETTINGS.iter().map(|setting| setting.field))),
            }
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        for (name, value) in variables {
            if !value.is_empty() {
                values.insert(name, value);
            }
        }
        Self::from_env(values)
    }

    /// Reads settings from a TOML file; variables of the environment come before it.
    ///
    /// # Errors
    /// As [`Config::from_toml`], and a file that cannot be read.
    pub fn from_file(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        Self::from_toml(&text, variables)
    }

    /// An environment file with every setting, its documentation and its default.
    pub fn example() -> String {
        let mut text = String::from("# Settings of the server. A setting with a default is commented out.\n");
        for setting in Self::SETTINGS {
            text.push('\n');
            for line in setting.doc {
                let _ = writeln!(text, "#{line}");
            }
            let _ = match (setting.default)() {
                Some(default) => writeln!(text, "#{}={default}", setting.variable),
                None => writeln!(text, "{}=", setting.variable),
            };
        }
        text
    }
}

fn load(variables: impl Iterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let mut values = HashMap::new();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let mut given: Vec<_> = variables.filter(|(_, value)| !value.is_empty()).collect();
    given.sort();
    for (name, value) in given {
        if let Some(setting) = Config::SETTINGS.iter().find(|setting| setting.variable == name) {
            if WITHOUT_EFFECT.contains(&setting.variable) {
                warnings.push(format!("{name} has no effect yet: this server does not forward requests"));
            }
            values.insert(setting.variable, value);
        } else if UNSERVED.contains(&name.as_str()) {
            warnings.push(format!("{name} has no effect yet: this server does not serve it"));
        } else {
            let known =
                Config::SETTINGS.iter().map(|setting| setting.variable).chain(UNSERVED.iter().copied());
            errors.push(unknown(&name, known));
        }
    }
    let config = match Config::read(&values) {
        Ok(config) => {
            errors.extend(check(&config));
            Some(config)
        }
        Err(wrong) => {
            errors.extend(wrong.0);
            None
        }
    };
    match config {
        Some(config) if errors.is_empty() => Ok(Loaded { config, warnings }),
        _ => Err(ConfigErrors(errors)),
    }
}

/// What the type of a value does not say.
fn check(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut refuse = |wrong: bool, name, expected| {
        if wrong {
            errors.push(ConfigError::Value { name, expected });
        }
    };
    let hostname = &config.hostname;
    let is_name = hostname.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    refuse(
        !is_name || hostname.starts_with(['.', '-']),
        "PDS_HOSTNAME",
        "a host name without scheme and port",
    );
    let is_domain = |d: &String| d.len() > 1 && d.starts_with('.') && !d.ends_with('.') && !d.contains("..");
    refuse(
        !config.handle_domains.iter().all(is_domain),
        "PDS_SERVICE_HANDLE_DOMAINS",
        "a list of domains that start with a dot",
    );
    refuse(config.jwt_secret.expose().len() < 16, "PDS_JWT_SECRET", "at least 16 characters long");
    let is_key = |key: &str| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
    refuse(
        PrivateKey::from_hex(Curve::K256, config.rotation_key.expose()).is_err(),
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX",
        "a private key in 64 hexadecimal digits",
    );
    let master = config.master_key.as_ref();
    refuse(master.is_some_and(|key| !is_key(key.expose())), "ARROBA_MASTER_KEY", "64 hexadecimal digits");
    errors
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    let closest = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(similarity, _)| *similarity > 0.85)
        .map(|(_, candidate)| candidate.to_owned());
    ConfigError::Unknown { name: name.to_owned(), suggestion: closest }
}

/// A TOML value as a variable would have it.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(config.blob_location(), Path::new("data/blobs"));
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
    fn unknown_names_get_a_suggestion() {
        assert_eq!(
            lines(with(&[("PDS_HOSTNAM", "x")])),
            "PDS_HOSTNAM is not a setting, did you mean PDS_HOSTNAME?"
        );
        assert_eq!(lines(with(&[("PDS_QQQ", "x")])), "PDS_QQQ is not a setting");
    }

    #[test]
    fn names_of_the_reference_warn_once_each() {
        let warnings =
            with(&[("PDS_EMAIL_SMTP_URL", "smtp://x"), ("PDS_BSKY_APP_VIEW_URL", "https://a.test")]);
        assert_eq!(
            warnings.unwrap().warnings,
            [
                "PDS_BSKY_APP_VIEW_URL has no effect yet: this server does not forward requests",
                "PDS_EMAIL_SMTP_URL has no effect yet: this server does not serve it",
            ]
        );
        assert!(with(&[("PDS_EMAIL_SMTP_URL", "")]).unwrap().warnings.is_empty());
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
    fn the_example_names_every_setting() {
        let example = Config::example();
        for setting in Config::SETTINGS {
            assert!(example.contains(&format!("{}=", setting.variable)), "{}", setting.variable);
        }
        assert!(
            example.contains("\n#PDS_PORT=2583\n") && example.contains("\nPDS_JWT_SECRET=\n"),
            "{example}"
        );
    }
}
