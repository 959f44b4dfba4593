//! A subject that is taken down: kind `ArrobaHidden`, named by DID and subject.

use std::collections::HashMap;

use arroba_core::syntax::Did;
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError,
    properties::Properties,
    values::{self, indexed, unindexed},
};
use crate::repo::Subject;

/// A record or a blob that is taken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaHidden {
    /// Whose.
    pub did: Did,
    /// A record's path, or a blob's CID, as text.
    pub subject: String,
    /// The moderator's reference.
    pub reference: String,
}

impl ArrobaHidden {
    /// The kind.
    pub const KIND: &'static str = "ArrobaHidden";

    /// The property that names the repository.
    pub const REPO: &'static str = "repo";

    /// A subject that is taken down under `reference`.
    pub fn new(did: Did, subject: &Subject, reference: String) -> Self {
        Self { did, subject: text(subject), reference }
    }

    /// The key.
    pub fn key(database: &Database, did: &Did, subject: &Subject) -> Key {
        named(database, did, &text(subject))
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let (did, subject) = (from.repo(Self::REPO)?, from.text(SUBJECT)?);
        let (did, subject) = (from.required(Self::REPO, did)?, from.required(SUBJECT, subject)?);
        let reference = from.text(REFERENCE)?;
        Ok(Self { did, subject, reference: from.required(REFERENCE, reference)? })
    }

    /// Writes the entity.
    pub fn to_entity(&self, database: &Database) -> Entity {
        let properties = HashMap::from([
            (Self::REPO.to_owned(), indexed(values::repo(database, &self.did))),
            (SUBJECT.to_owned(), indexed(values::text(&self.subject))),
            (REFERENCE.to_owned(), unindexed(values::text(&self.reference))),
        ]);
        Entity { key: Some(named(database, &self.did, &self.subject)), properties }
    }
}

fn text(subject: &Subject) -> String {
    match subject {
        Subject::Record(path) => path.to_string(),
        Subject::Blob(cid) => cid.to_string(),
    }
}

fn named(database: &Database, did: &Did, subject: &str) -> Key {
    database.key(ArrobaHidden::KIND, &format!("{did} {subject}"))
}

const SUBJECT: &str = "subject";
const REFERENCE: &str = "reference";
