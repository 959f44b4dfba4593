use std::collections::HashMap;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::data::cbor::{self, CborError};
use crate::data::{Cid, CidError};

use super::CarError;
use super::writer::header_body_length;

/// What a [`Reader`] puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most blocks.
    pub max_blocks: u64,
    /// The most bytes in one block.
    pub max_block_bytes: usize,
    /// The most bytes in the file.
    pub max_total_bytes: u64,
    /// The most roots.
    pub max_roots: usize,
}

impl Limits {
    /// For a whole repository: ten million blocks of up to 2 MiB, 16 GiB in all.
    pub const REPOSITORY: Self =
        Self { max_blocks: 10_000_000, max_block_bytes: 2 << 20, max_total_bytes: 16 << 30, max_roots: 16 };

    /// For the blocks of a firehose event or a record proof: two million bytes in all.
    pub const SLICE: Self =
        Self { max_blocks: 20_000, max_block_bytes: 2_000_000, max_total_bytes: 2_000_000, max_roots: 16 };
}

/// One block of a file; it hashes to its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its CID.
    pub cid: Cid,
    /// Its bytes.
    pub data: Bytes,
}

/// Reads a CAR file as it arrives: [`push`](Self::push) bytes, then take blocks by iterating until `None`, which
/// means that more bytes are needed; at the end of the input call [`finish`](Self::finish).
///
/// After an error it yields nothing more. It holds at most what was pushed last and one block.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    buffer: BytesMut,
    progress: Progress,
    failed: Option<CarError>,
}

impl Reader {
    /// A reader under these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, buffer: BytesMut::new(), progress: Progress::default(), failed: None }
    }

    /// Hands over the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The roots, once the header has been read: that is, after the first call of `next` with enough bytes.
    pub fn roots(&self) -> Option<&[Cid]> {
        self.progress.roots.as_deref()
    }

    /// Demands that the file ends here.
    ///
    /// # Errors
    /// If it ends early, or the error that iterating has given before.
    pub fn finish(&self) -> Result<(), CarError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.progress.roots.is_none() || !self.buffer.is_empty() {
            Err(CarError::Truncated)
        } else {
            Ok(())
        }
    }

    fn step(&mut self) -> Result<Option<Block>, CarError> {
        loop {
            let Some(section) = self.progress.section(&self.buffer, &self.limits)? else { return Ok(None) };
            match section {
                Section::Header { length } => self.buffer.advance(length),
                Section::Block { cid, data } => {
                    let mut section = self.buffer.split_to(data.end).freeze();
                    section.advance(data.start);
                    return Ok(Some(Block { cid, data: section }));
                }
            }
        }
    }
}

/// `None` means that more bytes are needed: iterating goes on after the next [`push`](Reader::push).
impl Iterator for Reader {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed.is_some() {
            return None;
        }
        let result = self.step();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        }
        result.transpose()
    }
}

/// A CAR file in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Car {
    /// The roots; in repositories the first one is the commit.
    pub roots: Vec<Cid>,
    /// The blocks by CID.
    pub blocks: HashMap<Cid, Bytes>,
}

/// Reads a whole CAR file that is in memory already.
///
/// # Errors
/// If it is malformed, a block does not hash to its CID, or a limit is exceeded.
pub fn read_all(file: &[u8], limits: &Limits) -> Result<Car, CarError> {
    let mut file = Bytes::copy_from_slice(file);
    let mut progress = Progress::default();
    let mut blocks = HashMap::new();
    while let Some(section) = progress.section(&file, limits)? {
        match section {
            Section::Header { length } => file.advance(length),
            Section::Block { cid, data } => {
                let end = data.end;
                blocks.insert(cid, file.slice(data));
                file.advance(end);
            }
        }
    }
    match progress.roots {
        Some(roots) if file.is_empty() => Ok(Car { roots, blocks }),
        _ => Err(CarError::Truncated),
    }
}

#[derive(Debug, Default)]
struct Progress {
    roots: Option<Vec<Cid>>,
    blocks: u64,
    bytes: u64,
}

enum Section {
    Header { length: usize },
    Block { cid: Cid, data: Range<usize> },
}

impl Progress {
    /// The section that begins at `input`, or `None` if it is not all there.
    fn section(&mut self, input: &[u8], limits: &Limits) -> Result<Option<Section>, CarError> {
        let Some((length, start)) = varint(input)? else { return Ok(None) };
        let too_large = match self.roots {
            None => CarError::HeaderTooLarge,
            Some(_) => CarError::BlockTooLarge(limits.max_block_bytes),
        };
        let most = match self.roots {
            None => header_body_length(limits.max_roots).max(MIN_HEADER_LIMIT),
            Some(_) => limits.max_block_bytes.saturating_add(Cid::BYTES),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or(too_large)?;
        let end = start + length;
        if self.bytes.saturating_add(end as u64) > limits.max_total_bytes {
            return Err(CarError::TooLarge(limits.max_total_bytes));
        }
        let Some(body) = input.get(start..end) else { return Ok(None) };
        self.bytes += end as u64;
        if self.roots.is_none() {
            self.roots = Some(header(body, limits)?);
            return Ok(Some(Section::Header { length: end }));
        }
        self.blocks += 1;
        if self.blocks > limits.max_blocks {
            return Err(CarError::TooManyBlocks(limits.max_blocks));
        }
        let (cid, data) = body.split_at_checked(Cid::BYTES).ok_or(CarError::Cid(CidError::Form))?;
        let cid = Cid::from_bytes(cid).map_err(CarError::Cid)?;
        if !cid.matches(data) {
            return Err(CarError::Hash(cid));
        }
        Ok(Some(Section::Block { cid, data: start + Cid::BYTES..end }))
    }
}

/// A header of another version may be larger than our roots, and is to be called that.
const MIN_HEADER_LIMIT: usize = 1024;

fn header(body: &[u8], limits: &Limits) -> Result<Vec<Cid>, CarError> {
    let (roots, version) = header_fields(body).map_err(CarError::Header)?;
    if version != 1 {
        return Err(CarError::Version(version));
    }
    if roots.len() > limits.max_roots {
        return Err(CarError::TooManyRoots(limits.max_roots));
    }
    Ok(roots)
}

fn header_fields(body: &[u8]) -> Result<(Vec<Cid>, u64), CborError> {
    let mut reader = cbor::Reader::new(body);
    let mut keys = reader.map()?;
    keys.expect(&mut reader, "roots")?;
    let roots = (0..reader.list()?).map(|_| reader.cid()).collect::<Result<_, _>>()?;
    keys.expect(&mut reader, "version")?;
    let version = reader.uint()?;
    keys.finish(&reader)?;
    reader.finish()?;
    Ok((roots, version))
}

/// A varint in its shortest form of up to 63 bits and its length, or `None` if it is not all there.
fn varint(input: &[u8]) -> Result<Option<(u64, usize)>, CarError> {
    let mut value = 0u64;
    for (i, byte) in input.iter().enumerate() {
        if i == 9 {
            return Err(CarError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let shortest = i == 0 || *byte != 0;
            return if shortest { Ok(Some((value, i + 1))) } else { Err(CarError::Varint) };
        }
    }
    if input.len() >= 9 { Err(CarError::Varint) } else { Ok(None) }
}
