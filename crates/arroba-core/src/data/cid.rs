//! Content identifiers.
//!
//! Spec: <https://atproto.com/specs/data-model#link-and-cid-formats>

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::base32;

/// What the bytes behind a [`Cid`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Any bytes (0x55): blobs.
    Raw,
    /// DAG-CBOR (0x71): records, commits and tree nodes.
    DagCbor,
}

impl Codec {
    const fn code(self) -> u8 {
        match self {
            Self::Raw => 0x55,
            Self::DagCbor => 0x71,
        }
    }
}

/// A content identifier in the one form that AT Protocol blesses: version 1, SHA-256, and the codec DAG-CBOR
/// or raw. It is 36 bytes, or 59 characters of text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cid([u8; Self::BYTES]);

impl Cid {
    /// The length of the binary form.
    pub const BYTES: usize = 36;

    /// The length of the text form.
    pub const TEXT_LENGTH: usize = 59;

    /// The CID of a block of DAG-CBOR.
    pub fn for_cbor(block: &[u8]) -> Self {
        Self::new(Codec::DagCbor, Sha256::digest(block).into())
    }

    /// The CID of raw bytes: a blob.
    pub fn for_raw(bytes: &[u8]) -> Self {
        Self::new(Codec::Raw, Sha256::digest(bytes).into())
    }

    /// The CID with this codec and SHA-256 digest.
    pub const fn new(codec: Codec, digest: [u8; 32]) -> Self {
        let mut bytes = [0; Self::BYTES];
        let (head, tail) = bytes.split_at_mut(4);
        head.copy_from_slice(&[1, codec.code(), 0x12, 0x20]);
        tail.copy_from_slice(&digest);
        Self(bytes)
    }

    /// What the bytes behind it are.
    pub const fn codec(&self) -> Codec {
        if self.0[1] == Codec::Raw.code() { Codec::Raw } else { Codec::DagCbor }
    }

    /// The SHA-256 digest.
    pub fn digest(&self) -> &[u8; 32] {
        self.0.last_chunk().expect("36 bytes end in 32")
    }

    /// The binary form.
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    /// The binary form, borrowed.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads the binary form, exactly.
    ///
    /// # Errors
    /// For anything but a blessed CID, also where it is a correct CID of another form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let bytes: [u8; Self::BYTES] = bytes.try_into().map_err(|_| CidError::Form)?;
        match bytes {
            [1, 0x55 | 0x71, 0x12, 0x20, ..] => Ok(Self(bytes)),
            _ => Err(CidError::Form),
        }
    }

    /// Reads the text form: lower-case base32 with the prefix `b`.
    ///
    /// # Errors
    /// For anything but the text that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Result<Self, CidError> {
        let digits = text.strip_prefix('b').ok_or(CidError::Text)?;
        if text.len() != Self::TEXT_LENGTH {
            return Err(CidError::Text);
        }
        Self::from_bytes(&base32::decode(digits).ok_or(CidError::Text)?)
    }

    /// Whether `bytes` are what this CID names.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Sha256::digest(bytes).as_slice() == self.digest()
    }
}

/// Only eight bytes of the digest: they are as good as random, and hash maps still key them.
impl Hash for Cid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_le_bytes(*self.digest().first_chunk().expect("32 bytes begin with 8")));
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::TEXT_LENGTH);
        text.push('b');
        base32::encode_into(&self.0, &mut text);
        f.pad(&text)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        Self::parse(text)
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A CID version 1 of any codec and hash, at most [`ForeignCid::MAX_BYTES`] long, kept exactly.
///
/// Records written by others may link with such CIDs; nothing here can check content against them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForeignCid(Box<[u8]>);

impl ForeignCid {
    /// The longest binary form that is accepted.
    pub const MAX_BYTES: usize = 100;

    /// The binary form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ForeignCid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignCid(b{})", base32::encode(&self.0))
    }
}

/// A link inside data: nearly always a blessed [`Cid`], else the exact bytes of another CID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// A blessed CID.
    Cid(Cid),
    /// A CID of another codec or hash.
    Foreign(ForeignCid),
}

impl Link {
    /// Reads the binary form of any CID version 1.
    ///
    /// # Errors
    /// For CIDv0, a malformed or overlong CID.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        if let Ok(cid) = Cid::from_bytes(bytes) {
            return Ok(Self::Cid(cid));
        }
        if bytes.len() > ForeignCid::MAX_BYTES {
            return Err(CidError::Form);
        }
        let rest = bytes.strip_prefix(&[1]).ok_or(CidError::Form)?;
        let (_codec, rest) = varint(rest)?;
        let (_hash, rest) = varint(rest)?;
        let (length, digest) = varint(rest)?;
        if u64::try_from(digest.len()) != Ok(length) {
            return Err(CidError::Form);
        }
        Ok(Self::Foreign(ForeignCid(bytes.into())))
    }

    /// Reads the text form in lower-case base32 (prefix `b`).
    ///
    /// # Errors
    /// For another base, or a malformed CID.
    pub fn parse(text: &str) -> Result<Self, CidError> {
        if text.len() > ForeignCid::MAX_BYTES * 2 {
            return Err(CidError::Text);
        }
        let digits = text.strip_prefix('b').ok_or(CidError::Text)?;
        Self::from_bytes(&base32::decode(digits).ok_or(CidError::Text)?)
    }

    /// The binary form.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Cid(cid) => cid.as_bytes(),
            Self::Foreign(foreign) => foreign.as_bytes(),
        }
    }

    /// The blessed CID, if it is one.
    pub const fn cid(&self) -> Option<Cid> {
        match self {
            Self::Cid(cid) => Some(*cid),
            Self::Foreign(_) => None,
        }
    }
}

impl From<Cid> for Link {
    fn from(cid: Cid) -> Self {
        Self::Cid(cid)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cid(cid) => fmt::Display::fmt(cid, f),
            Self::Foreign(foreign) => write!(f, "b{}", base32::encode(&foreign.0)),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

/// An unsigned varint in its shortest form, and what follows it.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), CidError> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            if *byte == 0 && i > 0 {
                return Err(CidError::Form);
            }
            return Ok((value, &bytes[i + 1..]));
        }
    }
    Err(CidError::Form)
}

/// Why something is no CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CidError {
    /// The bytes are not of the accepted form.
    #[error("not a CIDv1 of an accepted form")]
    Form,
    /// The text is not lower-case base32 with the prefix `b`.
    #[error("not a CID in base32")]
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_MAP: &str = "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua";
    const EMPTY_RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn known_cids() {
        assert_eq!(Cid::for_cbor(&[0xa0]).to_string(), EMPTY_MAP);
        assert_eq!(Cid::for_raw(&[]).to_string(), EMPTY_RAW);
        for text in [EMPTY_MAP, EMPTY_RAW] {
            let cid = Cid::parse(text).unwrap();
            assert_eq!(cid.to_string(), text);
            assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
            assert_eq!(Link::parse(text), Ok(Link::Cid(cid)));
            assert_eq!(serde_json::from_str::<Cid>(&serde_json::to_string(&cid).unwrap()).unwrap(), cid);
        }
        assert!(Cid::parse(EMPTY_RAW).unwrap().matches(b""));
        assert!(!Cid::parse(EMPTY_RAW).unwrap().matches(b"a"));
        assert_eq!(Cid::parse(EMPTY_RAW).unwrap().codec(), Codec::Raw);
        assert_eq!(Cid::parse(EMPTY_MAP).unwrap().codec(), Codec::DagCbor);
    }

    #[test]
    fn other_forms_are_foreign_or_refused() {
        let digest = [7u8; 32];
        let with = |head: &[u8]| [head, &digest[..]].concat();
        for head in [&[1, 0x70, 0x12, 0x20][..], &[1, 0x71, 0x1b, 0x20], &[1, 0xa9, 0x02, 0x12, 0x20]] {
            let bytes = with(head);
            assert!(Cid::from_bytes(&bytes).is_err());
            let link = Link::from_bytes(&bytes).unwrap();
            assert_eq!(link.as_bytes(), bytes);
            assert_eq!(link.cid(), None);
            assert_eq!(Link::parse(&link.to_string()), Ok(link));
        }
        for bytes in [
            with(&[0x12, 0x20]),
            with(&[1, 0x71, 0x12, 0x21]),
            with(&[1, 0x80, 0x00, 0x12, 0x20]),
            vec![1, 0x71],
        ] {
            assert!(Link::from_bytes(&bytes).is_err(), "{bytes:02x?}");
        }
        assert!(Link::from_bytes(&[&[1, 0x71, 0, 101][..], &[0; 101]].concat()).is_err());
        for text in ["", "b", &EMPTY_MAP.to_uppercase(), &EMPTY_MAP[..58], &format!("{EMPTY_MAP}a")] {
            assert!(Cid::parse(text).is_err());
            assert!(Link::parse(text).is_err());
        }
    }
}
