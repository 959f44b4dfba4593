//! The blobs that a record refers to: kind `ArrobaBlobRef`, named by DID and path.

use std::collections::{BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    arroba_blob::{blob_name, parse_blob_name},
    properties::{KEY, Properties, text},
    values::{self, array, indexed, integer, unindexed},
};

/// A record that refers to blobs; one without has no such entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaBlobRef {
    /// Whose.
    pub did: Did,
    /// The record.
    pub path: RecordPath,
    /// Of which life of the repository it is: see [`ArrobaBlobEpoch`](super::ArrobaBlobEpoch).
    pub epoch: u64,
    /// The rev that wrote the record.
    pub rev: Tid,
    /// The blobs.
    pub blobs: BTreeSet<Cid>,
}

impl ArrobaBlobRef {
    /// The kind.
    pub const KIND: &'static str = "ArrobaBlobRef";

    /// The property with the names of the blobs, as [`ArrobaBlob`](super::ArrobaBlob) has them.
    pub const BLOBS: &'static str = "blobs";

    /// The property with DID and rev, for the references that are newer than a rev.
    pub const WRITTEN: &'static str = "written";

    /// The key.
    pub fn key(database: &Database, did: &Did, path: &RecordPath) -> Key {
        database.key(Self::KIND, &name(did, path))
    }

    /// What [`ArrobaBlobRef::WRITTEN`] is for a rev: its order is that of the revs.
    pub fn written(did: &Did, rev: Tid) -> String {
        format!("{did} {rev}")
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let key = from.name().split_once(' ').ok_or_else(|| from.error(KEY, EntityProblem::Key))?;
        let syntax = |problem| from.error(KEY, EntityProblem::Syntax(problem));
        let (did, path) = (Did::parse(key.0).map_err(syntax)?, RecordPath::parse(key.1).map_err(syntax)?);
        let (epoch, rev) = (from.number(EPOCH)?, from.number(REV)?);
        let names = from.take_array(Self::BLOBS).unwrap_or_default();
        let blob = |value| match parse_blob_name(&text(value)?) {
            Some((of, cid)) if of == did => Ok(cid),
            _ => Err(EntityProblem::Key),
        };
        let blobs = names.into_iter().map(blob).collect::<Result<_, _>>();
        let blobs = blobs.map_err(|problem| from.error(Self::BLOBS, problem))?;
        let (epoch, rev) = (from.required(EPOCH, epoch)?, Tid::from_u64(from.required(REV, rev)?));
        Ok(Self { did, path, epoch, rev, blobs })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let number = |property, value: u64| {
            integer(value).map_err(|problem| EntityError {
                kind: Self::KIND,
                key: name(&self.did, &self.path),
                property,
                problem,
            })
        };
        let blobs = self.blobs.iter().map(|cid| values::text(&blob_name(&self.did, cid)));
        let properties = HashMap::from([
            (EPOCH.to_owned(), unindexed(number(EPOCH, self.epoch)?)),
            (REV.to_owned(), unindexed(number(REV, self.rev.to_u64())?)),
            (Self::BLOBS.to_owned(), indexed(array(blobs))),
            (Self::WRITTEN.to_owned(), indexed(values::text(&Self::written(&self.did, self.rev)))),
        ]);
        Ok(Entity { key: Some(Self::key(database, &self.did, &self.path)), properties })
    }
}

fn name(did: &Did, path: &RecordPath) -> String {
    format!("{did} {path}")
}

const EPOCH: &str = "epoch";
const REV: &str = "rev";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let did: Did = "did:web:a.test".parse().unwrap();
        let blobs = [b"one", b"two"].map(|bytes| Cid::for_raw(bytes)).into();
        let path = "a.b.c/self".parse().unwrap();
        let reference = ArrobaBlobRef { did, path, epoch: 1, rev: Tid::from_micros(9, 0), blobs };
        let entity = reference.to_entity(&database).unwrap();
        assert_eq!(ArrobaBlobRef::from_entity(entity.clone()).unwrap(), reference);
        let mut wrong = entity.clone();
        let of_another = blob_name(&"did:web:b.test".parse().unwrap(), &Cid::for_raw(b"one"));
        wrong.properties.insert(ArrobaBlobRef::BLOBS.to_owned(), indexed(array([values::text(&of_another)])));
        assert_eq!(ArrobaBlobRef::from_entity(wrong).unwrap_err().property, ArrobaBlobRef::BLOBS);
        for name in ["did:web:a.test", "did:web:a.test x", "x a.b.c/self"] {
            let key = Some(database.key(ArrobaBlobRef::KIND, name));
            assert_eq!(
                ArrobaBlobRef::from_entity(Entity { key, ..entity.clone() }).unwrap_err().property,
                KEY
            );
        }
    }
}
