//! A node as a block: the strict codec.
//!
//! Written by hand because every edit decodes and encodes a dozen nodes. There is exactly one encoding of a
//! node, and decoding accepts nothing else.
//!
//! Spec: <https://atproto.com/specs/repository#mst-structure>

use super::error::MstError;
use super::key::{Key, common_prefix, height_of};
use super::{MAX_HEIGHT, MAX_WIDTH};
use crate::data::{Cid, Link};

/// A node by its content: keys in full, children by CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeData {
    /// The height at which the node stands. The encoding does not say it; decoding finds it.
    pub height: u8,
    /// The subtree before the first entry.
    pub left: Option<Cid>,
    /// The entries in the order of their keys.
    pub entries: Vec<Entry>,
}

/// An entry of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in full.
    pub key: Key,
    /// What the key maps to. We write only blessed CIDs, but keep what others wrote.
    pub value: Link,
    /// The subtree between this entry and the next.
    pub right: Option<Cid>,
}

/// What a node must be, by where it was found.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    height: Option<u8>,
    after: &'a [u8],
    before: Option<&'a [u8]>,
    root: bool,
}

impl<'a> Expect<'a> {
    /// A root: of any height if `None`.
    pub const fn root(height: Option<u8>) -> Self {
        Self { height, after: &[], before: None, root: true }
    }

    /// A child at this height, all of whose keys are greater than `after` and less than `before`.
    pub const fn child(height: u8, after: &'a [u8], before: Option<&'a [u8]>) -> Self {
        Self { height: Some(height), after, before, root: false }
    }
}

impl NodeData {
    /// The node of an empty tree.
    pub const fn empty() -> Self {
        Self { height: 0, left: None, entries: Vec::new() }
    }

    /// Decodes a node and checks all that can be checked without its children: canonical encoding, maximal
    /// prefixes, key order and bounds, the height of every key, width and height limits, and that a node
    /// without keys has a use.
    ///
    /// # Errors
    /// For anything that [`NodeData::encode`] would not have written for a node of a valid tree.
    pub fn decode(bytes: &[u8], expect: Expect<'_>) -> Result<Self, MstError> {
        let entry = |key, value, right| Entry { key, value, right };
        let Decoded { height, left, entries } = decode(bytes, expect, entry)?;
        Ok(Self { height, left, entries })
    }

    /// The node's block.
    pub fn encode(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|e| (&e.key, &e.value, e.right.as_ref()));
        encode(self.left.as_ref(), self.entries.len(), entries)
    }
}

/// A decoded node, its entries as the caller wants them.
pub(super) struct Decoded<E> {
    pub(super) height: u8,
    pub(super) left: Option<Cid>,
    pub(super) entries: Vec<E>,
}

/// Decodes a node: see [`NodeData::decode`].
pub(super) fn decode<E>(
    bytes: &[u8],
    expect: Expect<'_>,
    make_entry: impl Fn(Key, Link, Option<Cid>) -> E,
) -> Result<Decoded<E>, MstError> {
    let mut scan = Scan { bytes, at: 0 };
    scan.literal(&[0xa2, 0x61, b'e'])?;
    let width = scan.head(0x80)?;
    if width > MAX_WIDTH {
        return Err(MstError::TooWide { width, limit: MAX_WIDTH });
    }
    let mut height = expect.height;
    let mut has_child = false;
    // An entry takes 50 bytes and more, so the input bounds the allocation as well as the limit does.
    let mut entries = Vec::with_capacity(width.min(bytes.len() / 50 + 1));
    let mut key = Vec::with_capacity(64);
    for index in 0..width {
        scan.literal(&[0xa4, 0x61, b'k'])?;
        let suffix = scan.string()?;
        scan.literal(&[0x61, b'p'])?;
        let shared = scan.head(0)?;
        if index == 0 {
            if shared != 0 {
                return Err(scan.malformed());
            }
            key.extend_from_slice(suffix);
            if key.as_slice() <= expect.after {
                return Err(Key::new(&key).map_or_else(|error| error, MstError::Order));
            }
        } else {
            follow(&mut key, shared, suffix, &scan)?;
        }
        let key = Key::new(&key)?;
        let found = height_of(key.as_bytes());
        if found > MAX_HEIGHT {
            return Err(MstError::TooTall(found));
        }
        let at = *height.get_or_insert(found);
        if found != at {
            return Err(MstError::KeyHeight { key, height: found, at });
        }
        scan.literal(&[0x61, b't'])?;
        let right = scan.child()?;
        has_child |= right.is_some();
        scan.literal(&[0x61, b'v'])?;
        let value = scan.link()?;
        entries.push(make_entry(key, value, right));
    }
    scan.literal(&[0x61, b'l'])?;
    let left = scan.child()?;
    if scan.at != bytes.len() {
        return Err(scan.malformed());
    }
    if let Some(before) = expect.before
        && width > 0
        && key.as_slice() >= before
    {
        return Err(MstError::Order(Key::new(&key)?));
    }
    let height = height.unwrap_or(0);
    if height > MAX_HEIGHT {
        return Err(MstError::TooTall(height));
    }
    if height == 0 && (left.is_some() || has_child) {
        return Err(if expect.root && width == 0 { MstError::EmptyNode } else { MstError::BelowBottom });
    }
    let useless = if expect.root { left.is_some() || height > 0 } else { left.is_none() };
    if width == 0 && useless {
        return Err(MstError::EmptyNode);
    }
    Ok(Decoded { height, left, entries })
}

/// Makes `key`, the previous key, the one that shares `shared` bytes with it and ends in `suffix`.
fn follow(key: &mut Vec<u8>, shared: usize, suffix: &[u8], scan: &Scan<'_>) -> Result<(), MstError> {
    if shared > key.len() {
        return Err(scan.malformed());
    }
    let replaced = key.get(shared).copied();
    key.truncate(shared);
    key.extend_from_slice(suffix);
    let added = suffix.first().copied();
    if added > replaced {
        return Ok(());
    }
    // A key that adds nothing is a prefix of the previous one, or the previous one again.
    let key = Key::new(key)?;
    Err(if added.is_some() && added == replaced { MstError::Prefix(key) } else { MstError::Order(key) })
}

/// Encodes a node from its parts, `width` entries in order.
pub(super) fn encode<'a>(
    left: Option<&Cid>,
    width: usize,
    entries: impl Iterator<Item = (&'a Key, &'a Link, Option<&'a Cid>)>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(50 + width * 120);
    out.extend_from_slice(&[0xa2, 0x61, b'e']);
    head(&mut out, 0x80, width);
    let mut previous: &[u8] = &[];
    for (key, value, right) in entries {
        let key = key.as_bytes();
        let shared = common_prefix(previous, key);
        let suffix = &key[shared..];
        out.extend_from_slice(&[0xa4, 0x61, b'k']);
        head(&mut out, 0x40, suffix.len());
        out.extend_from_slice(suffix);
        out.extend_from_slice(&[0x61, b'p']);
        head(&mut out, 0, shared);
        out.extend_from_slice(&[0x61, b't']);
        child(&mut out, right);
        out.extend_from_slice(&[0x61, b'v']);
        link(&mut out, value.as_bytes());
        previous = key;
    }
    out.extend_from_slice(&[0x61, b'l']);
    child(&mut out, left);
    out
}

/// Writes the head of an item: its major type in the upper three bits, its length or value below.
fn head(out: &mut Vec<u8>, major: u8, value: usize) {
    let bytes = (value as u64).to_be_bytes();
    match value {
        0..24 => out.push(major | bytes[7]),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..0x1_0000 => out.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

fn child(out: &mut Vec<u8>, cid: Option<&Cid>) {
    match cid {
        None => out.push(0xf6),
        Some(cid) => link(out, cid.as_bytes()),
    }
}

fn link(out: &mut Vec<u8>, cid: &[u8]) {
    out.extend_from_slice(&[0xd8, 0x2a]);
    head(out, 0x40, cid.len() + 1);
    out.push(0);
    out.extend_from_slice(cid);
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    const fn malformed(&self) -> MstError {
        MstError::Malformed { at: self.at }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MstError> {
        let end = self.at.checked_add(length).ok_or_else(|| self.malformed())?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| self.malformed())?;
        self.at = end;
        Ok(taken)
    }

    fn literal(&mut self, expected: &[u8]) -> Result<(), MstError> {
        let at = self.at;
        if self.take(expected.len())? == expected { Ok(()) } else { Err(MstError::Malformed { at }) }
    }

    /// The value of a head of this major type, in its shortest form, at most 65,535: nothing in a node that
    /// is worth reading is longer.
    fn head(&mut self, major: u8) -> Result<usize, MstError> {
        let at = self.at;
        let &[first] = self.take(1)? else { return Err(MstError::Malformed { at }) };
        let value = match first ^ major {
            short @ 0..24 => usize::from(short),
            24 => match self.take(1)? {
                &[value] if value >= 24 => usize::from(value),
                _ => return Err(MstError::Malformed { at }),
            },
            25 => match self.take(2)? {
                &[high, low] if high > 0 => usize::from(high) << 8 | usize::from(low),
                _ => return Err(MstError::Malformed { at }),
            },
            _ => return Err(MstError::Malformed { at }),
        };
        Ok(value)
    }

    fn string(&mut self) -> Result<&'a [u8], MstError> {
        let length = self.head(0x40)?;
        self.take(length)
    }

    fn link(&mut self) -> Result<Link, MstError> {
        let at = self.at;
        self.literal(&[0xd8, 0x2a])?;
        match self.string()? {
            [0, cid @ ..] => Link::from_bytes(cid).map_err(|_| MstError::Malformed { at }),
            _ => Err(MstError::Malformed { at }),
        }
    }

    fn child(&mut self) -> Result<Option<Cid>, MstError> {
        let at = self.at;
        if self.bytes.get(at) == Some(&0xf6) {
            self.at += 1;
            return Ok(None);
        }
        match self.link()? {
            Link::Cid(cid) if cid.codec() == crate::data::Codec::DagCbor => Ok(Some(cid)),
            _ => Err(MstError::Malformed { at }),
        }
    }
}
