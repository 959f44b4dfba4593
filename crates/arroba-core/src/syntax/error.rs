use thiserror::Error;

/// Why some text is not of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("invalid {format}: {reason}")]
pub struct SyntaxError {
    format: &'static str,
    reason: &'static str,
}

impl SyntaxError {
    pub(crate) const fn new(format: &'static str, reason: &'static str) -> Self {
        Self { format, reason }
    }

    /// The name of the format, as Lexicon spells it: `did`, `handle`, `at-uri` and so on.
    pub const fn format(&self) -> &'static str {
        self.format
    }

    /// What is wrong, a fragment of a sentence.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}
