//! What is stored under the numbers.

use std::collections::HashMap;

use arroba_core::{data::Cid, event::EventDraft, repo::Commit, syntax::Did};
use bytes::Bytes;

use super::{
    super::{
        Client, Reads, Select,
        api::{Entity, property_filter::Operator, property_order::Direction, value::ValueType},
        entity::{AtpBlock, AtpRepo},
        event::stored_event,
    },
    rebuild::StoredCommit,
};
use crate::error::StoreError;

/// What was stored first under one number.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) seq: u64,
    /// An event that is no commit, with its time in microseconds.
    pub(super) event: Option<(EventDraft, u64)>,
    /// Commits: one, unless the Python library was interrupted and tried again with the same number.
    pub(super) commits: Vec<StoredCommit>,
}

/// A part of the log.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The numbers that have blocks, in order, and without those that are not read to their end.
    pub(super) numbers: Vec<Numbered>,
    /// Blocks that were read: commits, records and tree nodes, most of what the commits' events need.
    pub(super) known: HashMap<Cid, Bytes>,
    /// How far it was read.
    pub(super) through: u64,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// Reads at least one number behind `after`, and about `limit`, up to and including `to`: what one repository stored, or everything.
/// One query for 500 blocks.
pub(super) async fn read(
    client: &Client,
    of: Option<&Did>,
    after: u64,
    to: Option<u64>,
    limit: usize,
) -> Result<Read, StoreError> {
    let mut read = Read { through: to.unwrap_or(after), ..Read::default() };
    let (mut cursor, mut bytes, mut blocks) = (Vec::new(), 0, 0);
    loop {
        let query = blocks_behind(client, of, after, to).after(cursor);
        let page = client.query(query.into(), Reads::Strong).await?;
        for entity in page.results.into_iter().filter_map(|result| result.entity) {
            let Some(block) = intact(entity) else { continue };
            (bytes, blocks) = (bytes + block.encoded.len(), blocks + 1);
            let ended = read.numbers.last().is_some_and(|last| last.seq != block.seq);
            if ended && (read.numbers.len() >= limit || bytes > BYTES) {
                read.through = read.numbers.last().map_or(after, |last| last.seq);
                read.more = true;
                return Ok(read);
            }
            if blocks == KNOWN_BLOCKS {
                // A commit of this size is an import; what it needs is looked up.
                read.known.clear();
            }
            read.add(block, blocks < KNOWN_BLOCKS);
        }
        cursor = page.end_cursor;
        if !page.more {
            read.through = read.numbers.last().map_or(read.through, |last| last.seq.max(read.through));
            return Ok(read);
        }
    }
}

impl Read {
    fn add(&mut self, block: AtpBlock, keep: bool) {
        let seq = block.seq;
        if self.numbers.last().is_none_or(|last| last.seq != seq) {
            self.numbers.push(Numbered { seq, event: None, commits: Vec::new() });
        }
        let Some(number) = self.numbers.last_mut() else { return };
        if let Some(commit) = commit_of(&block) {
            number.commits.push(commit);
            // It is the one before the next.
            if keep {
                self.known.insert(block.cid, block.encoded);
            }
            return;
        }
        match stored_event(&block.encoded) {
            // A record may say that it is an event of somebody else.
            Ok(Some((_, draft))) if block.repo.as_ref().is_none_or(|did| did == draft.did()) => {
                number.event = Some((draft, block.created.unwrap_or(0)));
            }
            Ok(_) if keep => drop(self.known.insert(block.cid, block.encoded)),
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(seq, cid = %block.cid, error, "a stored event is left out");
            }
        }
    }
}

/// As the Python library asks; for one repository the index `AtpBlock(repo, seq)` is needed, there as here.
fn blocks_behind(client: &Client, of: Option<&Did>, after: u64, to: Option<u64>) -> Select {
    let number = |number: u64| ValueType::IntegerValue(i64::try_from(number).unwrap_or(i64::MAX));
    let select = Select::from(AtpBlock::KIND).and(SEQ, Operator::GreaterThan, number(after));
    let select = match of {
        Some(did) => {
            select.and(REPO, Operator::Equal, ValueType::KeyValue(AtpRepo::key(client.database(), did)))
        }
        None => select,
    };
    let select = match to {
        Some(to) => select.and(SEQ, Operator::LessThanOrEqual, number(to)),
        None => select,
    };
    select.order(SEQ, Direction::Ascending).limit(PAGE)
}

/// The block, if it can be read. One that cannot must not stop all others.
fn intact(entity: Entity) -> Option<AtpBlock> {
    match AtpBlock::from_entity(entity) {
        Ok(block) if block.is_intact() => Some(block),
        Ok(block) => {
            tracing::error!(seq = block.seq, cid = %block.cid, "a block with other bytes is left out of the log");
            None
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a block that cannot be read is left out of the log");
            None
        }
    }
}

/// The commit, if it is one and its owner stored it.
fn commit_of(block: &AtpBlock) -> Option<StoredCommit> {
    // The map of six whose first key is "did".
    let commit = block.encoded.starts_with(b"\xa6\x63did").then(|| Commit::decode(&block.encoded).ok())??;
    let owned = block.repo.as_ref().is_none_or(|did| *did == commit.did);
    owned.then(|| StoredCommit {
        seq: block.seq,
        cid: block.cid,
        block: block.encoded.clone(),
        commit,
        ops: block.ops.clone(),
        created: block.created.unwrap_or(0),
    })
}

const SEQ: &str = "seq";

const REPO: &str = "repo";

/// Blocks of one query, as in the Python library.
const PAGE: u16 = 500;

/// Bytes of blocks after which a read ends with the number that it is at.
const BYTES: usize = 16 << 20;

/// Blocks of a read that are kept for what is made of it.
const KNOWN_BLOCKS: usize = 10_000;
