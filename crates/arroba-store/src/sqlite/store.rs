//! The repository contract on SQLite.

use arroba_core::{
    mst::Loader,
    repo::{RecordChange, SignedCommit},
    syntax::{Did, Handle, Nsid},
};
use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::watch;

use super::{
    SMALL, Sqlite,
    apply::{Hands, apply},
    backlinks, events, export, read, rows,
    spool::Spool,
    stage::SqliteStage,
    sweep,
};
use crate::{
    backlinks::{BacklinkPiece, Backlinks},
    change::{Applied, Change, ChangeKind},
    error::{ApplyError, StoreError},
    log::{EventPage, Retention, Swept},
    query::{BlockQuery, BlockStream, RecordPage, RecordQuery},
    repo::{Counts, Loaded, RepoCursor, RepoEntry, RepoPage, RepoRow, Subject},
    repo_store::{RepoStore, Stage},
};

impl Sqlite {
    /// A page of what `behind` finds.
    async fn list(
        &self,
        after: Option<&RepoCursor>,
        limit: usize,
        behind: fn(&Connection, i64, usize) -> Result<Vec<rows::Found>, StoreError>,
    ) -> Result<RepoPage, StoreError> {
        let from = i64::try_from(after.map_or(Ok(0), RepoCursor::number)?).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let mut found = behind(connection, from, limit.saturating_add(1))?;
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| more).map(|last| RepoCursor::new(last.id.to_string()));
            let entry =
                |found: rows::Found| RepoEntry { repo: found.repo, head: found.live.map(|live| live.head) };
            Ok(RepoPage { repos: found.into_iter().map(entry).collect(), next })
        })
        .await
    }
}

#[async_trait]
impl RepoStore for Sqlite {
    async fn repo(&self, did: &Did) -> Result<Option<RepoRow>, StoreError> {
        if let Some(found) = self.inner.hot.find(did) {
            return Ok(Some(found.repo));
        }
        let did = did.clone();
        self.read(move |connection| Ok(rows::by_did(connection, &did)?.map(|found| found.repo))).await
    }

    async fn by_handle(&self, handle: &Handle) -> Result<Option<RepoRow>, StoreError> {
        let handle = handle.clone();
        self.read(move |connection| Ok(rows::by_handle(connection, &handle)?.map(|found| found.repo))).await
    }

    async fn repos(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        self.list(after, limit, rows::behind).await
    }

    async fn unfinished(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        self.list(after, limit, rows::unfinished_behind).await
    }

    async fn load(&self, did: &Did, loader: Loader) -> Result<Option<Loaded>, StoreError> {
        if let Some(found) = self.inner.hot.find(did)
            && let Some(loaded) = read::load_hot(&self.inner.nodes, found, loader.clone())?
        {
            return Ok(Some(loaded));
        }
        let did = did.clone();
        let nodes = self.inner.nodes.clone();
        self.read(move |connection| read::load(connection, &nodes, &did, loader)).await
    }

    async fn records(&self, did: &Did, query: RecordQuery) -> Result<Option<RecordPage>, StoreError> {
        let did = did.clone();
        self.read(move |connection| read::records(connection, &did, &query)).await
    }

    async fn collections(&self, did: &Did) -> Result<Option<Vec<Nsid>>, StoreError> {
        let did = did.clone();
        self.read(move |connection| read::collections(connection, &did)).await
    }

    async fn backlinks(
        &self,
        did: &Did,
        collection: &Nsid,
        target: &str,
        limit: usize,
    ) -> Result<Backlinks, StoreError> {
        let (did, collection, target) = (did.clone(), collection.clone(), target.to_owned());
        self.read(move |connection| backlinks::find(connection, &did, &collection, &target, limit)).await
    }

    async fn fill_backlinks(&self, did: &Did, piece: BacklinkPiece) -> Result<(), StoreError> {
        let did = did.clone();
        let weight = piece.links.len().saturating_mul(SMALL).saturating_add(SMALL);
        self.weighed(weight, move |scope| backlinks::fill(scope.connection, &did, &piece)).await
    }

    async fn counts(&self, did: &Did) -> Result<Option<Counts>, StoreError> {
        let did = did.clone();
        self.read_bulk(move |connection| read::counts(connection, &did)).await
    }

    async fn hidden(&self, did: &Did, subject: &Subject) -> Result<Option<String>, StoreError> {
        let (did, subject) = (did.clone(), subject.clone());
        self.read(move |connection| read::hidden(connection, &did, &subject)).await
    }

    async fn blocks(&self, did: &Did, query: BlockQuery) -> Result<Option<BlockStream>, StoreError> {
        let did = did.clone();
        let space = self.inner.spool.clone();
        self.read_bulk(move |connection| {
            let Some(found) = rows::by_did(connection, &did)? else { return Ok(None) };
            let Some(live) = found.live else { return Ok(None) };
            let mut spool = Spool::new(&space);
            let missing = match query {
                BlockQuery::All => export::all(connection, &live, &mut spool).map(|()| Vec::new()),
                BlockQuery::Since(rev) => {
                    export::since(connection, &live, rev, &mut spool).map(|()| Vec::new())
                }
                BlockQuery::These(cids) => export::these(connection, &live, &cids, &mut spool),
            }?;
            Ok(Some(BlockStream::new(found.repo, live.head, missing, spool.finish()?)))
        })
        .await
    }

    async fn apply(&self, changes: Vec<Change>) -> Vec<Result<Applied, ApplyError>> {
        // All are queued before the first is waited for, so that they meet in one group.
        let mut full = None;
        let waiting: Vec<_> = changes
            .into_iter()
            .map(|change| {
                // After one that found no room, no later one may slip in: they are in order.
                if let Some(error) = &full {
                    return Err(StoreError::clone(error));
                }
                let nodes = self.inner.nodes.clone();
                let queued = self.inner.writer.enqueue(change_weight(&change), move |scope| {
                    let applied = apply(&mut Hands { scope, nodes: &nodes }, &change)?;
                    // Freeing it (it holds a tree) is not the writer's work.
                    Ok::<_, ApplyError>((applied, change))
                });
                full = queued.as_ref().err().cloned();
                queued
            })
            .collect();
        let mut answers = Vec::with_capacity(waiting.len());
        for answer in waiting {
            answers.push(match answer {
                Ok(answer) => answer
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Stopped { source: None }.into()))
                    .map(|(applied, _)| applied),
                Err(error) => Err(error.into()),
            });
        }
        answers
    }

    async fn stage(&self, did: &Did) -> Result<Box<dyn Stage>, ApplyError> {
        Ok(Box::new(SqliteStage::begin(self.clone(), did).await?))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<EventPage, StoreError> {
        match self.inner.recent.page(after, limit) {
            Some(page) => Ok(page),
            None => self.read(move |connection| events::page(connection, after, limit)).await,
        }
    }

    fn tail(&self) -> watch::Receiver<u64> {
        self.inner.tail.clone()
    }

    async fn sweep(&self, retention: Retention) -> Result<Swept, StoreError> {
        self.weighed(SMALL, move |scope| sweep::step(scope, retention)).await
    }
}

/// What a change weighs in the queue: the bytes it carries.
pub(super) fn change_weight(change: &Change) -> usize {
    let commit = match &change.kind {
        ChangeKind::Create { commit, .. } | ChangeKind::Commit(commit) => commit_weight(&commit.signed),
        _ => 0,
    };
    let events: usize = change.events.iter().map(|event| event.bytes().len()).sum();
    SMALL.saturating_add(commit).saturating_add(events)
}

fn commit_weight(signed: &SignedCommit) -> usize {
    let records: usize = signed
        .records
        .iter()
        .map(|change| match change {
            RecordChange::Put { bytes, .. } => bytes.len(),
            RecordChange::Delete { .. } => 0,
        })
        .sum();
    let nodes: usize = signed.node_puts.iter().map(|node| node.bytes.len()).sum();
    records.saturating_add(nodes)
}
