//! The log of a server: lines on standard output, filtered by `RUST_LOG`.

use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log. Called once, by the commands that serve.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    fmt().with_env_filter(filter).with_ansi(io::stdout().is_terminal()).with_target(false).init();
}
