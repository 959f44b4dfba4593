//! One repo of a host.

use arroba_core::data::{BlobRef, Cid};
use arroba_core::syntax::{Did, Handle, Nsid, RecordPath, Tid};
use arroba_store::{BlockQuery, Order, RecordPage, RecordQuery, RecordRow, RepoRow, RepoStatus, StoreError};
use bytes::Bytes;
use futures::Stream;

use super::{Announcement, CommitMeta, CommitOptions, CommitOutcome, HostError, RepoHost, Write};
use crate::firehose::Events;

/// A handle on one repo of a host. It is cheap, and holds nothing of the repo itself.
#[derive(Clone, Debug)]
pub struct Repo {
    host: RepoHost,
    did: Did,
}

impl Repo {
    pub(super) const fn new(host: RepoHost, did: Did) -> Self {
        Self { host, did }
    }

    /// Whose repo it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &RepoHost {
        &self.host
    }

    /// Makes one commit of `writes`; see [`RepoHost::commit`].
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::commit`].
    pub async fn commit(&self, writes: impl IntoIterator<Item = Write>) -> Result<CommitOutcome, HostError> {
        self.host.commit(&self.did, writes, CommitOptions::default()).await
    }

    /// Makes one commit of `writes` as `options` say.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::commit`].
    pub async fn commit_with(
        &self,
        writes: impl IntoIterator<Item = Write>,
        options: CommitOptions,
    ) -> Result<CommitOutcome, HostError> {
        self.host.commit(&self.did, writes, options).await
    }

    /// What the host keeps about the repo, also after its deletion; `None` if it never had it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub async fn row(&self) -> Result<Option<RepoRow>, StoreError> {
        self.host.store().repo(&self.did).await
    }

    /// The record at `path`, unless there is none or it is taken down.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub async fn record(&self, path: &RecordPath) -> Result<Option<RecordRow>, StoreError> {
        let page = self.host.store().records(&self.did, RecordQuery::one(path.clone())).await?;
        Ok(page.and_then(|page| page.records.into_iter().next()))
    }

    /// A page of the records of `collection`, those that are not taken down.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn records(
        &self,
        collection: Nsid,
        after: Option<arroba_core::syntax::RecordKey>,
        limit: usize,
        order: Order,
    ) -> Result<RecordPage, HostError> {
        let query = RecordQuery::collection(collection, after, limit, order);
        let page = self.host.store().records(&self.did, query).await?;
        page.ok_or_else(|| HostError::RepoNotFound(self.did.clone()))
    }

    /// The repo as a CAR file in the streamable order, or what is newer than `since`.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`]. An error in the stream ends it: what came before is not the whole.
    pub async fn export(
        &self,
        since: Option<Tid>,
    ) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static, HostError> {
        let query = since.map_or(BlockQuery::All, BlockQuery::Since);
        let blocks = self.host.store().blocks(&self.did, query).await?;
        let blocks = blocks.ok_or_else(|| HostError::RepoNotFound(self.did.clone()))?;
        Ok(crate::export::car(Some(blocks.head.cid), blocks))
    }

    /// Replaces the repo by the one in a CAR file; see [`RepoHost::import`].
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::import`].
    pub async fn import<S, E>(&self, file: S) -> Result<Option<CommitMeta>, HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        self.host.import(&self.did, file).await
    }

    /// Stores a blob; see [`RepoHost::upload_blob`].
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::upload_blob`].
    pub async fn upload_blob<S, E>(&self, declared: Option<&str>, bytes: S) -> Result<BlobRef, HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        self.host.upload_blob(&self.did, declared, bytes).await
    }

    /// The newest commit.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn head(&self) -> Result<(Cid, Tid), HostError> {
        let (_, head) = self.host.standing(&self.did).await?;
        Ok((head.cid, head.rev))
    }

    /// Activates, deactivates or suspends the repo; see [`RepoHost::set_status`].
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::set_status`].
    pub async fn set_status(&self, status: RepoStatus) -> Result<(), HostError> {
        self.host.set_status(&self.did, status).await
    }

    /// Serves the repo again after [`deactivate`](Self::deactivate), and announces it: `#account`, `#identity`, `#sync`. Does nothing
    /// if it is active.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::set_status`].
    pub async fn activate(&self) -> Result<(), HostError> {
        self.set_status(RepoStatus::Active).await
    }

    /// Keeps the repo, serves and writes it no more, and announces that. Does nothing if it is deactivated.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::set_status`].
    pub async fn deactivate(&self) -> Result<(), HostError> {
        self.set_status(RepoStatus::Deactivated).await
    }

    /// Says that the identity may have changed, so that readers look it up anew.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::announce`].
    pub async fn announce_identity(&self) -> Result<(), HostError> {
        self.host.announce(&self.did, [Announcement::Identity]).await
    }

    /// Says which commit is the newest, so that readers who know another one fetch the repo anew.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::announce`].
    pub async fn announce_sync(&self) -> Result<(), HostError> {
        self.host.announce(&self.did, [Announcement::Sync]).await
    }

    /// The repo's events after `cursor`, or from now on if there is none, decoded; see [`RepoHost::events`].
    #[must_use]
    pub fn events(&self, cursor: Option<u64>) -> Events {
        self.host.events(cursor).of(self.did.clone())
    }

    /// Gives the repo another handle; see [`RepoHost::update_handle`].
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::update_handle`].
    pub async fn update_handle(&self, handle: &Handle) -> Result<(), HostError> {
        self.host.update_handle(&self.did, handle).await
    }

    /// Deletes the repo; see [`RepoHost::delete`]. This is also what became of tombstones: the protocol has no `#tombstone` any more,
    /// and readers take `#account` with the status `deleted` for one. The did:plc identity lives on until it is tombstoned in the
    /// directory.
    ///
    /// # Errors
    ///
    /// Those of [`RepoHost::delete`].
    pub async fn delete(&self) -> Result<(), HostError> {
        self.host.delete(&self.did).await
    }
}
