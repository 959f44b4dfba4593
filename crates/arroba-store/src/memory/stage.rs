//! Imports.

use arroba_core::{
    data::Cid,
    mst::{NodePut, Position},
    syntax::{Did, RecordPath},
};
use async_trait::async_trait;

use super::{
    Live, Memory, Repo, Rows,
    apply::{LATER, expected_head, head},
};
use crate::{
    change::{Applied, Change, ChangeKind},
    error::{ApplyError, StoreError},
    repo::RepoStatus,
    repo_store::{Stage, StagedRecord},
};

#[derive(Debug)]
pub(super) struct MemoryStage {
    store: Memory,
    did: Did,
    tree: Rows,
}

impl MemoryStage {
    pub(super) fn begin(store: Memory, did: &Did) -> Result<Self, ApplyError> {
        takes_imports(store.lock().repo(did).ok_or(ApplyError::NotFound)?)?;
        Ok(Self { store, did: did.clone(), tree: Rows::default() })
    }
}

fn takes_imports(repo: &Repo) -> Result<(), ApplyError> {
    match repo.row().status {
        RepoStatus::Active | RepoStatus::Deactivated => Ok(()),
        status => Err(ApplyError::Inactive(status)),
    }
}

#[async_trait]
impl Stage for MemoryStage {
    async fn put_records(&mut self, records: Vec<StagedRecord>) -> Result<(), StoreError> {
        for StagedRecord { path, cid, value, blobs, backlinks } in records {
            self.tree.refs.retain(|(_, user), _| *user != path);
            self.tree.refs.extend(blobs.into_iter().map(|blob| ((blob, path.clone()), LATER)));
            self.tree.links.retain(|(user, _)| *user != path);
            self.tree.links.extend(backlinks.into_iter().map(|target| (path.clone(), target)));
            self.tree.records.insert(path, (LATER, cid, value));
        }
        Ok(())
    }

    async fn entries(
        &mut self,
        after: Option<RecordPath>,
        limit: usize,
    ) -> Result<Vec<(RecordPath, Cid)>, StoreError> {
        let behind = |path: &RecordPath| after.as_ref().is_none_or(|after| path > after);
        let rows = self.tree.records.iter().filter(|(path, _)| behind(path)).take(limit);
        Ok(rows.map(|(path, (_, cid, _))| (path.clone(), *cid)).collect())
    }

    async fn put_nodes(&mut self, nodes: Vec<NodePut>) -> Result<(), StoreError> {
        self.tree.nodes.extend(nodes.into_iter().map(|node| (node.position, (LATER, node.cid, node.bytes))));
        Ok(())
    }

    async fn finish(mut self: Box<Self>, change: Change) -> Result<Applied, ApplyError> {
        let Change { did, time, kind, events, reservation: _ } = change;
        if did != self.did {
            return Err(ApplyError::Malformed("an import of another account"));
        }
        if events.iter().any(|event| *event.did() != did) {
            return Err(ApplyError::Malformed("an event of another account"));
        }
        let ChangeKind::Commit(commit) = kind else {
            return Err(ApplyError::Malformed("an import ends with a commit"));
        };
        let signed = &commit.signed;
        let mut tree = std::mem::take(&mut self.tree);
        let mut state = self.store.lock();
        let id = *state.dids.get(&did).ok_or(ApplyError::NotFound)?;
        let repo = state.repos.get_mut(&id).ok_or(ApplyError::NotFound)?;
        takes_imports(repo)?;
        expected_head(repo.live.as_ref(), &commit)?;
        let root = tree.nodes.get(&Position::root(signed.root_height));
        if root.is_none_or(|(_, cid, _)| *cid != signed.data) {
            return Err(ApplyError::Malformed("the commit names another root than was staged"));
        }
        tree.records.values_mut().chain(tree.nodes.values_mut()).for_each(|row| row.0 = signed.rev);
        tree.refs.values_mut().for_each(|rev| *rev = signed.rev);
        let mut loose = Vec::new();
        repo.blobs.retain(|cid, blob| {
            let used = tree.refs.keys().any(|(used, _)| used == cid);
            if !used && !blob.temporary {
                loose.push(blob.object.clone());
            }
            let keep = used || blob.temporary;
            blob.temporary &= !used;
            keep
        });
        repo.live = Some(Live { head: head(signed), height: signed.root_height, tree });
        state.garbage.extend(loose.into_iter().map(|object| (object, (time, false))));
        let applied = state.emit(id, &did, time, &events);
        self.store.tail.send_replace(state.newest());
        Ok(applied)
    }
}
