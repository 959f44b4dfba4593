//! The events of commits, made again from what is stored.
//!
//! No commit event is stored. It follows from the commit, the one before it, both trees and the records: the operations are replayed
//! on the tree before, the root must come out as the commit has it, and the event is made from that as the writer made it. So every
//! node gives the same bytes, at any time.

use std::collections::{BTreeMap, HashMap};

use arroba_core::{
    car,
    data::Cid,
    event::{self, Action, EventDraft, RepoOp, SyncEvent},
    mst::{Loader, MstError, Tree},
    repo::{self, Commit, CommitError, CommitParams, EditError, Write},
    syntax::{Datetime, Did, RecordPath},
};
use bytes::Bytes;

use super::super::blocks::Blocks;
use crate::error::StoreError;

/// A commit as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredCommit {
    /// The number of its event.
    pub(crate) seq: u64,
    /// Its CID.
    pub(crate) cid: Cid,
    /// Its block.
    pub(crate) block: Bytes,
    /// The same, decoded.
    pub(crate) commit: Commit,
    /// What it did; the Python library may name a record twice.
    pub(crate) ops: Vec<RepoOp>,
    /// Microseconds since 1970.
    pub(crate) created: u64,
}

/// Why no `#commit` can be made of a commit. A `#sync` says then what the repository is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEvent {
    #[error("the commit before, {0}, is not stored")]
    NoPrevious(Cid),
    #[error("the commit before is malformed")]
    Previous(#[source] CommitError),
    #[error("the commit before belongs to {0}")]
    Owner(Did),
    #[error("the tree node {0} is not stored")]
    NoNode(Cid),
    #[error("the tree before is malformed")]
    Tree(#[source] MstError),
    #[error("the record {0} is not stored")]
    NoRecord(RecordPath),
    #[error("the operations cannot be replayed, or are too much for an event")]
    Replay(#[source] EditError),
    #[error("the operations do not lead to the commit's tree")]
    Root,
    #[error("the tree was replaced as a whole")]
    Replaced,
}

/// A commit on the way to its event.
struct Work<'a> {
    stored: &'a StoredCommit,
    writes: BTreeMap<RecordPath, Net>,
    previous: Option<Commit>,
    loader: Loader,
    failed: Option<NoEvent>,
}

/// What all operations on a record come to.
struct Net {
    existed: bool,
    cid: Option<Cid>,
}

/// The events of commits, in their order: a `#commit` each, or a `#sync` where none can be made. One lookup for the commits before,
/// one for each level of all trees together, one for all records; none for what is in memory or among `known`, which were read with
/// the commits.
///
/// # Errors
/// [`StoreError`] if blocks cannot be read. That one is missing is no error.
pub(crate) async fn rebuild(
    blocks: &Blocks,
    known: &HashMap<Cid, Bytes>,
    commits: &[StoredCommit],
) -> Result<Vec<EventDraft>, StoreError> {
    let source = Source { blocks, known };
    let mut works: Vec<_> = commits.iter().map(Work::new).collect();
    previous(&source, &mut works).await?;
    let trees = trees(&source, &mut works).await?;
    let wanted = works.iter().filter(|work| work.failed.is_none());
    let records = source.find(wanted.flat_map(Work::records).collect()).await?;
    let mut events = Vec::with_capacity(works.len());
    for (work, tree) in works.into_iter().zip(&trees) {
        let stored = work.stored;
        events.push(match work.finish(tree.as_ref(), &records) {
            Ok(event) => event,
            Err(NoEvent::Replaced) => {
                tracing::debug!(seq = stored.seq, did = %stored.commit.did, "an import is told as a #sync");
                sync(stored)
            }
            Err(reason) => {
                let reason = &reason as &dyn std::error::Error;
                tracing::warn!(seq = stored.seq, did = %stored.commit.did, commit = %stored.cid, reason,
                    "no #commit can be made of a commit; a #sync stands for it");
                sync(stored)
            }
        });
    }
    Ok(events)
}

/// The `#sync` of a commit.
fn sync(stored: &StoredCommit) -> EventDraft {
    let mut blocks = car::Writer::with_capacity(&[stored.cid], car::section_length(stored.block.len()));
    blocks.block(&stored.cid, &stored.block);
    event::sync(&SyncEvent {
        did: stored.commit.did.clone(),
        rev: stored.commit.rev,
        blocks: blocks.finish(),
        time: Datetime::from_unix_micros(stored.created),
    })
}

/// Reads the commits before.
async fn previous(source: &Source<'_>, works: &mut [Work<'_>]) -> Result<(), StoreError> {
    let found = source.find(works.iter().filter_map(|work| work.stored.commit.prev).collect()).await?;
    for work in works {
        let Some(cid) = work.stored.commit.prev else { continue };
        let commit = match found.get(&cid) {
            None => Err(NoEvent::NoPrevious(cid)),
            Some(block) => Commit::decode(block).map_err(NoEvent::Previous),
        };
        match commit {
            Ok(commit) if commit.did == work.stored.commit.did => work.previous = Some(commit),
            Ok(commit) => work.failed = Some(NoEvent::Owner(commit.did)),
            Err(reason) => work.failed = Some(reason),
        }
    }
    Ok(())
}

/// Loads the trees before, level by level, all at once.
async fn trees(source: &Source<'_>, works: &mut [Work<'_>]) -> Result<Vec<Option<Tree>>, StoreError> {
    for work in works.iter_mut() {
        match &work.previous {
            Some(commit) => work.loader.start_unmeasured(commit.data),
            None => work.loader.start(None),
        }
    }
    loop {
        let open = works.iter().filter(|work| work.failed.is_none());
        let wants: Vec<Cid> = open.flat_map(|work| work.loader.wants()).map(|want| want.cid).collect();
        if wants.is_empty() {
            break;
        }
        let found = source.find(wants).await?;
        for work in works.iter_mut().filter(|work| work.failed.is_none()) {
            for want in work.loader.wants().to_vec() {
                let supplied = match found.get(&want.cid) {
                    None => Err(NoEvent::NoNode(want.cid)),
                    Some(node) => work.loader.supply(&want, node.clone()).map_err(NoEvent::Tree),
                };
                if let Err(reason) = supplied {
                    work.failed = Some(reason);
                    break;
                }
            }
        }
    }
    let finish = |work: &mut Work<'_>| {
        if work.failed.is_some() {
            return None;
        }
        let loader = std::mem::replace(&mut work.loader, Loader::for_read([]));
        loader.finish().map_err(|error| work.failed = Some(NoEvent::Tree(error))).ok()
    };
    Ok(works.iter_mut().map(finish).collect())
}

impl<'a> Work<'a> {
    fn new(stored: &'a StoredCommit) -> Self {
        let mut writes = BTreeMap::new();
        for op in &stored.ops {
            let existed = op.action != Action::Create;
            writes.entry(op.path.clone()).or_insert(Net { existed, cid: None }).cid = op.cid;
        }
        let loader = Loader::for_edit(writes.keys().map(repo::key));
        Self { stored, writes, previous: None, loader, failed: None }
    }

    fn records(&self) -> impl Iterator<Item = Cid> {
        self.writes.values().filter_map(|net| net.cid)
    }

    fn finish(self, tree: Option<&Tree>, records: &HashMap<Cid, Bytes>) -> Result<EventDraft, NoEvent> {
        if let Some(reason) = self.failed {
            return Err(reason);
        }
        let commit = &self.stored.commit;
        let replaced = self.stored.ops.is_empty();
        let mut writes = Vec::with_capacity(self.writes.len());
        for (path, net) in self.writes {
            match net {
                Net { cid: Some(cid), .. } => {
                    let Some(value) = records.get(&cid).cloned() else { return Err(NoEvent::NoRecord(path)) };
                    writes.push(Write::Put { path, value, cid });
                }
                Net { existed: true, cid: None } => writes.push(Write::delete(path)),
                // It was made and deleted again.
                Net { existed: false, cid: None } => {}
            }
        }
        let staged = match (&self.previous, tree) {
            (Some(_), Some(tree)) => match repo::edit(tree, writes).map_err(NoEvent::Replay)? {
                staged if staged.is_empty() => repo::resign(tree).map_err(NoEvent::Replay)?,
                staged => staged,
            },
            _ => repo::create(writes).map_err(NoEvent::Replay)?,
        };
        if staged.tree().root_cid() != commit.data {
            return Err(if replaced { NoEvent::Replaced } else { NoEvent::Root });
        }
        let params = CommitParams {
            did: commit.did.clone(),
            rev: commit.rev,
            since: self.previous.as_ref().map(|previous| previous.rev),
            prev_data: self.previous.as_ref().map(|previous| previous.data),
            prev_commit: commit.prev,
            time: Datetime::from_unix_micros(self.stored.created),
        };
        staged.event(self.stored.cid, &self.stored.block, params).map_err(NoEvent::Replay)
    }
}

/// Blocks that were just read, and all others.
struct Source<'a> {
    blocks: &'a Blocks,
    known: &'a HashMap<Cid, Bytes>,
}

impl Source<'_> {
    /// Those that exist.
    async fn find(&self, cids: Vec<Cid>) -> Result<HashMap<Cid, Bytes>, StoreError> {
        let mut found = HashMap::with_capacity(cids.len());
        let mut rest = Vec::new();
        for cid in cids {
            match self.known.get(&cid) {
                Some(bytes) => drop(found.insert(cid, bytes.clone())),
                None => rest.push(cid),
            }
        }
        let others = if rest.is_empty() { HashMap::new() } else { self.blocks.get_many(rest).await? };
        found.extend(others.into_iter().map(|(cid, block)| (cid, block.bytes)));
        Ok(found)
    }
}
