//! How the service counts the size of what it stores: <https://cloud.google.com/datastore/docs/concepts/storage-size>.

use gcloud_sdk::google::datastore::v1::{Entity, Key, Value, key::path_element::IdType, value::ValueType};

/// A key: 16 bytes, the namespace unless it is the default one, and each part of the path.
pub(super) fn key(key: &Key) -> usize {
    let namespace = key.partition_id.as_ref().map_or("", |partition| partition.namespace_id.as_str());
    let namespace = if namespace.is_empty() { 0 } else { string(namespace) };
    let part = |part: &gcloud_sdk::google::datastore::v1::key::PathElement| {
        string(&part.kind)
            + match &part.id_type {
                Some(IdType::Name(name)) => string(name),
                Some(IdType::Id(_)) => 8,
                None => 0,
            }
    };
    16 + namespace + key.path.iter().map(part).sum::<usize>()
}

/// An entity: its key, its properties, and 32 bytes.
pub(super) fn entity(entity: &Entity) -> usize {
    let properties = entity.properties.iter().map(|(name, inner)| string(name) + value(inner));
    entity.key.as_ref().map_or(0, key) + properties.sum::<usize>() + 32
}

fn value(value: &Value) -> usize {
    match &value.value_type {
        None => 0,
        Some(ValueType::NullValue(_) | ValueType::BooleanValue(_)) => 1,
        Some(ValueType::IntegerValue(_) | ValueType::DoubleValue(_) | ValueType::TimestampValue(_)) => 8,
        Some(ValueType::GeoPointValue(_)) => 16,
        Some(ValueType::StringValue(text)) => string(text),
        Some(ValueType::BlobValue(bytes)) => bytes.len(),
        Some(ValueType::KeyValue(inner)) => key(inner),
        Some(ValueType::EntityValue(inner)) => entity(inner),
        Some(ValueType::ArrayValue(array)) => array.values.iter().map(self::value).sum(),
    }
}

const fn string(text: &str) -> usize {
    text.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcloud_sdk::google::datastore::v1::{PartitionId, key::PathElement};

    /// The worked examples of the page.
    #[test]
    fn keys_of_the_documentation() {
        let part = |kind: &str, id_type| PathElement { kind: kind.into(), id_type: Some(id_type) };
        let by_id = part("Task", IdType::Id(5_730_082_031_140_864));
        let one = Key { partition_id: None, path: vec![by_id.clone()] };
        assert_eq!(key(&one), 29);
        let named = Key { partition_id: None, path: vec![part("Task", IdType::Name("my_task_id".into()))] };
        assert_eq!(key(&named), 32);
        let path = vec![part("TaskList", IdType::Id(5_654_313_976_201_216)), by_id];
        assert_eq!(key(&Key { partition_id: None, path: path.clone() }), 46);
        let partition = PartitionId { namespace_id: "my_name_space".into(), ..PartitionId::default() };
        assert_eq!(key(&Key { partition_id: Some(partition), path }), 60);
    }
}
