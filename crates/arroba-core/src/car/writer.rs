use bytes::Bytes;

use crate::data::Cid;
use crate::data::cbor;

/// Writes a CAR file: at once, or in pieces with [`take`](Self::take).
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A file that begins with a header of these roots.
    pub fn new(roots: &[Cid]) -> Self {
        Self::with_capacity(roots, 0)
    }

    /// The same, with room for `blocks_bytes` bytes of blocks.
    pub fn with_capacity(roots: &[Cid], blocks_bytes: usize) -> Self {
        let body = header_body_length(roots.len());
        let mut bytes = Vec::with_capacity(header_length(roots.len()) + blocks_bytes);
        put_varint(body as u64, &mut bytes);
        let mut header = cbor::Writer::appending(bytes);
        header.map(2);
        header.text("roots");
        header.list(roots.len());
        for root in roots {
            header.cid(root);
        }
        header.text("version");
        header.uint(1);
        Self { bytes: header.into_bytes() }
    }

    /// Appends a block. That it hashes to its CID is the caller's word.
    pub fn block(&mut self, cid: &Cid, data: &[u8]) {
        self.bytes.reserve(section_length(data.len()));
        put_varint((Cid::BYTES + data.len()) as u64, &mut self.bytes);
        self.bytes.extend_from_slice(cid.as_bytes());
        self.bytes.extend_from_slice(data);
    }

    /// The number of bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what has been written since the last time.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes).into()
    }

    /// The rest of the file.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }
}

/// The bytes of a header with so many roots, its length prefix included.
pub const fn header_length(roots: usize) -> usize {
    let body = header_body_length(roots);
    varint_length(body as u64) + body
}

/// The bytes of a block with so many bytes of data, its length prefix and CID included.
pub const fn section_length(data: usize) -> usize {
    let body = Cid::BYTES + data;
    varint_length(body as u64) + body
}

/// A map of two entries: `roots`, a list of links of 41 bytes each, and `version`, 1.
pub(super) const fn header_body_length(roots: usize) -> usize {
    1 + 6 + cbor::head_length(roots as u64) + 41 * roots + 8 + 1
}

const fn varint_length(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
