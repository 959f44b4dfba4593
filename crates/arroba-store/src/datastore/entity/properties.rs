//! The properties of an entity, taken out one by one.

use std::collections::HashMap;

use arroba_core::{
    data::{Cid, Codec},
    syntax::Did,
};
use gcloud_sdk::google::datastore::v1::{Entity, Value, value::ValueType};

use super::{super::key_name, AtpRepo, EntityError, EntityProblem, values::LAST_SECOND};

/// What is left of an entity that is being read.
pub(super) struct Properties {
    kind: &'static str,
    name: String,
    values: HashMap<String, Value>,
}

impl Properties {
    /// Opens a root entity of this kind.
    pub(super) fn open(entity: Entity, kind: &'static str) -> Result<Self, EntityError> {
        let name = entity.key.as_ref().and_then(|key| key_name(key, kind)).map(str::to_owned);
        let properties = Self { kind, name: name.clone().unwrap_or_default(), values: entity.properties };
        if name.is_none() {
            return Err(properties.error(KEY, EntityProblem::Key));
        }
        Ok(properties)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, property: &'static str, problem: EntityProblem) -> EntityError {
        EntityError { kind: self.kind, key: self.name.clone(), property, problem }
    }

    /// A single value; nothing if it is missing or null.
    pub(super) fn take(&mut self, property: &str) -> Option<ValueType> {
        self.values.remove(property)?.value_type.filter(|value| !matches!(value, ValueType::NullValue(_)))
    }

    /// The values of an array; a single value is an array of one, null is empty.
    pub(super) fn take_array(&mut self, property: &str) -> Option<Vec<ValueType>> {
        let null = ValueType::NullValue(0);
        let value = self.values.remove(property)?;
        Some(match value.value_type {
            None | Some(ValueType::NullValue(_)) => Vec::new(),
            Some(ValueType::ArrayValue(array)) => array
                .values
                .into_iter()
                .map(|value| value.value_type.unwrap_or_else(|| null.clone()))
                .collect(),
            Some(single) => vec![single],
        })
    }

    pub(super) fn text(&mut self, property: &'static str) -> Result<Option<String>, EntityError> {
        match self.take(property) {
            None => Ok(None),
            Some(value) => text(value).map(Some).map_err(|problem| self.error(property, problem)),
        }
    }

    pub(super) fn blob(&mut self, property: &'static str) -> Result<Option<Vec<u8>>, EntityError> {
        match self.take(property) {
            None => Ok(None),
            Some(ValueType::BlobValue(bytes)) => Ok(Some(bytes)),
            Some(other) => Err(self.error(property, wrong("blob", &other))),
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, property: &'static str) -> Result<Option<u64>, EntityError> {
        match self.take(property) {
            None => Ok(None),
            Some(ValueType::IntegerValue(number)) => {
                u64::try_from(number).map(Some).map_err(|_| self.error(property, EntityProblem::Range))
            }
            Some(other) => Err(self.error(property, wrong("integer", &other))),
        }
    }

    /// Microseconds since 1970.
    pub(super) fn time(&mut self, property: &'static str) -> Result<Option<u64>, EntityError> {
        let time = match self.take(property) {
            None => return Ok(None),
            Some(ValueType::TimestampValue(time)) => time,
            Some(other) => return Err(self.error(property, wrong("timestamp", &other))),
        };
        let in_range = (0..=LAST_SECOND).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
        let seconds = u64::try_from(time.seconds).ok().filter(|_| in_range);
        let micros = u64::try_from(time.nanos / 1_000).ok();
        match (seconds, micros) {
            (Some(seconds), Some(micros)) => Ok(Some(seconds * 1_000_000 + micros)),
            _ => Err(self.error(property, EntityProblem::Time)),
        }
    }

    pub(super) fn cid(&mut self, property: &'static str, codec: Codec) -> Result<Option<Cid>, EntityError> {
        let Some(text) = self.text(property)? else { return Ok(None) };
        cid(&text, codec).map(Some).map_err(|problem| self.error(property, problem))
    }

    /// The DIDs in keys of repositories.
    pub(super) fn repos(&mut self, property: &'static str) -> Result<Vec<Did>, EntityError> {
        let values = self.take_array(property).unwrap_or_default();
        let dids = values.into_iter().map(repo).collect::<Result<_, _>>();
        dids.map_err(|problem| self.error(property, problem))
    }

    /// The DID in the key of a repository.
    pub(super) fn repo(&mut self, property: &'static str) -> Result<Option<Did>, EntityError> {
        let did = self.take(property).map(repo).transpose();
        did.map_err(|problem| self.error(property, problem))
    }

    pub(super) fn required<T>(&self, property: &'static str, value: Option<T>) -> Result<T, EntityError> {
        value.ok_or_else(|| self.error(property, EntityProblem::Missing))
    }
}

/// How errors call the key.
pub(super) const KEY: &str = "__key__";

pub(super) fn text(value: ValueType) -> Result<String, EntityProblem> {
    match value {
        ValueType::StringValue(text) => Ok(text),
        other => Err(wrong("string", &other)),
    }
}

pub(super) fn cid(text: &str, codec: Codec) -> Result<Cid, EntityProblem> {
    let cid = Cid::parse(text).map_err(EntityProblem::Cid)?;
    if cid.codec() == codec { Ok(cid) } else { Err(EntityProblem::Codec) }
}

fn repo(value: ValueType) -> Result<Did, EntityProblem> {
    match value {
        ValueType::KeyValue(key) => {
            let name = key_name(&key, AtpRepo::KIND).ok_or(EntityProblem::Key)?;
            Did::parse(name).map_err(EntityProblem::Syntax)
        }
        other => Err(wrong("key", &other)),
    }
}

pub(super) const fn wrong(expected: &'static str, found: &ValueType) -> EntityProblem {
    let found = match found {
        ValueType::NullValue(_) => "null",
        ValueType::BooleanValue(_) => "boolean",
        ValueType::IntegerValue(_) => "integer",
        ValueType::DoubleValue(_) => "double",
        ValueType::TimestampValue(_) => "timestamp",
        ValueType::KeyValue(_) => "key",
        ValueType::StringValue(_) => "string",
        ValueType::BlobValue(_) => "blob",
        ValueType::GeoPointValue(_) => "point",
        ValueType::EntityValue(_) => "entity",
        ValueType::ArrayValue(_) => "array",
    };
    EntityProblem::Type { expected, found }
}
