//! The tree of a repo, read as far as it is looked at.

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Key, Loader, MstError, NodeRequest, Tree, WalkItem, Walker};
use arroba_core::repo;
use arroba_core::syntax::RecordPath;
use bytes::Bytes;

use super::{HostError, Repo};

/// The tree of a repo at one commit. Only its root was read; the rest is read as it is needed.
///
/// A store keeps the newest tree of a repo and nothing older. So once there is a newer commit, reading on fails with
/// [`HostError::TreeReplaced`], where the nodes in question were replaced; get the tree anew then.
#[derive(Clone, Debug)]
pub struct RepoTree {
    repo: Repo,
    commit: Cid,
    tree: Tree,
}

impl Repo {
    /// The tree of the newest commit.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn tree(&self) -> Result<RepoTree, HostError> {
        let (_, head, tree) = self.host().load(self.did(), Loader::for_read([])).await?;
        Ok(RepoTree { repo: self.clone(), commit: head.cid, tree })
    }
}

impl RepoTree {
    /// The commit whose tree it is.
    #[must_use]
    pub const fn commit(&self) -> Cid {
        self.commit
    }

    /// The CID of the root, which the commit names.
    #[must_use]
    pub fn root(&self) -> Cid {
        self.tree.root_cid()
    }

    /// The height of the root.
    #[must_use]
    pub const fn height(&self) -> u8 {
        self.tree.height()
    }

    /// What a record's CID is in this tree.
    ///
    /// # Errors
    ///
    /// [`HostError::TreeReplaced`].
    pub async fn value(&self, path: &RecordPath) -> Result<Option<Link>, HostError> {
        let key = repo::key(path);
        let tree = self.read(Loader::for_read([key.clone()])).await?;
        tree.value(&key).map(|value| value.cloned()).map_err(HostError::Tree)
    }

    /// The nodes that prove what is at a path, or that nothing is: from the root down.
    ///
    /// # Errors
    ///
    /// [`HostError::TreeReplaced`].
    pub async fn proof(&self, path: &RecordPath) -> Result<Vec<(Cid, Bytes)>, HostError> {
        let key = repo::key(path);
        self.read(Loader::for_read([key.clone()])).await?.proof(&key).map_err(HostError::Tree)
    }

    /// All nodes in memory: to list, compare ([`mst::diff`](arroba_core::mst::diff)) or draw it. It needs some 100 bytes a record.
    ///
    /// # Errors
    ///
    /// [`HostError::TreeReplaced`].
    pub async fn load(&self) -> Result<Tree, HostError> {
        self.read(Loader::for_all()).await
    }

    /// A walk that begins at the root and reads one path at a time.
    #[must_use]
    pub fn walk(&self) -> TreeWalker {
        TreeWalker { walker: Walker::new(&self.tree), tree: self.clone(), path: Vec::new() }
    }

    /// Reads a part of the tree, if it is still the newest.
    async fn read(&self, loader: Loader) -> Result<Tree, HostError> {
        let (_, head, tree) = self.repo.host().load(self.repo.did(), loader).await?;
        if head.data == self.tree.root_cid() { Ok(tree) } else { Err(self.replaced()) }
    }

    /// The nodes on the way to the bottom of the tree right behind the key `after`, whatever tree is the newest.
    async fn path_behind(&self, after: &Key) -> Result<Vec<(Cid, Bytes)>, HostError> {
        // No key lies between one and itself with a zero byte.
        let next = Key::new(&[after.as_bytes(), &[0]].concat()).map_err(HostError::Tree)?;
        let (_, _, tree) = self.repo.host().load(self.repo.did(), Loader::for_read([next.clone()])).await?;
        tree.proof(&next).map_err(HostError::Tree)
    }

    fn replaced(&self) -> HostError {
        HostError::TreeReplaced(self.repo.did().clone())
    }
}

/// A walk through a repo's tree that its owner directs: into a node, or over it. What is stepped over is not read.
#[derive(Clone, Debug)]
pub struct TreeWalker {
    tree: RepoTree,
    walker: Walker,
    /// The nodes that were read last: the way down from one that was stepped into.
    path: Vec<(Cid, Bytes)>,
}

impl TreeWalker {
    /// Where the walk stands; `None` when it is over.
    #[must_use]
    pub fn item(&self) -> Option<WalkItem> {
        self.walker.item()
    }

    /// The height of the node that holds the item; one above the root's for the root itself.
    #[must_use]
    pub fn layer(&self) -> u8 {
        self.walker.layer()
    }

    /// Goes on behind the item. What is in a node is skipped, and not read.
    pub fn step_over(&mut self) {
        self.walker.step_over();
    }

    /// Goes to the first item in the node where the walk stands.
    ///
    /// # Errors
    ///
    /// [`HostError::TreeReplaced`]; [`HostError::Tree`] at an entry. The walk stays where it is.
    pub async fn step_into(&mut self) -> Result<(), HostError> {
        match self.walker.step_into() {
            Err(MstError::Missing(request)) => {
                let bytes = self.node(&request).await?;
                self.walker.supply(bytes).map_err(HostError::Tree)?;
                self.walker.step_into().map_err(HostError::Tree)
            }
            done => done.map_err(HostError::Tree),
        }
    }

    /// Goes to the next item of the whole tree: into a node, over an entry.
    ///
    /// # Errors
    ///
    /// As [`step_into`](Self::step_into).
    pub async fn advance(&mut self) -> Result<(), HostError> {
        match self.walker.item() {
            Some(WalkItem::Node(_)) => self.step_into().await,
            Some(WalkItem::Entry { .. }) | None => {
                self.step_over();
                Ok(())
            }
        }
    }

    async fn node(&mut self, request: &NodeRequest) -> Result<Bytes, HostError> {
        let known = |path: &[(Cid, Bytes)]| {
            path.iter().find(|(cid, _)| *cid == request.cid).map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = known(&self.path) {
            return Ok(bytes);
        }
        self.path = self.tree.path_behind(&request.position.after).await?;
        known(&self.path).ok_or_else(|| self.tree.replaced())
    }
}
