//! Which blobs of a repository count: kind `ArrobaBlobEpoch`, named by the DID.

use std::collections::HashMap;

use arroba_core::syntax::{Did, Tid};
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
    /// An import that has ended, and whose references are not all where they belong. Until they are, its parts say what holds.
    pub import: Option<PendingImport>,
}

/// An import whose references are still in its parts: see [`ArrobaImport`](super::ArrobaImport).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingImport {
    /// Which.
    pub import: String,
    /// How many parts it has.
    pub parts: u64,
    /// The rev of its commit.
    pub rev: Tid,
}

impl ArrobaBlobEpoch {
    /// The kind.
    pub const KIND: &'static str = "ArrobaBlobEpoch";

    /// The property that says whether something is left.
    pub const STATE: &'static str = "state";

    /// What it says then.
    pub const UNSWEPT: &'static str = "unswept";

    /// The property that says which import is to be carried out.
    pub const IMPORT: &'static str = "import";

    /// A life in which nothing waits.
    pub const fn new(did: Did, epoch: u64) -> Self {
        Self { did, epoch, unswept: false, import: None }
    }

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
        let import = import(&mut from)?;
        Ok(Self { did, epoch: from.required(EPOCH, epoch)?, unswept, import })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let number = |property, value: u64| {
            integer(value).map_err(|problem| EntityError {
                kind: Self::KIND,
                key: self.did.to_string(),
                property,
                problem,
            })
        };
        let state = if self.unswept { values::text(Self::UNSWEPT) } else { null() };
        let mut properties = HashMap::from([
            (EPOCH.to_owned(), unindexed(number(EPOCH, self.epoch)?)),
            (Self::STATE.to_owned(), indexed(state)),
        ]);
        if let Some(PendingImport { import, parts, rev }) = &self.import {
            properties.extend([
                (Self::IMPORT.to_owned(), indexed(values::text(import))),
                (PARTS.to_owned(), unindexed(number(PARTS, *parts)?)),
                (REV.to_owned(), unindexed(number(REV, rev.to_u64())?)),
            ]);
        }
        Ok(Entity { key: Some(Self::key(database, &self.did)), properties })
    }
}

fn import(from: &mut Properties) -> Result<Option<PendingImport>, EntityError> {
    let Some(import) = from.text(ArrobaBlobEpoch::IMPORT)? else { return Ok(None) };
    let (parts, rev) = (from.number(PARTS)?, from.number(REV)?);
    let (parts, rev) = (from.required(PARTS, parts)?, Tid::from_u64(from.required(REV, rev)?));
    Ok(Some(PendingImport { import, parts, rev }))
}

const EPOCH: &str = "epoch";
const PARTS: &str = "import_parts";
const REV: &str = "import_rev";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let did: Did = "did:web:a.test".parse().unwrap();
        let import = PendingImport { import: "7f".to_owned(), parts: 3, rev: Tid::from_micros(9, 0) };
        for (unswept, import) in [(false, None), (true, Some(import))] {
            let epoch = ArrobaBlobEpoch { unswept, import, ..ArrobaBlobEpoch::new(did.clone(), 4) };
            assert_eq!(ArrobaBlobEpoch::from_entity(epoch.to_entity(&database).unwrap()).unwrap(), epoch);
        }
        let epoch = ArrobaBlobEpoch::new(did, u64::MAX);
        assert_eq!(epoch.to_entity(&database).unwrap_err().problem, EntityProblem::Range);
    }
}
