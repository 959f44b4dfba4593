//! New repos.

use arroba_core::crypto::{PrivateKey, PublicKey, Signer};
use arroba_core::repo;
use arroba_core::syntax::{Did, Handle};
use arroba_identity::plc::{self, Operation, PlcError, State, Unsigned, did_from_genesis};
use arroba_store::seal::SealedKeys;
use arroba_store::{Change, ChangeKind, CommitChange, RepoRow, RepoStatus};

use super::{HostError, Repo, RepoHost, events, keys};

/// A repo to be made.
#[derive(Debug)]
pub struct NewRepo {
    did: Option<Did>,
    handle: Option<Handle>,
    status: RepoStatus,
    signing_key: Option<PrivateKey>,
    rotation_keys: Vec<PublicKey>,
    own_rotation_key: Option<PrivateKey>,
}

impl NewRepo {
    /// A repo for a new did:plc identity with this handle.
    #[must_use]
    pub const fn plc(handle: Handle) -> Self {
        Self {
            did: None,
            handle: Some(handle),
            status: RepoStatus::Active,
            signing_key: None,
            rotation_keys: Vec::new(),
            own_rotation_key: None,
        }
    }

    /// A repo for an identity that exists. It starts deactivated and nothing is announced, because the identity still points
    /// elsewhere; [`RepoHost::set_status`] activates it.
    #[must_use]
    pub const fn existing(did: Did, handle: Option<Handle>) -> Self {
        Self {
            did: Some(did),
            handle,
            status: RepoStatus::Deactivated,
            signing_key: None,
            rotation_keys: Vec::new(),
            own_rotation_key: None,
        }
    }

    /// The repo is active and announced from the start, whatever the identity is.
    #[must_use]
    pub const fn active(mut self) -> Self {
        self.status = RepoStatus::Active;
        self
    }

    /// Signs with this key instead of a fresh one.
    #[must_use]
    pub fn signing_key(mut self, key: PrivateKey) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// Gives a new identity a rotation key that stands above the host's own, such as the owner's recovery key.
    #[must_use]
    pub fn rotation_key(mut self, key: PublicKey) -> Self {
        self.rotation_keys.push(key);
        self
    }

    /// Signs did:plc operations of the identity, now and later, with this key instead of the host's. It is kept with the repo,
    /// sealed.
    #[must_use]
    pub fn own_rotation_key(mut self, key: PrivateKey) -> Self {
        self.own_rotation_key = Some(key);
        self
    }
}

/// A repo that is decided upon in every detail, and not made yet.
///
/// The DID of a new identity is known from here on, so that what belongs to it can be set up first.
#[derive(Clone, Debug)]
pub struct RepoPlan {
    did: Did,
    handle: Option<Handle>,
    status: RepoStatus,
    keys: SealedKeys,
    public_key: PublicKey,
    genesis: Option<Operation>,
}

impl RepoPlan {
    /// Whose repo it will be.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The key that its commits will be signed with.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The operation that makes the identity, if it is new.
    #[must_use]
    pub const fn genesis(&self) -> Option<&Operation> {
        self.genesis.as_ref()
    }
}

impl RepoHost {
    /// Makes a repo, and its identity if that is new.
    ///
    /// In one durable step the repo is there and `#identity`, `#account`, `#commit` and `#sync` say so. What a crash in the middle
    /// leaves is finished or taken back when the host is built the next time.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoExists`], [`HostError::HandleTaken`], [`HostError::Directory`].
    pub async fn create_repo(&self, new: NewRepo) -> Result<Repo, HostError> {
        let plan = self.plan_repo(new)?;
        self.create_planned(&plan).await
    }

    /// Decides on keys and DID of a repo without making it.
    ///
    /// # Errors
    ///
    /// [`HostError::Directory`] if no directory would take the new identity.
    pub fn plan_repo(&self, new: NewRepo) -> Result<RepoPlan, HostError> {
        let NewRepo { did, handle, status, signing_key, mut rotation_keys, own_rotation_key } = new;
        let key = signing_key.unwrap_or_else(|| keys::generate(&*self.0.randomness));
        let (did, genesis) = match (did, &handle) {
            (None, Some(handle)) => {
                let rotation_key: &dyn Signer =
                    own_rotation_key.as_ref().map_or(&*self.0.rotation_key, |key| key);
                rotation_keys.push(rotation_key.public_key());
                let state = State::account(rotation_keys, &key.public_key(), handle, self.public_url());
                let genesis = Unsigned::genesis(state).sign(rotation_key).map_err(HostError::Operation)?;
                (did_from_genesis(&genesis), Some(genesis))
            }
            (Some(did), _) => (did, None),
            (None, None) => return Err(HostError::NoHandle),
        };
        let keys = SealedKeys {
            signing: self.0.keys.seal(&did, &key),
            rotation: own_rotation_key.map(|key| self.0.keys.seal(&did, &key)),
        };
        Ok(RepoPlan { did, handle, status, keys, public_key: key.public_key(), genesis })
    }

    /// Makes a repo as it was planned; see [`create_repo`](Self::create_repo).
    ///
    /// # Errors
    ///
    /// Those of [`create_repo`](Self::create_repo).
    pub async fn create_planned(&self, plan: &RepoPlan) -> Result<Repo, HostError> {
        let _turn = self.0.turns.take(&plan.did).await;
        let reserve = ChangeKind::Reserve { handle: plan.handle.clone(), keys: plan.keys.clone() };
        let reserve = self.change(&plan.did, Vec::new(), reserve);
        let refused = |error| HostError::refused(&plan.did, plan.handle.as_ref(), error);
        self.apply(reserve).await.map_err(refused)?;
        if let Some(genesis) = &plan.genesis
            && let Err(error) = plc::submit(&*self.0.directory, &plan.did, genesis).await
        {
            let release = self.change(&plan.did, Vec::new(), ChangeKind::Delete);
            self.apply(release).await.map_err(refused)?;
            return Err(HostError::directory(&plan.did, error));
        }
        self.make(&plan.did, plan.status).await?;
        Ok(self.repo(&plan.did))
    }

    /// Makes the repo of a reserved DID.
    async fn make(&self, did: &Did, status: RepoStatus) -> Result<(), HostError> {
        let row = self.0.store.repo(did).await?.ok_or_else(|| HostError::RepoNotFound(did.clone()))?;
        let RepoRow { handle, keys, rev: last_rev, .. } = row;
        let key = self.0.keys.open(did, &keys.signing)?;
        // Announced, the commit comes behind #identity and #account.
        let (index, events) = if status == RepoStatus::Active { (2, 4) } else { (0, 1) };
        let reservation = self.0.store.reserve(did, events, last_rev).await?;
        let rev = reservation.rev(index).unwrap_or_else(|| self.next_rev(last_rev));
        let staged = repo::create(Vec::new()).map_err(HostError::Edit)?;
        let signed = staged.sign(self.params(did, rev, None), &*key).map_err(HostError::Edit)?;
        super::check::own_commit(&signed, &key.public_key())?;
        let events = match status {
            RepoStatus::Active => vec![
                events::identity(did, handle.as_ref(), self.now()),
                events::account(did, status, self.now()),
                signed.event.clone(),
                events::sync(did, signed.commit_cid, &signed.commit_bytes, rev, self.now()),
            ],
            _ => Vec::new(),
        };
        let commit =
            Box::new(CommitChange { expect: None, signed, blobs: Vec::new(), backlinks: Vec::new() });
        let kind = ChangeKind::Create { handle: handle.clone(), keys, status, commit };
        let change = Change { reservation, ..self.change(did, events, kind) };
        self.apply(change).await.map(drop).map_err(|error| HostError::refused(did, handle.as_ref(), error))
    }

    /// Finishes the creations that a crash interrupted after their identity was made, and takes the others back.
    pub(super) async fn finish_interrupted(&self) -> Result<(), HostError> {
        let mut after = None;
        loop {
            let page = self.0.store.unfinished(after.as_ref(), 1000).await?;
            for entry in page.repos {
                self.finish_one(&entry.repo).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn finish_one(&self, repo: &RepoRow) -> Result<(), HostError> {
        let did = &repo.did;
        let _turn = self.0.turns.take(did).await;
        let key = self.0.keys.open(did, &repo.keys.signing)?.public_key();
        let known = match did.method() {
            "plc" => self.0.directory.state(did).await,
            _ => Err(PlcError::NotFound),
        };
        match known {
            Ok(state) if state.signing_key().as_ref() == Some(&key) => {
                tracing::info!(%did, "finishing an interrupted creation");
                self.make(did, RepoStatus::Active).await
            }
            Ok(_) | Err(PlcError::NotFound | PlcError::Tombstoned) => {
                tracing::info!(%did, "taking back an interrupted creation");
                let change = self.change(did, Vec::new(), ChangeKind::Delete);
                self.apply(change).await.map(drop).map_err(|error| HostError::refused(did, None, error))
            }
            Err(error) => {
                tracing::warn!(%did, %error, "an interrupted creation stays as it is until the directory answers");
                Ok(())
            }
        }
    }
}
