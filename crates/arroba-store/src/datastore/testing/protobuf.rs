//! Entities from and to the bytes of the gRPC interface.

use gcloud_sdk::{google::datastore::v1::Entity, prost::Message};

/// Reads an entity; nothing if the bytes are none.
pub fn entity_from_protobuf(bytes: &[u8]) -> Option<Entity> {
    Entity::decode(bytes).ok()
}

/// Writes an entity, its properties in the order of their names, so that the same entity gives the same bytes.
pub fn entity_to_protobuf(entity: &Entity) -> Vec<u8> {
    let mut bytes = Entity { key: entity.key.clone(), ..Entity::default() }.encode_to_vec();
    let mut properties: Vec<_> = entity.properties.iter().collect();
    properties.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in properties {
        // Messages are merged by writing them one after the other.
        let one = Entity { key: None, properties: [(name.clone(), value.clone())].into() };
        bytes.extend(one.encode_to_vec());
    }
    bytes
}
