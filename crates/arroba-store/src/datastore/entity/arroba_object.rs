//! An object that no blob names: kind `ArrobaObject`, named as the object.

use std::collections::HashMap;

use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError,
    properties::Properties,
    values::{self, indexed, integer},
};

/// An object that is about to be written, or that can be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaObject {
    /// Its name.
    pub object: String,
    /// Since when its upload is on the way, in microseconds since 1970; nothing if it is garbage.
    pub pending_since: Option<u64>,
}

impl ArrobaObject {
    /// The kind.
    pub const KIND: &'static str = "ArrobaObject";

    /// The property of uploads on the way, with the time in microseconds.
    pub const PENDING_SINCE: &'static str = "pending_since";

    /// The property of garbage.
    pub const STATE: &'static str = "state";

    /// What it says.
    pub const GARBAGE: &'static str = "garbage";

    /// One that can be deleted.
    pub const fn garbage(object: String) -> Self {
        Self { object, pending_since: None }
    }

    /// The key.
    pub fn key(database: &Database, object: &str) -> Key {
        database.key(Self::KIND, object)
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let pending_since = from.number(Self::PENDING_SINCE)?;
        Ok(Self { object: from.name().to_owned(), pending_since })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        // Each has one of the two properties, so that a query finds one sort alone.
        let (name, value) = match self.pending_since {
            None => (Self::STATE, values::text(Self::GARBAGE)),
            Some(since) => {
                let since = integer(since).map_err(|problem| EntityError {
                    kind: Self::KIND,
                    key: self.object.clone(),
                    property: Self::PENDING_SINCE,
                    problem,
                })?;
                (Self::PENDING_SINCE, since)
            }
        };
        let properties = HashMap::from([(name.to_owned(), indexed(value))]);
        Ok(Entity { key: Some(Self::key(database, &self.object)), properties })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        for pending_since in [None, Some(0), Some(1_700_000_000_000_000)] {
            let object = ArrobaObject { object: "blobs/1".to_owned(), pending_since };
            let entity = object.to_entity(&database).unwrap();
            assert_eq!(entity.properties.len(), 1);
            assert_eq!(ArrobaObject::from_entity(entity).unwrap(), object);
        }
    }
}
