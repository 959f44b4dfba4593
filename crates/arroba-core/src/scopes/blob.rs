use super::{ScopeError, ScopeText, text::read};
use crate::syntax::SyntaxError;
use std::collections::BTreeSet;
use std::fmt;

/// Uploading blobs: `blob:image/*`.
///
/// Spec: <https://atproto.com/specs/permission#blob>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobScope {
    accept: BTreeSet<MediaRange>,
}

impl BlobScope {
    pub(super) const RESOURCE: &str = "blob";

    /// Blobs of these types; `None` if there are none. What another one of them covers is left out.
    pub fn new(accept: impl IntoIterator<Item = MediaRange>) -> Option<Self> {
        let mut accept: BTreeSet<MediaRange> = accept.into_iter().collect();
        let all = accept.clone();
        accept.retain(|range| !all.iter().any(|other| other != range && other.covers(range)));
        (!accept.is_empty()).then_some(Self { accept })
    }

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["accept"])?;
        let ranges = text.main_values("accept").map(|value| read("accept", value, MediaRange::parse));
        Self::new(ranges.collect::<Result<Vec<_>, _>>()?).ok_or(ScopeError::Missing("accept"))
    }

    /// Which types.
    pub const fn accept(&self) -> &BTreeSet<MediaRange> {
        &self.accept
    }

    /// Whether it allows a blob of this type.
    pub fn allows(&self, media_type: &MediaType) -> bool {
        self.accept.iter().any(|range| range.contains(media_type))
    }
}

impl fmt::Display for BlobScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        ScopeText::of(Self::RESOURCE).main("accept", &self.accept).fmt(out)
    }
}

/// Media types: `*/*`, `type/*` or exactly one, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaRange(String);

impl MediaRange {
    /// Reads a range of any case.
    ///
    /// # Errors
    /// If it is none: a `*` stands for a whole part, and not for the first alone.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let of = |text: &str| match text.split_once('/') {
            Some(("*", "*")) => true,
            Some((kind, "*")) => is_token(kind),
            _ => is_media_type(text),
        };
        if of(text) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(SyntaxError::new("media range", "not of the form */*, type/* or type/subtype"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the type is among them.
    pub fn contains(&self, media_type: &MediaType) -> bool {
        self.holds(&media_type.0)
    }

    fn covers(&self, other: &Self) -> bool {
        self.holds(&other.0)
    }

    fn holds(&self, text: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some("*/") => true,
            // With its slash, so that `image/*` does not hold `imagery/png`.
            Some(kind) if kind.ends_with('/') => text.starts_with(kind),
            _ => self.0 == text,
        }
    }
}

impl fmt::Display for MediaRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// One media type, in lower case and without parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(String);

impl MediaType {
    /// Reads the value of a header `Content-Type`; parameters behind `;` are dropped.
    ///
    /// # Errors
    /// If it is no media type.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let text = text.split(';').next().unwrap_or_default().trim_ascii();
        if is_media_type(text) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(SyntaxError::new("media type", "not of the form type/subtype"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl From<MediaType> for MediaRange {
    fn from(media_type: MediaType) -> Self {
        Self(media_type.0)
    }
}

fn is_media_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// A token of RFC 9110, but for the `*`, which means something else here.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let svg = MediaType::parse(" Image/SVG+xml ; charset=utf-8").unwrap();
        assert_eq!(svg.as_str(), "image/svg+xml");
        for (range, holds) in [
            ("*/*", true),
            ("image/*", true),
            ("IMAGE/svg+XML", true),
            ("image/svg", false),
            ("text/*", false),
            ("imag/*", false),
        ] {
            assert_eq!(MediaRange::parse(range).unwrap().contains(&svg), holds, "{range}");
        }
        for bad in
            ["", "*", "/", "*/png", "image/", "/png", "image/**", "image/*p", "a/b/c", "a b/c", "a/b;c=d"]
        {
            assert!(MediaRange::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "image", "image/*", "*/*", "; a=b"] {
            assert!(MediaType::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_covered_is_left_out() {
        let scope = |text: &str| BlobScope::from_text(&ScopeText::parse(text).unwrap()).unwrap().to_string();
        assert_eq!(
            scope("blob?accept=image/png&accept=image/*&accept=text/x"),
            "blob?accept=image/*&accept=text/x"
        );
        assert_eq!(scope("blob?accept=image/png&accept=*/*"), "blob:*/*");
    }
}
