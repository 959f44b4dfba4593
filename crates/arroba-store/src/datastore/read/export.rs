//! Exports: the streamable order, read in windows.

use std::collections::{HashSet, VecDeque};

use arroba_core::{data::Cid, syntax::Did};
use futures::{StreamExt, stream};
use tokio::task::JoinSet;

use super::{
    super::blocks::{Blocks, Passed},
    since::{Newer, newer},
    subtree::{Part, Subtree, missing},
    these::these,
    window::Window,
};
use crate::{
    error::StoreError,
    query::{Block, BlockQuery, BlockStream},
    repo::{Head, RepoRow},
};

/// Blocks of the repository as it was at `head`, however long the reader takes.
///
/// A full export asks for each of its blocks once, up to 1,000 at a time, and for fewer where they are large; while the reader takes
/// a window the next one is read. Of `n` blocks less than 8 KiB in size these are about `n / 1,000` lookups, and two for each level
/// of the tree.
///
/// [`BlockQuery::Since`] gives exactly those blocks that the tree at that rev lacks, if it was the rev of a commit here and the
/// difference is not huge, else everything.
///
/// # Errors
/// [`StoreError::Corrupt`], at once or in the stream, if a block is missing or wrong; as [`Blocks::pass_part`].
pub(crate) async fn blocks(
    blocks: &Blocks,
    repo: RepoRow,
    head: Head,
    query: BlockQuery,
) -> Result<BlockStream, StoreError> {
    let did = repo.did.clone();
    if !head.cid.matches(&head.block) {
        return Err(StoreError::corrupt(format!("commit {} of {did} has other bytes", head.cid)));
    }
    let newer = match query {
        BlockQuery::All => Newer::All,
        BlockQuery::Since(rev) => newer(blocks, &did, &head, rev).await?,
        BlockQuery::These(cids) => {
            let (found, missing) = these(blocks, &did, &head, cids).await?;
            let items = found.into_iter().map(Item::Record);
            let export = Export::new(blocks, did, Newer::All, items);
            return Ok(BlockStream::new(repo, head, missing, export.stream()));
        }
    };
    let root = Subtree::root(head.data);
    let first = newer.has_node(&head.data).then_some(Item::Node(root));
    let commit = Item::Ready(Block { cid: head.cid, data: head.block.clone() });
    let export = Export::new(blocks, did, newer, [commit].into_iter().chain(first));
    Ok(BlockStream::new(repo, head, Vec::new(), export.stream()))
}

/// Something that the reader is to get.
#[derive(Debug)]
enum Item {
    /// A node that is not read; what is in it follows it.
    Node(Subtree),
    /// A record, or another block without anything in it, that is not read.
    Record(Cid),
    /// A block that was read.
    Ready(Block),
}

struct Export {
    blocks: Blocks,
    did: Did,
    newer: Newer,
    /// In the order of the export. Blocks are read from the front; one that is ready waits for those before it.
    items: VecDeque<Item>,
    /// Bytes of those that are ready.
    held: usize,
    window: Window,
    /// The lookup of the next window, at most one; dropped with the export.
    reading: JoinSet<Result<Passed, StoreError>>,
}

impl Export {
    fn new(blocks: &Blocks, did: Did, newer: Newer, items: impl IntoIterator<Item = Item>) -> Self {
        let (blocks, items) = (blocks.clone(), items.into_iter().collect());
        Self { blocks, did, newer, items, held: 0, window: Window::default(), reading: JoinSet::new() }
    }

    fn stream(self) -> stream::BoxStream<'static, Result<Vec<Block>, StoreError>> {
        let next = async |mut export: Self| {
            let batch = export.next().await?;
            Ok(batch.map(|batch| (batch, export)))
        };
        stream::try_unfold(self, next).boxed()
    }

    /// The blocks that can be passed on; nothing at the end.
    async fn next(&mut self) -> Result<Option<Vec<Block>>, StoreError> {
        loop {
            if let Some(read) = self.reading.join_next().await {
                let passed = read.map_err(StoreError::backend)??;
                self.take(&passed)?;
            }
            let batch = self.ready();
            self.read_on();
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if self.reading.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Takes the blocks that are ready off the front.
    fn ready(&mut self) -> Vec<Block> {
        let mut batch = Vec::new();
        while let Some(Item::Ready(_)) = self.items.front()
            && let Some(Item::Ready(block)) = self.items.pop_front()
        {
            self.held = self.held.saturating_sub(block.data.len());
            batch.push(block);
        }
        batch
    }

    /// Begins to read the next window.
    fn read_on(&mut self) {
        let unread = self.items.iter().filter_map(|item| match item {
            Item::Node(Subtree { cid, .. }) | Item::Record(cid) => Some(*cid),
            Item::Ready(_) => None,
        });
        let cids: Vec<Cid> = unread.take(self.window.keys(self.held)).collect();
        if !cids.is_empty() {
            let blocks = self.blocks.clone();
            self.reading.spawn(async move { blocks.pass_part(cids).await });
        }
    }

    /// Puts what was read in its place: behind each node what is in it.
    fn take(&mut self, passed: &Passed) -> Result<(), StoreError> {
        if let Some(cid) = passed.missing.first() {
            return Err(missing("block", &self.did, cid));
        }
        let bytes = passed.found.values().map(|block| block.bytes.len()).sum();
        self.window.saw(passed.found.len(), bytes);
        let mut left: HashSet<&Cid> = passed.found.keys().collect();
        let mut front = Vec::with_capacity(left.len() * 2);
        while !left.is_empty()
            && let Some(item) = self.items.pop_front()
        {
            let cid = match &item {
                Item::Node(Subtree { cid, .. }) | Item::Record(cid) => *cid,
                Item::Ready(_) => {
                    front.push(item);
                    continue;
                }
            };
            let Some(block) = passed.found.get(&cid) else {
                // The service put it off.
                front.push(item);
                continue;
            };
            left.remove(&cid);
            self.held += block.bytes.len();
            front.push(Item::Ready(Block { cid, data: block.bytes.clone() }));
            if let Item::Node(subtree) = item {
                self.enter(&subtree, &block.bytes, &mut front)?;
            }
        }
        front.into_iter().rev().for_each(|item| self.items.push_front(item));
        Ok(())
    }

    fn enter(&self, subtree: &Subtree, bytes: &[u8], items: &mut Vec<Item>) -> Result<(), StoreError> {
        let parts = subtree.open(&self.did, bytes)?.parts;
        items.extend(parts.into_iter().filter_map(|part| match part {
            Part::Entry(key, cid) => self.newer.has_record(&key).then_some(Item::Record(cid)),
            Part::Subtree(subtree) => self.newer.has_node(&subtree.cid).then_some(Item::Node(subtree)),
        }));
        Ok(())
    }
}
