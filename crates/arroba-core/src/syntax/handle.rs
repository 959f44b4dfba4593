use super::SyntaxError;
use super::text::{Text, text_type};

text_type! {
    /// A handle: a domain name of at least two labels, kept in lower case.
    ///
    /// Spec: <https://atproto.com/specs/handle>
    Handle
}

impl Handle {
    /// The longest text.
    pub const MAX_LENGTH: usize = 253;

    /// The marker that stands where a handle does not resolve, `handle.invalid`: for output only.
    pub const INVALID: Self = Self(Text::Static("handle.invalid"));

    /// Reads a handle of any case; it is kept in lower case.
    ///
    /// # Errors
    /// If it is no handle.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        check(text.as_bytes()).map_err(|reason| SyntaxError::new("handle", reason))?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The value of a literal, for constants.
    ///
    /// # Panics
    /// If it is no handle in lower case; in a constant that is an error when compiling.
    pub const fn literal(text: &'static str) -> Self {
        assert!(check(text.as_bytes()).is_ok(), "invalid handle");
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(!bytes[i].is_ascii_uppercase(), "handle literals are in lower case");
            i += 1;
        }
        Self(Text::Static(text))
    }

    /// The labels from left to right.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.as_str().split('.')
    }

    /// The last label.
    pub fn top_level_domain(&self) -> &str {
        self.labels().next_back().unwrap_or_default()
    }

    /// Whether the top-level domain is one that no handle can ever resolve under, so that resolving and
    /// registering must fail: `.alt`, `.arpa`, `.example`, `.internal`, `.invalid`, `.local`, `.localhost`,
    /// `.onion`. (`.test` is for development, which is the caller's decision.)
    pub fn is_disallowed_domain(&self) -> bool {
        matches!(
            self.top_level_domain(),
            "alt" | "arpa" | "example" | "internal" | "invalid" | "local" | "localhost" | "onion"
        )
    }
}

/// Checks one label of a domain name from `start` to `end`.
pub(super) const fn check_label(text: &[u8], start: usize, end: usize) -> Result<(), &'static str> {
    if end - start == 0 {
        return Err("empty label");
    }
    if end - start > 63 {
        return Err("label longer than 63 characters");
    }
    let mut i = start;
    while i < end {
        if !(text[i].is_ascii_alphanumeric() || text[i] == b'-') {
            return Err("character that is not allowed");
        }
        i += 1;
    }
    if text[start] == b'-' || text[end - 1] == b'-' {
        return Err("label begins or ends with a hyphen");
    }
    Ok(())
}

const fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > Handle::MAX_LENGTH {
        return Err("longer than 253 characters");
    }
    let (mut labels, mut start, mut i) = (0, 0, 0);
    while i <= text.len() {
        if i == text.len() || text[i] == b'.' {
            if let Err(reason) = check_label(text, start, i) {
                return Err(reason);
            }
            labels += 1;
            if i < text.len() {
                start = i + 1;
            }
        }
        i += 1;
    }
    if labels < 2 {
        return Err("fewer than two labels");
    }
    if !text[start].is_ascii_alphabetic() {
        return Err("top-level domain does not begin with a letter");
    }
    Ok(())
}

/// A [`Handle`](crate::syntax::Handle) that is checked when compiling; it must be in lower case.
#[macro_export]
macro_rules! handle {
    ($text:literal) => {
        const { $crate::syntax::Handle::literal($text) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lower_case() {
        assert_eq!(Handle::parse("Alice.Example.COM"), Ok(handle!("alice.example.com")));
        assert!(handle!("alice.example").is_disallowed_domain());
        assert!(!handle!("alice.test").is_disallowed_domain());
    }
}
