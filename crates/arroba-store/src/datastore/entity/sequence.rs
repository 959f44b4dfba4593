//! The counter of a stream: kind `AtpSequence`, named by the method's NSID.

use std::collections::HashMap;

use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::Properties,
    values::{indexed, integer, or_null, time},
};

/// The counter of a stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtpSequence {
    /// The method that serves the stream.
    pub nsid: String,
    /// The number to give out next, the first being 1; or, where numbers come from memcached, a number that was not given out yet.
    pub next: u64,
    /// When the counter was made, in microseconds since 1970.
    pub created: Option<u64>,
    /// When it was last written, in microseconds since 1970.
    pub updated: Option<u64>,
}

impl AtpSequence {
    /// The kind.
    pub const KIND: &'static str = "AtpSequence";

    /// The stream of repositories' events.
    pub const SUBSCRIBE_REPOS: &'static str = "com.atproto.sync.subscribeRepos";

    /// The key of a stream's counter.
    pub fn key(database: &Database, nsid: &str) -> Key {
        database.key(Self::KIND, nsid)
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`]. The times may be missing.
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let next = from.number(NEXT)?;
        Ok(Self {
            nsid: from.name().to_owned(),
            next: from.required(NEXT, next)?,
            created: from.time(CREATED)?,
            updated: from.time(UPDATED)?,
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
                key: self.nsid.clone(),
                property,
                problem,
            }
        };
        let created = self.created.map(time).transpose().map_err(error(CREATED))?;
        let updated = self.updated.map(time).transpose().map_err(error(UPDATED))?;
        let properties = HashMap::from([
            (NEXT.to_owned(), indexed(integer(self.next).map_err(error(NEXT))?)),
            (CREATED.to_owned(), indexed(or_null(created))),
            (UPDATED.to_owned(), indexed(or_null(updated))),
        ]);
        Ok(Entity { key: Some(Self::key(database, &self.nsid)), properties })
    }
}

const NEXT: &str = "next";
const CREATED: &str = "created";
const UPDATED: &str = "updated";
