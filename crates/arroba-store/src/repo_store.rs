//! The contract of repository storage.

use arroba_core::{
    data::Cid,
    mst::{Loader, NodePut},
    syntax::{Did, Handle, Nsid, RecordPath, Tid},
};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    backlinks::{BacklinkPiece, Backlinks},
    change::{Applied, Change},
    error::{ApplyError, StoreError},
    log::{EventPage, Retention, Swept},
    query::{BlockQuery, BlockStream, RecordPage, RecordQuery},
    repo::{Counts, Loaded, RepoCursor, RepoPage, RepoRow, RepoStatus, Subject},
    reservation::Reservation,
};

/// Heads, tree nodes, records and events: one consistency domain.
///
/// # Contract
///
/// 1. Each call sees one snapshot. A read that starts after a change was answered sees that change.
/// 2. A change of [`RepoStore::apply`] happens whole or not at all, and an answer means that it is durable. An error means that
///    nothing of it is stored, also after a restart, except [`StoreError::Stopped`] and [`StoreError::Unsure`], where nobody can
///    know.
/// 3. Heads are compared and swapped inside the change: of two commits on the same head one gets [`ApplyError::Conflict`]. Revs
///    grow, also across deletion and re-creation.
/// 4. A head never points at a missing block: the nodes at the positions of its tree are those that a build from its records
///    would give, and nothing superseded can be read any more.
/// 5. Events become visible in order: after a reader was given number n, nothing at or below n ever appears. Numbers are never
///    given twice, also when retention or deletion has emptied the log. No event exists without its change.
/// 6. An event's frame is the same bytes in every read.
/// 7. Deletion and takedown hide the repository's earlier events in the same step; the events of that very change stay visible.
///    Lifting a takedown shows them again, except those that a deletion hid.
/// 8. A deleted repository has a row, with its last rev and without a handle, and no head; its handle is free.
/// 9. Added blob references must name an uploaded blob that is not taken down, and describe it rightly while it is temporary, or a
///    remote blob that the account uses ([`RemoteBlobIndex`](crate::RemoteBlobIndex) rule 5, where a store has one). When the last
///    reference goes, the uploaded blob's row goes with it, and its object becomes garbage in the same step.
/// 10. A staged import is invisible until [`Stage::finish`], which replaces the whole tree in one step; one that is given up leaves
///     nothing that can be read.
/// 11. Dropping a future changes nothing half: the change is made or not.
/// 12. No snapshot, lock or transaction waits for whoever reads an answer.
/// 13. A store that has an index of backlinks changes it with the record, in the same step, also by an import and by deletion.
///     Its answer is [`Backlinks::Found`] only if that is all there are.
#[async_trait]
pub trait RepoStore: Send + Sync + 'static {
    /// The row of a repository.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all reads.
    async fn repo(&self, did: &Did) -> Result<Option<RepoRow>, StoreError>;

    /// The row of the repository that has a handle.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn by_handle(&self, handle: &Handle) -> Result<Option<RepoRow>, StoreError>;

    /// Rows and heads, also of deleted repositories, in an order that does not change; `after` is the [`RepoPage::next`] of the
    /// page before. Whatever was there when the first page was read comes in one of the pages, and nothing comes twice.
    ///
    /// # Errors
    /// As [`RepoStore::repo`]; [`StoreError::Cursor`] if the store never gave it.
    async fn repos(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError>;

    /// The repositories of a page of [`RepoStore::repos`] whose creation was begun and not finished
    /// ([`RepoStatus::Creating`](crate::RepoStatus::Creating)), with the cursor of that page or a later one. A store that can find
    /// them without reading the others does.
    ///
    /// # Errors
    /// As [`RepoStore::repos`].
    async fn unfinished(&self, after: Option<&RepoCursor>, limit: usize) -> Result<RepoPage, StoreError> {
        let mut page = self.repos(after, limit).await?;
        page.repos.retain(|entry| entry.repo.status == RepoStatus::Creating);
        Ok(page)
    }

    /// Row, head, and the tree nodes that the loader asks for.
    ///
    /// # Errors
    /// As [`RepoStore::repo`]; [`StoreError::Corrupt`] if a node is missing or is not what its parent names.
    async fn load(&self, did: &Did, loader: Loader) -> Result<Option<Loaded>, StoreError>;

    /// Records; nothing if the repository has no head. A page of a collection may have fewer than it asks for, and says so: it ends
    /// when it has [`RecordPage::MAX_BYTES`].
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn records(&self, did: &Did, query: RecordQuery) -> Result<Option<RecordPage>, StoreError>;

    /// The collections that have records, in order; nothing if the repository has no head.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn collections(&self, did: &Did) -> Result<Option<Vec<Nsid>>, StoreError>;

    /// The records of a collection that have a backlink to the target, at most `limit`; none if the repository has no head. The
    /// cost must not grow with the collection. A store without an index leaves this out.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn backlinks(
        &self,
        _did: &Did,
        _collection: &Nsid,
        _target: &str,
        _limit: usize,
    ) -> Result<Backlinks, StoreError> {
        Ok(Backlinks::NotIndexed)
    }

    /// Fills the index of a repository that is older than it, piece by piece. A piece that does not join what is there (another
    /// caller was faster, the repository was replaced) changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be stored.
    async fn fill_backlinks(&self, _did: &Did, _piece: BacklinkPiece) -> Result<(), StoreError> {
        Ok(())
    }

    /// How much the repository holds; it counts, so it is no call for a hot path. Nothing if the repository has no head.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn counts(&self, did: &Did) -> Result<Option<Counts>, StoreError>;

    /// The moderator's reference if the subject is taken down.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn hidden(&self, did: &Did, subject: &Subject) -> Result<Option<String>, StoreError>;

    /// Blocks; nothing if the repository has no head. The commit is always the first block of an export.
    ///
    /// # Errors
    /// As [`RepoStore::repo`]; [`StoreError::Corrupt`], at once or in the stream, if a row does not hash to what its parent names.
    async fn blocks(&self, did: &Did, query: BlockQuery) -> Result<Option<BlockStream>, StoreError>;

    /// To be called before a commit is signed, when it is sure that there will be one: it fixes what a backend that numbers
    /// early must fix for `events` events, among them a commit's, whose rev will be greater than `above`. Most fix nothing. For no events it only says
    /// whether a rev can be greater.
    ///
    /// # Errors
    /// As [`RepoStore::repo`]; [`StoreError::RevAhead`] if it cannot be greater.
    async fn reserve(
        &self,
        _did: &Did,
        _events: usize,
        _above: Option<Tid>,
    ) -> Result<Reservation, StoreError> {
        Ok(Reservation::none())
    }

    /// Whether a commit must name the one before it (`prev`), which the protocol no longer wants.
    fn links_commits(&self) -> bool {
        false
    }

    /// Makes changes, each for itself, in this order per repository; one answer for each. They share what syncing they can.
    async fn apply(&self, changes: Vec<Change>) -> Vec<Result<Applied, ApplyError>>;

    /// Begins an import.
    ///
    /// # Errors
    /// [`ApplyError::NotFound`] if there is no such repository, [`ApplyError::Store`].
    async fn stage(&self, did: &Did) -> Result<Box<dyn Stage>, ApplyError>;

    /// Visible events behind `after`, at most `limit` of them.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn events(&self, after: u64, limit: usize) -> Result<EventPage, StoreError>;

    /// Visible events of one repository behind `after`, at most `limit` of them, as a page of [`RepoStore::events`]. A store that
    /// can find them without reading those of others does.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn repo_events(&self, did: &Did, after: u64, limit: usize) -> Result<EventPage, StoreError> {
        let (mut events, mut cursor) = (Vec::new(), after);
        loop {
            let page = self.events(cursor, EVENTS_AT_ONCE).await?;
            let (newest, reached) = (page.newest, page.next);
            events.extend(page.events.into_iter().filter(|event| event.did == *did));
            let full = events.len() > limit;
            events.truncate(limit);
            let next = if full { events.last().map_or(after, |event| event.seq) } else { reached };
            if full || reached <= cursor || reached >= newest {
                return Ok(EventPage { events, next, oldest: page.oldest, newest, start: page.start });
            }
            cursor = reached;
        }
    }

    /// The newest sequence number that can be read; changes when there is more, whoever wrote it.
    fn tail(&self) -> watch::Receiver<u64>;

    /// The highest number that was given to anybody, whether or not its event can be read yet: a cursor up to here is none of
    /// the future, because another node may have sent the event already. Stores that number as they write have the tail.
    ///
    /// # Errors
    /// As [`RepoStore::repo`].
    async fn newest_given(&self) -> Result<u64, StoreError> {
        Ok(*self.tail().borrow())
    }

    /// Drops what is no longer needed.
    ///
    /// # Errors
    /// As [`RepoStore::apply`]'s store errors.
    async fn sweep(&self, retention: Retention) -> Result<Swept, StoreError>;
}

/// Events that are looked through at once for those of one repository.
const EVENTS_AT_ONCE: usize = 500;

/// A record on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRecord {
    /// Where.
    pub path: RecordPath,
    /// The CID of the bytes.
    pub cid: Cid,
    /// DAG-CBOR.
    pub value: Bytes,
    /// The blobs it refers to; they need not be uploaded yet.
    pub blobs: Vec<Cid>,
    /// What it has backlinks to.
    pub backlinks: Vec<String>,
}

/// An import on its way in: records in any order, then nodes, then one commit that makes all of it the repository. Dropping it
/// gives the import up. Pieces need not be durable before [`Stage::finish`] answers.
#[async_trait]
pub trait Stage: Send {
    /// Adds records; a path that comes twice keeps the last.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be stored; the import is lost then.
    async fn put_records(&mut self, records: Vec<StagedRecord>) -> Result<(), StoreError>;

    /// Paths and CIDs of the staged records behind `after`, in order, at most `limit`: what a build of the tree reads.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    async fn entries(
        &mut self,
        after: Option<RecordPath>,
        limit: usize,
    ) -> Result<Vec<(RecordPath, Cid)>, StoreError>;

    /// Adds tree nodes.
    ///
    /// # Errors
    /// As [`Stage::put_records`].
    async fn put_nodes(&mut self, nodes: Vec<NodePut>) -> Result<(), StoreError>;

    /// Swaps the staged tree in, together with the change: a [`ChangeKind::Commit`](crate::ChangeKind::Commit) whose signed commit
    /// names the staged root, and whose own records and nodes are ignored. Allowed for active and deactivated repositories.
    ///
    /// # Errors
    /// As [`RepoStore::apply`]. The staged data is given up.
    async fn finish(self: Box<Self>, change: Change) -> Result<Applied, ApplyError>;
}
