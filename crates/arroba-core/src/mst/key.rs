//! Keys: the bytes a tree is ordered by.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::MstError;

/// A key of a tree: 1 to [`Key::MAX_BYTES`] bytes, ordered bytewise. Cloning is cheap.
///
/// The one empty key is [`Key::start`], the bound before all others; no entry has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The longest key.
    pub const MAX_BYTES: usize = 1024;

    /// Makes a key of bytes.
    ///
    /// # Errors
    /// [`MstError::KeyLength`] for no bytes or more than [`Key::MAX_BYTES`].
    pub fn new(bytes: &[u8]) -> Result<Self, MstError> {
        if bytes.is_empty() || bytes.len() > Self::MAX_BYTES {
            return Err(MstError::KeyLength(bytes.len()));
        }
        Ok(Self(bytes.into()))
    }

    /// The empty key, before all others: the lower bound of a whole tree.
    pub fn start() -> Self {
        Self(Arc::default())
    }

    /// Whether this is [`Key::start`].
    pub fn is_start(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The height at which the key stands in every tree.
    pub fn height(&self) -> u8 {
        height_of(&self.0)
    }

    /// Compares, quickly where both share their bytes.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&str> for Key {
    type Error = MstError;

    fn try_from(text: &str) -> Result<Self, MstError> {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// The height of a key: the number of leading zero bits of its SHA-256, halved (0 to 128).
pub fn height_of(key: &[u8]) -> u8 {
    let mut zeros = 0;
    for byte in Sha256::digest(key) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    u8::try_from(zeros / 2).expect("256 bits halved fit")
}

/// The number of leading bytes that two keys share.
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut shared = 0;
    // Eight bytes at a time: neighbours in a collection share forty and more.
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        if x != y {
            break;
        }
        shared += 8;
    }
    shared + a.iter().zip(b).skip(shared).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_counted_in_bytes() {
        let long = b"app.bsky.feed.post/3jqfcqzm3fo2j";
        for shared in 0..=long.len() {
            let mut other = long.to_vec();
            if let Some(byte) = other.get_mut(shared) {
                *byte = b'~';
            }
            assert_eq!(common_prefix(long, &other), shared);
            assert_eq!(common_prefix(long, &long[..shared]), shared);
        }
        assert_eq!(common_prefix("jal\u{e9}".as_bytes(), "jal\u{e8}".as_bytes()), 4);
    }

    #[test]
    fn order_is_bytewise() {
        let key = |text: &str| Key::try_from(text).unwrap();
        assert!(Key::start() < key("a"));
        assert!(key("a") < key("a/b"));
        assert!(key("b") > key("a~~~"));
        assert!(Key::new(&[]).is_err());
        assert!(Key::new(&[b'a'; 1024]).is_ok());
        assert!(Key::new(&[b'a'; 1025]).is_err());
    }
}
