//! Making a change, inside its savepoint.

use std::ops::Range;

use arroba_core::{
    event::EventDraft,
    mst::{NodePut, Position},
    repo::{Action, RecordChange, SignedCommit},
    syntax::{Did, Handle, Tid},
};
use rusqlite::{Connection, OptionalExtension};

use super::{
    backlinks,
    cache::NodeCache,
    events::kind_code,
    refs, remote_blobs,
    rows::{self, Found, Live, status_code},
    writer::Scope,
};
use crate::{
    change::{Applied, Change, ChangeKind, CommitChange},
    error::{ApplyError, StoreError},
    log::StoredEvent,
    repo::{Head, RepoRow, RepoStatus, Subject},
    seal::{SealedKey, SealedKeys},
};

/// What a change may touch besides the tables.
pub(super) struct Hands<'a, 'b> {
    pub(super) scope: &'a mut Scope<'b>,
    pub(super) nodes: &'a NodeCache,
}

pub(super) fn apply(hands: &mut Hands<'_, '_>, change: &Change) -> Result<Applied, ApplyError> {
    let connection = hands.scope.connection;
    let Change { did, time, kind, events, reservation: _ } = change;
    let time = *time;
    let found = find(hands.scope, did)?;
    let mut known = None;
    let repo = match kind {
        ChangeKind::Reserve { handle, keys } => {
            let id = reserve(connection, did, found.as_ref(), handle.as_ref(), keys, time)?;
            if !events.is_empty() {
                return Err(ApplyError::Malformed("a reservation has no events"));
            }
            id
        }
        ChangeKind::Create { handle, keys, status, commit } => {
            let id = reserve_for_creation(connection, did, found.as_ref(), handle.as_ref(), keys, time)?;
            create(hands, id, found.and_then(|found| found.repo.rev), *status, commit, time)?;
            id
        }
        ChangeKind::Commit(commit) => {
            let found = commit_to(hands, found.ok_or(ApplyError::NotFound)?, commit, time)?;
            known.insert(found).id
        }
        ChangeKind::Status { status } => {
            let found = existing(found)?;
            let code = match status {
                RepoStatus::Active | RepoStatus::Deactivated | RepoStatus::Suspended => status_code(*status),
                _ => None,
            };
            let code = code.ok_or(ApplyError::Malformed("a status is active, deactivated or suspended"))?;
            run(connection, "UPDATE repo SET status = ?2 WHERE id = ?1", (found.id, code))?;
            found.id
        }
        ChangeKind::Takedown { reference } => {
            let found = existing(found)?;
            run(connection, "UPDATE repo SET takedown = ?2 WHERE id = ?1", (found.id, reference))?;
            // One that is taken down already stays hidden up to where it was: its first takedown is to be seen.
            if reference.is_none() || found.repo.takedown.is_none() {
                let before = if reference.is_some() { hands.scope.log.next_seq } else { 0 };
                run(
                    connection,
                    "INSERT INTO purge (repo, deleted, takedown) VALUES (?1, 0, ?2) \
                     ON CONFLICT (repo) DO UPDATE SET takedown = excluded.takedown",
                    (found.id, before),
                )?;
            }
            hands.scope.fresh.hides = true;
            found.id
        }
        ChangeKind::Identity { handle, sealed_key } => {
            let found = existing(found)?;
            free_handle(connection, handle.as_ref(), found.id)?;
            let key = sealed_key.as_ref().map(SealedKey::as_bytes);
            run(
                connection,
                "UPDATE repo SET handle = ?2, sealed_key = coalesce(?3, sealed_key) WHERE id = ?1",
                (found.id, handle.as_ref().map(Handle::as_str), key),
            )?;
            found.id
        }
        ChangeKind::Announce => existing(found)?.id,
        ChangeKind::Hide { subject, reference } => {
            let found = existing(found)?;
            let subject = subject_text(subject);
            match reference {
                Some(reference) => run(
                    connection,
                    "INSERT OR REPLACE INTO hidden (repo, subject, reference) VALUES (?1, ?2, ?3)",
                    (found.id, subject, reference),
                )?,
                None => run(
                    connection,
                    "DELETE FROM hidden WHERE repo = ?1 AND subject = ?2",
                    (found.id, subject),
                )?,
            }
            found.id
        }
        ChangeKind::Delete => delete(hands, &found.ok_or(ApplyError::NotFound)?, events.is_empty())?,
    };
    let seqs = emit(hands.scope, repo, did, time, events)?;
    hands.scope.fresh.repos.push((did.clone(), known));
    Ok(Applied { seqs })
}

/// The repository as the changes before this one leave it.
fn find(scope: &Scope<'_>, did: &Did) -> Result<Option<Found>, StoreError> {
    let known = match scope.fresh.repo(did) {
        Some(known) => known.cloned(),
        None => scope.hot.find(did),
    };
    match known {
        Some(found) => Ok(Some(found)),
        None => rows::by_did(scope.connection, did),
    }
}

pub(super) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Record(path) => path.to_string(),
        Subject::Blob(cid) => cid.to_string(),
    }
}

/// Numbers and stores events. The slot for the number is filled here, so the stored bytes are what every subscriber gets.
pub(super) fn emit(
    scope: &mut Scope<'_>,
    repo: i64,
    did: &Did,
    time: u64,
    events: &[EventDraft],
) -> Result<Range<u64>, ApplyError> {
    let start = scope.log.next_seq;
    let mut statement = scope
        .connection
        .prepare_cached("INSERT INTO event (seq, repo, kind, time, body) VALUES (?1, ?2, ?3, ?4, ?5)")
        .map_err(StoreError::from)?;
    for draft in events {
        if draft.did() != did {
            return Err(ApplyError::Malformed("an event of another account"));
        }
        let seq = scope.log.take()?;
        let frame = draft.fill(seq);
        scope.log.bytes = scope.log.bytes.saturating_add(frame.len() as u64);
        statement
            .execute((seq, repo, kind_code(draft.kind()), time, &frame[..]))
            .map_err(StoreError::from)?;
        scope.fresh.events.push(StoredEvent { seq, did: did.clone(), kind: draft.kind(), time, frame });
    }
    Ok(start..scope.log.next_seq)
}

/// A repository that still is one.
fn existing(found: Option<Found>) -> Result<Found, ApplyError> {
    let found = found.ok_or(ApplyError::NotFound)?;
    if found.repo.underlying == RepoStatus::Deleted {
        return Err(ApplyError::Inactive(RepoStatus::Deleted));
    }
    Ok(found)
}

fn free_handle(connection: &Connection, handle: Option<&Handle>, own: i64) -> Result<(), ApplyError> {
    let Some(handle) = handle else { return Ok(()) };
    let mut statement =
        connection.prepare_cached("SELECT id FROM repo WHERE handle = ?1").map_err(StoreError::from)?;
    let holder: Option<i64> =
        statement.query_row([handle.as_str()], |row| row.get(0)).optional().map_err(StoreError::from)?;
    match holder {
        Some(holder) if holder != own => Err(ApplyError::HandleTaken),
        _ => Ok(()),
    }
}

fn reserve(
    connection: &Connection,
    did: &Did,
    found: Option<&Found>,
    handle: Option<&Handle>,
    keys: &SealedKeys,
    time: u64,
) -> Result<i64, ApplyError> {
    if found.is_some_and(|found| found.repo.underlying != RepoStatus::Deleted) {
        return Err(ApplyError::Exists);
    }
    reserve_for_creation(connection, did, found, handle, keys, time)
}

/// A row in [`RepoStatus::Creating`] with this handle and key.
fn reserve_for_creation(
    connection: &Connection,
    did: &Did,
    found: Option<&Found>,
    handle: Option<&Handle>,
    keys: &SealedKeys,
    time: u64,
) -> Result<i64, ApplyError> {
    let creating = status_code(RepoStatus::Creating);
    let handle_text = handle.map(Handle::as_str);
    let rotation = keys.rotation.as_ref().map(SealedKey::as_bytes);
    match found {
        None => {
            free_handle(connection, handle, 0)?;
            run(
                connection,
                "INSERT INTO repo (did, handle, status, sealed_key, sealed_rotation_key, created) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (did.as_str(), handle_text, creating, keys.signing.as_bytes(), rotation, time),
            )?;
            Ok(connection.last_insert_rowid())
        }
        Some(found) if matches!(found.repo.underlying, RepoStatus::Creating | RepoStatus::Deleted) => {
            free_handle(connection, handle, found.id)?;
            if found.repo.underlying == RepoStatus::Deleted {
                // Whatever the sweep has not cleared yet belongs to the account that was, not to the one that comes.
                refs::drop_blobs(connection, found.id, None, time)?;
                remote_blobs::end_uses(connection, found.id, None)?;
                run(connection, "DELETE FROM hidden WHERE repo = ?1", [found.id])?;
            }
            run(
                connection,
                "UPDATE repo SET handle = ?2, status = ?3, takedown = NULL, sealed_key = ?4, \
                 sealed_rotation_key = ?5, created = ?6 WHERE id = ?1",
                (found.id, handle_text, creating, keys.signing.as_bytes(), rotation, time),
            )?;
            Ok(found.id)
        }
        Some(_) => Err(ApplyError::Exists),
    }
}

fn create(
    hands: &mut Hands<'_, '_>,
    repo: i64,
    last_rev: Option<Tid>,
    status: RepoStatus,
    commit: &CommitChange,
    time: u64,
) -> Result<(), ApplyError> {
    let connection = hands.scope.connection;
    let code = match status {
        RepoStatus::Active | RepoStatus::Deactivated => status_code(status),
        _ => None,
    };
    let code = code.ok_or(ApplyError::Malformed("a repository is created active or deactivated"))?;
    if commit.expect.is_some() || last_rev.is_some_and(|last| commit.signed.rev <= last) {
        return Err(ApplyError::Conflict { head: None });
    }
    run(connection, "INSERT INTO tree (repo, state, linked_to) VALUES (?1, 0, NULL)", [repo])?;
    let tree = connection.last_insert_rowid();
    write_rows(hands, tree, &commit.signed)?;
    refs::update(connection, repo, tree, commit, time)?;
    backlinks::update(connection, tree, commit)?;
    put_head(connection, repo, tree, Tid::from_u64(0), &commit.signed, net_records(&commit.signed, 0)?)?;
    run(connection, "UPDATE repo SET status = ?2 WHERE id = ?1", (repo, code))?;
    Ok(())
}

fn commit_to(
    hands: &mut Hands<'_, '_>,
    found: Found,
    commit: &CommitChange,
    time: u64,
) -> Result<Found, ApplyError> {
    if found.repo.status != RepoStatus::Active {
        return Err(ApplyError::Inactive(found.repo.status));
    }
    let live = expected_head(found.live, commit)?;
    write_rows(hands, live.tree, &commit.signed)?;
    refs::update(hands.scope.connection, found.id, live.tree, commit, time)?;
    backlinks::update(hands.scope.connection, live.tree, commit)?;
    let records = net_records(&commit.signed, live.records)?;
    put_head(hands.scope.connection, found.id, live.tree, live.base, &commit.signed, records)?;
    let CommitChange { signed, .. } = commit;
    let head = Head {
        cid: signed.commit_cid,
        rev: signed.rev,
        data: signed.data,
        block: signed.commit_bytes.clone(),
    };
    let repo = RepoRow { rev: found.repo.rev.max(Some(head.rev)), ..found.repo };
    Ok(Found { repo, live: Some(Live { head, height: signed.root_height, records, ..live }), ..found })
}

/// The head, if the commit was made on it.
pub(super) fn expected_head(live: Option<Live>, commit: &CommitChange) -> Result<Live, ApplyError> {
    let Some(live) = live else { return Err(ApplyError::Conflict { head: None }) };
    if commit.expect != Some(live.head.cid) || commit.signed.rev <= live.head.rev {
        return Err(ApplyError::Conflict { head: Some(live.head.cid) });
    }
    Ok(live)
}

fn net_records(signed: &SignedCommit, before: u64) -> Result<u64, ApplyError> {
    let count = |action| signed.ops.iter().filter(|op| op.action == action).count() as u64;
    before
        .checked_add(count(Action::Create))
        .and_then(|sum| sum.checked_sub(count(Action::Delete)))
        .ok_or(ApplyError::Malformed("more records deleted than there are"))
}

fn write_rows(hands: &mut Hands<'_, '_>, tree: i64, signed: &SignedCommit) -> Result<(), StoreError> {
    let connection = hands.scope.connection;
    let rev = signed.rev.to_u64();
    let mut put = connection.prepare_cached(
        "INSERT INTO record (tree, path, rev, cid, value) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (tree, path) DO UPDATE SET rev = excluded.rev, cid = excluded.cid, value = excluded.value",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM record WHERE tree = ?1 AND path = ?2")?;
    for change in &signed.records {
        match change {
            RecordChange::Put { path, cid, bytes } => {
                put.execute((tree, path.to_bytes(), rev, &cid.as_bytes()[..], &bytes[..]))?;
            }
            RecordChange::Delete { path, .. } => {
                delete.execute((tree, path.to_bytes()))?;
            }
        }
    }
    let mut remove =
        connection.prepare_cached("DELETE FROM node WHERE tree = ?1 AND after = ?2 AND depth = ?3")?;
    for position in &signed.node_removes {
        remove.execute((tree, position.after.as_bytes(), depth(position)))?;
    }
    put_nodes(connection, tree, rev, &signed.node_puts)?;
    for node in &signed.node_puts {
        hands.nodes.put(node.cid, node.bytes.clone());
    }
    Ok(())
}

pub(super) fn put_nodes(
    connection: &Connection,
    tree: i64,
    rev: u64,
    nodes: &[NodePut],
) -> Result<(), StoreError> {
    let mut put = connection.prepare_cached(
        "INSERT INTO node (tree, after, depth, rev, cid, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (tree, after, depth) DO UPDATE SET rev = excluded.rev, cid = excluded.cid, bytes = excluded.bytes",
    )?;
    for node in nodes {
        let Position { after, .. } = &node.position;
        put.execute((
            tree,
            after.as_bytes(),
            depth(&node.position),
            rev,
            &node.cid.as_bytes()[..],
            &node.bytes[..],
        ))?;
    }
    Ok(())
}

/// Higher nodes first: the order of (after, depth) is the pre-order.
pub(super) fn depth(position: &Position) -> u8 {
    u8::MAX - position.height
}

pub(super) fn put_head(
    connection: &Connection,
    repo: i64,
    tree: i64,
    base: Tid,
    signed: &SignedCommit,
    records: u64,
) -> Result<(), StoreError> {
    run(
        connection,
        "INSERT OR REPLACE INTO head (repo, tree, base, rev, cid, block, root, height, records) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            repo,
            tree,
            base.to_u64(),
            signed.rev.to_u64(),
            &signed.commit_cid.as_bytes()[..],
            &signed.commit_bytes[..],
            &signed.data.as_bytes()[..],
            signed.root_height,
            records,
        ),
    )
}

fn delete(hands: &mut Hands<'_, '_>, found: &Found, silent: bool) -> Result<i64, ApplyError> {
    let connection = hands.scope.connection;
    match found.repo.underlying {
        RepoStatus::Deleted => return Err(ApplyError::Inactive(RepoStatus::Deleted)),
        RepoStatus::Creating if found.repo.rev.is_none() => {
            if !silent {
                return Err(ApplyError::Malformed("nobody has heard of a reservation"));
            }
            refs::drop_blobs(connection, found.id, None, 0)?;
            remote_blobs::end_uses(connection, found.id, None)?;
            run(connection, "DELETE FROM repo WHERE id = ?1", [found.id])?;
            return Ok(found.id);
        }
        _ => {}
    }
    run(
        connection,
        "UPDATE repo SET status = ?2, handle = NULL, takedown = NULL, sealed_key = x'', sealed_rotation_key = NULL, \
         last_rev = ?3 WHERE id = ?1",
        (found.id, status_code(RepoStatus::Deleted), found.repo.rev.map(Tid::to_u64)),
    )?;
    if let Some(live) = &found.live {
        run(connection, "DELETE FROM head WHERE repo = ?1", [found.id])?;
        drop_tree(connection, live.tree)?;
    }
    run(
        connection,
        "INSERT INTO purge (repo, deleted, takedown) VALUES (?1, ?2, 0) \
         ON CONFLICT (repo) DO UPDATE SET deleted = excluded.deleted, takedown = 0",
        (found.id, hands.scope.log.next_seq),
    )?;
    hands.scope.fresh.hides = true;
    Ok(found.id)
}

/// Nothing reads the tree any more; a sweep clears its rows.
pub(super) fn drop_tree(connection: &Connection, tree: i64) -> Result<(), StoreError> {
    run(connection, "UPDATE tree SET state = 2 WHERE id = ?1", [tree])
}

pub(super) fn run(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute(values)?;
    Ok(())
}
