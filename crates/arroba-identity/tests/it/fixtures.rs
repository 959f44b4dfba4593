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
