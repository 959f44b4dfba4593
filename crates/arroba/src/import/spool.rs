//! The blocks of a file that arrives in any order, to be read in the order of the tree.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arroba_core::car::Block;
use arroba_core::data::Cid;
use bytes::Bytes;

use super::ImportError;

/// How much is kept in memory before a temporary file takes the rest.
const MEMORY_BYTES: usize = 16 << 20;

/// Blocks by CID: the first ones in memory, the others in a temporary file without a name.
///
/// The index holds 16 bytes for each block, so it knows only the beginning of a CID. The whole one stands before the block; if two
/// CIDs begin alike, which takes 2^32 tries to bring about, the later one counts as missing.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    places: HashMap<u64, u64>,
    memory: Vec<u8>,
    file: Option<Mutex<File>>,
    length: u64,
}

const HEAD: usize = Cid::BYTES + 4;

impl Spool {
    /// An empty spool, whose file is made in `directory` if one is needed.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, places: HashMap::new(), memory: Vec::new(), file: None, length: 0 }
    }

    /// Puts blocks in. Blocks that are there already are passed over.
    pub(super) fn add(mut self, blocks: Vec<Block>) -> Result<Self, ImportError> {
        let mut buffer = Vec::new();
        for block in blocks {
            let std::collections::hash_map::Entry::Vacant(place) = self.places.entry(short(&block.cid))
            else {
                continue;
            };
            place.insert(self.length);
            let start = buffer.len();
            buffer.extend_from_slice(block.cid.as_bytes());
            buffer.extend_from_slice(&u32::try_from(block.data.len()).unwrap_or(u32::MAX).to_be_bytes());
            buffer.extend_from_slice(&block.data);
            self.length = self.length.saturating_add((buffer.len() - start) as u64);
        }
        if self.file.is_none() && self.memory.len().saturating_add(buffer.len()) <= MEMORY_BYTES {
            self.memory.append(&mut buffer);
            return Ok(self);
        }
        if self.file.is_none() {
            self.file = Some(Mutex::new(tempfile::tempfile_in(&self.directory).map_err(ImportError::Spool)?));
        }
        if let Some(file) = &self.file {
            file.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(&buffer)
                .map_err(ImportError::Spool)?;
        }
        Ok(self)
    }

    /// A block, if it is there.
    pub(super) fn block(&self, cid: &Cid) -> Result<Option<Bytes>, ImportError> {
        let Some(&place) = self.places.get(&short(cid)) else { return Ok(None) };
        let head = self.read(place, HEAD)?;
        let Some((found, length)) = head.split_at_checked(Cid::BYTES) else { return Ok(None) };
        if found != cid.as_bytes() {
            return Ok(None);
        }
        let length = length.try_into().map_or(0, u32::from_be_bytes) as usize;
        self.read(place.saturating_add(HEAD as u64), length).map(|data| Some(data.into()))
    }

    fn read(&self, place: u64, length: usize) -> Result<Vec<u8>, ImportError> {
        let in_memory = self.memory.len() as u64;
        if let (true, Ok(start)) = (place < in_memory, usize::try_from(place)) {
            let end = start.saturating_add(length).min(self.memory.len());
            return Ok(self.memory.get(start..end).unwrap_or_default().to_vec());
        }
        let mut data = vec![0; length];
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place - in_memory)).map_err(ImportError::Spool)?;
            file.read_exact(&mut data).map_err(ImportError::Spool)?;
        }
        Ok(data)
    }
}

/// The beginning of a CID's digest.
fn short(cid: &Cid) -> u64 {
    cid.digest().first_chunk().map_or(0, |start| u64::from_be_bytes(*start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(data: Vec<u8>) -> Block {
        Block { cid: Cid::for_cbor(&data), data: data.into() }
    }

    #[test]
    fn gives_back_what_was_put_in_from_memory_and_file() {
        let sizes = [0, 1, 1000, 9 << 20, 9 << 20, 5, 0, 3 << 20];
        let blocks: Vec<_> = (0_u8..).zip(sizes).map(|(fill, size)| block(vec![fill; size])).collect();
        let mut spool = Spool::new(std::env::temp_dir());
        for pair in blocks.chunks(2) {
            spool = spool.add(pair.to_vec()).unwrap();
        }
        spool = spool.add(blocks.clone()).unwrap();
        assert!(spool.file.is_some() && !spool.memory.is_empty());
        for block in &blocks {
            assert!(spool.block(&block.cid).unwrap().unwrap() == block.data, "{} bytes", block.data.len());
        }
        assert_eq!(spool.block(&Cid::for_cbor(b"other")).unwrap(), None);
        assert_eq!(spool.block(&Cid::for_raw(&[])).unwrap(), None);
    }
}
