//! Where settings come from.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use arroba_core::crypto::{Curve, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::names::UNSERVED;
use super::{Config, ConfigError, ConfigErrors, Program, SequenceSource, python};

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
    /// Reads the settings of a [`Pds`](crate::Pds) from variables, for example those of [`environment`](super::environment()). An
    /// empty value counts as absent; variables that belong to others are ignored.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
        Self::from_env_for(Program::Pds, variables)
    }

    /// Reads the settings of a program from variables, as [`Config::from_env`] does those of a server: other names are needed, and other
    /// names have no effect.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn from_env_for(
        program: Program,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let ours = |name: &str| {
            name.starts_with("PDS_")
                || python::knows(name)
                || Self::SETTINGS.iter().any(|setting| setting.variable == name)
        };
        load(program, variables.into_iter().filter(|(name, _)| ours(name)))
    }

    /// Reads the settings of a [`Pds`](crate::Pds) from TOML, where each has the name of its field. Variables of the environment come before it.
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
            if let Some(line) = python::aliases_of(setting.variable) {
                let _ = writeln!(text, "# {line}");
            }
            let mark = if Program::Pds.needs(setting.variable) { "" } else { "#" };
            let _ = writeln!(text, "{mark}{}={}", setting.variable, (setting.default)());
        }
        text
    }
}

fn load(program: Program, variables: impl Iterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let mut values = HashMap::new();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let mut given: BTreeMap<String, String> = variables.filter(|(_, value)| !value.is_empty()).collect();
    if matches!(given.get("DISABLE_GETREPO").map(String::as_str), Some("false" | "0")) {
        warnings.push(
            "DISABLE_GETREPO is false, so getRepo is open: the Python library takes any value for true"
                .to_owned(),
        );
    }
    python::translate(&mut given, &mut warnings, &mut errors);
    for (name, value) in given {
        if let Some(setting) = Config::SETTINGS.iter().find(|setting| setting.variable == name) {
            if let Some(reason) = program.ignores(setting.variable) {
                warnings.push(format!("{name} has no effect here: {reason}"));
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
            errors.extend(program.missing(&config));
            errors.extend(check(&config));
            warnings.extend(config.half_named_services());
            if config.lexicon_authority_did.is_some() && !config.resolve_lexicons {
                warnings.push(
                    "PDS_LEXICON_AUTHORITY_DID has no effect: no lexicon is looked for without ARROBA_RESOLVE_LEXICONS"
                        .to_owned(),
                );
            }
            warnings.extend(program.remarks(&config));
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
    let session = config.jwt_secret.as_ref();
    refuse(
        session.is_some_and(|secret| secret.expose().len() < 16),
        "PDS_JWT_SECRET",
        "at least 16 characters long",
    );
    let is_key = |key: &str| key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
    let rotation = config.rotation_key.as_ref();
    refuse(
        rotation.is_some_and(|key| PrivateKey::from_hex(Curve::K256, key.expose()).is_err()),
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX",
        "a private key in 64 hexadecimal digits",
    );
    let sealing = config.encrypted_property_key.as_ref();
    // One or more keys, each on a line of its own: the first seals, all open.
    let is_aes_key = |line: &str| STANDARD.decode(line.trim()).is_ok_and(|key| key.len() == 32);
    let are_aes_keys = |text: &str| {
        let mut keys = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        keys.peek().is_some() && keys.all(is_aes_key)
    };
    refuse(
        sealing.is_some_and(|keys| !are_aes_keys(keys.expose())),
        "ENCRYPTED_PROPERTY_KEY",
        "keys of 32 bytes in base64, one a line",
    );
    refuse(config.memcache_sequence_batch == 0, "MEMCACHE_SEQUENCE_BATCH", "at least 1");
    refuse(
        config.memcache_sequence_buffer >= config.memcache_sequence_batch,
        "MEMCACHE_SEQUENCE_BUFFER",
        "less than MEMCACHE_SEQUENCE_BATCH",
    );
    for (name, value) in [
        ("DATASTORE_PROJECT_ID", &config.datastore_project_id),
        ("GOOGLE_CLOUD_PROJECT", &config.google_cloud_project),
        ("DATASTORE_DB", &config.datastore_db),
    ] {
        let plain = value.as_deref().is_none_or(python::is_cloud_name);
        refuse(!plain, name, "made of letters, digits and - _ . : alone");
    }
    refuse(
        !config.memcached.as_deref().is_none_or(is_memcached),
        "ARROBA_MEMCACHED",
        "a host and a port, such as 127.0.0.1:11211",
    );
    match (config.sequences, &config.memcached) {
        (Some(SequenceSource::Memcached), None) => {
            refuse(true, "ARROBA_MEMCACHED", "given where ARROBA_SEQUENCES is memcached");
        }
        (Some(SequenceSource::Datastore | SequenceSource::Exclusive), Some(_)) => {
            refuse(true, "ARROBA_MEMCACHED", "left out where ARROBA_SEQUENCES is not memcached");
        }
        _ => {}
    }
    let master = config.master_key.as_ref();
    refuse(master.is_some_and(|key| !is_key(key.expose())), "ARROBA_MASTER_KEY", "64 hexadecimal digits");
    errors
}

fn is_memcached(address: &str) -> bool {
    match address.rsplit_once(':') {
        _ if address.starts_with("unix:///") => true,
        Some((host, port)) => !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok(),
        None => false,
    }
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
