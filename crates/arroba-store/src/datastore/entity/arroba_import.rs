//! A part of an import: kind `ArrobaImport`, named by DID, import and number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath},
};
use gcloud_sdk::google::datastore::v1::{ArrayValue, Entity, Key, value::ValueType};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties, text},
    values::{self, indexed, integer, unindexed},
};

/// Some of the records of an import, with the blobs that they refer to: written before the import ends, and gone when all of it is where it
/// belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaImport {
    /// Whose.
    pub did: Did,
    /// Which import of the repository.
    pub import: String,
    /// Which part, from 0.
    pub part: u64,
    /// When it was written, in microseconds since 1970.
    pub since: u64,
    /// The records and their blobs.
    pub records: BTreeMap<RecordPath, BTreeSet<Cid>>,
}

impl ArrobaImport {
    /// The kind.
    pub const KIND: &'static str = "ArrobaImport";

    /// The property with the time.
    pub const SINCE: &'static str = "since";

    /// The key.
    pub fn key(database: &Database, did: &Did, import: &str, part: u64) -> Key {
        database.key(Self::KIND, &format!("{did} {import} {part}"))
    }

    /// How many bytes a record takes in an entity, at most.
    pub fn bytes_of(path: &RecordPath, blobs: &BTreeSet<Cid>) -> usize {
        line(path, blobs).len() + 16
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let parts: Vec<String> = from.name().split(' ').map(str::to_owned).collect();
        let [did, import, part] = parts.as_slice() else { return Err(from.error(KEY, EntityProblem::Key)) };
        let did = Did::parse(did).map_err(|problem| from.error(KEY, EntityProblem::Syntax(problem)))?;
        let part = part.parse().map_err(|_| from.error(KEY, EntityProblem::Key))?;
        let since = from.number(Self::SINCE)?;
        let lines = from.take_array(RECORDS).unwrap_or_default().into_iter();
        let records = lines.map(|value| record(&text(value)?)).collect::<Result<_, _>>();
        let records = records.map_err(|problem| from.error(RECORDS, problem))?;
        let since = from.required(Self::SINCE, since)?;
        Ok(Self { did, import: import.clone(), part, since, records })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let key = Self::key(database, &self.did, &self.import, self.part);
        let since = integer(self.since).map_err(|problem| EntityError {
            kind: Self::KIND,
            key: format!("{} {} {}", self.did, self.import, self.part),
            property: Self::SINCE,
            problem,
        })?;
        let lines = self.records.iter().map(|(path, blobs)| unindexed(values::text(&line(path, blobs))));
        let records = ValueType::ArrayValue(ArrayValue { values: lines.collect() });
        let properties =
            HashMap::from([(Self::SINCE.to_owned(), indexed(since)), (RECORDS.to_owned(), indexed(records))]);
        Ok(Entity { key: Some(key), properties })
    }
}

/// A record as one text: its path and the CIDs, with spaces between them.
fn line(path: &RecordPath, blobs: &BTreeSet<Cid>) -> String {
    let mut line = path.to_string();
    for cid in blobs {
        line.push(' ');
        line.push_str(&cid.to_string());
    }
    line
}

fn record(line: &str) -> Result<(RecordPath, BTreeSet<Cid>), EntityProblem> {
    let mut words = line.split(' ');
    let path = RecordPath::parse(words.next().unwrap_or_default()).map_err(EntityProblem::Syntax)?;
    let blobs = words.map(Cid::parse).collect::<Result<_, _>>().map_err(EntityProblem::Cid)?;
    Ok((path, blobs))
}

const RECORDS: &str = "records";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let records = [
            ("a.b.c/1".parse().unwrap(), [Cid::for_raw(b"one"), Cid::for_raw(b"two")].into()),
            ("a.b.c/2".parse().unwrap(), BTreeSet::new()),
        ];
        let (did, import) = ("did:web:a.test".parse().unwrap(), "7f".to_owned());
        let import = ArrobaImport { did, import, part: 3, since: 9, records: records.into() };
        let entity = import.to_entity(&database).unwrap();
        assert_eq!(ArrobaImport::from_entity(entity.clone()).unwrap(), import);
        let sizes = import.records.iter().map(|(path, blobs)| ArrobaImport::bytes_of(path, blobs));
        assert!(sizes.sum::<usize>() > super::super::super::size::entity(&entity) - 100);
        for name in ["did:web:a.test 7f", "did:web:a.test 7f x", "x 7f 1", "did:web:a.test 7f 1 2"] {
            let key = Some(database.key(ArrobaImport::KIND, name));
            assert_eq!(
                ArrobaImport::from_entity(Entity { key, ..entity.clone() }).unwrap_err().property,
                KEY
            );
        }
        for line in ["", "a.b.c", "a.b.c/1 x", "a.b.c/1  "] {
            let lines = ArrayValue { values: vec![unindexed(values::text(line))] };
            let mut wrong = entity.clone();
            wrong.properties.insert(RECORDS.to_owned(), indexed(ValueType::ArrayValue(lines)));
            assert_eq!(ArrobaImport::from_entity(wrong).unwrap_err().property, RECORDS, "{line}");
        }
    }
}
