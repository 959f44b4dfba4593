//! CIDs and links.

use arroba_core::data::{Cid, Link};

use crate::fixtures;

/// Binary and text forms are inverse.
pub fn target(data: &[u8]) {
    if let Ok(cid) = Cid::from_bytes(data) {
        assert_eq!(cid.to_bytes(), *data);
        assert_eq!(Cid::parse(&cid.to_string()), Ok(cid));
    }
    if let Ok(link) = Link::from_bytes(data) {
        assert_eq!(link.as_bytes(), data);
        assert_eq!(Link::parse(&link.to_string()), Ok(link));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(cid) = Cid::parse(text) {
        assert_eq!(cid.to_string(), text);
    }
    if let Ok(link) = Link::parse(text) {
        assert_eq!(link.to_string(), text);
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let cids = [Cid::for_raw(b"a"), Cid::for_cbor(b"b")];
    let mut seeds: Vec<_> = cids.iter().map(|cid| cid.to_bytes().to_vec()).collect();
    seeds.extend(cids.iter().map(|cid| cid.to_string().into_bytes()));
    seeds.push([&[1, 0xa9, 2, 0x13, 64][..], &[3; 64]].concat());
    seeds.extend(fixtures::lines("atproto-interop-tests/syntax/cid_syntax_valid.txt"));
    seeds
}
