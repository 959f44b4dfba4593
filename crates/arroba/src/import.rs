//! Taking over a repo from a CAR file.
//!
//! The file is received in any order into a bounded spool, its tree is walked from the root and checked on the way, what it
//! reaches is staged, and one step swaps it in under a new commit of our own: the old one was signed elsewhere, for a
//! revision that is past. Whatever later steps could not publish, list or edit is refused here.
//!
//! Spec: <https://atproto.com/specs/repository#car-file-serialization>, <https://atproto.com/guides/account-migration>

mod arrival;
mod error;
mod spool;
mod walk;

use arroba_core::car;
use arroba_core::crypto::Signer;
use arroba_core::data::Cid;
use arroba_core::mst::Loader;
use arroba_core::repo::{self, Commit};
use arroba_core::syntax::{Did, Tid};
use arroba_store::{
    ApplyError, Change, ChangeKind, CommitChange, RepoRow, RepoStatus, Reservation, Stage, StoreError,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

pub use self::error::ImportError;

use self::spool::Spool;
use self::walk::{Piece, Root};
use crate::host::{CommitMeta, HostError, RepoHost, events};

/// How far the clock of another host may be ahead of ours.
const MAX_CLOCK_SKEW_MICROS: u64 = 5 * 60 * 1_000_000;

/// The most blocks in a file: each costs some memory until the import is over.
const MAX_BLOCKS: u64 = 4_000_000;

/// The largest block. Records may be a little larger than those we would write ourselves.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// How much is received before it goes into the spool.
const BATCH_BYTES: usize = 1 << 20;

/// How many pieces of the walk may wait for the store.
const PIECES_WAITING: usize = 4;

impl RepoHost {
    /// Makes the repo what the CAR file says: all of it, in one step, under a new commit. The file must hold a whole repo of
    /// `did`, signed by a key that the identity has or had.
    ///
    /// An active repo is announced by `#sync`. Nothing happens if the repo holds just that already. Blobs are not part of the file:
    /// records may refer to some that are not here yet.
    ///
    /// # Errors
    ///
    /// [`HostError::Import`] for what is wrong with the file, and nothing has changed.
    pub async fn import<S, E>(&self, did: &Did, file: S) -> Result<Option<CommitMeta>, HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let (commit, spool) = self.receive(file).await?;
        if commit.did != *did {
            return Err(ImportError::OtherDid(commit.did).into());
        }
        let repo = self.store().repo(did).await?.ok_or_else(|| HostError::RepoNotFound(did.clone()))?;
        // Before the turn is taken: this may ask the network.
        self.check_signature(&repo, &commit).await?;
        let _turn = self.turn(did).await;
        self.take_over(did, &commit, spool).await
    }

    /// Takes in a file as far as its commit.
    async fn receive<S, E>(&self, file: S) -> Result<(Commit, Spool), HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let (spool, root) =
            receive(file, Spool::new(self.spool_directory().to_owned()), self.limits().import_bytes).await?;
        let block = spool.block(&root)?.ok_or(ImportError::RootMissing(root))?;
        let commit = Commit::decode(&block).map_err(ImportError::Commit)?;
        if commit.rev.micros() > self.clock().now_micros().saturating_add(MAX_CLOCK_SKEW_MICROS) {
            return Err(ImportError::FutureRev(commit.rev).into());
        }
        Ok((commit, spool))
    }

    /// Whether the commit was signed by a key that the identity has or had.
    async fn check_signature(&self, repo: &RepoRow, commit: &Commit) -> Result<(), HostError> {
        let ours = self.signing_key(repo)?.public_key();
        if commit.verify(&ours).is_ok() { Ok(()) } else { self.check_identity(commit).await }
    }

    /// Whether the commit was signed by a key that the network knows as one of its identity, now or before.
    async fn check_identity(&self, commit: &Commit) -> Result<(), HostError> {
        if commit.did.method() == "plc" {
            // The log holds the present key too, so one question answers for all.
            let log = self.directory().audit_log(&commit.did).await.map_err(ImportError::Directory)?;
            let mut keys = log.iter().filter_map(|entry| entry.operation.state()?.signing_key());
            let signed = keys.any(|key| commit.verify(&key).is_ok());
            return if signed { Ok(()) } else { Err(ImportError::Signature.into()) };
        }
        let key = self.resolver().refreshed_signing_key(&commit.did).await.map_err(ImportError::Identity)?;
        commit.verify(&key).map_err(|_| ImportError::Signature.into())
    }

    /// Where revs count events, they cannot follow one that tells the time.
    async fn reserve_behind(
        &self,
        commit: &Commit,
        events: usize,
        last: Option<Tid>,
    ) -> Result<Reservation, HostError> {
        self.store().reserve(&commit.did, events, last).await.map_err(|error| match error {
            StoreError::RevAhead { next, .. } => ImportError::RevAhead { imported: commit.rev, next }.into(),
            error => error.into(),
        })
    }

    async fn take_over(
        &self,
        did: &Did,
        commit: &Commit,
        spool: Spool,
    ) -> Result<Option<CommitMeta>, HostError> {
        let (repo, head, _) = self.load(did, Loader::for_read([])).await?;
        if head.data == commit.data {
            return Ok(None);
        }
        let refused = |error: ApplyError| HostError::refused(did, None, error);
        let mut stage = self.store().stage(did).await.map_err(refused)?;
        let root = fill(&mut *stage, spool, commit.data, self.limits().import_bytes).await?;
        let tree = root.tree(commit.data)?;
        let key = self.signing_key(&repo)?;
        let last = repo.rev.max(Some(head.rev)).max(Some(commit.rev));
        let reservation = self.reserve_behind(commit, 1, last).await?;
        let rev = reservation.rev(0).unwrap_or_else(|| self.next_rev(last));
        let staged = repo::resign(&tree).map_err(HostError::Edit)?;
        let signed = staged.sign(self.params(did, rev, Some(&head)), &*key).map_err(HostError::Edit)?;
        let events = match repo.status {
            RepoStatus::Active => {
                vec![events::sync(did, signed.commit_cid, &signed.commit_bytes, rev, self.now())]
            }
            _ => Vec::new(),
        };
        let cid = signed.commit_cid;
        let commit = Box::new(CommitChange {
            expect: Some(head.cid),
            signed,
            blobs: Vec::new(),
            backlinks: Vec::new(),
        });
        let change = Change { reservation, ..self.change(did, events, ChangeKind::Commit(commit)) };
        let applied = stage.finish(change).await.map_err(refused)?;
        Ok(Some(CommitMeta::new(cid, rev, applied.last_seq())))
    }
}

/// Takes in the file; returns its blocks and the CID of the commit.
async fn receive<S, E>(file: S, mut spool: Spool, limit: u64) -> Result<(Spool, Cid), ImportError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut reader = car::Reader::new(car::Limits {
        max_blocks: MAX_BLOCKS,
        max_block_bytes: MAX_BLOCK_BYTES,
        max_total_bytes: limit,
        max_roots: car::Limits::REPOSITORY.max_roots,
    });
    let mut file = std::pin::pin!(file);
    let (mut batch, mut batch_bytes) = (Vec::new(), 0_usize);
    while let Some(bytes) = file.next().await {
        reader.push(&bytes.map_err(|error| ImportError::Interrupted(error.into()))?);
        for block in reader.by_ref() {
            let block = block.map_err(ImportError::Car)?;
            batch_bytes = batch_bytes.saturating_add(block.data.len());
            batch.push(block);
        }
        if batch_bytes >= BATCH_BYTES {
            spool = blocking(move || spool.add(batch)).await?;
            (batch, batch_bytes) = (Vec::new(), 0);
        }
    }
    reader.finish().map_err(ImportError::Car)?;
    spool = blocking(move || spool.add(batch)).await?;
    // Further roots are allowed and mean nothing.
    let root = reader.roots().and_then(<[Cid]>::first).copied().ok_or(ImportError::NoRoot)?;
    Ok((spool, root))
}

/// Walks the tree and stages what it reaches.
async fn fill(stage: &mut dyn Stage, spool: Spool, data: Cid, max_bytes: u64) -> Result<Root, HostError> {
    let (sender, mut pieces) = mpsc::channel(PIECES_WAITING);
    let walk = tokio::task::spawn_blocking(move || {
        walk::walk(&spool, data, max_bytes, |piece| sender.blocking_send(piece).is_ok())
    });
    while let Some(piece) = pieces.recv().await {
        let Piece { records, nodes } = piece;
        stage.put_records(records).await?;
        stage.put_nodes(nodes).await?;
    }
    Ok(walk.await.map_err(ImportError::task)??)
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, ImportError> {
    tokio::task::spawn_blocking(work).await.map_err(ImportError::task)?
}
