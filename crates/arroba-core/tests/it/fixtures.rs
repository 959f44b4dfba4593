//! Where the shared vectors lie: `$ARROBA_FIXTURES`, else `../shared/fixtures` beside the workspace.

use std::path::{Path, PathBuf};

/// The path of a fixture, or `None` (said loudly) where the fixtures are absent; in CI that fails.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ARROBA_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "missing fixture {}", path.display());
    println!("skipped: missing fixture {}", path.display());
    None
}

/// The bytes of a fixture.
pub(crate) fn read(name: &str) -> Option<Vec<u8>> {
    path(name).map(|path| std::fs::read(path).expect("a readable fixture"))
}

/// The text of a fixture.
pub(crate) fn text(name: &str) -> Option<String> {
    read(name).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
}

/// A fixture parsed as JSON.
pub(crate) fn json(name: &str) -> Option<serde_json::Value> {
    read(name).map(|bytes| serde_json::from_slice(&bytes).expect("JSON"))
}

/// So many cases of a property, and no files of failures beside the sources.
pub(crate) fn cases(cases: u32) -> proptest::prelude::ProptestConfig {
    proptest::prelude::ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}
