//! What errors say: fragments in lower case that fit behind "failed to ..: ", with their causes kept apart.

use std::error::Error;

use arroba_core::car::{self, CarError, Limits};
use arroba_core::data::{BlobRef, Cid, CidError, Link, Map, Value, cbor, json, record};
use arroba_core::event::{Frame, FrameError};
use arroba_core::mst::Key;
use arroba_core::repo::verify::VerifyError;
use arroba_core::syntax::{
    AtUri, Datetime, Did, Handle, Language, Nsid, RecordKey, RecordPath, SyntaxError, Tid,
};

/// The message and those of its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text} <- {error}");
        cause = error.source();
    }
    text
}

#[test]
fn messages() {
    let cid = Cid::for_cbor(&[0xa0]);
    let key = Key::try_from("a.b.c/x").unwrap();
    let did = Did::literal("did:web:a.test");
    let cases: Vec<(Box<dyn Error>, &str)> = vec![
        (Box::new(Did::parse("did:Web:a").unwrap_err()), "invalid did: no method in lower-case letters"),
        (Box::new(Handle::parse("alice").unwrap_err()), "invalid handle: fewer than two labels"),
        (Box::new(Nsid::parse("a.b").unwrap_err()), "invalid nsid: fewer than three segments"),
        (Box::new(Tid::parse("x").unwrap_err()), "invalid tid: not 13 characters"),
        (Box::new(RecordKey::parse("..").unwrap_err()), "invalid record-key: is . or .."),
        (Box::new(RecordPath::parse("a.b.c").unwrap_err()), "invalid record path: no slash"),
        (Box::new(AtUri::parse("at:a").unwrap_err()), "invalid at-uri: does not begin with at://"),
        (Box::new(Datetime::parse("2024-02-30T00:00:00Z").unwrap_err()), "invalid datetime: no such day"),
        (Box::new(Language::parse("x").unwrap_err()), "invalid language: no private subtag"),
        (Box::new(Cid::parse("x").unwrap_err()), "not a CID in base32"),
        (Box::new(Link::from_bytes(&[]).unwrap_err()), "not a CIDv1 of an accepted form"),
        (
            Box::new(cbor::decode(&[0x81, 0x18, 0x01]).unwrap_err()),
            "integer not in its shortest form at byte 1",
        ),
        (
            Box::new(json::from_str("{\"a\":1,\"a\":2}").unwrap_err()),
            "invalid json: duplicate key \"a\" at line 1 column 13",
        ),
        (
            Box::new(json::from_json_value(&serde_json::json!({ "$link": 1 })).unwrap_err()),
            "malformed $link object",
        ),
        (Box::new(record::check(&Value::Null).unwrap_err()), "record is not an object"),
        (Box::new(BlobRef::from_map(&Map::new()).unwrap_err()), "blob reference without $type"),
        (Box::new(car::read_all(&[], &Limits::SLICE).unwrap_err()), "car file ends early"),
        (
            Box::new(car::read_all(&[1, 0xa0], &Limits::SLICE).unwrap_err()),
            "malformed car header <- missing field roots at byte 1",
        ),
        (
            Box::new(CarError::Cid(CidError::Form)),
            "unsupported cid in car file <- not a CIDv1 of an accepted form",
        ),
        (Box::new(CarError::TooLarge(5)), "car file larger than 5 bytes"),
        (Box::new(Frame::decode(&[]).unwrap_err()), "malformed frame <- input ends early at byte 0"),
        (Box::new(FrameError::Missing("seq")), "frame without seq"),
        (
            Box::new(FrameError::from(Did::parse("x").unwrap_err())),
            "malformed field in frame <- invalid did: does not begin with did:",
        ),
        (Box::new(VerifyError::from(FrameError::TooManyOps)), "more than 200 operations"),
        (Box::new(VerifyError::Owner(did)), "commit belongs to did:web:a.test"),
        (
            Box::new(VerifyError::Insufficient(key.clone())),
            "blocks do not suffice to undo the operation on a.b.c/x",
        ),
        (
            Box::new(VerifyError::PrevData { said: None, found: cid }),
            "undoing the operations gives bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua, not the previous tree",
        ),
        (
            Box::new(VerifyError::Path {
                key,
                source: Some(SyntaxError::clone(&Nsid::parse("a").unwrap_err())),
            }),
            "a.b.c/x is not a record path <- invalid nsid: fewer than three segments",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(chain(&*error), expected);
        assert!(!expected.ends_with('.') || expected.ends_with(".."), "{expected}");
    }
}
