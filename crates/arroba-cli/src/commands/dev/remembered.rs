//! What a development server knows of its last run.

use super::demo::DemoAccount;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

const FILE: &str = "dev.json";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) port: u16,
    pub(super) plc_port: u16,
    pub(super) account: DemoAccount,
}

impl Remembered {
    pub(super) fn load(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())
    }
}
