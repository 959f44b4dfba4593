//! What the service allows, each with its source, and the checks before anything is sent.
//!
//! Sources, read in 2026: \[limits\] <https://cloud.google.com/datastore/docs/concepts/limits>, \[transactions\]
//! <https://cloud.google.com/datastore/docs/concepts/transactions>, \[api\] the comments of `google/datastore/v1/*.proto`,
//! \[size\] <https://cloud.google.com/datastore/docs/concepts/storage-size>. The emulator enforces next to none of them.

use std::time::Duration;

use gcloud_sdk::{
    google::datastore::v1::{
        Entity, Key, Mutation, Value, key::path_element::IdType, mutation::Operation, value::ValueType,
    },
    prost::Message,
};

use super::size;

/// Bytes of a request: "Maximum API request size", 10 MiB \[limits\].
pub const REQUEST_BYTES: usize = 10 << 20;

/// Bytes that one transaction may write: "Maximum size for a transaction", 10 MiB \[limits\].
pub const TRANSACTION_BYTES: usize = 10 << 20;

/// Bytes of an answer that we accept. The service names no limit: it defers keys, or ends a batch, when an answer grows too large
/// \[api\]; ours keeps a faulty one from filling the memory.
pub const RESPONSE_BYTES: usize = 64 << 20;

/// Keys of a lookup: "Maximum number of keys allowed for a Lookup operation", 1,000 \[limits\].
pub const LOOKUP_KEYS: usize = 1_000;

/// Bytes of an entity, as \[size\] counts them: "Maximum size for an entity", 1 MiB - 4 bytes \[limits\].
pub const ENTITY_BYTES: usize = (1 << 20) - 4;

/// Bytes of a value without an index: "Maximum size for an unindexed property", 1 MiB - 89 bytes \[limits\].
pub const UNINDEXED_BYTES: usize = (1 << 20) - 89;

/// Bytes of a string or blob with an index: "Maximum size of an indexed string property's UTF-8 encoding", 1,500 \[limits\].
pub const INDEXED_BYTES: usize = 1_500;

/// Bytes of a name in a key, 1,500 \[api, `Key.PathElement.name`\].
pub const KEY_NAME_BYTES: usize = 1_500;

/// Bytes of a key: "Maximum size for an entity key", 6 KiB \[limits\].
pub const KEY_BYTES: usize = 6 << 10;

/// Characters of a property's name, 500 \[api, `Entity.properties`\].
pub const PROPERTY_NAME_CHARS: usize = 500;

/// Indexed values of an entity, together with its entries in composite indexes: 20,000 \[limits\].
pub const INDEXED_VALUES: usize = 20_000;

/// How deep entities may be nested in values: 20 \[limits\].
pub const NESTED_VALUES: usize = 20;

/// How long a transaction lives: 270 s \[transactions\].
pub const TRANSACTION_LIFE: Duration = Duration::from_secs(270);

/// How long a transaction may be idle: 60 s \[transactions\].
pub const TRANSACTION_IDLE: Duration = Duration::from_secs(60);

/// Entities of a commit on a database of the old kind, "legacy Cloud Datastore": 500 \[limits, earlier versions\]. Firestore in Datastore
/// mode, which Google moved all databases to, has no such limit; it bounds the bytes alone.
pub const LEGACY_MUTATIONS: usize = 500;

/// The limits that differ between databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Mutations of one commit.
    pub mutations: Option<usize>,
}

impl Limits {
    /// Firestore in Datastore mode: the bytes count, not the number of entities.
    pub const FIRESTORE: Self = Self { mutations: None };

    /// A database that was never moved from the old Cloud Datastore.
    pub const LEGACY: Self = Self { mutations: Some(LEGACY_MUTATIONS) };
}

/// What is beyond a limit. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// More mutations than one transaction takes.
    #[error("{count} mutations in one transaction, {limit} at most")]
    Mutations {
        /// How many.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// More bytes than a request, or a transaction, may have.
    #[error("request of {bytes} bytes, {limit} at most")]
    Request {
        /// How many.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// An entity that is too large.
    #[error("entity {key} of {bytes} bytes, {limit} at most")]
    Entity {
        /// Its key.
        key: String,
        /// Its size as the service counts.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A value that is too large.
    #[error("property {property} of {key}: value of {bytes} bytes, {limit} at most")]
    Value {
        /// The entity's key.
        key: String,
        /// The property.
        property: String,
        /// The value's size.
        bytes: usize,
        /// The largest allowed for a value that is indexed, or that is not.
        limit: usize,
    },
    /// A name in a key that is too long, or a key that is.
    #[error("key {key}: {bytes} bytes, {limit} at most")]
    Key {
        /// The key, shortened.
        key: String,
        /// The size of the name, or of the key.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A key without a kind, without a path or without a name.
    #[error("incomplete key {key}")]
    IncompleteKey {
        /// The key.
        key: String,
    },
    /// A property that is not allowed: an empty or reserved or too long name, values nested too deep, too many indexed ones.
    #[error("property {property} of {key}: {rule}")]
    Property {
        /// The entity's key.
        key: String,
        /// The property; empty where it is the whole entity.
        property: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A mutation without an operation.
    #[error("empty mutation")]
    NoOperation,
    /// Two mutations of one entity outside of a transaction.
    #[error("two mutations of {key} in one non-transactional commit")]
    Twice {
        /// The entity's key.
        key: String,
    },
    /// The transaction is older than the service lets it become.
    #[error("the transaction is {} s old", age.as_secs())]
    TransactionAge {
        /// Its age.
        age: Duration,
    },
    /// An operation that may not be repeated, where only repeatable ones are taken.
    #[error(
        "only upserts and deletions can be written outside of a transaction; {key} is inserted or updated"
    )]
    NotRepeatable {
        /// The entity's key.
        key: String,
    },
}

/// Checks what is written: keys, names, sizes.
pub(super) fn check_mutation(mutation: &Mutation) -> Result<(), LimitError> {
    match mutation.operation.as_ref().ok_or(LimitError::NoOperation)? {
        Operation::Delete(key) => check_key(key),
        Operation::Insert(entity) | Operation::Update(entity) | Operation::Upsert(entity) => {
            check_entity(entity)
        }
    }
}

/// Checks a key that is complete and that we may use.
pub(super) fn check_key(key: &Key) -> Result<(), LimitError> {
    let complete = |id: &Option<IdType>| {
        matches!(id, Some(IdType::Name(name)) if !name.is_empty())
            || matches!(id, Some(IdType::Id(id)) if *id != 0)
    };
    if key.path.is_empty() || key.path.iter().any(|part| part.kind.is_empty() || !complete(&part.id_type)) {
        return Err(LimitError::IncompleteKey { key: shown(key) });
    }
    for part in &key.path {
        let name = if let Some(IdType::Name(name)) = &part.id_type { name.len() } else { 0 };
        let bytes = name.max(part.kind.len());
        if bytes > KEY_NAME_BYTES {
            return Err(LimitError::Key { key: shown(key), bytes, limit: KEY_NAME_BYTES });
        }
    }
    let bytes = size::key(key);
    if bytes > KEY_BYTES {
        return Err(LimitError::Key { key: shown(key), bytes, limit: KEY_BYTES });
    }
    Ok(())
}

/// Checks an entity as a whole.
pub(super) fn check_entity(entity: &Entity) -> Result<(), LimitError> {
    let no_key = || LimitError::IncompleteKey { key: "(none)".to_owned() };
    let key = entity.key.as_ref().ok_or_else(no_key)?;
    check_key(key)?;
    let mut indexed = 0;
    for (name, value) in &entity.properties {
        let property = |rule| LimitError::Property { key: shown(key), property: name.clone(), rule };
        if name.is_empty() {
            return Err(property("a property needs a name"));
        }
        if name.len() >= 4 && name.starts_with("__") && name.ends_with("__") {
            return Err(property("the name is reserved"));
        }
        if name.chars().count() > PROPERTY_NAME_CHARS {
            return Err(property("the name has more than 500 characters"));
        }
        indexed += check_value(key, name, value, true, 0)?;
    }
    if indexed > INDEXED_VALUES {
        let rule = "more than 20,000 indexed values";
        return Err(LimitError::Property { key: shown(key), property: String::new(), rule });
    }
    let bytes = size::entity(entity);
    if bytes > ENTITY_BYTES {
        return Err(LimitError::Entity { key: shown(key), bytes, limit: ENTITY_BYTES });
    }
    Ok(())
}

/// Checks a value and what is inside of it; gives the number of indexed values.
fn check_value(
    key: &Key,
    property: &str,
    value: &Value,
    outer: bool,
    depth: usize,
) -> Result<usize, LimitError> {
    let indexed = outer && !value.exclude_from_indexes;
    let broken = |rule| LimitError::Property { key: shown(key), property: property.to_owned(), rule };
    let bytes = match &value.value_type {
        None => return Err(broken("a value needs a type")),
        Some(ValueType::ArrayValue(array)) => {
            let mut count = 0;
            for inner in &array.values {
                if matches!(inner.value_type, Some(ValueType::ArrayValue(_))) {
                    return Err(broken("an array in an array"));
                }
                count += check_value(key, property, inner, indexed, depth)?;
            }
            return Ok(count);
        }
        Some(ValueType::EntityValue(entity)) => {
            if depth >= NESTED_VALUES {
                return Err(broken("values nested more than 20 deep"));
            }
            let mut count = 0;
            for (name, inner) in &entity.properties {
                count += check_value(key, name, inner, indexed, depth + 1)?;
            }
            return Ok(count);
        }
        Some(ValueType::StringValue(text)) => text.len(),
        Some(ValueType::BlobValue(bytes)) => bytes.len(),
        Some(_) => 0,
    };
    let limit = if indexed { INDEXED_BYTES } else { UNINDEXED_BYTES };
    if bytes > limit {
        return Err(LimitError::Value { key: shown(key), property: property.to_owned(), bytes, limit });
    }
    Ok(usize::from(indexed))
}

/// How many bytes a mutation adds to a request: the message and what frames it.
pub(super) fn request_bytes(mutation: &Mutation) -> usize {
    mutation.encoded_len() + 6
}

/// A key as errors show it: kind and name, shortened.
pub(super) fn shown(key: &Key) -> String {
    let part = |part: &gcloud_sdk::google::datastore::v1::key::PathElement| match &part.id_type {
        Some(IdType::Name(name)) => format!("{}({})", part.kind, shortened(name)),
        Some(IdType::Id(id)) => format!("{}({id})", part.kind),
        None => format!("{}()", part.kind),
    };
    key.path.iter().map(part).collect::<Vec<_>>().join("/")
}

fn shortened(name: &str) -> String {
    const SHOWN: usize = 100;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
