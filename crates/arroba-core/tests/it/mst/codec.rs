//! The node codec: there is one encoding of a node, and nothing else is read.

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Entry, Expect, Key, MAX_WIDTH, MstError, NodeData};

use super::mine::mine;
use crate::it::random::Random;

/// An entry as it is written, right or wrong.
struct Raw<'a> {
    suffix: &'a [u8],
    shared: u8,
    right: Option<Cid>,
}

fn raw(suffix: &str, shared: u8) -> Raw<'_> {
    Raw { suffix: suffix.as_bytes(), shared, right: None }
}

fn link(cid: Option<Cid>) -> Vec<u8> {
    cid.map_or_else(|| vec![0xf6], |cid| [&[0xd8, 0x2a, 0x58, 0x25, 0], &cid.as_bytes()[..]].concat())
}

/// Encodes without checking anything. Lengths are below 24.
fn node(left: Option<Cid>, entries: &[Raw<'_>]) -> Vec<u8> {
    let mut out = vec![0xa2, 0x61, b'e', 0x80 | u8::try_from(entries.len()).unwrap()];
    for entry in entries {
        out.extend([0xa4, 0x61, b'k', 0x40 | u8::try_from(entry.suffix.len()).unwrap()]);
        out.extend(entry.suffix);
        out.extend([0x61, b'p', entry.shared, 0x61, b't']);
        out.extend(link(entry.right));
        out.extend([0x61, b'v']);
        out.extend(link(Some(value())));
    }
    out.extend([0x61, b'l']);
    out.extend(link(left));
    out
}

fn value() -> Cid {
    Cid::for_cbor(b"value")
}

fn child() -> Cid {
    Cid::for_cbor(b"child")
}

fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

const BOTTOM: Expect<'static> = Expect::child(0, b"", None);

#[test]
fn reads_what_it_writes() {
    let mut random = Random::new(3);
    let foreign = Link::from_bytes(&[&[1, 0x55, 0x12, 0x20][..], &[9; 32]].concat()).unwrap();
    let blake = Link::from_bytes(&[&[1, 0x71, 0xb2, 0x20, 0x20][..], &[9; 32]].concat());
    for width in [1, 2, 23, 24, 25, 255, 256, 257, 1000] {
        let keys = mine(0, width, "app.bsky.feed.post/");
        let entries = keys
            .iter()
            .map(|key| Entry {
                key: key.clone(),
                value: match random.below(3) {
                    0 => value().into(),
                    1 => foreign.clone(),
                    _ => blake.clone().unwrap_or_else(|_| foreign.clone()),
                },
                right: None,
            })
            .collect();
        let node = NodeData { height: 0, left: None, entries };
        assert_eq!(NodeData::decode(&node.encode(), Expect::root(None)).unwrap(), node);
        assert_eq!(NodeData::decode(&node.encode(), BOTTOM).unwrap(), node);
    }
    let long = mine(1, 2, &"x".repeat(1000));
    let entries: Vec<_> = long
        .iter()
        .map(|key| Entry { key: key.clone(), value: value().into(), right: Some(child()) })
        .collect();
    let node = NodeData { height: 1, left: Some(child()), entries };
    assert_eq!(NodeData::decode(&node.encode(), Expect::root(Some(1))).unwrap(), node);
}

/// Whatever bytes are accepted, they are the ones that encoding gives. Tried on every byte of real nodes,
/// changed in every bit, and on every truncation.
#[test]
fn accepts_only_the_canonical_bytes() {
    let keys = mine(1, 6, "app.bsky.feed.post/");
    let entries = keys.iter().enumerate().map(|(i, key)| Entry {
        key: key.clone(),
        value: value().into(),
        right: (i % 2 == 0).then(child),
    });
    let node = NodeData { height: 1, left: Some(child()), entries: entries.collect() };
    let bytes = node.encode();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        assert!(NodeData::decode(&bytes[..at], Expect::root(None)).is_err());
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = NodeData::decode(&changed, Expect::root(None)) {
                assert_ne!(other, node);
                assert_eq!(other.encode(), changed);
                accepted += 1;
            }
        }
    }
    // The digests of values and children may be any.
    assert!(accepted >= 10 * 32 * 8, "{accepted}");
}

#[test]
fn refuses_other_encodings() {
    let good = node(None, &[raw("asdf", 0)]);
    assert_eq!(good, NodeData::decode(&good, BOTTOM).unwrap().encode());
    let splice = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("is there");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    for bad in [
        [&good[..], &[0]].concat(),
        splice(&[0x61, b'e', 0x81], &[0x61, b'e', 0x98, 1]),
        splice(&[0x61, b'e', 0x81], &[0x61, b'e', 0x9f]),
        splice(&[0x61, b'e', 0x81], &[0x61, b'e', 0x99, 0, 1]),
        splice(&[0x61, b'e', 0x81], &[0x61, b'e', 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        splice(&[0x44, b'a'], &[0x58, 4, b'a']),
        splice(&[0x44, b'a'], &[0x64, b'a']),
        splice(&[0x61, b'p', 0], &[0x61, b'p', 0x18, 0]),
        splice(&[0x61, b'p', 0], &[0x61, b'p', 0x20]),
        splice(&[0x61, b't', 0xf6], &[]),
        splice(&[0x61, b'l', 0xf6], &[]),
        splice(&[0xa4], &[0xa3]),
        splice(&[0xd8, 0x2a, 0x58, 0x25, 0], &[0x58, 0x25, 0]),
        splice(&[0xd8, 0x2a], &[0xd9, 0, 0x2a]),
        splice(&[0xd8, 0x2a, 0x58, 0x25, 0, 1], &[0xd8, 0x2a, 0x58, 0x24, 1]),
        splice(&[0xd8, 0x2a, 0x58, 0x25, 0, 1], &[0xd8, 0x2a, 0x58, 0x25, 1, 1]),
        node(None, &[raw("asdf", 1)]),
        Vec::new(),
        vec![0xa0],
        vec![0x80],
    ] {
        let error = NodeData::decode(&bad, BOTTOM).unwrap_err();
        assert!(matches!(error, MstError::Malformed { .. }), "{error} for {bad:02x?}");
    }
    // A child is a block of CBOR, never raw.
    let raw_child = node(Some(Cid::for_raw(b"x")), &[raw("blue", 0)]);
    assert!(matches!(NodeData::decode(&raw_child, Expect::root(None)), Err(MstError::Malformed { .. })));
}

#[test]
fn refuses_what_no_tree_has() {
    let cid = Some(child());
    let root = Expect::root(None);
    let [top, beyond] = ["c", "d", "e", "f", "g", "h", "i"]
        .into_iter()
        .filter(|text| key(text).height() == 0)
        .take(2)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let bounded = Expect::child(0, b"asdf", Some(top.as_bytes()));
    let [a, b]: [Key; 2] = mine(0, 2, "a/").try_into().unwrap();
    let text = |key: &Key| String::from_utf8(key.as_bytes().to_vec()).unwrap();
    let (a, b, z) = (text(&a), text(&b), text(&mine(0, 1, "z")[0]));
    let shared = u8::try_from(arroba_core::mst::common_prefix(a.as_bytes(), b.as_bytes())).unwrap();
    let tail = |shared: u8| &b[usize::from(shared)..];
    for (bytes, expect, error) in [
        (node(None, &[raw(&a, 0), raw(tail(shared - 1), shared - 1)]), root, MstError::Prefix(key(&b))),
        (node(None, &[raw(&a, 0), raw(&b, 0)]), root, MstError::Prefix(key(&b))),
        (node(None, &[raw(&b, 0), raw(&a[usize::from(shared)..], shared)]), root, MstError::Order(key(&a))),
        (node(None, &[raw("asdf", 0), raw("", 4)]), root, MstError::Order(key("asdf"))),
        (node(None, &[raw("asdf", 0), raw("", 3)]), root, MstError::Order(key("asd"))),
        (node(None, &[raw("asdf", 0)]), bounded, MstError::Order(key("asdf"))),
        (node(None, &[raw("2653ae71", 0)]), bounded, MstError::Order(key("2653ae71"))),
        (node(None, &[raw(top, 0)]), bounded, MstError::Order(key(top))),
        (node(None, &[raw(beyond, 0)]), bounded, MstError::Order(key(beyond))),
        (node(None, &[raw("blue", 0)]), BOTTOM, MstError::KeyHeight { key: key("blue"), height: 1, at: 0 }),
        (
            node(None, &[raw("asdf", 0)]),
            Expect::child(1, b"", None),
            MstError::KeyHeight { key: key("asdf"), height: 0, at: 1 },
        ),
        (
            node(None, &[raw("blue", 0), raw(&z, 0)]),
            root,
            MstError::KeyHeight { key: key(&z), height: 0, at: 1 },
        ),
        (node(cid, &[raw("asdf", 0)]), root, MstError::BelowBottom),
        (node(None, &[Raw { right: cid, ..raw("asdf", 0) }]), root, MstError::BelowBottom),
        (node(cid, &[]), BOTTOM, MstError::BelowBottom),
        (node(cid, &[]), root, MstError::EmptyNode),
        (node(cid, &[]), Expect::root(Some(1)), MstError::EmptyNode),
        (node(None, &[]), Expect::root(Some(1)), MstError::EmptyNode),
        (node(None, &[]), BOTTOM, MstError::EmptyNode),
        (node(None, &[]), Expect::child(3, b"", None), MstError::EmptyNode),
        (node(cid, &[]), Expect::child(33, b"", None), MstError::TooTall(33)),
        (node(None, &[raw("", 0)]), Expect::root(None), MstError::KeyLength(0)),
        (node(None, &[raw("asdf", 0), raw("x", 5)]), root, MstError::Malformed { at: 65 }),
    ] {
        let found = NodeData::decode(&bytes, expect).unwrap_err();
        if let MstError::Malformed { .. } = error {
            assert!(matches!(found, MstError::Malformed { .. }), "{found}");
        } else {
            assert_eq!(found, error);
        }
    }
    assert!(NodeData::decode(&node(cid, &[]), Expect::child(1, b"", None)).is_ok());
    assert!(NodeData::decode(&node(None, &[]), root).is_ok());
}

#[test]
fn width_is_bounded_before_anything_is_allocated() {
    let too_wide = |width| Err(MstError::TooWide { width, limit: MAX_WIDTH });
    let claim = [0xa2, 0x61, b'e', 0x99, 0xff, 0xff];
    assert_eq!(NodeData::decode(&claim, BOTTOM), too_wide(65_535));
    let keys = mine(0, MAX_WIDTH + 1, "a/");
    let entries: Vec<_> =
        keys.into_iter().map(|key| Entry { key, value: value().into(), right: None }).collect();
    let node = NodeData { height: 0, left: None, entries };
    assert_eq!(NodeData::decode(&node.encode(), BOTTOM), too_wide(1_001));
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(4);
    let good = node(Some(child()), &[raw("blue", 0), Raw { right: Some(child()), ..raw("z", 0) }]);
    for _ in 0..200_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        if let Ok(node) = NodeData::decode(&bytes, Expect::root(None)) {
            assert_eq!(node.encode(), bytes);
        }
    }
}
