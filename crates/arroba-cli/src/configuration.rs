//! The server's configuration, as every command that needs it reads it.

use anyhow::Context;
use arroba::config::{Config, Loaded};
use std::{env, path::Path};

/// Reads the file, if one is named, and the environment, which wins.
pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Loaded> {
    let loaded = match file {
        Some(file) => Config::from_file(file, env::vars()),
        None => Config::from_env(env::vars()),
    };
    loaded.context("the configuration does not work")
}
