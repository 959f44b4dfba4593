//! Making a change: one transaction, repeated as long as others are in its way.

use std::{collections::HashSet, time::Duration};

use arroba_core::{data::Cid, syntax::Did};

use super::{
    Begin, DatastoreError, Lookup, Reads, Transaction,
    api::{Key, Mutation},
    blobs::{self, BlobChange, StagedRefs, remote},
    blocks::StoredBlock,
    decide::{Decision, Stored},
    entity::{ArrobaBlobEpoch, ArrobaHandle, ArrobaHidden, AtpBlock},
    plan::Plan,
    rows::{self, Found},
    store::Datastore,
};
use crate::{
    change::{Applied, Change, ChangeKind},
    error::{ApplyError, StoreError},
    repo::RepoStatus,
};

/// How often a transaction is begun for one change.
const ATTEMPTS: u32 = 12;

/// What came of one transaction that did not end well.
enum Failure {
    /// Somebody else was faster; nothing was written.
    Again,
    /// What an earlier account with this DID used has to be let go first; nothing was written.
    OldUses,
    /// Nobody knows whether it was written.
    Unsure(DatastoreError),
    /// An import that waits has to be carried out first; nothing was written.
    Waiting,
    /// It was not written, and a repetition would not help.
    Refused(ApplyError),
}

impl Datastore {
    /// Makes one change.
    pub(super) async fn apply_one(&self, change: Change) -> Result<Applied, ApplyError> {
        let plan = Plan::new(self, change.clone()).await?;
        if plan.commit().is_some() {
            return self.make(plan).await;
        }
        // Events that are no commit's can have another number, should readers pass theirs.
        match self.make(plan).await {
            Err(ApplyError::Conflict { .. }) => self.make(Plan::new(self, change).await?).await,
            made => made,
        }
    }

    /// Makes the change that ends an import, whose blocks are stored, and whose references are written down.
    pub(super) async fn apply_import(
        &self,
        change: Change,
        references: StagedRefs,
    ) -> Result<Applied, ApplyError> {
        let did = change.did.clone();
        let plan = Plan { import: Some(references), ..Plan::new(self, change).await? };
        let applied = self.make(plan).await?;
        if let Err(error) = blobs::carry_out(self.client(), &did).await {
            // The import is made. Whoever asks for its references next goes on here.
            tracing::warn!(%did, %error, "the references of an import are not where they belong yet");
        }
        Ok(applied)
    }

    async fn make(&self, plan: Plan) -> Result<Applied, ApplyError> {
        let mut unsure = None;
        let mut uses_ended = false;
        for attempt in 0..ATTEMPTS {
            match self.attempt(&plan, unsure.is_some(), uses_ended).await {
                Ok(()) => {
                    self.publish(&plan);
                    return Ok(Applied { seqs: plan.seqs });
                }
                Err(Failure::Again) => {}
                Err(Failure::OldUses) => match remote::end_uses(self.client(), &plan.did).await {
                    Ok(_) => {
                        uses_ended = true;
                        continue;
                    }
                    Err(error) if unsure.is_none() => return Err(error.into()),
                    Err(_) => break,
                },
                Err(Failure::Waiting) => match blobs::carry_out(self.client(), &plan.did).await {
                    Ok(()) => continue,
                    Err(error) if unsure.is_none() => return Err(error.into()),
                    Err(_) => break,
                },
                Err(Failure::Unsure(error)) => unsure = Some(error),
                Err(Failure::Refused(error)) if unsure.is_none() => return Err(error),
                // The first try may have been made after all, and this one met its traces.
                Err(Failure::Refused(_)) => break,
            }
            let most = Duration::from_millis(5 << attempt.min(8));
            tokio::time::sleep(most.mul_f64(rand::random())).await;
        }
        match unsure {
            None => Err(StoreError::unavailable("others write to the same rows").into()),
            Some(error) => {
                // An event may have these numbers.
                plan.reservation.settle();
                Err(StoreError::Unsure(std::sync::Arc::new(error)).into())
            }
        }
    }

    /// What follows from a change that was made.
    fn publish(&self, plan: &Plan) {
        // Numbers that no event got are given back.
        if !plan.seqs.is_empty() {
            plan.reservation.settle();
        }
        for block in &plan.blocks {
            let stored =
                StoredBlock { bytes: block.encoded.clone(), seq: block.seq, repo: block.repo.clone() };
            self.blocks().put(block.cid, stored);
        }
        if !plan.seqs.is_empty() {
            self.log().wrote(plan.seqs.start, plan.time, &plan.events);
        }
    }

    async fn attempt(&self, plan: &Plan, unsure: bool, uses_ended: bool) -> Result<(), Failure> {
        let holder = match plan.handle() {
            Some(handle) => self.holder(handle, &plan.did).await.map_err(Failure::Refused)?,
            None => None,
        };
        let client = self.client();
        let (transaction, mut lookup) = client.begin(self.keys(plan), Begin::ReadWrite).await?;
        let decided = match self.is_held_up(plan, &lookup, uses_ended) {
            Ok(true) => Err(Failure::OldUses),
            Ok(false) => self.decide(plan, &transaction, &mut lookup, holder.as_ref(), unsure).await,
            Err(error) => Err(error.into()),
        };
        let mutations = match decided {
            Ok(Some(mutations)) => mutations,
            Ok(None) => {
                self.give_up(&transaction).await;
                return Ok(());
            }
            Err(failure) => {
                self.give_up(&transaction).await;
                return Err(failure);
            }
        };
        client.commit(mutations, &transaction).await?;
        Ok(())
    }

    /// Everything that the transaction reads, in one lookup.
    fn keys(&self, plan: &Plan) -> Vec<Key> {
        let database = self.client().database();
        let mut keys: Vec<Key> = Found::keys(&plan.did, self.client()).into();
        keys.extend(plan.handle().map(|handle| ArrobaHandle::key(database, handle)));
        keys.extend(plan.blocks.iter().map(|block| AtpBlock::key(database, &block.cid)));
        match &plan.kind {
            ChangeKind::Hide { subject, .. } => keys.push(ArrobaHidden::key(database, &plan.did, subject)),
            ChangeKind::Delete | ChangeKind::Reserve { .. } | ChangeKind::Create { .. } => {
                keys.push(ArrobaBlobEpoch::key(database, &plan.did));
            }
            _ if plan.import.is_some() => keys.push(ArrobaBlobEpoch::key(database, &plan.did)),
            _ => {}
        }
        let blobs = plan.commit().and_then(|commit| BlobChange::of(self.client(), &plan.did, commit));
        keys.extend(blobs.iter().flat_map(BlobChange::keys));
        keys.extend_from_slice(plan.fence.keys());
        keys
    }

    /// Whether an account is to begin whose DID an earlier one had, and that one's uses of remote blobs may not all be ended: they would
    /// count for the new one.
    fn is_held_up(&self, plan: &Plan, lookup: &Lookup, uses_ended: bool) -> Result<bool, StoreError> {
        if uses_ended || !matches!(plan.kind, ChangeKind::Reserve { .. } | ChangeKind::Create { .. }) {
            return Ok(false);
        }
        // Others look at the same entities after this.
        let mut lookup = lookup.clone();
        Ok(match Found::take(&plan.did, self.client(), &mut lookup)?.underlying() {
            // The Python library may have deleted it, and leaves no note.
            Some(RepoStatus::Deleted) => true,
            None => blobs::is_unswept(self.client(), &plan.did, &mut lookup)?,
            Some(_) => false,
        })
    }

    /// The mutations; nothing if an earlier try of the same change was made after all.
    async fn decide(
        &self,
        plan: &Plan,
        transaction: &Transaction,
        lookup: &mut Lookup,
        holder: Option<&ArrobaHandle>,
        unsure: bool,
    ) -> Result<Option<Vec<Mutation>>, Failure> {
        let client = self.client();
        let found = Found::take(&plan.did, client, lookup)?;
        if let Some(handle) = plan.handle() {
            let seen = rows::take(lookup, &ArrobaHandle::key(client.database(), handle));
            let seen = seen.map(ArrobaHandle::from_entity).transpose();
            let seen = seen.map_err(|error| StoreError::corrupt_by("handle", error))?;
            if seen.as_ref() != holder {
                return Err(Failure::Again);
            }
        }
        let existing: HashSet<Cid> = lookup.found.iter().filter_map(block_cid).collect();
        if unsure && is_done(plan, &found, &existing) {
            return Ok(None);
        }
        let fenced = plan.fence.mutations(&lookup.missing).map_err(|given_up| {
            tracing::info!(did = %plan.did, %given_up, "a change was too slow for its number");
            plan.reservation.settle();
            // A commit has to be signed again.
            Failure::Refused(ApplyError::Conflict { head: found.head() })
        })?;
        let head_rev = self.head_rev(&found).await?;
        let hidden = match &plan.kind {
            ChangeKind::Hide { subject, .. } => {
                rows::take(lookup, &ArrobaHidden::key(client.database(), &plan.did, subject)).is_some()
            }
            _ => false,
        };
        let clears = matches!(plan.kind, ChangeKind::Delete | ChangeKind::Create { .. });
        let subjects = match &found.side {
            Some(side) if clears && side.hidden > 0 => self.hidden_keys(&plan.did).await?,
            _ => Vec::new(),
        };
        let stored = Stored { found, head_rev, hidden, subjects };
        let mut mutations = Decision::of(plan, &stored)
            .and_then(|decision| decision.mutations(client.database(), plan, &stored))
            .map_err(Failure::Refused)?;
        for block in plan.blocks.iter().filter(|block| !existing.contains(&block.cid)) {
            let entity = block.to_entity(client.database()).map_err(StoreError::backend)?;
            mutations.push(super::upsert(entity));
        }
        mutations.extend(fenced);
        mutations.extend(self.blob_mutations(plan, transaction, lookup).await?);
        Ok(Some(mutations))
    }

    /// What the change does to blobs.
    async fn blob_mutations(
        &self,
        plan: &Plan,
        transaction: &Transaction,
        lookup: &mut Lookup,
    ) -> Result<Vec<Mutation>, Failure> {
        let client = self.client();
        if matches!(plan.kind, ChangeKind::Delete) {
            return Ok(blobs::forget(client, &plan.did, lookup)?);
        }
        let Some(commit) = plan.commit() else { return Ok(Vec::new()) };
        if blobs::is_pending(client, &plan.did, lookup)? {
            return Err(Failure::Waiting);
        }
        if let Some(references) = &plan.import {
            let announced = blobs::announce(client, &plan.did, commit.signed.rev, references, lookup)?;
            return Ok(announced.into_iter().collect());
        }
        let Some(mut change) = BlobChange::of(client, &plan.did, commit) else { return Ok(Vec::new()) };
        let more = change.take(lookup).await?;
        let more = match more.is_empty() {
            true => Lookup::default(),
            false => client.lookup(more, Reads::In(transaction)).await?,
        };
        change.mutations(more).map_err(Failure::Refused)
    }

    /// Lets go of the rows that were read, so that nobody waits for them. If that fails, the service does it by itself.
    async fn give_up(&self, transaction: &Transaction) {
        if let Err(error) = self.client().rollback(transaction).await {
            tracing::debug!(%error, "a transaction was not rolled back");
        }
    }

    async fn head_rev(&self, found: &Found) -> Result<Option<arroba_core::syntax::Tid>, StoreError> {
        let Some(cid) = found.head() else { return Ok(None) };
        let block = self.blocks().get(cid).await?;
        let block = block.ok_or_else(|| missing(&found.did, cid))?;
        Ok(Some(rows::head_of(&found.did, cid, block.bytes)?.rev))
    }
}

pub(super) fn missing(did: &Did, cid: Cid) -> StoreError {
    StoreError::corrupt(format!("the commit {cid} of {did} is missing"))
}

fn block_cid(result: &super::api::EntityResult) -> Option<Cid> {
    let key = result.entity.as_ref()?.key.as_ref()?;
    let is_block = key.path.last().is_some_and(|part| part.kind == AtpBlock::KIND);
    Cid::parse(rows::name(key).filter(|_| is_block)?).ok()
}

/// Whether a change that may have been made was made.
fn is_done(plan: &Plan, found: &Found, existing: &HashSet<Cid>) -> bool {
    match &plan.kind {
        ChangeKind::Create { commit, .. } | ChangeKind::Commit(commit) => {
            existing.contains(&commit.signed.commit_cid)
        }
        ChangeKind::Reserve { keys, .. } => {
            let creating = found.side.as_ref().and_then(|side| side.creating.as_ref());
            creating.is_some_and(|creating| creating.keys == *keys)
        }
        // Each says what is to hold, so making it again is no harm; one with an event is known by that.
        _ => plan.blocks.first().is_some_and(|block| existing.contains(&block.cid)),
    }
}

impl From<DatastoreError> for Failure {
    fn from(error: DatastoreError) -> Self {
        match error {
            error if error.is_conflict() => Self::Again,
            error @ DatastoreError::UnknownOutcome { .. } => Self::Unsure(error),
            DatastoreError::Limit(_) => Self::Refused(ApplyError::Store(StoreError::backend(error))),
            error => Self::Refused(ApplyError::Store(error.into())),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}
