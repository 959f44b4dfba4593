//! Blocks between a snapshot and whoever reads them: a slow reader must not hold a snapshot open.
//!
//! Small answers wait in memory, under a cap for all of them together; larger ones in a temporary file that has no name, so
//! nothing is left of it whatever happens.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arroba_core::data::Cid;
use bytes::{Buf, Bytes, BytesMut};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::blocking;
use crate::{error::StoreError, query::Block};

/// Bytes of one answer that may wait in memory.
const ONE_IN_MEMORY: u64 = 4 << 20;
/// Bytes of all answers that may wait in memory.
const ALL_IN_MEMORY: u64 = 16 << 20;
/// Bytes of all answers that may wait in files.
const ALL_IN_FILES: u64 = 16 << 30;
/// How much is written or read at once.
const CHUNK: usize = 256 << 10;
/// Length and CID before each block.
const HEADER: usize = 4 + Cid::BYTES;

/// Where spools may put files, and how much waits at the moment.
#[derive(Debug)]
pub(super) struct SpoolSpace {
    directory: PathBuf,
    memory: AtomicU64,
    files: AtomicU64,
}

impl SpoolSpace {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, memory: AtomicU64::new(0), files: AtomicU64::new(0) }
    }
}

/// A share of a cap, given back when dropped.
#[derive(Debug)]
struct Share {
    space: Arc<SpoolSpace>,
    memory: u64,
    files: u64,
}

impl Share {
    fn more_memory(&mut self, bytes: u64) -> bool {
        take(&self.space.memory, bytes, ALL_IN_MEMORY).then(|| self.memory += bytes).is_some()
    }

    fn more_file(&mut self, bytes: u64) -> bool {
        take(&self.space.files, bytes, ALL_IN_FILES).then(|| self.files += bytes).is_some()
    }

    fn return_memory(&mut self) {
        self.space.memory.fetch_sub(std::mem::take(&mut self.memory), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.return_memory();
        self.space.files.fetch_sub(self.files, Ordering::Relaxed);
    }
}

fn take(used: &AtomicU64, bytes: u64, cap: u64) -> bool {
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        used.checked_add(bytes).filter(|sum| *sum <= cap)
    })
    .is_ok()
}

/// Blocks as they are collected inside a snapshot.
#[derive(Debug)]
pub(super) struct Spool {
    share: Share,
    buffer: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    pub(super) fn new(space: &Arc<SpoolSpace>) -> Self {
        let share = Share { space: Arc::clone(space), memory: 0, files: 0 };
        Self { share, buffer: Vec::new(), file: None }
    }

    pub(super) fn push(&mut self, cid: &Cid, data: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(data.len()).map_err(StoreError::backend)?;
        let size = HEADER.saturating_add(data.len());
        if self.file.is_none() {
            let filled = self.buffer.len().saturating_add(size) as u64;
            let wanted = filled.div_ceil(CHUNK as u64).saturating_mul(CHUNK as u64);
            let more = wanted.saturating_sub(self.share.memory);
            if wanted > ONE_IN_MEMORY || (more > 0 && !self.share.more_memory(more)) {
                self.file = Some(tempfile::tempfile_in(&self.share.space.directory).map_err(spool_error)?);
            }
        }
        self.buffer.reserve(size);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(cid.as_bytes());
        self.buffer.extend_from_slice(data);
        if self.file.is_some() && self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if !self.share.more_file(self.buffer.len() as u64) {
            return Err(StoreError::unavailable("too many large exports at once"));
        }
        file.write_all(&self.buffer).map_err(spool_error)?;
        self.buffer.clear();
        self.buffer.shrink_to(2 * CHUNK);
        Ok(())
    }

    /// The blocks in their order, in batches.
    pub(super) fn finish(mut self) -> Result<BoxStream<'static, Result<Vec<Block>, StoreError>>, StoreError> {
        self.flush()?;
        let Self { mut share, buffer, file } = self;
        let Some(mut file) = file else {
            let mut rest = Bytes::from(buffer);
            let batches = std::iter::from_fn(move || {
                // Held as long as there is something to read.
                let _ = &share;
                let batch = blocks(&mut rest, CHUNK);
                (!batch.is_empty()).then_some(Ok(batch))
            });
            return Ok(stream::iter(batches).boxed());
        };
        drop(buffer);
        share.return_memory();
        file.seek(SeekFrom::Start(0)).map_err(spool_error)?;
        let reading = Reading { file, pending: BytesMut::new(), _share: share };
        Ok(stream::try_unfold(reading, |reading| blocking(move || reading.next())).boxed())
    }
}

struct Reading {
    file: File,
    /// Read and not yet handed out: less than one block, after a batch was taken.
    pending: BytesMut,
    _share: Share,
}

impl Reading {
    fn next(mut self) -> Result<Option<(Vec<Block>, Self)>, StoreError> {
        loop {
            let missing =
                block_size(&self.pending).map_or(HEADER, |size| size.saturating_sub(self.pending.len()));
            let before = self.pending.len();
            let room = missing.max(CHUNK);
            self.pending.resize(before.saturating_add(room), 0);
            let target = self.pending.get_mut(before..).unwrap_or_default();
            let read = self.file.read(target).map_err(spool_error)?;
            self.pending.truncate(before.saturating_add(read));
            if read == 0 {
                return if self.pending.is_empty() {
                    Ok(None)
                } else {
                    Err(StoreError::corrupt("a spooled export ends within a block"))
                };
            }
            let whole = whole_blocks(&self.pending);
            if whole > 0 {
                let mut ready = self.pending.split_to(whole).freeze();
                return Ok(Some((blocks(&mut ready, usize::MAX), self)));
            }
        }
    }
}

/// The size of the block that `bytes` begin with, header included.
fn block_size(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?);
    Some(HEADER.saturating_add(length as usize))
}

/// How many bytes of `bytes` are whole blocks.
fn whole_blocks(bytes: &[u8]) -> usize {
    let mut end = 0_usize;
    while let Some(size) = bytes.get(end..).and_then(block_size) {
        match end.checked_add(size) {
            Some(next) if next <= bytes.len() => end = next,
            _ => break,
        }
    }
    end
}

/// Takes whole blocks from the front, until `limit` bytes are reached.
fn blocks(bytes: &mut Bytes, limit: usize) -> Vec<Block> {
    let mut batch = Vec::new();
    let mut taken = 0_usize;
    while taken < limit
        && let Some(size) = block_size(bytes)
        && size <= bytes.len()
    {
        let mut block = bytes.split_to(size);
        block.advance(4);
        let cid = block.split_to(Cid::BYTES);
        let Ok(cid) = Cid::from_bytes(&cid) else { break };
        batch.push(Block { cid, data: block });
        taken = taken.saturating_add(size);
    }
    batch
}

fn spool_error(error: std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return StoreError::unavailable("disk full");
    }
    StoreError::backend(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    fn block(index: usize, size: usize) -> Block {
        let data = Bytes::from(vec![(index % 251) as u8; size]);
        Block { cid: Cid::for_cbor(&data), data }
    }

    async fn round_trip(space: &Arc<SpoolSpace>, sizes: impl Iterator<Item = usize>) -> (usize, bool) {
        let blocks: Vec<_> = sizes.enumerate().map(|(index, size)| block(index, size)).collect();
        let mut spool = Spool::new(space);
        for block in &blocks {
            spool.push(&block.cid, &block.data).unwrap();
        }
        let in_file = spool.file.is_some();
        let batches: Vec<Vec<Block>> = spool.finish().unwrap().try_collect().await.unwrap();
        let largest = batches.iter().map(|batch| batch.iter().map(|block| block.data.len()).sum()).max();
        assert_eq!(batches.concat(), blocks);
        (largest.unwrap_or(0), in_file)
    }

    #[tokio::test]
    async fn gives_back_what_it_took_in_memory_and_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let space = Arc::new(SpoolSpace::new(directory.path().to_owned()));
        assert_eq!(round_trip(&space, std::iter::empty()).await, (0, false));
        assert!(!round_trip(&space, (0..1000).map(|index| index * 7 % 500)).await.1);
        let (largest, in_file) = round_trip(&space, (0..20_000).map(|index| index * 7 % 1000)).await;
        assert!(in_file && largest <= 2 * CHUNK, "a batch of {largest} bytes");
        assert!(round_trip(&space, [1 << 20, 0, 3 << 20, 1, 1 << 20, 5].into_iter()).await.1);
        assert_eq!(space.memory.load(Ordering::Relaxed), 0);
        assert_eq!(space.files.load(Ordering::Relaxed), 0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn goes_to_files_when_the_memory_of_all_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let space = Arc::new(SpoolSpace::new(directory.path().to_owned()));
        let data = vec![7; 1 << 20];
        let cid = Cid::for_cbor(&data);
        let spools: Vec<Spool> = (0..30)
            .map(|_| {
                let mut spool = Spool::new(&space);
                for _ in 0..3 {
                    spool.push(&cid, &data).unwrap();
                }
                spool
            })
            .collect();
        assert!(space.memory.load(Ordering::Relaxed) <= ALL_IN_MEMORY);
        let in_memory = spools.iter().filter(|spool| spool.file.is_none()).count();
        assert!((3..10).contains(&in_memory), "{in_memory} in memory");
        drop(spools);
        assert_eq!(space.memory.load(Ordering::Relaxed), 0);
    }
}
