//! A number that a commit will have: kind `ArrobaReservation`, named by the number.

use std::collections::HashMap;

use arroba_core::syntax::Did;
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties},
    values::{indexed, or_null, repo, time, unindexed},
};

/// A sequence number that was given out and that no event has yet. Programs that all use this library keep it while the number may
/// still be used, so that readers know what to wait for; the Python library does not know the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaReservation {
    /// The number.
    pub seq: u64,
    /// The repository that it was given to.
    pub repo: Option<Did>,
    /// When, in microseconds since 1970.
    pub created: Option<u64>,
}

impl ArrobaReservation {
    /// The kind.
    pub const KIND: &'static str = "ArrobaReservation";

    /// The key of a number: 16 decimal digits, so that the order of keys is that of numbers.
    pub fn key(database: &Database, seq: u64) -> Key {
        database.key(Self::KIND, &format!("{seq:016}"))
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`]. Repository and time may be missing.
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let digits = from.name().len() == 16 && from.name().bytes().all(|byte| byte.is_ascii_digit());
        let seq = from.name().parse().ok().filter(|_| digits);
        let seq = seq.ok_or_else(|| from.error(KEY, EntityProblem::Range))?;
        Ok(Self { seq, repo: from.repo(REPO)?, created: from.time(CREATED)? })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let created = self.created.map(time).transpose().map_err(|problem| EntityError {
            kind: Self::KIND,
            key: format!("{:016}", self.seq),
            property: CREATED,
            problem,
        })?;
        let whose = self.repo.as_ref().map(|did| repo(database, did));
        let properties = HashMap::from([
            (REPO.to_owned(), unindexed(or_null(whose))),
            (CREATED.to_owned(), indexed(or_null(created))),
        ]);
        Ok(Entity { key: Some(Self::key(database, self.seq)), properties })
    }
}

const REPO: &str = "repo";
const CREATED: &str = "created";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let reservation =
            ArrobaReservation { seq: 42, repo: Some("did:web:a.test".parse().unwrap()), created: Some(7) };
        let entity = reservation.to_entity(&database).unwrap();
        assert_eq!(ArrobaReservation::from_entity(entity.clone()).unwrap(), reservation);
        for name in ["42", "+000000000000042", "00000000000000042", "x"] {
            let key = Some(database.key(ArrobaReservation::KIND, name));
            let error = ArrobaReservation::from_entity(Entity { key, ..entity.clone() }).unwrap_err();
            assert_eq!(error.problem, EntityProblem::Range, "{name}");
        }
    }
}
