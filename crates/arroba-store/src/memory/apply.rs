//! Making a change: everything is checked before anything is touched, so nothing has to be undone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    event::EventDraft,
    repo::{RecordChange, SignedCommit},
    syntax::{Did, Handle, Tid},
};

use super::{Live, Repo, Rows, State};
use crate::{
    blob_index::BlobRow,
    change::{Applied, Change, ChangeKind, CommitChange},
    error::ApplyError,
    log::StoredEvent,
    repo::{Head, RepoRow, RepoStatus, Subject},
    seal::SealedKeys,
};

impl State {
    pub(super) fn apply(&mut self, change: Change) -> Result<Applied, ApplyError> {
        let Change { did, time, kind, events, reservation: _ } = change;
        if events.iter().any(|event| *event.did() != did) {
            return Err(ApplyError::Malformed("an event of another account"));
        }
        let repo = match kind {
            ChangeKind::Reserve { handle, keys } => {
                if self.repo(&did).is_some_and(|repo| repo.row.underlying != RepoStatus::Deleted) {
                    return Err(ApplyError::Exists);
                }
                if !events.is_empty() {
                    return Err(ApplyError::Malformed("a reservation has no events"));
                }
                self.free(handle.as_ref(), &did)?;
                self.reserve(did.clone(), handle, keys, time)
            }
            ChangeKind::Create { handle, keys, status, commit } => {
                self.creatable(&did, handle.as_ref(), status, &commit)?;
                let id = self.reserve(did.clone(), handle, keys, time);
                self.create(id, status, *commit);
                id
            }
            ChangeKind::Commit(commit) => self.commit(&did, *commit, time)?,
            ChangeKind::Status { status } => {
                let (id, repo) = self.existing(&did)?;
                match status {
                    RepoStatus::Active | RepoStatus::Deactivated | RepoStatus::Suspended => {
                        repo.row.underlying = status;
                    }
                    _ => return Err(ApplyError::Malformed("a status is active, deactivated or suspended")),
                }
                id
            }
            ChangeKind::Takedown { reference } => {
                let next = self.next_seq;
                let (id, repo) = self.existing(&did)?;
                repo.takedown_before = match (&reference, &repo.row.takedown) {
                    (None, _) => 0,
                    (Some(_), None) => next,
                    // Its first takedown is to be seen.
                    (Some(_), Some(_)) => repo.takedown_before,
                };
                repo.row.takedown = reference;
                id
            }
            ChangeKind::Identity { handle, sealed_key } => {
                self.existing(&did)?;
                self.free(handle.as_ref(), &did)?;
                let (id, repo) = self.existing(&did)?;
                repo.row.handle = handle;
                if let Some(key) = sealed_key {
                    repo.row.keys.signing = key;
                }
                id
            }
            ChangeKind::Announce => self.existing(&did)?.0,
            ChangeKind::Hide { subject, reference } => {
                let (id, repo) = self.existing(&did)?;
                match reference {
                    Some(reference) => repo.hidden.insert(subject, reference),
                    None => repo.hidden.remove(&subject),
                };
                id
            }
            ChangeKind::Delete => self.delete(&did, events.is_empty(), time)?,
        };
        Ok(self.emit(repo, &did, time, &events))
    }

    pub(super) fn emit(&mut self, repo: u64, did: &Did, time: u64, events: &[EventDraft]) -> Applied {
        let start = self.next_seq;
        for draft in events {
            let seq = self.next_seq;
            let frame = draft.fill(seq);
            let event = StoredEvent { seq, did: did.clone(), kind: draft.kind(), time, frame };
            self.events.push_back((repo, event));
            self.next_seq = seq.saturating_add(1);
        }
        Applied { seqs: start..self.next_seq }
    }

    fn find(&mut self, did: &Did) -> Result<(u64, &mut Repo), ApplyError> {
        let id = *self.dids.get(did).ok_or(ApplyError::NotFound)?;
        let repo = self.repos.get_mut(&id).ok_or(ApplyError::NotFound)?;
        Ok((id, repo))
    }

    /// A repository that still is one.
    fn existing(&mut self, did: &Did) -> Result<(u64, &mut Repo), ApplyError> {
        let (id, repo) = self.find(did)?;
        if repo.row.underlying == RepoStatus::Deleted {
            return Err(ApplyError::Inactive(RepoStatus::Deleted));
        }
        Ok((id, repo))
    }

    fn free(&self, handle: Option<&Handle>, did: &Did) -> Result<(), ApplyError> {
        match handle.and_then(|handle| self.by_handle(handle)) {
            Some((_, holder)) if holder.row.did != *did => Err(ApplyError::HandleTaken),
            _ => Ok(()),
        }
    }

    fn reserve(&mut self, did: Did, handle: Option<Handle>, keys: SealedKeys, time: u64) -> u64 {
        let row = RepoRow {
            did: did.clone(),
            handle,
            status: RepoStatus::Creating,
            underlying: RepoStatus::Creating,
            takedown: None,
            keys,
            created: time,
            rev: None,
        };
        if let Ok((id, repo)) = self.find(&did) {
            repo.row = RepoRow { rev: repo.row.rev, ..row };
            return id;
        }
        let id = self.next_repo;
        self.next_repo = id.saturating_add(1);
        self.dids.insert(did, id);
        let repo = Repo {
            row,
            live: None,
            blobs: BTreeMap::new(),
            hidden: HashMap::new(),
            deleted_before: 0,
            takedown_before: 0,
        };
        self.repos.insert(id, repo);
        id
    }

    fn creatable(
        &self,
        did: &Did,
        handle: Option<&Handle>,
        status: RepoStatus,
        commit: &CommitChange,
    ) -> Result<(), ApplyError> {
        if !matches!(status, RepoStatus::Active | RepoStatus::Deactivated) {
            return Err(ApplyError::Malformed("a repository is created active or deactivated"));
        }
        let old = self.repo(did);
        if old.is_some_and(|repo| !matches!(repo.row.underlying, RepoStatus::Creating | RepoStatus::Deleted))
        {
            return Err(ApplyError::Exists);
        }
        self.free(handle, did)?;
        if commit.expect.is_some() || old.and_then(Repo::rev).is_some_and(|last| commit.signed.rev <= last) {
            return Err(ApplyError::Conflict { head: None });
        }
        let none = HashMap::new();
        let empty = BTreeMap::new();
        let (blobs, hidden) = old.map_or((&empty, &none), |repo| (&repo.blobs, &repo.hidden));
        usable(blobs, hidden, &self.remote_refs(did), commit)
    }

    fn create(&mut self, id: u64, status: RepoStatus, commit: CommitChange) {
        let Some(repo) = self.repos.get_mut(&id) else { return };
        let mut tree = Rows::default();
        tree.write(&commit.signed);
        for (path, blob) in commit.blobs {
            hold(&mut repo.blobs, &blob.cid);
            tree.refs.insert((blob.cid, path), commit.signed.rev);
        }
        tree.links.extend(commit.backlinks);
        repo.row.underlying = status;
        repo.live = Some(Live { head: head(&commit.signed), height: commit.signed.root_height, tree });
    }

    fn commit(&mut self, did: &Did, commit: CommitChange, time: u64) -> Result<u64, ApplyError> {
        let far = self.remote_refs(did);
        let (id, repo) = self.find(did)?;
        let status = repo.row().status;
        if status != RepoStatus::Active {
            return Err(ApplyError::Inactive(status));
        }
        expected_head(repo.live.as_ref(), &commit)?;
        usable(&repo.blobs, &repo.hidden, &far, &commit)?;
        let Repo { live: Some(live), blobs, .. } = repo else {
            return Err(ApplyError::Conflict { head: None });
        };
        let touched: BTreeSet<_> = commit.signed.records.iter().map(RecordChange::path).collect();
        let mut loosened = BTreeSet::new();
        live.tree.refs.retain(|(cid, path), _| {
            let keep = !touched.contains(path);
            if !keep {
                loosened.insert(*cid);
            }
            keep
        });
        live.tree.links.retain(|(path, _)| !touched.contains(path));
        live.tree.links.extend(commit.backlinks);
        live.tree.write(&commit.signed);
        for (path, blob) in commit.blobs {
            hold(blobs, &blob.cid);
            live.tree.refs.insert((blob.cid, path), commit.signed.rev);
        }
        loosened.retain(|cid| !live.tree.refs.keys().any(|(used, _)| used == cid));
        let loose: Vec<_> = loosened.iter().filter_map(|cid| blobs.remove(cid)).collect();
        live.head = head(&commit.signed);
        live.height = commit.signed.root_height;
        self.garbage.extend(loose.into_iter().map(|blob| (blob.object, (time, false))));
        Ok(id)
    }

    fn delete(&mut self, did: &Did, silent: bool, time: u64) -> Result<u64, ApplyError> {
        let next = self.next_seq;
        let (id, repo) = self.existing(did)?;
        let reservation = repo.row.underlying == RepoStatus::Creating && repo.rev().is_none();
        if reservation && !silent {
            return Err(ApplyError::Malformed("nobody has heard of a reservation"));
        }
        repo.row = RepoRow {
            handle: None,
            underlying: RepoStatus::Deleted,
            takedown: None,
            keys: SealedKeys::none(),
            rev: repo.rev(),
            ..repo.row.clone()
        };
        repo.live = None;
        repo.hidden.clear();
        (repo.deleted_before, repo.takedown_before) = (next, 0);
        let blobs = std::mem::take(&mut repo.blobs);
        self.garbage.extend(blobs.into_values().map(|blob| (blob.object, (time, false))));
        self.remote.end_uses(id);
        if reservation {
            self.repos.remove(&id);
            self.dids.remove(did);
        }
        Ok(id)
    }
}

/// The current state, if the commit was made on it.
pub(super) fn expected_head<'a>(
    live: Option<&'a Live>,
    commit: &CommitChange,
) -> Result<&'a Live, ApplyError> {
    let live = live.ok_or(ApplyError::Conflict { head: None })?;
    if commit.expect != Some(live.head.cid) || commit.signed.rev <= live.head.rev {
        return Err(ApplyError::Conflict { head: Some(live.head.cid) });
    }
    Ok(live)
}

/// Whether every blob that a commit adds may be referred to.
fn usable(
    blobs: &BTreeMap<Cid, BlobRow>,
    hidden: &HashMap<Subject, String>,
    far: &BTreeSet<(Cid, u64)>,
    commit: &CommitChange,
) -> Result<(), ApplyError> {
    for (_, blob) in &commit.blobs {
        if hidden.contains_key(&Subject::Blob(blob.cid)) {
            return Err(ApplyError::MissingBlob(blob.cid));
        }
        let Some(row) = blobs.get(&blob.cid) else {
            if far.contains(&(blob.cid, blob.size)) {
                continue;
            }
            return Err(ApplyError::MissingBlob(blob.cid));
        };
        if row.temporary && (row.mime_type != blob.mime_type || row.size != blob.size) {
            let (mime_type, size) = (row.mime_type.clone(), row.size);
            return Err(ApplyError::BlobMismatch { cid: blob.cid, mime_type, size });
        }
    }
    Ok(())
}

fn hold(blobs: &mut BTreeMap<Cid, BlobRow>, cid: &Cid) {
    if let Some(blob) = blobs.get_mut(cid) {
        blob.temporary = false;
    }
}

impl Rows {
    fn write(&mut self, signed: &SignedCommit) {
        for change in &signed.records {
            match change {
                RecordChange::Put { path, cid, bytes } => {
                    self.records.insert(path.clone(), (signed.rev, *cid, bytes.clone()));
                }
                RecordChange::Delete { path, .. } => {
                    self.records.remove(path);
                }
            }
        }
        for position in &signed.node_removes {
            self.nodes.remove(position);
        }
        for node in &signed.node_puts {
            self.nodes.insert(node.position.clone(), (signed.rev, node.cid, node.bytes.clone()));
        }
    }
}

pub(super) fn head(signed: &SignedCommit) -> Head {
    Head { cid: signed.commit_cid, rev: signed.rev, data: signed.data, block: signed.commit_bytes.clone() }
}

/// A rev that every other one is later than: rows of an import have it until they get that of the closing commit.
pub(super) const LATER: Tid = Tid::from_u64(0);
