//! The server's configuration, as every command that needs it reads it.

use anyhow::Context;
use arroba::config::{Config, Loaded, environment};
use std::path::Path;

/// Reads the file, if one is named, and the environment, which wins.
pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Loaded> {
    let variables = environment().context("reading a file that stands for a variable")?;
    let loaded = match file {
        Some(file) => Config::from_file(file, variables),
        None => Config::from_env(variables),
    };
    loaded.context("the configuration does not work")
}
