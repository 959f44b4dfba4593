//! Seeds from the shared vectors: `$ARROBA_FIXTURES`, else `../shared/fixtures` beside the workspace.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    std::env::var_os("ARROBA_FIXTURES").map_or_else(beside, PathBuf::from)
}

/// Whether the vectors are there. Without them the seeds made by code remain.
pub fn present() -> bool {
    root().is_dir()
}

/// A file, if the vectors are there.
pub fn read(name: &str) -> Option<Vec<u8>> {
    std::fs::read(root().join(name)).ok()
}

/// The files in a folder.
pub fn folder(name: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(root().join(name)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The lines of a file, comments left out.
pub fn lines(name: &str) -> Vec<Vec<u8>> {
    let text = read(name).unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(<[u8]>::to_vec)
        .collect()
}

/// The items of a JSON list, each as JSON, at this key of each (or whole, for an empty key).
pub fn items(name: &str, key: &str) -> Vec<Vec<u8>> {
    let Some(json) = read(name).and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
    else {
        return Vec::new();
    };
    let items = json.as_array().cloned().unwrap_or_default();
    let pick = |item: serde_json::Value| if key.is_empty() { Some(item) } else { item.get(key).cloned() };
    items.into_iter().filter_map(pick).map(|item| item.to_string().into_bytes()).collect()
}
