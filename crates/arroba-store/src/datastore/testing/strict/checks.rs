//! What production refuses and the emulator takes.

use std::collections::HashSet;

use gcloud_sdk::{
    google::datastore::v1::{
        CommitRequest, Entity, Key, LookupRequest, Value, commit_request::Mode, key::path_element::IdType,
        mutation::Operation, value::ValueType,
    },
    prost::Message,
    tonic::Status,
};

fn invalid(text: impl Into<String>) -> Status {
    Status::invalid_argument(text)
}

pub(super) fn lookup(request: &LookupRequest) -> Result<(), Status> {
    if request.keys.len() > 1_000 {
        return Err(invalid("cannot get more than 1000 keys in a single call"));
    }
    request.keys.iter().try_for_each(key)
}

pub(super) fn commit(request: &CommitRequest, most: Option<usize>) -> Result<(), Status> {
    if let Some(most) = most.filter(|most| request.mutations.len() > *most) {
        return Err(invalid(format!("cannot write more than {most} entities in a single call")));
    }
    let transactional = request.mode == i32::from(Mode::Transactional);
    if !transactional && request.mode != i32::from(Mode::NonTransactional) {
        return Err(invalid("the mode is not set"));
    }
    if transactional != request.transaction_selector.is_some() {
        return Err(invalid("mode and transaction do not fit"));
    }
    let mut seen = HashSet::new();
    for mutation in &request.mutations {
        let written = match &mutation.operation {
            Some(Operation::Insert(written) | Operation::Update(written) | Operation::Upsert(written)) => {
                entity(written)?;
                written.key.as_ref()
            }
            Some(Operation::Delete(key)) => Some(key),
            None => None,
        };
        let written = written.ok_or_else(|| invalid("mutation without a key"))?;
        key(written)?;
        if !seen.insert(&written.path) && !transactional {
            return Err(invalid(
                "A non-transactional commit may not contain multiple mutations affecting the same entity.",
            ));
        }
    }
    Ok(())
}

fn key(key: &Key) -> Result<(), Status> {
    if key.path.is_empty() {
        return Err(invalid("the key path is empty"));
    }
    for part in &key.path {
        let name_bytes = match &part.id_type {
            Some(IdType::Name(name)) if !name.is_empty() => name.len(),
            Some(IdType::Id(id)) if *id != 0 => 0,
            _ => return Err(invalid("the key path is incomplete")),
        };
        if name_bytes > 1_500 {
            return Err(invalid("The key path element name is longer than 1500 bytes."));
        }
        if part.kind.is_empty() || part.kind.len() > 1_500 || reserved(&part.kind) {
            return Err(invalid(format!("the kind \"{}\" is not allowed", part.kind)));
        }
    }
    if key.encoded_len() > 6_144 { Err(invalid("the key is too large")) } else { Ok(()) }
}

fn entity(entity: &Entity) -> Result<(), Status> {
    // The serialized form is what the API's reference compares with, roughly; it is never smaller than the names and the bytes stored.
    if entity.encoded_len() > 1_048_576 {
        return Err(invalid("entity is too big"));
    }
    let mut indexed = 0;
    for (name, inner) in &entity.properties {
        if name.is_empty() || name.chars().count() > 500 || reserved(name) {
            return Err(invalid(format!("the property \"{name}\" is not allowed")));
        }
        value(name, inner, true, 0, &mut indexed)?;
    }
    if indexed > 20_000 { Err(invalid("Too many indexed properties.")) } else { Ok(()) }
}

fn value(name: &str, value: &Value, outer: bool, depth: usize, count: &mut usize) -> Result<(), Status> {
    let indexed = outer && !value.exclude_from_indexes;
    let length = match &value.value_type {
        None => return Err(invalid(format!("the property \"{name}\" has a value without a type"))),
        Some(ValueType::ArrayValue(array)) => {
            for inner in &array.values {
                if matches!(inner.value_type, Some(ValueType::ArrayValue(_))) {
                    return Err(invalid("list_value cannot contain a Value containing another list_value"));
                }
                self::value(name, inner, indexed, depth, count)?;
            }
            return Ok(());
        }
        Some(ValueType::EntityValue(inner)) if depth < 20 => {
            let mut values = inner.properties.iter();
            return values.try_for_each(|(name, inner)| self::value(name, inner, indexed, depth + 1, count));
        }
        Some(ValueType::EntityValue(_)) => return Err(invalid("entities are nested too deep")),
        Some(ValueType::StringValue(text)) => text.len(),
        Some(ValueType::BlobValue(bytes)) => bytes.len(),
        Some(_) => 0,
    };
    *count += usize::from(indexed);
    match (indexed, length) {
        (true, 1_501..) => {
            Err(invalid(format!("The value of property \"{name}\" is longer than 1500 bytes.")))
        }
        (false, 1_048_488..) => {
            Err(invalid(format!("The value of property \"{name}\" is longer than 1048487 bytes.")))
        }
        _ => Ok(()),
    }
}

fn reserved(name: &str) -> bool {
    name.len() >= 4 && name.starts_with("__") && name.ends_with("__")
}
