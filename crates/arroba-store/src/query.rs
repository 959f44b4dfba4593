//! Questions about one repository, and their answers.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use arroba_core::{
    data::Cid,
    syntax::{Nsid, RecordKey, RecordPath, Tid},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};

use crate::{
    error::StoreError,
    repo::{Head, RepoRow},
};

/// Which records.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    /// One, or a range.
    pub range: RecordRange,
    /// Whether taken-down records are left out.
    pub visible_only: bool,
}

/// The part of a repository that a [`RecordQuery`] asks for.
#[derive(Clone, Debug)]
pub enum RecordRange {
    /// The record at a path.
    One(RecordPath),
    /// The records at these paths, those that exist, in the order of their paths. Where a call is a way over the network, it costs no
    /// more ways than one record does.
    These(Vec<RecordPath>),
    /// Records of one collection by key.
    Collection {
        /// The collection.
        collection: Nsid,
        /// Where the page before ended, exclusive, in the direction of `order`.
        after: Option<RecordKey>,
        /// At most this many; fewer if they have more than [`RecordPage::MAX_BYTES`].
        limit: usize,
        /// Which way.
        order: Order,
    },
    /// All records in the order of their paths.
    All {
        /// Where the page before ended, exclusive.
        after: Option<RecordPath>,
        /// At most this many.
        limit: usize,
    },
}

impl RecordQuery {
    /// The record at a path, if it is not taken down.
    pub fn one(path: RecordPath) -> Self {
        Self { range: RecordRange::One(path), visible_only: true }
    }

    /// The records at these paths that are not taken down.
    pub fn these(paths: Vec<RecordPath>) -> Self {
        Self { range: RecordRange::These(paths), visible_only: true }
    }

    /// A page of a collection, without taken-down records.
    pub fn collection(collection: Nsid, after: Option<RecordKey>, limit: usize, order: Order) -> Self {
        Self { range: RecordRange::Collection { collection, after, limit, order }, visible_only: true }
    }

    /// A page of everything, taken down or not.
    pub fn all(after: Option<RecordPath>, limit: usize) -> Self {
        Self { range: RecordRange::All { after, limit }, visible_only: false }
    }
}

/// A direction of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By growing key.
    Ascending,
    /// By falling key: newest first where keys are TIDs.
    Descending,
}

/// A record as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Where.
    pub path: RecordPath,
    /// The CID of its bytes.
    pub cid: Cid,
    /// The rev that last wrote it.
    pub rev: Tid,
    /// DAG-CBOR.
    pub value: Bytes,
}

/// Records, with the repository and head they belong to: all of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// The row, with the status that decides whether this may be shown.
    pub repo: RepoRow,
    /// The head.
    pub head: Head,
    /// The records, in order.
    pub records: Vec<RecordRow>,
    /// Whether more follow.
    pub more: bool,
}

impl RecordPage {
    /// A page of a collection ends behind the record by which its records have so many bytes together, so that whoever reads large
    /// records page by page holds little at once.
    pub const MAX_BYTES: usize = 4 << 20;

    /// The page, ended where it has enough bytes; for stores that find out the sizes last.
    #[must_use]
    pub fn bounded(mut self, range: &RecordRange) -> Self {
        if matches!(range, RecordRange::Collection { .. }) {
            let mut bytes = 0_usize;
            let fits = self.records.iter().take_while(|record| {
                let fits = bytes < Self::MAX_BYTES;
                bytes = bytes.saturating_add(record.value.len());
                fits
            });
            let fits = fits.count();
            self.more |= fits < self.records.len();
            self.records.truncate(fits);
        }
        self
    }
}

/// Which blocks of a repository.
#[derive(Clone, Debug)]
pub enum BlockQuery {
    /// All: a full export.
    All,
    /// The commit, and the nodes and records that are newer than a rev.
    Since(Tid),
    /// These, as far as the current commit reaches them.
    These(Vec<Cid>),
}

/// A block and its CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The CID.
    pub cid: Cid,
    /// The bytes.
    pub data: Bytes,
}

/// Blocks of one snapshot. [`BlockQuery::All`] and [`BlockQuery::Since`] come in the streamable order: the commit, then the tree
/// in pre-order with each record behind its entry. No snapshot is held while this is read.
pub struct BlockStream {
    /// The row, with the status that decides whether this may be shown.
    pub repo: RepoRow,
    /// The head.
    pub head: Head,
    /// What [`BlockQuery::These`] asked for and the repository does not have.
    pub missing: Vec<Cid>,
    batches: BoxStream<'static, Result<Vec<Block>, StoreError>>,
    batch: std::vec::IntoIter<Block>,
}

impl BlockStream {
    /// Puts the answer together; the batches may have any size.
    pub fn new(
        repo: RepoRow,
        head: Head,
        missing: Vec<Cid>,
        batches: BoxStream<'static, Result<Vec<Block>, StoreError>>,
    ) -> Self {
        Self { repo, head, missing, batches, batch: Vec::new().into_iter() }
    }

    /// The next blocks, as many as are at hand; cheaper than one at a time.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read; the stream is over then.
    pub async fn next_batch(&mut self) -> Option<Result<Vec<Block>, StoreError>> {
        let batch = std::mem::take(&mut self.batch);
        if batch.len() > 0 {
            return Some(Ok(batch.collect()));
        }
        self.batches.next().await
    }
}

impl Stream for BlockStream {
    type Item = Result<Block, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(block) = self.batch.next() {
                return Poll::Ready(Some(Ok(block)));
            }
            match std::task::ready!(self.batches.poll_next_unpin(context)) {
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for BlockStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BlockStream")
            .field("did", &self.repo.did)
            .field("head", &self.head.cid)
            .finish()
    }
}
