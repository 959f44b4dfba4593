//! What is stored of a repository, and what it says.

use arroba_core::{
    data::Cid,
    repo::Commit,
    syntax::{Did, Handle, Tid},
};
use bytes::Bytes;

use super::{
    Client, Lookup, Reads,
    blocks::{Blocks, StoredBlock},
    entity::{ArrobaRepo, AtpRepo, StoredStatus},
};
use crate::{
    error::StoreError,
    repo::{Head, RepoRow, RepoStatus},
    seal::{SealedKey, SealedKeys},
};

/// Both rows of a repository: the one that the Python library knows, and ours.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) did: Did,
    pub(super) repo: Option<AtpRepo>,
    pub(super) side: Option<ArrobaRepo>,
}

impl Found {
    /// Takes both rows out of what a lookup found.
    pub(super) fn take(did: &Did, client: &Client, lookup: &mut Lookup) -> Result<Self, StoreError> {
        let keys = Self::keys(did, client);
        let mut entities = keys.map(|key| take(lookup, &key)).into_iter();
        let repo = entities.next().flatten().map(AtpRepo::from_entity).transpose();
        let side = entities.next().flatten().map(ArrobaRepo::from_entity).transpose();
        Ok(Self {
            did: did.clone(),
            repo: repo.map_err(|error| StoreError::corrupt_by("repository", error))?,
            side: side.map_err(|error| StoreError::corrupt_by("repository", error))?,
        })
    }

    /// Where both rows are.
    pub(super) fn keys(did: &Did, client: &Client) -> [super::api::Key; 2] {
        [AtpRepo::key(client.database(), did), ArrobaRepo::key(client.database(), did)]
    }

    /// Reads both rows of many repositories at once, in the order of the DIDs.
    pub(super) async fn read(dids: &[Did], client: &Client) -> Result<Vec<Self>, StoreError> {
        let keys = dids.iter().flat_map(|did| Self::keys(did, client)).collect();
        let mut lookup = client.lookup(keys, Reads::Strong).await?;
        dids.iter().map(|did| Self::take(did, client, &mut lookup)).collect()
    }

    /// The status without a takedown; nothing if there is no such repository.
    pub(super) fn underlying(&self) -> Option<RepoStatus> {
        let side = self.side.as_ref();
        let creating = side.is_some_and(|side| side.creating.is_some());
        let Some(repo) = &self.repo else { return creating.then_some(RepoStatus::Creating) };
        let noted = side.and_then(|side| side.underlying);
        let covered = side.is_some_and(|side| side.takedown.is_some());
        Some(match repo.status {
            None => RepoStatus::Active,
            Some(StoredStatus::Deactivated) => match noted {
                Some(RepoStatus::Suspended) => RepoStatus::Suspended,
                Some(RepoStatus::Active) if covered => RepoStatus::Active,
                _ => RepoStatus::Deactivated,
            },
            Some(StoredStatus::Deleted | StoredStatus::Tombstoned) if creating => RepoStatus::Creating,
            Some(StoredStatus::Deleted | StoredStatus::Tombstoned) => RepoStatus::Deleted,
        })
    }

    /// The moderator's reference, while the repository is taken down.
    pub(super) fn takedown(&self) -> Option<&str> {
        self.side.as_ref()?.takedown.as_deref()
    }

    /// The current commit; a repository that is being created or was deleted has none.
    pub(super) fn head(&self) -> Option<Cid> {
        match self.underlying()? {
            RepoStatus::Creating | RepoStatus::Deleted => None,
            _ => self.repo.as_ref().map(|repo| repo.head),
        }
    }

    /// The newest rev, if the head has this one.
    pub(super) fn rev(&self, head: Option<Tid>) -> Option<Tid> {
        head.max(self.side.as_ref().and_then(|side| side.last_rev))
    }

    /// The row as the contract has it; `head` is the rev of the current commit.
    pub(super) fn row(&self, head: Option<Tid>) -> Option<RepoRow> {
        let underlying = self.underlying()?;
        let creating = self.side.as_ref().and_then(|side| side.creating.as_ref());
        let (handle, keys, created) = match (underlying, creating, &self.repo) {
            (RepoStatus::Creating, Some(creating), _) => {
                (creating.handle.clone(), creating.keys.clone(), creating.since)
            }
            (RepoStatus::Deleted, _, Some(repo)) => (None, SealedKeys::none(), repo.created.unwrap_or(0)),
            (_, _, Some(repo)) => (handle(repo), keys(repo), repo.created.unwrap_or(0)),
            (_, _, None) => return None,
        };
        let takedown = self.takedown().map(str::to_owned);
        Some(RepoRow {
            did: self.did.clone(),
            handle,
            status: if takedown.is_some() { RepoStatus::Takendown } else { underlying },
            underlying,
            takedown,
            keys,
            created,
            rev: self.rev(head),
        })
    }
}

/// The handle in a row. One that is none (the Python library checks nothing) is as good as no handle.
pub(super) fn handle(repo: &AtpRepo) -> Option<Handle> {
    Handle::parse(repo.handles.first()?).ok()
}

fn keys(repo: &AtpRepo) -> SealedKeys {
    SealedKeys {
        signing: SealedKey::from_bytes(repo.encrypted_signing_key.clone()),
        rotation: repo.encrypted_rotation_key.clone().map(SealedKey::from_bytes),
    }
}

/// Takes the entity with this key out of what a lookup found.
pub(super) fn take(lookup: &mut Lookup, key: &super::api::Key) -> Option<super::api::Entity> {
    let is_it = |result: &super::api::EntityResult| {
        result.entity.as_ref().and_then(|entity| entity.key.as_ref()).is_some_and(|own| own.path == key.path)
    };
    let at = lookup.found.iter().position(is_it)?;
    lookup.found.swap_remove(at).entity
}

/// The name in a key of a root entity.
pub(super) fn name(key: &super::api::Key) -> Option<&str> {
    match &key.path.last()?.id_type {
        Some(super::api::key::path_element::IdType::Name(name)) => Some(name),
        _ => None,
    }
}

/// Reads a commit block.
pub(super) fn head_of(did: &Did, cid: Cid, block: Bytes) -> Result<Head, StoreError> {
    let commit = Commit::decode(&block)
        .map_err(|error| StoreError::corrupt_by(format!("commit {cid} of {did}"), error))?;
    if commit.did != *did {
        return Err(StoreError::corrupt(format!("commit {cid} of {did} belongs to {}", commit.did)));
    }
    Ok(Head { cid, rev: commit.rev, data: commit.data, block })
}

/// Repositories with their heads: two lookups, however many they are.
pub(super) async fn with_heads(
    found: Vec<Found>,
    blocks: &Blocks,
) -> Result<Vec<(Found, Option<Head>)>, StoreError> {
    let heads = found.iter().filter_map(Found::head).collect();
    let mut stored = blocks.get_many(heads).await?;
    let entry = |found: Found| {
        let head = found.head().map(|cid| {
            let StoredBlock { bytes, .. } = stored.remove(&cid).ok_or_else(|| {
                StoreError::corrupt(format!("the commit {cid} of {} is missing", found.did))
            })?;
            head_of(&found.did, cid, bytes)
        });
        Ok((found, head.transpose()?))
    };
    found.into_iter().map(entry).collect()
}
