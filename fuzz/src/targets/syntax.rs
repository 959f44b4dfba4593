//! Identifiers and string formats.

use arroba_core::syntax::{
    AtIdentifier, AtUri, Audience, CidText, Datetime, Did, DidService, Handle, Language, Nsid, RecordKey,
    RecordPath, Tid, Uri,
};

use crate::fixtures;

/// What is accepted reads back the same; only handles change their case.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    macro_rules! same {
        ($($type:ident),*) => {
            $(if let Ok(value) = $type::parse(text) {
                assert_eq!(value.to_string(), text);
            })*
        };
    }
    same!(
        AtUri, Audience, CidText, Datetime, Did, DidService, Language, Nsid, RecordKey, RecordPath, Tid, Uri
    );
    if let Ok(handle) = Handle::parse(text) {
        assert_eq!(handle.as_str(), text.to_ascii_lowercase());
    }
    if let Ok(identifier) = AtIdentifier::parse(text) {
        assert_eq!(AtIdentifier::parse(identifier.as_str()), Ok(identifier));
    }
    if let Ok(uri) = AtUri::parse(text) {
        let _ = (uri.authority(), uri.collection(), uri.rkey(), uri.path());
    }
    if let Ok(datetime) = Datetime::parse(text)
        && let Ok(micros) = u64::try_from(datetime.unix_micros())
    {
        assert_eq!(Datetime::from_unix_micros(micros).unix_micros() / 1000, datetime.unix_micros() / 1000);
    }
    if let Ok(nsid) = Nsid::parse(text) {
        assert!(nsid.normalized().is_normalized());
        let _ = (nsid.domain(), nsid.name());
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        "did:plc:yk4dd2qkboz2yv6tpubpc6co",
        "did:web:a.test#atproto_pds",
        "alice.test",
        "app.bsky.feed.post",
        "3jzfcijpj2z2a",
        "self",
        "at://did:web:a.test/app.bsky.feed.post/3jzfcijpj2z2a",
        "2024-02-29T12:34:56.789+01:30",
        "de-CH-1901-x-a",
        "https://example.com/",
        "app.bsky.feed.post/self",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    for kind in [
        "atidentifier",
        "aturi",
        "cid",
        "datetime",
        "did",
        "handle",
        "language",
        "nsid",
        "recordkey",
        "tid",
        "uri",
    ] {
        for validity in ["valid", "invalid"] {
            seeds.extend(fixtures::lines(&format!(
                "atproto-interop-tests/syntax/{kind}_syntax_{validity}.txt"
            )));
        }
    }
    seeds.retain(|seed| seed.len() < 400);
    seeds
}
