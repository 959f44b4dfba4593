//! Which blobs of a repository count: kind `ArrobaBlobEpoch`, named by the DID.

use std::collections::HashMap;

use arroba_core::syntax::Did;
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties},
    values::{self, indexed, integer, null, unindexed},
};

/// Which life of a repository its blobs belong to. Deletion begins a new one: that is one write, and hides all blobs and references of
/// the lives before at once, however many there are; they are cleared away later, and with them the repository's uses of remote blobs.
/// A repository without the entity is in life 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaBlobEpoch {
    /// Whose.
    pub did: Did,
    /// The current life.
    pub epoch: u64,
    /// Whether there may be something left of earlier ones.
    pub unswept: bool,
}

impl ArrobaBlobEpoch {
    /// The kind.
    pub const KIND: &'static str = "ArrobaBlobEpoch";

    /// The property that says whether something is left.
    pub const STATE: &'static str = "state";

    /// What it says then.
    pub const UNSWEPT: &'static str = "unswept";

    /// The key.
    pub fn key(database: &Database, did: &Did) -> Key {
        database.key(Self::KIND, did.as_str())
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let did =
            Did::parse(from.name()).map_err(|problem| from.error(KEY, EntityProblem::Syntax(problem)))?;
        let epoch = from.number(EPOCH)?;
        let unswept = match from.text(Self::STATE)?.as_deref() {
            None => false,
            Some(Self::UNSWEPT) => true,
            Some(other) => return Err(from.error(Self::STATE, EntityProblem::Unknown(other.to_owned()))),
        };
        Ok(Self { did, epoch: from.required(EPOCH, epoch)?, unswept })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let epoch = integer(self.epoch).map_err(|problem| EntityError {
            kind: Self::KIND,
            key: self.did.to_string(),
            property: EPOCH,
            problem,
        })?;
        let state = if self.unswept { values::text(Self::UNSWEPT) } else { null() };
        let properties =
            HashMap::from([(EPOCH.to_owned(), unindexed(epoch)), (Self::STATE.to_owned(), indexed(state))]);
        Ok(Entity { key: Some(Self::key(database, &self.did)), properties })
    }
}

const EPOCH: &str = "epoch";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let did: Did = "did:web:a.test".parse().unwrap();
        for unswept in [false, true] {
            let epoch = ArrobaBlobEpoch { did: did.clone(), epoch: 4, unswept };
            assert_eq!(ArrobaBlobEpoch::from_entity(epoch.to_entity(&database).unwrap()).unwrap(), epoch);
        }
        let epoch = ArrobaBlobEpoch { did, epoch: u64::MAX, unswept: false };
        assert_eq!(epoch.to_entity(&database).unwrap_err().problem, EntityProblem::Range);
    }
}
