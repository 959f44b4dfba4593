//! Who has a handle: kind `ArrobaHandle`, named by the handle.

use std::collections::HashMap;

use arroba_core::syntax::{Did, Handle};
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::Properties,
    values::{self, indexed},
};

/// Who took a handle last. It makes handles unique among writers of this library: two that take the same one write the same
/// entity. The Python library does not know it, so it counts only as long as the holder's own row says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaHandle {
    /// The handle.
    pub handle: Handle,
    /// Whose it is.
    pub did: Did,
}

impl ArrobaHandle {
    /// The kind.
    pub const KIND: &'static str = "ArrobaHandle";

    /// The key.
    pub fn key(database: &Database, handle: &Handle) -> Key {
        database.key(Self::KIND, handle.as_str())
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let syntax = |property| move |problem| (property, EntityProblem::Syntax(problem));
        let handle = Handle::parse(from.name()).map_err(syntax(super::properties::KEY));
        let handle = handle.map_err(|(property, problem)| from.error(property, problem))?;
        let did = from.text(DID)?;
        let did = Did::parse(&from.required(DID, did)?).map_err(syntax(DID));
        let did = did.map_err(|(property, problem)| from.error(property, problem))?;
        Ok(Self { handle, did })
    }

    /// Writes the entity.
    pub fn to_entity(&self, database: &Database) -> Entity {
        let properties = HashMap::from([(DID.to_owned(), indexed(values::text(&self.did)))]);
        Entity { key: Some(Self::key(database, &self.handle)), properties }
    }
}

const DID: &str = "did";
