use crate::data::cid::{Cid, Link};
use crate::data::value::Value;

/// Writes items one by one, in their only form.
///
/// The caller writes as many items after the head of a list or map as it announced, and map keys in canonical
/// order (shorter first, then by bytes).
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// The number of bytes in the head of an item with this argument.
pub const fn head_length(argument: u64) -> usize {
    match argument {
        0..24 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

impl Writer {
    /// An empty writer.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// A writer that appends to `bytes`.
    pub const fn appending(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match head_length(argument) {
            1 => self.bytes.push(major | bytes[7]),
            2 => self.bytes.extend_from_slice(&[major | 24, bytes[7]]),
            3 => self.bytes.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
            5 => {
                self.bytes.push(major | 26);
                self.bytes.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend_from_slice(&bytes);
            }
        }
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.bytes.push(0xf6);
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(0xf4 | u8::from(value));
    }

    /// Writes an integer.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value.cast_unsigned()),
        }
    }

    /// Writes an integer that is not negative. Above the greatest signed 64-bit integer it is not in the data
    /// model, and no strict reader takes it.
    pub fn uint(&mut self, value: u64) {
        self.head(0, value);
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(2, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a link to a blessed CID.
    pub fn cid(&mut self, cid: &Cid) {
        self.bytes.extend_from_slice(&[0xd8, 42, 0x58, 37, 0]);
        self.bytes.extend_from_slice(cid.as_bytes());
    }

    /// Writes a link, or `null` for `None`.
    pub fn nullable_cid(&mut self, cid: Option<&Cid>) {
        match cid {
            Some(cid) => self.cid(cid),
            None => self.null(),
        }
    }

    /// Writes a link of any form.
    pub fn link(&mut self, link: &Link) {
        match link {
            Link::Cid(cid) => self.cid(cid),
            Link::Foreign(foreign) => {
                let bytes = foreign.as_bytes();
                self.head(6, 42);
                self.head(2, bytes.len() as u64 + 1);
                self.bytes.push(0);
                self.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Writes the head of a list of `length` items.
    pub fn list(&mut self, length: usize) {
        self.head(4, length as u64);
    }

    /// Writes the head of a map of `length` entries.
    pub fn map(&mut self, length: usize) {
        self.head(5, length as u64);
    }

    /// Writes any value.
    pub fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::Int(value) => self.int(*value),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Link(link) => self.link(link),
            Value::List(list) => {
                self.list(list.len());
                for item in list {
                    self.value(item);
                }
            }
            Value::Map(map) => {
                self.map(map.len());
                for (key, value) in map.iter() {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    /// Writes bytes that are items already.
    pub fn raw(&mut self, items: &[u8]) {
        self.bytes.extend_from_slice(items);
    }
}
