//! What can be wrong with settings, one line each.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong. Values are never shown: some of them are secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting without default is not given.
    #[error("{name} is required")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// A value cannot be read.
    #[error("{name} must be {expected}")]
    Value {
        /// The variable.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Nobody knows the name.
    #[error("{name} is not a setting{}", Suggestion(suggestion.as_deref()))]
    Unknown {
        /// The name as given.
        name: String,
        /// The closest known one.
        suggestion: Option<String>,
    },
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no TOML.
    #[error("failed to parse the settings: {0}")]
    Toml(String),
}

struct Suggestion<'a>(Option<&'a str>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(out, ", did you mean {name}?"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong, one line each.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}
