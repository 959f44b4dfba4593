//! From what the caller wants to what the repo has to do, given what is there.

use std::collections::HashMap;

use arroba_core::data::{BlobRef, Link};
use arroba_core::event::MAX_OPS;
use arroba_core::mst::Tree;
use arroba_core::repo::{self, RecordChange, SignedCommit};
use arroba_core::syntax::{AtUri, Did, RecordPath};
use arroba_lexicons::json::SwapRecord;
use arroba_store::ApplyError;

use super::learn::Learned;
use super::{CommitOptions, HostError, RepoHost, Write, WriteResult, Written};
use crate::records::{Record, Rules, prepare};

/// A write whose key is settled and whose record is checked and encoded.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: RecordPath,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Create(Record),
    Update(Record),
    Put(Record, SwapRecord),
    Delete(SwapRecord),
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) writes: Vec<repo::Write>,
    pub(super) results: Vec<WriteResult>,
}

impl RepoHost {
    /// Does what does not depend on the repo's state: keys, checks, encoding.
    pub(super) fn prepare(
        &self,
        writes: Vec<Write>,
        options: &CommitOptions,
        learned: &Learned,
    ) -> Result<Vec<Prepared>, HostError> {
        if writes.len() > MAX_OPS {
            return Err(HostError::TooManyWrites(writes.len()));
        }
        writes.into_iter().map(|write| self.prepare_one(write, options, learned)).collect()
    }

    fn prepare_one(
        &self,
        write: Write,
        options: &CommitOptions,
        learned: &Learned,
    ) -> Result<Prepared, HostError> {
        let checked = |path: &RecordPath, content| {
            let catalog = learned.of(&path.collection).unwrap_or(&self.0.catalog);
            let rules = Rules { catalog, unknown: self.0.unknown, validate: options.validate };
            prepare(rules, &path.collection, &path.rkey, content)
        };
        let (path, action) = match write {
            Write::Create { collection, rkey, content } => {
                let rkey = rkey.unwrap_or_else(|| self.fresh_tid().into());
                let path = RecordPath::new(collection, rkey);
                let record = checked(&path, content)?;
                (path, Action::Create(record))
            }
            Write::Update { collection, rkey, content } => {
                let path = RecordPath::new(collection, rkey);
                let record = checked(&path, content)?;
                (path, Action::Update(record))
            }
            Write::Put { collection, rkey, content, swap } => {
                let path = RecordPath::new(collection, rkey);
                let record = checked(&path, content)?;
                (path, Action::Put(record, swap))
            }
            Write::Delete { collection, rkey, swap } => {
                (RecordPath::new(collection, rkey), Action::Delete(swap))
            }
        };
        Ok(Prepared { path, action })
    }
}

/// Turns prepared writes into what the repo can do, as if each came after the one before it.
///
/// `tree` must have the nodes around the writes' keys loaded.
pub(super) fn resolve(did: &Did, tree: &Tree, prepared: &[Prepared]) -> Result<Resolved, HostError> {
    let mut written: HashMap<&RecordPath, Option<Link>> = HashMap::new();
    let mut resolved = Resolved::default();
    for Prepared { path, action } in prepared {
        let current = match written.get(path) {
            Some(current) => current.clone(),
            None => tree.value(&repo::key(path)).map_err(|error| HostError::Edit(error.into()))?.cloned(),
        };
        let record = match action {
            Action::Create(_) if current.is_some() => return Err(HostError::RecordExists(path.clone())),
            Action::Update(_) if current.is_none() => return Err(HostError::RecordMissing(path.clone())),
            Action::Create(record) | Action::Update(record) => record,
            Action::Put(record, swap) => {
                check_swap(*swap, current.as_ref())?;
                record
            }
            Action::Delete(swap) => {
                // A record that is not there is deleted already, whatever version the caller knew.
                if current.is_some() {
                    check_swap(*swap, current.as_ref())?;
                    resolved.writes.push(repo::Write::delete(path.clone()));
                    written.insert(path, None);
                }
                resolved.results.push(WriteResult::Deleted(AtUri::record(did, path)));
                continue;
            }
        };
        written.insert(path, Some(Link::Cid(record.cid)));
        resolved.writes.push(repo::Write::Put {
            path: path.clone(),
            value: record.bytes.clone(),
            cid: record.cid,
        });
        let result =
            Written { uri: AtUri::record(did, path), cid: record.cid, validation: record.validation.clone() };
        resolved.results.push(match current {
            Some(_) => WriteResult::Updated(result),
            None => WriteResult::Created(result),
        });
    }
    Ok(resolved)
}

/// What goes with the records that a commit puts.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) blobs: Vec<(RecordPath, BlobRef)>,
    pub(super) backlinks: Vec<(RecordPath, String)>,
}

impl References {
    /// Those of the records of `commit`.
    pub(super) fn of(prepared: &[Prepared], commit: &SignedCommit) -> Self {
        let mut newest: HashMap<&RecordPath, &Record> = HashMap::new();
        for Prepared { path, action } in prepared {
            match action {
                Action::Create(record) | Action::Update(record) | Action::Put(record, _) => {
                    newest.insert(path, record)
                }
                Action::Delete(_) => newest.remove(path),
            };
        }
        let mut references = Self::default();
        for change in &commit.records {
            let RecordChange::Put { path, .. } = change else { continue };
            let Some(record) = newest.get(path) else { continue };
            references.blobs.extend(record.blobs.iter().map(|blob| (path.clone(), blob.clone())));
            references.backlinks.extend(record.subject.iter().map(|target| (path.clone(), target.clone())));
        }
        references
    }
}

/// What a store's refusal means, given what the records say of their blobs.
pub(super) fn refused(did: &Did, prepared: &[Prepared], error: ApplyError) -> HostError {
    match HostError::refused(did, None, error) {
        HostError::BlobMismatch { cid, mime_type, size, .. } => {
            let claimed = prepared.iter().flat_map(|prepared| match &prepared.action {
                Action::Create(record) | Action::Update(record) | Action::Put(record, _) => &record.blobs[..],
                Action::Delete(_) => &[],
            });
            let type_matches = claimed.filter(|blob| blob.cid == cid).all(|blob| blob.mime_type == mime_type);
            HostError::BlobMismatch { cid, mime_type, size, type_matches }
        }
        error => error,
    }
}

fn check_swap(swap: SwapRecord, current: Option<&Link>) -> Result<(), HostError> {
    let fits = match swap {
        SwapRecord::Any => true,
        SwapRecord::Missing => current.is_none(),
        SwapRecord::At(cid) => current == Some(&Link::Cid(cid)),
    };
    if fits { Ok(()) } else { Err(HostError::RecordSwapped { actual: current.cloned() }) }
}
