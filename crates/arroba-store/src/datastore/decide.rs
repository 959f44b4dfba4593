//! From a change and what is stored to what is to be stored: no calls, no clock.

use arroba_core::syntax::{Handle, Tid};

use super::{
    Database, api,
    entity::{ArrobaHandle, ArrobaHidden, ArrobaRepo, AtpRepo, Creating, StoredStatus, Tip},
    plan::Plan,
    rows::{self, Found},
};
use crate::{
    change::{ChangeKind, CommitChange},
    error::{ApplyError, StoreError},
    repo::{RepoStatus, Subject},
    seal::SealedKeys,
};

/// What a transaction has read.
pub(super) struct Stored {
    pub(super) found: Found,
    /// The rev of the current commit.
    pub(super) head_rev: Option<Tid>,
    /// Whether the subject that is to be hidden or shown is hidden.
    pub(super) hidden: bool,
    /// Keys of all hidden subjects, where they are to go.
    pub(super) subjects: Vec<api::Key>,
}

/// The rows as they are to be.
pub(super) struct Decision {
    repo: Option<AtpRepo>,
    /// Nothing: ours goes.
    side: Option<ArrobaRepo>,
    extra: Extra,
}

/// What else changes.
enum Extra {
    Nothing,
    Hide(Subject, Option<String>),
    DropSubjects,
}

type Decided = Result<Decision, ApplyError>;

impl Decision {
    pub(super) fn of(plan: &Plan, stored: &Stored) -> Decided {
        let found = &stored.found;
        let keep = || Self { repo: found.repo.clone(), side: found.side.clone(), extra: Extra::Nothing };
        match &plan.kind {
            ChangeKind::Reserve { handle, keys } => reserve(plan, found, handle.as_ref(), keys),
            ChangeKind::Create { handle, keys, status, commit } => {
                create(plan, stored, (handle.as_ref(), keys), *status, commit)
            }
            ChangeKind::Commit(commit) => self::commit(stored, commit, plan.import.is_some()),
            ChangeKind::Status { status } => self::status(found, *status),
            ChangeKind::Takedown { reference } => takedown(plan, found, reference.clone()),
            ChangeKind::Identity { handle, sealed_key } => {
                existing(found)?;
                let mut decision = keep();
                if let Some(creating) = decision.side.as_mut().and_then(|side| side.creating.as_mut()) {
                    creating.handle.clone_from(handle);
                    if let Some(key) = sealed_key {
                        creating.keys.signing = key.clone();
                    }
                } else if let Some(repo) = &mut decision.repo {
                    repo.handles = handle.iter().map(ToString::to_string).collect();
                    if let Some(key) = sealed_key {
                        repo.encrypted_signing_key = key.as_bytes().to_vec();
                    }
                }
                Ok(decision)
            }
            ChangeKind::Announce => existing(found).map(|_| keep()),
            ChangeKind::Hide { subject, reference } => {
                existing(found)?;
                let mut decision = keep();
                let side = decision.side.get_or_insert_with(|| ArrobaRepo::new(plan.did.clone()));
                match (stored.hidden, reference.is_some()) {
                    (false, true) => side.hidden = side.hidden.saturating_add(1),
                    (true, false) => side.hidden = side.hidden.saturating_sub(1),
                    _ => {}
                }
                decision.extra = Extra::Hide(subject.clone(), reference.clone());
                Ok(decision)
            }
            ChangeKind::Delete => delete(plan, stored),
        }
    }

    /// What is to be written, besides blocks.
    pub(super) fn mutations(
        self,
        database: &Database,
        plan: &Plan,
        stored: &Stored,
    ) -> Result<Vec<api::Mutation>, ApplyError> {
        let found = &stored.found;
        let mut mutations = Vec::new();
        let (before, after) = (handle_of(found.repo.as_ref(), found.side.as_ref()), self.handle());
        if before != after {
            mutations.extend(before.map(|handle| super::delete(ArrobaHandle::key(database, &handle))));
            mutations.extend(after.map(|handle| {
                super::upsert(ArrobaHandle { handle, did: plan.did.clone() }.to_entity(database))
            }));
        }
        // A transaction that only reads a row would not be in the way of one that writes it: the row is always written.
        if let Some(mut repo) = self.repo {
            repo.updated = Some(plan.time);
            mutations.push(super::upsert(repo.to_entity(database).map_err(StoreError::backend)?));
        }
        match self.side {
            Some(side) if Some(&side) != found.side.as_ref() => {
                mutations.push(super::upsert(side.to_entity(database).map_err(StoreError::backend)?));
            }
            None if found.side.is_some() => {
                mutations.push(super::delete(ArrobaRepo::key(database, &plan.did)));
            }
            _ => {}
        }
        match self.extra {
            Extra::Nothing => {}
            Extra::Hide(subject, Some(reference)) => {
                let hidden = ArrobaHidden::new(plan.did.clone(), &subject, reference);
                mutations.push(super::upsert(hidden.to_entity(database)));
            }
            Extra::Hide(subject, None) => {
                mutations.push(super::delete(ArrobaHidden::key(database, &plan.did, &subject)));
            }
            Extra::DropSubjects => mutations.extend(stored.subjects.iter().cloned().map(super::delete)),
        }
        Ok(mutations)
    }

    fn handle(&self) -> Option<Handle> {
        handle_of(self.repo.as_ref(), self.side.as_ref())
    }
}

fn handle_of(repo: Option<&AtpRepo>, side: Option<&ArrobaRepo>) -> Option<Handle> {
    match side.and_then(|side| side.creating.as_ref()) {
        Some(creating) => creating.handle.clone(),
        None => repo.and_then(rows::handle),
    }
}

/// The status of a repository that still is one.
fn existing(found: &Found) -> Result<RepoStatus, ApplyError> {
    match found.underlying() {
        None => Err(ApplyError::NotFound),
        Some(RepoStatus::Deleted) => Err(ApplyError::Inactive(RepoStatus::Deleted)),
        Some(status) => Ok(status),
    }
}

fn reserve(plan: &Plan, found: &Found, handle: Option<&Handle>, keys: &SealedKeys) -> Decided {
    if found.underlying().is_some_and(|status| status != RepoStatus::Deleted) {
        return Err(ApplyError::Exists);
    }
    if !plan.blocks.is_empty() {
        return Err(ApplyError::Malformed("a reservation has no events"));
    }
    let mut side = found.side.clone().unwrap_or_else(|| ArrobaRepo::new(plan.did.clone()));
    side.underlying = Some(RepoStatus::Creating);
    side.creating = Some(Creating { handle: handle.cloned(), keys: keys.clone(), since: plan.time });
    Ok(Decision { repo: found.repo.clone(), side: Some(side), extra: Extra::Nothing })
}

fn create(
    plan: &Plan,
    stored: &Stored,
    (handle, keys): (Option<&Handle>, &SealedKeys),
    status: RepoStatus,
    commit: &CommitChange,
) -> Decided {
    let found = &stored.found;
    let status = match status {
        RepoStatus::Active => None,
        RepoStatus::Deactivated => Some(StoredStatus::Deactivated),
        _ => return Err(ApplyError::Malformed("a repository is created active or deactivated")),
    };
    if !matches!(found.underlying(), None | Some(RepoStatus::Creating | RepoStatus::Deleted)) {
        return Err(ApplyError::Exists);
    }
    if commit.expect.is_some() || found.rev(stored.head_rev).is_some_and(|last| commit.signed.rev <= last) {
        return Err(ApplyError::Conflict { head: None });
    }
    let repo = AtpRepo {
        did: plan.did.clone(),
        handles: handle.iter().map(ToString::to_string).collect(),
        head: commit.signed.commit_cid,
        encrypted_signing_key: keys.signing.as_bytes().to_vec(),
        encrypted_rotation_key: keys.rotation.as_ref().map(|key| key.as_bytes().to_vec()),
        status,
        created: Some(plan.time),
        updated: None,
    };
    let side = found.side.clone().map(|side| ArrobaRepo {
        underlying: None,
        takedown: None,
        creating: None,
        takedown_before: 0,
        hidden: 0,
        tip: None,
        ..side
    });
    // One that says nothing more is as good as none.
    let side = side.filter(|side| *side != ArrobaRepo::new(plan.did.clone()));
    Ok(Decision { repo: Some(repo), side, extra: Extra::DropSubjects })
}

fn commit(stored: &Stored, commit: &CommitChange, import: bool) -> Decided {
    let found = &stored.found;
    let status = found.underlying().ok_or(ApplyError::NotFound)?;
    if found.takedown().is_some() {
        return Err(ApplyError::Inactive(RepoStatus::Takendown));
    }
    if status != RepoStatus::Active && !(import && status == RepoStatus::Deactivated) {
        return Err(ApplyError::Inactive(status));
    }
    let repo = on_head(stored, commit)?;
    let mut side = found.side.clone().unwrap_or_else(|| ArrobaRepo::new(found.did.clone()));
    side.tip = tip(commit);
    Ok(Decision { repo: Some(repo), side: Some(side), extra: Extra::Nothing })
}

/// What saves the next writer two reads; an import has its root in the database only.
fn tip(commit: &CommitChange) -> Option<Tip> {
    let signed = &commit.signed;
    let root = signed.node_puts.iter().find(|node| node.cid == signed.data)?;
    Some(Tip { commit: signed.commit_bytes.clone(), root: root.bytes.clone() })
}

/// The row with a new head, if the commit was made on the current one.
fn on_head(stored: &Stored, commit: &CommitChange) -> Result<AtpRepo, ApplyError> {
    let head = stored.found.head();
    let moved = head.is_none() || commit.expect != head || Some(commit.signed.rev) <= stored.head_rev;
    match &stored.found.repo {
        Some(repo) if !moved => Ok(AtpRepo { head: commit.signed.commit_cid, ..repo.clone() }),
        _ => Err(ApplyError::Conflict { head }),
    }
}

fn status(found: &Found, status: RepoStatus) -> Decided {
    existing(found)?;
    let Some(repo) = &found.repo else { return Err(ApplyError::Inactive(RepoStatus::Creating)) };
    if !matches!(status, RepoStatus::Active | RepoStatus::Deactivated | RepoStatus::Suspended) {
        return Err(ApplyError::Malformed("a status is active, deactivated or suspended"));
    }
    let covered = found.takedown().is_some();
    Ok(with_status(found, repo, status, covered))
}

/// Both rows, so that they say this status, and that a takedown covers it.
fn with_status(found: &Found, repo: &AtpRepo, status: RepoStatus, covered: bool) -> Decision {
    let word = (covered || status != RepoStatus::Active).then_some(StoredStatus::Deactivated);
    let repo = AtpRepo { status: word, ..repo.clone() };
    let noted = (covered || status == RepoStatus::Suspended).then_some(status);
    let mut side = found.side.clone();
    if noted.is_some() || side.is_some() {
        side.get_or_insert_with(|| ArrobaRepo::new(found.did.clone())).underlying = noted;
    }
    Decision { repo: Some(repo), side, extra: Extra::Nothing }
}

fn takedown(plan: &Plan, found: &Found, reference: Option<String>) -> Decided {
    let status = existing(found)?;
    let Some(repo) = &found.repo else { return Err(ApplyError::Inactive(RepoStatus::Creating)) };
    let mut decision = with_status(found, repo, status, reference.is_some());
    let side = decision.side.get_or_insert_with(|| ArrobaRepo::new(found.did.clone()));
    side.takedown_before = match (&reference, found.takedown()) {
        (None, _) => 0,
        (Some(_), None) => plan.bound,
        // Its first takedown is to be seen.
        (Some(_), Some(_)) => side.takedown_before,
    };
    side.takedown = reference;
    Ok(decision)
}

fn delete(plan: &Plan, stored: &Stored) -> Decided {
    let found = &stored.found;
    let status = existing(found)?;
    let side = found.side.clone().unwrap_or_else(|| ArrobaRepo::new(plan.did.clone()));
    let gone =
        |repo: &AtpRepo| AtpRepo { handles: Vec::new(), status: Some(StoredStatus::Deleted), ..repo.clone() };
    if status == RepoStatus::Creating && found.repo.is_none() {
        if !plan.blocks.is_empty() {
            return Err(ApplyError::Malformed("nobody has heard of a reservation"));
        }
        return Ok(Decision { repo: None, side: None, extra: Extra::DropSubjects });
    }
    let side = ArrobaRepo {
        underlying: None,
        takedown: None,
        creating: None,
        last_rev: found.rev(stored.head_rev),
        deleted_before: plan.bound,
        takedown_before: 0,
        hidden: 0,
        tip: None,
        ..side
    };
    Ok(Decision { repo: found.repo.as_ref().map(gone), side: Some(side), extra: Extra::DropSubjects })
}
