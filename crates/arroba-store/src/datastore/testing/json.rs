//! Entities from the JSON of the REST interface: <https://cloud.google.com/datastore/docs/reference/data/rest/v1/Entity>.

use arroba_core::syntax::Datetime;
use base64::{Engine, engine::general_purpose::STANDARD};
use gcloud_sdk::{
    google::datastore::v1::{
        ArrayValue, Entity, Key, PartitionId, Value,
        key::{PathElement, path_element::IdType},
        value::ValueType,
    },
    prost_types::Timestamp,
};
use serde_json::{Map, Value as Json};

/// The JSON is no entity.
#[derive(Debug, thiserror::Error)]
#[error("not an entity: {0}")]
pub struct JsonEntityError(String);

/// Reads an entity as the REST interface writes it.
///
/// # Errors
/// [`JsonEntityError`] for anything else, and for the types of values that no entity of ours has.
pub fn entity_from_json(json: &Json) -> Result<Entity, JsonEntityError> {
    let key = json.get("key").map(key).transpose()?;
    let none = Map::new();
    let properties = json.get("properties").and_then(Json::as_object).unwrap_or(&none);
    let properties =
        properties.iter().map(|(name, json)| Ok((name.clone(), value(json)?))).collect::<Result<_, _>>()?;
    Ok(Entity { key, properties })
}

fn key(json: &Json) -> Result<Key, JsonEntityError> {
    let partition =
        |name| json.pointer(&format!("/partitionId/{name}")).and_then(Json::as_str).unwrap_or_default();
    let partition_id = PartitionId {
        project_id: partition("projectId").to_owned(),
        database_id: partition("databaseId").to_owned(),
        namespace_id: partition("namespaceId").to_owned(),
    };
    let path = json.get("path").and_then(Json::as_array).ok_or_else(|| wrong(json))?;
    let path = path.iter().map(|part| {
        Ok(PathElement {
            kind: text(part.get("kind"))?,
            id_type: Some(IdType::Name(text(part.get("name"))?)),
        })
    });
    Ok(Key { partition_id: Some(partition_id), path: path.collect::<Result<_, _>>()? })
}

fn value(json: &Json) -> Result<Value, JsonEntityError> {
    let fields = json.as_object().ok_or_else(|| wrong(json))?;
    let exclude_from_indexes = fields.get("excludeFromIndexes").and_then(Json::as_bool).unwrap_or_default();
    let mut types = fields.iter().filter(|(name, _)| name.ends_with("Value"));
    let (Some((name, inner)), None) = (types.next(), types.next()) else { return Err(wrong(json)) };
    let value = match name.as_str() {
        "nullValue" => ValueType::NullValue(0),
        "stringValue" => ValueType::StringValue(text(Some(inner))?),
        "integerValue" => ValueType::IntegerValue(text(Some(inner))?.parse().map_err(|_| wrong(inner))?),
        "blobValue" => ValueType::BlobValue(STANDARD.decode(text(Some(inner))?).map_err(|_| wrong(inner))?),
        "timestampValue" => ValueType::TimestampValue(timestamp(&text(Some(inner))?)?),
        "keyValue" => ValueType::KeyValue(key(inner)?),
        "entityValue" => ValueType::EntityValue(entity_from_json(inner)?),
        "arrayValue" => {
            let values = inner.get("values").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            ValueType::ArrayValue(ArrayValue { values: values.iter().map(value).collect::<Result<_, _>>()? })
        }
        _ => return Err(wrong(json)),
    };
    Ok(Value { meaning: 0, exclude_from_indexes, value_type: Some(value) })
}

fn timestamp(text: &str) -> Result<Timestamp, JsonEntityError> {
    let bad = || JsonEntityError(format!("time {text:?}"));
    let micros = Datetime::parse(text).map_err(|_| bad())?.unix_micros();
    let seconds = micros.div_euclid(1_000_000);
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).map_err(|_| bad())?;
    Ok(Timestamp { seconds, nanos })
}

fn text(json: Option<&Json>) -> Result<String, JsonEntityError> {
    json.and_then(Json::as_str).map(str::to_owned).ok_or_else(|| wrong(json.unwrap_or(&Json::Null)))
}

fn wrong(json: &Json) -> JsonEntityError {
    JsonEntityError(json.to_string().chars().take(100).collect())
}
