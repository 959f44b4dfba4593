//! A repository's row: kind `AtpRepo`, named by the DID.

use std::collections::HashMap;

use arroba_core::{
    data::{Cid, Codec},
    syntax::Did,
};
use gcloud_sdk::google::datastore::v1::{Entity, Key, value::ValueType};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties, text},
    values::{self, array, indexed, or_null, time, unindexed},
};

/// A repository's row.
#[derive(Clone, PartialEq, Eq)]
pub struct AtpRepo {
    /// Whose it is.
    pub did: Did,
    /// Its handles; one at most in practice. As stored: nothing checks them.
    pub handles: Vec<String>,
    /// The current commit.
    pub head: Cid,
    /// The signing key, in the form of [`EncryptedProperty`](https://github.com/snarfed/webutil): nonce, ciphertext, tag.
    pub encrypted_signing_key: Vec<u8>,
    /// The DID's rotation key in the same form, if the server holds one.
    pub encrypted_rotation_key: Option<Vec<u8>>,
    /// Why it is not served; nothing while it is.
    pub status: Option<StoredStatus>,
    /// When it was made, in microseconds since 1970.
    pub created: Option<u64>,
    /// When the row was last written, in microseconds since 1970.
    pub updated: Option<u64>,
}

/// Why a repository is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoredStatus {
    /// Switched off, and can come back.
    Deactivated,
    /// Gone.
    Deleted,
    /// Gone for good; the older word.
    Tombstoned,
}

impl AtpRepo {
    /// The kind.
    pub const KIND: &'static str = "AtpRepo";

    /// The key of a repository's row.
    pub fn key(database: &Database, did: &Did) -> Key {
        database.key(Self::KIND, did.as_str())
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`]. Handles, rotation key, status and times may be missing.
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let did =
            Did::parse(from.name()).map_err(|problem| from.error(KEY, EntityProblem::Syntax(problem)))?;
        let handles =
            from.take_array(HANDLES).unwrap_or_default().into_iter().map(text).collect::<Result<_, _>>();
        let handles = handles.map_err(|problem| from.error(HANDLES, problem))?;
        let head = from.cid(HEAD, Codec::DagCbor)?;
        let signing_key = from.blob(SIGNING_KEY)?;
        let status = from.text(STATUS)?.map(StoredStatus::parse).transpose();
        Ok(Self {
            did,
            handles,
            head: from.required(HEAD, head)?,
            encrypted_signing_key: from.required(SIGNING_KEY, signing_key)?,
            encrypted_rotation_key: from.blob(ROTATION_KEY)?,
            status: status.map_err(|problem| from.error(STATUS, problem))?,
            created: from.time(CREATED)?,
            updated: from.time(UPDATED)?,
        })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a time after 9999.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let moment = |property, micros: Option<u64>| {
            let value = micros.map(time).transpose().map_err(|problem| self.error(property, problem));
            value.map(|value| indexed(or_null(value)))
        };
        let properties = HashMap::from([
            (HANDLES.to_owned(), indexed(array(self.handles.iter().map(values::text)))),
            (HEAD.to_owned(), indexed(values::text(&self.head))),
            (SIGNING_KEY.to_owned(), unindexed(ValueType::BlobValue(self.encrypted_signing_key.clone()))),
            (
                ROTATION_KEY.to_owned(),
                unindexed(or_null(self.encrypted_rotation_key.clone().map(ValueType::BlobValue))),
            ),
            (STATUS.to_owned(), indexed(or_null(self.status.map(|status| values::text(status.as_str()))))),
            (CREATED.to_owned(), moment(CREATED, self.created)?),
            (UPDATED.to_owned(), moment(UPDATED, self.updated)?),
        ]);
        Ok(Entity { key: Some(Self::key(database, &self.did)), properties })
    }

    fn error(&self, property: &'static str, problem: EntityProblem) -> EntityError {
        EntityError { kind: Self::KIND, key: self.did.to_string(), property, problem }
    }
}

impl StoredStatus {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Tombstoned => "tombstoned",
        }
    }

    fn parse(word: String) -> Result<Self, EntityProblem> {
        let all = [Self::Deactivated, Self::Deleted, Self::Tombstoned];
        all.into_iter().find(|status| status.as_str() == word).ok_or(EntityProblem::Unknown(word))
    }
}

impl std::fmt::Debug for AtpRepo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys are left out, encrypted as they are.
        formatter
            .debug_struct("AtpRepo")
            .field("did", &self.did)
            .field("handles", &self.handles)
            .field("head", &self.head)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

const HANDLES: &str = "handles";
const HEAD: &str = "head";
const SIGNING_KEY: &str = "encrypted_signing_key";
const ROTATION_KEY: &str = "encrypted_rotation_key";
const STATUS: &str = "status";
const CREATED: &str = "created";
const UPDATED: &str = "updated";
