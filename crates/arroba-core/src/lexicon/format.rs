//! The formats of strings.

use serde::Deserialize;

use crate::syntax::{
    AtIdentifier, AtUri, CidText, Datetime, Did, Handle, Language, Nsid, RecordKey, Tid, Uri,
};

/// What a string must look like.
///
/// Only the syntax is looked at: whether a DID's method is supported or a handle's domain may be used is the
/// application's business.
///
/// Spec: <https://atproto.com/specs/lexicon#string-formats>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StringFormat {
    /// A DID or a handle.
    AtIdentifier,
    /// An `at://` address.
    AtUri,
    /// A CID in any base.
    Cid,
    /// A date with time and zone.
    Datetime,
    /// A DID.
    Did,
    /// A handle.
    Handle,
    /// A language tag.
    Language,
    /// A namespaced identifier.
    Nsid,
    /// A record key.
    RecordKey,
    /// A timestamp identifier.
    Tid,
    /// Any URI.
    Uri,
}

impl StringFormat {
    /// The format's name in lexicon documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtIdentifier => "at-identifier",
            Self::AtUri => "at-uri",
            Self::Cid => "cid",
            Self::Datetime => "datetime",
            Self::Did => "did",
            Self::Handle => "handle",
            Self::Language => "language",
            Self::Nsid => "nsid",
            Self::RecordKey => "record-key",
            Self::Tid => "tid",
            Self::Uri => "uri",
        }
    }

    /// Whether a text has the format.
    #[must_use]
    pub fn admits(self, text: &str) -> bool {
        match self {
            Self::AtIdentifier => AtIdentifier::parse(text).is_ok(),
            Self::AtUri => AtUri::parse(text).is_ok(),
            Self::Cid => CidText::parse(text).is_ok(),
            Self::Datetime => Datetime::parse(text).is_ok(),
            Self::Did => Did::parse(text).is_ok(),
            Self::Handle => Handle::parse(text).is_ok(),
            Self::Language => Language::parse(text).is_ok(),
            Self::Nsid => Nsid::parse(text).is_ok(),
            Self::RecordKey => RecordKey::parse(text).is_ok(),
            Self::Tid => Tid::parse(text).is_ok(),
            Self::Uri => Uri::parse(text).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_its_own_name() {
        for format in [
            StringFormat::AtIdentifier,
            StringFormat::AtUri,
            StringFormat::Cid,
            StringFormat::Datetime,
            StringFormat::Did,
            StringFormat::Handle,
            StringFormat::Language,
            StringFormat::Nsid,
            StringFormat::RecordKey,
            StringFormat::Tid,
            StringFormat::Uri,
        ] {
            let read: StringFormat = serde_json::from_value(format.name().into()).unwrap();
            assert_eq!(read, format);
            assert!(!format.admits(""));
            assert!(!format.admits(" "));
        }
    }
}
