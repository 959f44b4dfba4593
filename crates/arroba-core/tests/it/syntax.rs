//! The syntax vectors, and round trips.

use arroba_core::syntax::{
    AtIdentifier, AtUri, CidText, Datetime, Did, Handle, Language, Nsid, RecordKey, Tid, Uri,
};

use super::fixtures;

/// The lines of a vector file: neither trimmed, nor comments, nor empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn check(kind: &str, accepts: impl Fn(&str) -> bool) {
    let mut assertions = 0;
    for (suffix, expected) in [("syntax_valid", true), ("syntax_invalid", false), ("parse_invalid", false)] {
        let name = format!("atproto-interop-tests/syntax/{kind}_{suffix}.txt");
        if suffix == "parse_invalid" && kind != "datetime" && kind != "language" {
            continue;
        }
        let Some(text) = fixtures::text(&name) else { return };
        for line in lines(&text) {
            assert_eq!(accepts(line), expected, "{kind}: {line:?}");
            assertions += 1;
        }
    }
    println!("vectors: syntax {kind}: {assertions} assertions");
    assert!(assertions >= 10, "{kind}: only {assertions}");
}

macro_rules! vectors {
    ($name:ident, $kind:literal, $type:ty) => {
        #[test]
        fn $name() {
            check($kind, |line| {
                let parsed = <$type>::parse(line);
                if let Ok(value) = &parsed {
                    let json = serde_json::to_string(value).unwrap();
                    assert_eq!(&serde_json::from_str::<$type>(&json).unwrap(), value);
                    assert_eq!(&value.to_string().parse::<$type>().unwrap(), value);
                }
                parsed.is_ok()
            });
        }
    };
}

vectors!(at_identifiers, "atidentifier", AtIdentifier);
vectors!(at_uris, "aturi", AtUri);
vectors!(cids, "cid", CidText);
vectors!(datetimes, "datetime", Datetime);
vectors!(dids, "did", Did);
vectors!(handles, "handle", Handle);
vectors!(languages, "language", Language);
vectors!(nsids, "nsid", Nsid);
vectors!(record_keys, "recordkey", RecordKey);
vectors!(tids, "tid", Tid);
vectors!(uris, "uri", Uri);

#[test]
fn repeated_language_subtags_are_well_formed() {
    let Some(text) = fixtures::text("atproto-interop-tests/syntax/language_parse_invalid.txt") else {
        return;
    };
    for line in lines(&text) {
        assert!(Language::is_well_formed(line), "{line}");
    }
}

#[test]
fn newlines_and_spaces_are_never_trimmed() {
    for text in ["did:plc:abc\n", " did:plc:abc", "did:plc:abc "] {
        assert!(Did::parse(text).is_err());
    }
    assert!(Handle::parse("a.test\n").is_err());
    assert!(Nsid::parse("a.b.c\n").is_err());
    assert!(Tid::parse("3jzfcijpj2z2\n").is_err());
    assert!(RecordKey::parse("self\n").is_err());
    assert!(AtUri::parse("at://a.test\n").is_err());
    assert!(Datetime::parse("1985-04-12T23:20:50.123Z\n").is_err());
}

#[test]
fn literals_equal_parsed_text() {
    assert_eq!(arroba_core::nsid!("app.bsky.feed.post"), Nsid::parse("app.bsky.feed.post").unwrap());
    assert_eq!(arroba_core::did!("did:web:example.com"), Did::parse("did:web:example.com").unwrap());
    assert_eq!(arroba_core::handle!("alice.test"), Handle::parse("ALICE.test").unwrap());
    assert_eq!(arroba_core::record_key!("self"), RecordKey::parse("self").unwrap());
}
