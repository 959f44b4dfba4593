//! How the command speaks: results on standard output, everything else on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write};

/// Prints an error and its causes, one a line.
pub(crate) fn report(error: &anyhow::Error) {
    let mut out = io::stderr().lock();
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(out, "error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(out, "  because: {cause}");
    }
}

/// Prints a line on standard output. A closed pipe ends the command quietly, as for any filter.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?)
}

/// A bar for work of a known size in bytes. Drawn on standard error, and only when that is a terminal.
pub(crate) fn bytes_bar(total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// A spinner with a count, for work whose size is not known.
pub(crate) fn counter(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what)
}

/// Says something to whoever watches.
pub(crate) fn notice(text: &str) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
