//! What the Python library has no place for: kind `ArrobaRepo`, named by the DID.

use std::collections::HashMap;

use arroba_core::syntax::{Did, Handle, Tid};
use bytes::Bytes;
use gcloud_sdk::google::datastore::v1::{Entity, Key, value::ValueType};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties},
    values::{self, indexed, integer, or_null, unindexed},
};
use crate::{
    repo::RepoStatus,
    seal::{SealedKey, SealedKeys},
};

/// What is known of a repository beyond its [`AtpRepo`](super::AtpRepo). The Python library drops properties that it does not know
/// when it writes a row, so this has a kind of its own, which it never reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaRepo {
    /// Whose it is.
    pub did: Did,
    /// What holds besides `AtpRepo.status`: [`RepoStatus::Creating`] before there is such a row, [`RepoStatus::Suspended`] while it
    /// says `deactivated`, and what a takedown covers.
    pub underlying: Option<RepoStatus>,
    /// The moderator's reference, while the repository is taken down.
    pub takedown: Option<String>,
    /// Handle and keys of an account that is being created.
    pub creating: Option<Creating>,
    /// The newest rev when the repository was deleted.
    pub last_rev: Option<Tid>,
    /// Events below this number are hidden for ever: the repository was deleted then, or imported without an announcement.
    pub deleted_before: u64,
    /// Events below this number are hidden until the takedown is lifted.
    pub takedown_before: u64,
    /// How many subjects of it are taken down: entities of kind `ArrobaHidden`.
    pub hidden: u64,
    /// The newest commit that this library wrote, and the root of its tree, to be had with one read. It counts only while it is
    /// the current one: the Python library writes others.
    pub tip: Option<Tip>,
}

/// A commit and the root of its tree, as blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The commit.
    pub commit: Bytes,
    /// The root node.
    pub root: Bytes,
}

/// An account on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creating {
    /// The handle that it will have.
    pub handle: Option<Handle>,
    /// Its keys.
    pub keys: SealedKeys,
    /// Since when, in microseconds since 1970.
    pub since: u64,
}

impl ArrobaRepo {
    /// The kind.
    pub const KIND: &'static str = "ArrobaRepo";

    /// Nothing but what every repository has.
    pub const fn new(did: Did) -> Self {
        Self {
            did,
            underlying: None,
            takedown: None,
            creating: None,
            last_rev: None,
            deleted_before: 0,
            takedown_before: 0,
            hidden: 0,
            tip: None,
        }
    }

    /// The key.
    pub fn key(database: &Database, did: &Did) -> Key {
        database.key(Self::KIND, did.as_str())
    }

    /// Whether an event of the repository is hidden.
    pub fn hides(&self, seq: u64) -> bool {
        seq < self.deleted_before.max(self.takedown_before)
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let did =
            Did::parse(from.name()).map_err(|problem| from.error(KEY, EntityProblem::Syntax(problem)))?;
        let underlying = from.text(UNDERLYING)?.map(parse_status).transpose();
        let underlying = underlying.map_err(|problem| from.error(UNDERLYING, problem))?;
        let creating = creating(&mut from)?;
        let (commit, root) = (from.blob(TIP_COMMIT)?, from.blob(TIP_ROOT)?);
        let tip = commit.zip(root).map(|(commit, root)| Tip { commit: commit.into(), root: root.into() });
        Ok(Self {
            did,
            underlying,
            takedown: from.text(TAKEDOWN)?,
            creating,
            last_rev: from.number(LAST_REV)?.map(Tid::from_u64),
            deleted_before: from.number(DELETED_BEFORE)?.unwrap_or(0),
            takedown_before: from.number(TAKEDOWN_BEFORE)?.unwrap_or(0),
            hidden: from.number(HIDDEN)?.unwrap_or(0),
            tip,
        })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number or a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let error = |property| {
            move |problem: EntityProblem| EntityError {
                kind: Self::KIND,
                key: self.did.to_string(),
                property,
                problem,
            }
        };
        let text = |value: Option<&str>| or_null(value.map(values::text));
        let number = |property, value: u64| integer(value).map_err(error(property));
        let last_rev = self.last_rev.map(|rev| number(LAST_REV, rev.to_u64())).transpose()?;
        let mut properties = HashMap::from([
            (UNDERLYING.to_owned(), indexed(text(self.underlying.map(status_text)))),
            (TAKEDOWN.to_owned(), unindexed(text(self.takedown.as_deref()))),
            (LAST_REV.to_owned(), unindexed(or_null(last_rev))),
            (DELETED_BEFORE.to_owned(), unindexed(number(DELETED_BEFORE, self.deleted_before)?)),
            (TAKEDOWN_BEFORE.to_owned(), unindexed(number(TAKEDOWN_BEFORE, self.takedown_before)?)),
            (HIDDEN.to_owned(), unindexed(number(HIDDEN, self.hidden)?)),
        ]);
        if let Some(Tip { commit, root }) = &self.tip {
            let blob = |bytes: &Bytes| unindexed(ValueType::BlobValue(bytes.to_vec()));
            properties.extend([(TIP_COMMIT.to_owned(), blob(commit)), (TIP_ROOT.to_owned(), blob(root))]);
        }
        if let Some(Creating { handle, keys, since }) = &self.creating {
            let blob = |key: &SealedKey| ValueType::BlobValue(key.as_bytes().to_vec());
            let since = values::time(*since).map_err(error(SINCE))?;
            properties.extend([
                (HANDLE.to_owned(), indexed(text(handle.as_ref().map(Handle::as_str)))),
                (SIGNING_KEY.to_owned(), unindexed(blob(&keys.signing))),
                (ROTATION_KEY.to_owned(), unindexed(or_null(keys.rotation.as_ref().map(blob)))),
                (SINCE.to_owned(), unindexed(since)),
            ]);
        }
        Ok(Entity { key: Some(Self::key(database, &self.did)), properties })
    }
}

fn creating(from: &mut Properties) -> Result<Option<Creating>, EntityError> {
    let Some(since) = from.time(SINCE)? else { return Ok(None) };
    let handle = from.text(HANDLE)?.map(|text| Handle::parse(&text)).transpose();
    let handle = handle.map_err(|problem| from.error(HANDLE, EntityProblem::Syntax(problem)))?;
    let signing = from.blob(SIGNING_KEY)?;
    let signing = SealedKey::from_bytes(from.required(SIGNING_KEY, signing)?);
    let rotation = from.blob(ROTATION_KEY)?.map(SealedKey::from_bytes);
    Ok(Some(Creating { handle, keys: SealedKeys { signing, rotation }, since }))
}

const STATUSES: [(RepoStatus, &str); 5] = [
    (RepoStatus::Creating, "creating"),
    (RepoStatus::Active, "active"),
    (RepoStatus::Deactivated, "deactivated"),
    (RepoStatus::Suspended, "suspended"),
    (RepoStatus::Deleted, "deleted"),
];

fn status_text(status: RepoStatus) -> &'static str {
    // A takedown is kept apart from what it covers.
    STATUSES.iter().find(|(known, _)| *known == status).map_or("active", |(_, text)| text)
}

fn parse_status(text: String) -> Result<RepoStatus, EntityProblem> {
    let found = STATUSES.iter().find(|(_, known)| *known == text).map(|(status, _)| *status);
    found.ok_or(EntityProblem::Unknown(text))
}

const UNDERLYING: &str = "underlying";
const TAKEDOWN: &str = "takedown";
const LAST_REV: &str = "last_rev";
const DELETED_BEFORE: &str = "deleted_before";
const TAKEDOWN_BEFORE: &str = "takedown_before";
const HIDDEN: &str = "hidden";
const HANDLE: &str = "handle";
const SIGNING_KEY: &str = "encrypted_signing_key";
const ROTATION_KEY: &str = "encrypted_rotation_key";
const SINCE: &str = "since";
const TIP_COMMIT: &str = "tip_commit";
const TIP_ROOT: &str = "tip_root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let mut repo = ArrobaRepo::new("did:web:a.test".parse().unwrap());
        for status in STATUSES.map(|(status, _)| status) {
            repo.underlying = Some(status);
            let entity = repo.to_entity(&database).unwrap();
            assert_eq!(ArrobaRepo::from_entity(entity).unwrap(), repo);
        }
        repo.takedown = Some("case".to_owned());
        repo.last_rev = Some(Tid::from_micros(7, 0));
        repo.tip = Some(Tip { commit: Bytes::from_static(b"commit"), root: Bytes::from_static(b"root") });
        (repo.deleted_before, repo.takedown_before, repo.hidden) = (5, 6, 1);
        let keys = SealedKeys::signing(SealedKey::from_bytes(*b"key"));
        repo.creating = Some(Creating { handle: Some("a.test".parse().unwrap()), keys, since: 3 });
        let entity = repo.to_entity(&database).unwrap();
        assert_eq!(ArrobaRepo::from_entity(entity.clone()).unwrap(), repo);
        assert!(repo.hides(5) && !repo.hides(6));
        let mut wrong = entity;
        wrong.properties.insert(UNDERLYING.to_owned(), indexed(values::text("gone")));
        assert!(matches!(
            ArrobaRepo::from_entity(wrong),
            Err(EntityError { property: UNDERLYING, problem: EntityProblem::Unknown(_), .. })
        ));
    }
}
