//! Reads, and who may make them.

use arroba_core::data::{Cid, json};
use arroba_core::syntax::{AtIdentifier, AtUri, Did, Handle, Nsid, RecordKey, RecordPath, Tid};
use arroba_lexicons::json::{AccountStatus, RawJson};
use arroba_store::{
    Head, Order, RecordPage, RecordQuery, RecordRow, RepoCursor, RepoRow, RepoStatus, StoreError,
};
use arroba_xrpc::{Result, XrpcError};
use serde_json::value::RawValue;

use super::{Service, store_failed};
use crate::auth::Viewer;

/// A record as it is shown.
pub(crate) struct ShownRecord {
    pub(crate) uri: AtUri,
    pub(crate) cid: Cid,
    pub(crate) value: RawJson,
}

/// A page of something, and where the next one begins.
pub(crate) struct Page<T, C> {
    pub(crate) items: Vec<T>,
    pub(crate) cursor: Option<C>,
}

/// A line in the list of repos.
pub(crate) struct ListedRepo {
    pub(crate) did: Did,
    pub(crate) head: Cid,
    pub(crate) rev: Tid,
    pub(crate) status: Option<AccountStatus>,
}

/// What `describeRepo` tells.
pub(crate) struct Description {
    pub(crate) did: Did,
    pub(crate) handle: Handle,
    pub(crate) document: serde_json::Value,
    pub(crate) collections: Vec<Nsid>,
    pub(crate) handle_is_correct: bool,
}

impl Service {
    /// The row of a repo that `viewer` may read.
    pub(crate) async fn readable(&self, did: &Did, viewer: &Viewer) -> Result<RepoRow> {
        let row = self.0.store().repo(did).await.map_err(store_failed)?;
        let row = row.filter(|row| !matches!(row.status, RepoStatus::Creating | RepoStatus::Deleted));
        let row = row
            .ok_or_else(|| XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}")))?;
        available(&row, viewer)?;
        Ok(row)
    }

    /// The newest commit of a repo that `viewer` may read.
    pub(crate) async fn head(&self, did: &Did, viewer: &Viewer) -> Result<Head> {
        self.readable(did, viewer).await?;
        Ok(self.0.standing(did).await?.1)
    }

    /// The row of an active repo by DID or handle.
    async fn public_row(&self, repo: &AtIdentifier) -> Result<Option<RepoRow>> {
        let row = match repo {
            AtIdentifier::Did(did) => self.0.store().repo(did).await,
            AtIdentifier::Handle(handle) => self.0.store().by_handle(handle).await,
        };
        row.map_err(store_failed)
    }

    /// Whose an active repo's handle is.
    pub(crate) async fn active_handle(&self, handle: &Handle) -> Result<Option<Did>> {
        let row = self.0.store().by_handle(handle).await.map_err(store_failed)?;
        Ok(row.filter(|row| row.status == RepoStatus::Active).map(|row| row.did))
    }

    /// A record of an active repo.
    pub(crate) async fn public_record(
        &self,
        repo: &AtIdentifier,
        path: &RecordPath,
    ) -> Result<Option<ShownRecord>> {
        self.served(&path.collection)?;
        let Some(page) = self.public_page(repo, RecordQuery::one(path.clone())).await? else {
            return Ok(None);
        };
        let did = page.repo.did;
        page.records.first().map(|record| shown(&did, record)).transpose()
    }

    /// A page of the records of one collection of an active repo.
    pub(crate) async fn public_records(
        &self,
        repo: &AtIdentifier,
        collection: &Nsid,
        after: Option<RecordKey>,
        order: Order,
        limit: u32,
    ) -> Result<Option<Page<ShownRecord, RecordKey>>> {
        if !self.0.policies().collections.has(collection) {
            return Ok(Some(Page { items: Vec::new(), cursor: None }));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let query = RecordQuery::collection(collection.clone(), after, limit, order);
        let Some(page) = self.public_page(repo, query).await? else { return Ok(None) };
        let cursor = page.records.last().filter(|_| page.more).map(|record| record.path.rkey.clone());
        let did = page.repo.did;
        let items = page.records.iter().map(|record| shown(&did, record)).collect::<Result<_>>()?;
        Ok(Some(Page { items, cursor }))
    }

    /// Records of an active repo, all of one snapshot with the status that lets them be shown.
    async fn public_page(&self, repo: &AtIdentifier, query: RecordQuery) -> Result<Option<RecordPage>> {
        let did = match repo {
            AtIdentifier::Did(did) => did.clone(),
            AtIdentifier::Handle(_) => match self.public_row(repo).await? {
                Some(row) => row.did,
                None => return Ok(None),
            },
        };
        let page = self.0.store().records(&did, query).await.map_err(store_failed)?;
        Ok(page.filter(|page| page.repo.status == RepoStatus::Active))
    }

    /// What `getRepoStatus` tells: also of inactive repos, and of deleted ones.
    pub(crate) async fn status(&self, did: &Did) -> Result<RepoRow> {
        let row = self.0.store().repo(did).await.map_err(store_failed)?;
        row.filter(|row| row.status != RepoStatus::Creating)
            .ok_or_else(|| XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}")))
    }

    /// All repos that have a commit, in the order in which they came here.
    pub(crate) async fn repos(&self, cursor: Option<&str>, limit: u32) -> Result<Page<ListedRepo, String>> {
        let after = cursor.map(RepoCursor::new);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.0.store().repos(after.as_ref(), limit).await.map_err(|error| match error {
            StoreError::Cursor => XrpcError::invalid_request("Malformed cursor"),
            error => store_failed(error),
        })?;
        let items = page.repos.into_iter().filter_map(|entry| {
            let head = entry.head?;
            Some(ListedRepo {
                did: entry.repo.did,
                head: head.cid,
                rev: head.rev,
                status: wire_status(entry.repo.status),
            })
        });
        Ok(Page { items: items.collect(), cursor: page.next.map(|next| next.as_str().to_owned()) })
    }

    /// What `describeRepo` tells of an active repo.
    pub(crate) async fn describe(&self, repo: &AtIdentifier) -> Result<Description> {
        let did = match repo {
            AtIdentifier::Did(did) => did.clone(),
            AtIdentifier::Handle(_) => match self.public_row(repo).await? {
                Some(row) => row.did,
                None => return Err(XrpcError::named("RepoNotFound", format!("Could not find repo: {repo}"))),
            },
        };
        let row = self.readable(&did, &Viewer::Anyone).await?;
        let document = self.0.resolver().resolve_did(&did).await.map_err(|error| {
            XrpcError::invalid_request(format!("Could not resolve DID: {did}")).with_cause(error)
        })?;
        let collections = self.0.store().collections(&did).await.map_err(store_failed)?.unwrap_or_default();
        Ok(Description {
            handle_is_correct: row.handle.is_some() && document.handle() == row.handle,
            handle: row.handle.unwrap_or(arroba_core::handle!("handle.invalid")),
            document: document.json().clone(),
            collections,
            did,
        })
    }
}

/// Whether `viewer` may read a repo in its status.
pub(crate) fn available(row: &RepoRow, viewer: &Viewer) -> Result<()> {
    let did = &row.did;
    if viewer.sees_inactive(did) {
        return Ok(());
    }
    Err(match row.status {
        RepoStatus::Active => return Ok(()),
        RepoStatus::Creating | RepoStatus::Deleted => {
            XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}"))
        }
        RepoStatus::Takendown => XrpcError::named("RepoTakendown", format!("Repo has been takendown: {did}")),
        RepoStatus::Suspended => XrpcError::named("RepoSuspended", format!("Repo has been suspended: {did}")),
        RepoStatus::Deactivated => {
            XrpcError::named("RepoDeactivated", format!("Repo has been deactivated: {did}"))
        }
    })
}

/// How responses name the reason why a repo is not active; `None` if it is.
pub(crate) const fn wire_status(status: RepoStatus) -> Option<AccountStatus> {
    match status {
        RepoStatus::Active => None,
        RepoStatus::Creating | RepoStatus::Deactivated => Some(AccountStatus::Deactivated),
        RepoStatus::Suspended => Some(AccountStatus::Suspended),
        RepoStatus::Takendown => Some(AccountStatus::Takendown),
        RepoStatus::Deleted => Some(AccountStatus::Deleted),
    }
}

/// Cuts a page that was read one item too long; returns its last item if there is more.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: usize) -> Option<&T> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more)
}

fn shown(did: &Did, record: &RecordRow) -> Result<ShownRecord> {
    let mut text = Vec::with_capacity(record.value.len().saturating_mul(2));
    json::from_cbor(&record.value, &mut text).map_err(XrpcError::internal)?;
    let text = String::from_utf8(text).map_err(XrpcError::internal)?;
    let value = RawValue::from_string(text).map_err(XrpcError::internal)?;
    Ok(ShownRecord { uri: AtUri::record(did, &record.path), cid: record.cid, value })
}
