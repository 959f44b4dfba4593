//! What a commit does to blobs, in its own transaction.

use std::collections::{BTreeMap, BTreeSet};

use arroba_core::{
    data::Cid,
    event::Action,
    syntax::{Did, RecordPath},
};

use super::{
    super::{
        Client, Lookup,
        api::{Key, Mutation},
        delete,
        entity::{ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef, ArrobaHidden},
        upsert,
    },
    import::parts,
    remote::{self, RemoteRow},
    transact::take,
    upload::garbage_of,
};
use crate::{
    change::CommitChange,
    error::{ApplyError, StoreError},
    repo::Subject,
};

/// The part of a commit's transaction that is about blobs (rule 9 of [`RepoStore`](crate::RepoStore)).
///
/// The transaction looks [`BlobChange::keys`] up together with everything else, gives what was found to [`BlobChange::take`], looks up what
/// that asks for (nothing, unless records that had blobs change, or blobs are named that were not uploaded), and adds
/// [`BlobChange::mutations`].
pub(in super::super) struct BlobChange<'a> {
    client: &'a Client,
    did: &'a Did,
    commit: &'a CommitChange,
    /// Records that have blobs now, or may have had some.
    now: BTreeMap<&'a RecordPath, BTreeSet<Cid>>,
    /// Blobs that the commit names.
    named: BTreeSet<Cid>,
    /// CIDs and sizes of those of them that live elsewhere, as far as the account uses them.
    elsewhere: BTreeSet<(Cid, u64)>,
    epoch: Option<ArrobaBlobEpoch>,
    hidden: BTreeSet<Cid>,
    before: BTreeMap<RecordPath, BTreeSet<Cid>>,
    rows: BTreeMap<Cid, ArrobaBlob>,
}

impl<'a> BlobChange<'a> {
    /// Nothing if the commit cannot have to do with blobs: it has none, and all its records are new.
    pub(in super::super) fn of(client: &'a Client, did: &'a Did, commit: &'a CommitChange) -> Option<Self> {
        let mut now: BTreeMap<&RecordPath, BTreeSet<Cid>> = BTreeMap::new();
        let old = commit.signed.ops.iter().filter(|op| op.action != Action::Create);
        now.extend(old.map(|op| (&op.path, BTreeSet::new())));
        let mut named = BTreeSet::new();
        for (path, blob) in &commit.blobs {
            now.entry(path).or_default().insert(blob.cid);
            named.insert(blob.cid);
        }
        if now.is_empty() {
            return None;
        }
        let (hidden, before, rows) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let elsewhere = BTreeSet::new();
        Some(Self { client, did, commit, now, named, elsewhere, epoch: None, hidden, before, rows })
    }

    /// What to look up first.
    pub(in super::super) fn keys(&self) -> Vec<Key> {
        let database = self.client.database();
        let mut keys = vec![ArrobaBlobEpoch::key(database, self.did)];
        keys.extend(self.now.keys().map(|path| ArrobaBlobRef::key(database, self.did, path)));
        keys.extend(self.named.iter().map(|cid| self.hidden_key(cid)));
        keys.extend(self.named.iter().map(|cid| ArrobaBlob::key(database, self.did, cid)));
        keys
    }

    fn hidden_key(&self, cid: &Cid) -> Key {
        ArrobaHidden::key(self.client.database(), self.did, &Subject::Blob(*cid))
    }

    /// Takes what was found, and gives what is to be looked up besides: the blobs that changed records had, and remote blobs that may
    /// be those that nobody uploaded here. The latter are asked for outside of the transaction, since a query in it would be in the way of
    /// everybody who writes to any remote blob; what the transaction looks up is what counts.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for an entity that cannot be read, and what the query meets.
    pub(in super::super) async fn take(&mut self, lookup: &mut Lookup) -> Result<Vec<Key>, StoreError> {
        let database = self.client.database();
        let epoch = take(lookup, &ArrobaBlobEpoch::key(database, self.did));
        self.epoch = epoch.map(ArrobaBlobEpoch::from_entity).transpose()?;
        let mut had = BTreeSet::new();
        for path in self.now.keys() {
            let Some(entity) = take(lookup, &ArrobaBlobRef::key(database, self.did, path)) else { continue };
            let reference = ArrobaBlobRef::from_entity(entity)?;
            if reference.epoch == self.epoch() {
                had.extend(reference.blobs.iter().copied());
                self.before.insert(reference.path, reference.blobs);
            }
        }
        self.hidden =
            self.named.iter().copied().filter(|cid| take(lookup, &self.hidden_key(cid)).is_some()).collect();
        let named = std::mem::take(&mut self.named);
        self.take_rows(lookup, &named)?;
        self.named = named;
        let had = had.difference(&self.named).map(|cid| ArrobaBlob::key(database, self.did, cid));
        let mut keys: Vec<Key> = had.collect();
        let not_here = self.named.iter().filter(|cid| !self.hidden.contains(cid) && !self.is_uploaded(cid));
        keys.extend(remote::keys_used(self.client, self.did, not_here.copied().collect()).await?);
        Ok(keys)
    }

    fn is_uploaded(&self, cid: &Cid) -> bool {
        self.rows.get(cid).is_some_and(|row| row.upload.is_some())
    }

    /// What to write; `more` is what was found at the keys that [`BlobChange::take`] gave.
    ///
    /// # Errors
    /// [`ApplyError::MissingBlob`] and [`ApplyError::BlobMismatch`].
    pub(in super::super) fn mutations(mut self, mut more: Lookup) -> Result<Vec<Mutation>, ApplyError> {
        let had: BTreeSet<Cid> = self.before.values().flatten().copied().collect();
        self.take_rows(&mut more, &had)?;
        self.take_elsewhere(more)?;
        self.check()?;
        let mut mutations = self.references()?;
        let (did, epoch) = (self.did, self.epoch());
        for (cid, change) in self.counts() {
            let new = || ArrobaBlob { did: did.clone(), cid, epoch, refs: 0, upload: None };
            // Of one that lives elsewhere there is none before the first reference.
            let Some(mut row) = self.rows.remove(&cid).or_else(|| (change > 0).then(new)) else { continue };
            row.refs = row.refs.saturating_add_signed(change);
            if row.refs > 0 {
                mutations.push(self.put(&row)?);
                continue;
            }
            mutations.push(delete(ArrobaBlob::key(self.client.database(), self.did, &cid)));
            if let Some(upload) = &row.upload {
                mutations.push(garbage_of(self.client, &upload.object)?);
            }
        }
        Ok(mutations)
    }

    fn epoch(&self) -> u64 {
        self.epoch.as_ref().map_or(0, |epoch| epoch.epoch)
    }

    fn take_rows(&mut self, lookup: &mut Lookup, cids: &BTreeSet<Cid>) -> Result<(), StoreError> {
        for cid in cids {
            let entity = take(lookup, &ArrobaBlob::key(self.client.database(), self.did, cid));
            let Some(row) = entity.map(ArrobaBlob::from_entity).transpose()? else { continue };
            if row.epoch == self.epoch() {
                self.rows.insert(*cid, row);
            }
        }
        Ok(())
    }

    /// What the account still uses, of the remote blobs that were asked for.
    fn take_elsewhere(&mut self, more: Lookup) -> Result<(), StoreError> {
        for entity in more.found.into_iter().filter_map(|result| result.entity) {
            let Some(row) = RemoteRow::of(entity)? else { continue };
            if row.blob.repos.contains(self.did) {
                self.elsewhere.extend(row.blob.cid.zip(row.blob.size));
            }
        }
        Ok(())
    }

    /// Whether every blob that the commit names may be referred to.
    fn check(&self) -> Result<(), ApplyError> {
        for (_, blob) in &self.commit.blobs {
            let row = self.rows.get(&blob.cid).filter(|_| !self.hidden.contains(&blob.cid));
            let upload = row.and_then(|row| row.upload.as_ref());
            let (Some(row), Some(upload)) = (row, upload) else {
                // Of what is hidden nothing was asked.
                if self.elsewhere.contains(&(blob.cid, blob.size)) {
                    continue;
                }
                return Err(ApplyError::MissingBlob(blob.cid));
            };
            if row.is_temporary() && (upload.mime_type != blob.mime_type || upload.size != blob.size) {
                let (mime_type, size) = (upload.mime_type.clone(), upload.size);
                return Err(ApplyError::BlobMismatch { cid: blob.cid, mime_type, size });
            }
        }
        Ok(())
    }

    /// The references of the records that changed.
    fn references(&self) -> Result<Vec<Mutation>, StoreError> {
        let database = self.client.database();
        let mut mutations = Vec::new();
        for (path, blobs) in &self.now {
            if blobs.is_empty() {
                if self.before.contains_key(*path) {
                    mutations.push(delete(ArrobaBlobRef::key(database, self.did, path)));
                }
                continue;
            }
            let reference = ArrobaBlobRef {
                did: self.did.clone(),
                path: (*path).clone(),
                epoch: self.epoch(),
                rev: self.commit.signed.rev,
                blobs: blobs.clone(),
            };
            mutations.push(upsert(reference.to_entity(database)?));
        }
        Ok(mutations)
    }

    /// By how much the number of references of each blob changes, of those where it does.
    fn counts(&self) -> BTreeMap<Cid, i64> {
        let mut counts = BTreeMap::new();
        self.before.values().flatten().for_each(|cid| *counts.entry(*cid).or_default() -= 1);
        self.now.values().flatten().for_each(|cid| *counts.entry(*cid).or_default() += 1);
        counts.retain(|_, change| *change != 0);
        counts
    }

    fn put(&self, row: &ArrobaBlob) -> Result<Mutation, StoreError> {
        Ok(upsert(row.to_entity(self.client.database())?))
    }
}

/// What the deletion of a repository writes, given the entity at [`ArrobaBlobEpoch::key`]: all its blobs are hidden at once, and
/// somebody is going to clear them away. There may be uses of remote blobs even if there never was a blob here. An import that waits goes
/// with it.
///
/// # Errors
/// [`StoreError::Corrupt`] for an entity that cannot be read.
pub(in super::super) fn forget(
    client: &Client,
    did: &Did,
    lookup: &mut Lookup,
) -> Result<Vec<Mutation>, StoreError> {
    let entity = take(lookup, &ArrobaBlobEpoch::key(client.database(), did));
    let last = entity.map(ArrobaBlobEpoch::from_entity).transpose()?;
    let last = last.unwrap_or_else(|| ArrobaBlobEpoch::new(did.clone(), 0));
    let next =
        ArrobaBlobEpoch { unswept: true, ..ArrobaBlobEpoch::new(did.clone(), last.epoch.saturating_add(1)) };
    let mut mutations = vec![upsert(next.to_entity(client.database())?)];
    let waiting = last.import.iter().flat_map(|import| parts(client, did, import));
    mutations.extend(waiting.map(delete));
    Ok(mutations)
}

/// Whether the repository was deleted and what it left is not cleared away, given the same entity.
///
/// # Errors
/// As [`forget`].
pub(in super::super) fn is_unswept(
    client: &Client,
    did: &Did,
    lookup: &mut Lookup,
) -> Result<bool, StoreError> {
    let entity = take(lookup, &ArrobaBlobEpoch::key(client.database(), did));
    Ok(entity.map(ArrobaBlobEpoch::from_entity).transpose()?.is_some_and(|epoch| epoch.unswept))
}
