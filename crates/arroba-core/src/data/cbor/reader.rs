use crate::data::cid::{Cid, Link};
use crate::data::value::key_order;
use crate::data::{MAX_CONTAINER_ELEMENTS, MAX_KEY_BYTES};

use super::error::{CborError, CborErrorKind};

/// The type of an item, as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `false` or `true`
    Bool,
    /// An integer of either sign.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A link (tag 42).
    Link,
    /// A list.
    List,
    /// A map.
    Map,
}

/// Reads items one by one, strictly, borrowing from the input.
///
/// After an error the position is unspecified, and the reader is not to be used any more. Nesting is the
/// caller's business, except in [`skip`](Self::skip).
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next item.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether everything has been read.
    pub const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Demands that everything has been read.
    ///
    /// # Errors
    /// [`CborErrorKind::Trailing`]
    pub fn finish(&self) -> Result<(), CborError> {
        if self.is_at_end() { Ok(()) } else { Err(self.error(CborErrorKind::Trailing)) }
    }

    /// An error at the present position.
    pub const fn error(&self, kind: CborErrorKind) -> CborError {
        CborError::new(self.at, kind)
    }

    fn first(&self) -> Result<u8, CborError> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.error(CborErrorKind::Truncated))
    }

    /// The type of the next item, which stays unread.
    ///
    /// # Errors
    /// At the end, and for an item of a type that is never allowed.
    #[inline]
    pub fn kind(&self) -> Result<Kind, CborError> {
        let first = self.first()?;
        Ok(match first >> 5 {
            0 | 1 => Kind::Int,
            2 => Kind::Bytes,
            3 => Kind::Text,
            4 => Kind::List,
            5 => Kind::Map,
            6 => Kind::Link,
            _ => match first {
                0xf4 | 0xf5 => Kind::Bool,
                0xf6 => Kind::Null,
                _ => return Err(self.error(never_allowed(first))),
            },
        })
    }

    /// Reads the head of an item of the given major type: its argument.
    #[inline]
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, CborError> {
        let first = self.first()?;
        if first >> 5 != major {
            let kind = if first >> 5 == 7 { never_allowed(first) } else { CborErrorKind::Expected(expected) };
            return Err(self.error(kind));
        }
        self.argument(first)
    }

    #[inline]
    fn argument(&mut self, first: u8) -> Result<u64, CborError> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let truncated = CborError::new(self.at, CborErrorKind::Truncated);
        let (value, length, least) = match first & 0x1f {
            small @ 0..24 => (u64::from(small), 0, 0),
            24 => (u64::from(*rest.first().ok_or(truncated)?), 1, 24),
            25 => (u64::from(u16::from_be_bytes(*rest.first_chunk().ok_or(truncated)?)), 2, 1 << 8),
            26 => (u64::from(u32::from_be_bytes(*rest.first_chunk().ok_or(truncated)?)), 4, 1 << 16),
            27 => (u64::from_be_bytes(*rest.first_chunk().ok_or(truncated)?), 8, 1 << 32),
            31 => return Err(self.error(CborErrorKind::Indefinite)),
            _ => return Err(self.error(CborErrorKind::Reserved)),
        };
        if value < least {
            return Err(self.error(CborErrorKind::NotShortest));
        }
        self.at += 1 + length;
        Ok(value)
    }

    /// The next `length` bytes; an error stands at `start`.
    #[inline]
    fn take(&mut self, start: usize, length: u64) -> Result<&'a [u8], CborError> {
        let rest = self.rest();
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length))
            .ok_or_else(|| CborError::new(start, CborErrorKind::Truncated))?;
        self.at += taken.len();
        Ok(taken)
    }

    /// Reads `null`.
    ///
    /// # Errors
    /// For anything else.
    pub fn null(&mut self) -> Result<(), CborError> {
        if self.first()? != 0xf6 {
            return Err(self.error(CborErrorKind::Expected("null")));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads `null` if it comes next, and says whether it did.
    pub fn take_null(&mut self) -> bool {
        let there = self.bytes.get(self.at) == Some(&0xf6);
        self.at += usize::from(there);
        there
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// For anything else.
    pub fn bool(&mut self) -> Result<bool, CborError> {
        let value = match self.first()? {
            0xf4 => false,
            0xf5 => true,
            _ => return Err(self.error(CborErrorKind::Expected("a boolean"))),
        };
        self.at += 1;
        Ok(value)
    }

    /// Reads an integer.
    ///
    /// # Errors
    /// For anything else, and outside 64 signed bits.
    #[inline]
    pub fn int(&mut self) -> Result<i64, CborError> {
        let start = self.at;
        let first = self.first()?;
        if first >> 5 > 1 {
            let kind =
                if first >> 5 == 7 { never_allowed(first) } else { CborErrorKind::Expected("an integer") };
            return Err(self.error(kind));
        }
        let argument = self.argument(first)?;
        let value =
            i64::try_from(argument).map_err(|_| CborError::new(start, CborErrorKind::IntegerRange))?;
        Ok(if first >> 5 == 1 { !value } else { value })
    }

    /// Reads an integer that is not negative.
    ///
    /// # Errors
    /// For anything else, and above the greatest signed 64-bit integer.
    pub fn uint(&mut self) -> Result<u64, CborError> {
        let start = self.at;
        u64::try_from(self.int()?).map_err(|_| CborError::new(start, CborErrorKind::IntegerRange))
    }

    /// Reads text.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let start = self.at;
        let length = self.head(3, "text")?;
        let bytes = self.take(start, length)?;
        std::str::from_utf8(bytes).map_err(|_| CborError::new(start, CborErrorKind::Utf8))
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.at;
        let length = self.head(2, "bytes")?;
        self.take(start, length)
    }

    /// The binary CID in a link.
    #[inline]
    fn link_bytes(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.at;
        let tag = self.head(6, "a link")?;
        if tag != 42 {
            return Err(CborError::new(start, CborErrorKind::Tag(tag)));
        }
        let bytes = self.bytes()?;
        bytes
            .strip_prefix(&[0])
            .ok_or_else(|| CborError::new(start, CborErrorKind::Link(crate::data::CidError::Form)))
    }

    /// Reads a link of any form.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn link(&mut self) -> Result<Link, CborError> {
        let start = self.at;
        Link::from_bytes(self.link_bytes()?).map_err(|e| CborError::new(start, CborErrorKind::Link(e)))
    }

    /// Reads a link that must be a blessed CID.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn cid(&mut self) -> Result<Cid, CborError> {
        let start = self.at;
        Cid::from_bytes(self.link_bytes()?).map_err(|e| CborError::new(start, CborErrorKind::Link(e)))
    }

    /// Reads the head of a list, and gives the number of items that follow. It is never more than there are
    /// bytes left.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn list(&mut self) -> Result<usize, CborError> {
        let start = self.at;
        let length = self.head(4, "a list")?;
        self.plausible(start, length, 1)
    }

    /// Reads the head of a map; the keys come from the value returned.
    ///
    /// # Errors
    /// For anything else.
    #[inline]
    pub fn map(&mut self) -> Result<MapKeys<'a>, CborError> {
        let start = self.at;
        let length = self.head(5, "a map")?;
        let left = self.plausible(start, length, 2)?;
        Ok(MapKeys { left, previous: None })
    }

    /// Reads the head of a list or map, and refuses more than [`MAX_CONTAINER_ELEMENTS`] in it.
    pub(crate) fn bounded<T>(
        &mut self,
        head: impl FnOnce(&mut Self) -> Result<T, CborError>,
        length: impl FnOnce(&T) -> usize,
    ) -> Result<T, CborError> {
        let start = self.at;
        let read = head(self)?;
        if length(&read) > MAX_CONTAINER_ELEMENTS {
            return Err(CborError::new(start, CborErrorKind::TooManyElements));
        }
        Ok(read)
    }

    /// A number of items of at least so many bytes each that can still be there.
    #[inline]
    fn plausible(&self, start: usize, length: u64, least_bytes: usize) -> Result<usize, CborError> {
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.rest().len() / least_bytes)
            .ok_or_else(|| CborError::new(start, CborErrorKind::Truncated))
    }

    /// Passes over one item, checking it as strictly as decoding would, and gives its bytes.
    ///
    /// # Errors
    /// As [`decode`](super::decode).
    pub fn skip(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.at;
        super::check_value(self, 0, &mut |_| ())?;
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }
}

/// The keys of a map that is being read: see [`Reader::map`].
///
/// After each key the caller reads exactly one item.
#[derive(Clone, Debug, Default)]
pub struct MapKeys<'a> {
    left: usize,
    previous: Option<&'a str>,
}

impl<'a> MapKeys<'a> {
    /// The number of entries not read yet.
    pub const fn remaining(&self) -> usize {
        self.left
    }

    /// Reads the next key, or `None` at the end of the map.
    ///
    /// # Errors
    /// For a key that is no text, too long, out of order, or there twice.
    #[inline]
    pub fn next(&mut self, reader: &mut Reader<'a>) -> Result<Option<&'a str>, CborError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let start = reader.at;
        if reader.first()? >> 5 != 3 {
            return Err(reader.error(CborErrorKind::KeyNotText));
        }
        let key = reader.text()?;
        if key.len() > MAX_KEY_BYTES {
            return Err(CborError::new(start, CborErrorKind::KeyTooLong));
        }
        if let Some(previous) = self.previous {
            match key_order(previous, key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(CborError::new(start, CborErrorKind::DuplicateKey)),
                std::cmp::Ordering::Greater => return Err(CborError::new(start, CborErrorKind::KeyOrder)),
            }
        }
        self.left = left;
        self.previous = Some(key);
        Ok(Some(key))
    }

    /// Reads the next key and demands that it be `key`: for maps whose fields are fixed.
    ///
    /// # Errors
    /// [`CborErrorKind::MissingField`] if another key or the end comes.
    #[inline]
    pub fn expect(&mut self, reader: &mut Reader<'a>, key: &'static str) -> Result<(), CborError> {
        let start = reader.at;
        if self.next(reader)? == Some(key) {
            return Ok(());
        }
        Err(CborError::new(start, CborErrorKind::MissingField(key)))
    }

    /// Demands that no entry is left.
    ///
    /// # Errors
    /// [`CborErrorKind::UnexpectedField`]
    pub fn finish(&self, reader: &Reader<'a>) -> Result<(), CborError> {
        if self.left == 0 { Ok(()) } else { Err(reader.error(CborErrorKind::UnexpectedField)) }
    }
}

/// What is wrong with a first byte of major type 7 that is none of `false`, `true`, `null`.
const fn never_allowed(first: u8) -> CborErrorKind {
    match first {
        0xf9..=0xfb => CborErrorKind::Float,
        0xff => CborErrorKind::Indefinite,
        0xfc..=0xfe => CborErrorKind::Reserved,
        _ => CborErrorKind::Simple,
    }
}
