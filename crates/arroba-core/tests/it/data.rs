//! The data model: vectors, hostile encodings, round trips.

use std::borrow::Cow;

use arroba_core::data::cbor::{self, CborErrorKind};
use arroba_core::data::{Cid, Link, MAX_DEPTH, Map, Value, json, record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::*;

use super::fixtures;

#[test]
fn data_model_fixtures() {
    let Some(cases) = fixtures::json("atproto-interop-tests/data-model/data-model-fixtures.json") else {
        return;
    };
    let mut assertions = 0;
    for case in cases.as_array().unwrap() {
        let text = case["json"].to_string();
        let bytes = STANDARD_NO_PAD.decode(case["cbor_base64"].as_str().unwrap()).unwrap();
        let cid = case["cid"].as_str().unwrap();
        let from_text = json::from_str(&text).unwrap();
        assert_eq!(cbor::encode(&from_text), bytes);
        assert_eq!(json::from_json_value(&case["json"]).unwrap(), from_text);
        assert_eq!(cbor::decode(&bytes).unwrap(), from_text);
        assert_eq!(Cid::for_cbor(&bytes).to_string(), cid);
        assert_eq!(json::to_json(&from_text), case["json"]);
        let mut direct = Vec::new();
        json::from_cbor(&bytes, &mut direct).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&direct).unwrap(), case["json"]);
        assertions += 6;
    }
    println!("vectors: data model: {assertions} assertions");
    assert_eq!(assertions, 18);
}

#[test]
fn data_model_valid_and_invalid() {
    let mut assertions = 0;
    for (name, valid) in [("data-model-valid", true), ("data-model-invalid", false)] {
        let Some(cases) = fixtures::json(&format!("atproto-interop-tests/data-model/{name}.json")) else {
            return;
        };
        for case in cases.as_array().unwrap() {
            let text = case["json"].to_string();
            let accepted = json::from_str(&text).is_ok_and(|value| record::check(&value).is_ok());
            assert_eq!(accepted, valid, "{}", case["note"]);
            let accepted =
                json::from_json_value(&case["json"]).is_ok_and(|value| record::check(&value).is_ok());
            assert_eq!(accepted, valid, "{}", case["note"]);
            assertions += 2;
        }
    }
    println!("vectors: data model validity: {assertions} assertions");
    assert_eq!(assertions, 34);
}

#[test]
fn real_records_keep_their_bytes() {
    let mut assertions = 0;
    for name in ["indigo/repos/feedpost_record.cbor", "indigo/repos/post_richtext_link.cbor"] {
        let Some(bytes) = fixtures::read(name) else { return };
        let value = cbor::decode(&bytes).unwrap();
        assert_eq!(cbor::encode(&value), bytes, "{name}");
        record::check(&value).unwrap();
        let mut text = Vec::new();
        json::write(&value, &mut text);
        assert_eq!(cbor::encode(&json::from_slice(&text).unwrap()), bytes, "{name}");
        assertions += 3;
    }
    println!("vectors: records: {assertions} assertions");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

#[test]
fn departures_from_the_canonical_form_are_refused() {
    use CborErrorKind as K;
    let link = |head: &str, digest: usize| format!("{head}{}", "11".repeat(digest));
    let cases = [
        ("", K::Truncated),
        ("a2 6161 00 6161 00", K::DuplicateKey),
        ("a2 6162 00 6161 00", K::KeyOrder),
        ("a2 626161 00 6162 00", K::KeyOrder),
        ("a3 6161 00 6162 00 6161 00", K::KeyOrder),
        ("a1 00 00", K::KeyNotText),
        ("a1 4161 00", K::KeyNotText),
        ("a1 f6 00", K::KeyNotText),
        ("1800", K::NotShortest),
        ("1817", K::NotShortest),
        ("3817", K::NotShortest),
        ("1900ff", K::NotShortest),
        ("1a0000ffff", K::NotShortest),
        ("1b00000000ffffffff", K::NotShortest),
        ("7800", K::NotShortest),
        ("580161", K::NotShortest),
        ("9800", K::NotShortest),
        ("b800", K::NotShortest),
        ("5fff", K::Indefinite),
        ("7fff", K::Indefinite),
        ("9fff", K::Indefinite),
        ("bfff", K::Indefinite),
        ("ff", K::Indefinite),
        ("81ff", K::Indefinite),
        ("1c", K::Reserved),
        ("5d", K::Reserved),
        ("fc", K::Reserved),
        ("f93e00", K::Float),
        ("fa3fc00000", K::Float),
        ("fb3ff8000000000000", K::Float),
        ("f97e00", K::Float),
        ("f7", K::Simple),
        ("f0", K::Simple),
        ("f820", K::Simple),
        ("f814", K::Simple),
        ("1b8000000000000000", K::IntegerRange),
        ("1bffffffffffffffff", K::IntegerRange),
        ("3b8000000000000000", K::IntegerRange),
        ("3bffffffffffffffff", K::IntegerRange),
        ("c11a514b67b0", K::Tag(1)),
        ("c240", K::Tag(2)),
        ("d9d9f7a0", K::Tag(55799)),
        ("62c328", K::Utf8),
        ("61ff", K::Utf8),
        ("63eda080", K::Utf8),
        ("0000", K::Trailing),
        ("a000", K::Trailing),
        ("81", K::Truncated),
        ("6261", K::Truncated),
        ("9bffffffffffffffff", K::Truncated),
        ("9b0000010000000000", K::Truncated),
        ("bb0000010000000000", K::Truncated),
        ("5b7fffffffffffffff", K::Truncated),
        ("7b0000000100000000", K::Truncated),
        ("a26161", K::Truncated),
    ];
    for (bytes, expected) in cases {
        let bytes = hex(bytes);
        assert_eq!(cbor::decode(&bytes).unwrap_err().kind(), &expected, "{bytes:02x?}");
        assert_eq!(cbor::check(&bytes).unwrap_err().kind(), &expected, "{bytes:02x?}");
        let mut out = b"kept".to_vec();
        assert_eq!(json::from_cbor(&bytes, &mut out).unwrap_err().kind(), &expected, "{bytes:02x?}");
        assert_eq!(out, b"kept");
    }
    for bytes in [
        link("d9002a 582500 01711220", 32),
        link("d82a 782500 01711220", 32),
        link("d82a 5824 01711220", 32),
        link("d82a 582500 01711220", 31),
        link("d82a 582300 1220", 32),
        "d82a 40".into(),
        "d82a 4100".into(),
        "d82a 00".into(),
        "c0 00".into(),
    ] {
        assert!(cbor::decode(&hex(&bytes)).is_err(), "{bytes}");
        assert!(cbor::check(&hex(&bytes)).is_err(), "{bytes}");
    }
}

#[test]
fn foreign_links_are_kept_exactly() {
    for head in ["d82a 582500 01701220", "d82a 582500 01711620", "d82a 582500 01711e20"] {
        let bytes = hex(&format!("{head}{}", "22".repeat(32)));
        let value = cbor::decode(&bytes).unwrap();
        assert!(matches!(&value, Value::Link(Link::Foreign(_))));
        assert_eq!(cbor::encode(&value), bytes);
        let mut text = Vec::new();
        json::write(&value, &mut text);
        assert_eq!(json::from_slice(&text).unwrap(), value);
        assert_eq!(cbor::check(&bytes).unwrap(), [value.as_link().unwrap().clone()]);
    }
}

#[test]
fn nesting_is_bounded() {
    for (opening, closing, json_opening, json_closing) in
        [("81", "00", "[", "0"), ("a16161", "00", "{\"a\":", "0")]
    {
        for depth in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 1000, 100_000] {
            let bytes = hex(&format!("{}{closing}", opening.repeat(depth)));
            let fits = depth <= MAX_DEPTH;
            assert_eq!(cbor::decode(&bytes).is_ok(), fits, "{depth}");
            assert_eq!(cbor::check(&bytes).is_ok(), fits, "{depth}");
            assert_eq!(json::from_cbor(&bytes, &mut Vec::new()).is_ok(), fits, "{depth}");
            let close = if json_opening == "[" { "]" } else { "}" };
            let text = format!("{}{json_closing}{}", json_opening.repeat(depth), close.repeat(depth));
            assert_eq!(json::from_str(&text).is_ok(), fits, "{depth}");
        }
    }
}

/// Links and bytes are objects in JSON, but no containers: whatever decodes can be written and read back.
#[test]
fn links_at_the_greatest_depth() {
    for leaf in [Value::from(Cid::for_raw(b"x")), Value::Bytes(Cow::Borrowed(b"x")), Value::Null] {
        for wrap in [|inner| Value::from(vec![inner]), |inner| Map::from_iter([("a", inner)]).into()] {
            let mut value: Value<'_> = leaf.clone();
            for _ in 0..MAX_DEPTH {
                value = wrap(value);
            }
            let bytes = cbor::encode(&value);
            assert_eq!(cbor::decode(&bytes).unwrap(), value);
            let mut text = Vec::new();
            json::from_cbor(&bytes, &mut text).unwrap();
            assert_eq!(json::from_slice(&text).unwrap(), value);
            assert_eq!(json::from_json_value(&json::to_json(&value)).unwrap(), value);
            let deeper = wrap(value);
            let mut text = Vec::new();
            json::write(&deeper, &mut text);
            assert!(json::from_slice(&text).is_err());
            assert!(json::from_json_value(&json::to_json(&deeper)).is_err());
            assert!(cbor::decode(&cbor::encode(&deeper)).is_err());
        }
    }
}

#[test]
fn containers_are_bounded() {
    let list = |n: u32| [&[0x9a][..], &n.to_be_bytes(), &vec![0xf6; n as usize]].concat();
    assert!(cbor::decode(&list(131_072)).is_ok());
    assert_eq!(cbor::decode(&list(131_073)).unwrap_err().kind(), &CborErrorKind::TooManyElements);
    assert_eq!(cbor::check(&list(131_073)).unwrap_err().kind(), &CborErrorKind::TooManyElements);
}

#[test]
fn json_rules() {
    for text in [
        "1.5",
        "1e-1",
        "9223372036854775808",
        "-9223372036854775809",
        "1e300",
        "1e19",
        "NaN",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"$link\":\"x\",\"$link\":\"x\"}",
        "{\"$bytes\":\"a\"}",
        "{\"$bytes\":\"_-__\"}",
        "{\"$bytes\":1}",
        "{\"$bytes\":\"\",\"a\":1}",
        "[1",
        "1 2",
        "{\"$link\":{}}",
        "\"\\ud800\"",
        "",
    ] {
        assert!(json::from_str(text).is_err(), "{text}");
    }
    for (text, expected) in [
        ("123.0", Value::Int(123)),
        ("1e3", Value::Int(1000)),
        ("-0", Value::Int(0)),
        ("-0.0", Value::Int(0)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("-9223372036854775808", Value::Int(i64::MIN)),
        ("9007199254740993", Value::Int(9_007_199_254_740_993)),
        ("{\"$bytes\":\"YQ==\"}", Value::Bytes(Cow::Borrowed(b"a"))),
        ("{\"$bytes\":\"YQ\"}", Value::Bytes(Cow::Borrowed(b"a"))),
        ("{\"$bytes\":\"YR\"}", Value::Bytes(Cow::Borrowed(b"a"))),
        ("{\"$bytes\":\"\"}", Value::Bytes(Cow::Borrowed(b""))),
        ("\"\\u00e9\\n\"", Value::from("\u{e9}\n")),
    ] {
        assert_eq!(json::from_str(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn records_refuse_what_json_would_misread() {
    for (key, ok) in [("$link", false), ("$bytes", false), ("", false), ("$other", true)] {
        let map: Map<'_> = [(key, Value::Int(1))].into_iter().collect();
        assert_eq!(record::check(&map.into()).is_ok(), ok, "{key}");
    }
    assert!(record::check(&Value::Int(1)).is_err());
    let mut deep = Value::Null;
    for _ in 0..MAX_DEPTH {
        deep = Map::from_iter([("a", deep)]).into();
    }
    assert!(record::check(&deep).is_ok());
    assert!(record::check(&Map::from_iter([("a", deep)]).into()).is_err());
}

fn values() -> impl Strategy<Value = Value<'static>> {
    let text = prop_oneof!["[a-c]{0,3}", any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0u32..64, any::<i64>()).prop_map(|(shift, n)| Value::Int(n >> shift)),
        text.clone().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<[u8; 4]>().prop_map(|bytes| Value::from(Cid::for_raw(&bytes))),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        let key = text.clone().prop_map(|key| key.replace('$', "_"));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

/// The obvious way to encode, written from the rules alone.
fn slow_encode(value: &Value<'_>) -> Vec<u8> {
    fn head(major: u8, n: u64) -> Vec<u8> {
        let bytes = n.to_be_bytes();
        let (low, length) = match n {
            0..=23 => return vec![major << 5 | n as u8],
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        [&[major << 5 | low][..], &bytes[8 - length..]].concat()
    }
    match value {
        Value::Null => vec![0xf6],
        Value::Bool(false) => vec![0xf4],
        Value::Bool(true) => vec![0xf5],
        Value::Int(n) if *n >= 0 => head(0, *n as u64),
        Value::Int(n) => head(1, (-1 - i128::from(*n)) as u64),
        Value::Text(text) => [head(3, text.len() as u64), text.as_bytes().to_vec()].concat(),
        Value::Bytes(bytes) => [head(2, bytes.len() as u64), bytes.to_vec()].concat(),
        Value::Link(link) => {
            let bytes = [&[0], link.as_bytes()].concat();
            [head(6, 42), head(2, bytes.len() as u64), bytes].concat()
        }
        Value::List(list) => {
            [head(4, list.len() as u64), list.iter().flat_map(slow_encode).collect()].concat()
        }
        Value::Map(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| (slow_encode(&key.into()), slow_encode(value))).collect();
            entries.sort();
            let body = entries.into_iter().flat_map(|(key, value)| [key, value]).flatten().collect();
            [head(5, map.len() as u64), body].concat()
        }
    }
}

proptest! {
    #![proptest_config(fixtures::cases(512))]

    #[test]
    fn round_trips(value in values()) {
        let bytes = cbor::encode(&value);
        prop_assert_eq!(&bytes, &slow_encode(&value));
        prop_assert_eq!(&cbor::decode(&bytes).unwrap(), &value);
        prop_assert_eq!(&cbor::decode(&bytes).unwrap().into_owned(), &value);
        let mut text = Vec::new();
        json::write(&value, &mut text);
        prop_assert_eq!(&json::from_slice(&text).unwrap(), &value);
        let mut direct = Vec::new();
        json::from_cbor(&bytes, &mut direct).unwrap();
        prop_assert_eq!(&direct, &text);
        let tree = json::to_json(&value);
        prop_assert_eq!(&serde_json::from_slice::<serde_json::Value>(&text).unwrap(), &tree);
        prop_assert_eq!(&json::from_json_value(&tree).unwrap(), &value);
    }

    /// Whatever is accepted is canonical, and all ways of reading agree.
    #[test]
    fn acceptance_means_canonical(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let decoded = cbor::decode(&bytes);
        prop_assert_eq!(decoded.clone().map(drop), cbor::check(&bytes).map(drop));
        prop_assert_eq!(decoded.clone().map(drop), json::from_cbor(&bytes, &mut Vec::new()));
        if let Ok(value) = decoded {
            prop_assert_eq!(cbor::encode(&value), bytes);
        }
    }

    #[test]
    fn damage_never_panics_and_never_hides(value in values(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = cbor::encode(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(value) = cbor::decode(&bytes) {
            prop_assert_eq!(cbor::encode(&value), bytes);
        }
    }
}
