//! The same operations by both: what is stored has the same form, property by property.

use std::collections::{BTreeMap, BTreeSet};

use arroba::core::data::{Value as Data, cbor};
use arroba::store::datastore::api::{Entity, Value, value::ValueType};
use arroba::store::datastore::{Reads, Select};
use serde_json::json;

use super::accounts::{COLLECTION, create, delete, did, post, update};
use super::side::{Setup, Side};

/// Properties of an entity: name, type, whether it has an index.
pub(super) type Shape = BTreeMap<String, String>;

#[tokio::test(flavor = "multi_thread")]
async fn both_store_the_same_form() {
    let Some(side) = Side::start(Setup::default()).await else { return };
    let python = side.python_repo(1).await;
    let commits = [
        json!([
            ["create", COLLECTION, "one", post("python 1")],
            ["create", COLLECTION, "two", post("python 2")]
        ]),
        json!([["update", COLLECTION, "one", post("python 3")], ["delete", COLLECTION, "two", null]]),
    ];
    for writes in commits {
        side.python.commit(python.as_str(), writes).await;
    }
    for active in [false, true] {
        side.python.call("set_active", json!({"did": python.as_str(), "active": active})).await;
    }
    let theirs = stored(&side, "did:plc:", &BTreeSet::new()).await;

    let repo = side.rust_repo(2).await;
    repo.commit([create("one", "rust 1"), create("two", "rust 2")]).await.unwrap();
    repo.commit([update("one", "rust 3"), delete("two")]).await.unwrap();
    for status in [arroba::store::RepoStatus::Deactivated, arroba::store::RepoStatus::Active] {
        repo.set_status(status).await.unwrap();
    }
    let ours = stored(&side, did(2).as_str(), &theirs.keys).await;
    assert_eq!(ours.shapes.keys().collect::<Vec<_>>(), theirs.shapes.keys().collect::<Vec<_>>());
    for (what, shapes) in &theirs.shapes {
        assert_eq!(&ours.shapes[what], shapes, "{what}");
    }
    println!("{} kinds of entities compared: {:?}", theirs.shapes.len(), theirs.shapes.keys());
    side.host.close().await;
}

struct Stored {
    keys: BTreeSet<String>,
    /// All shapes that entities of a kind have.
    shapes: BTreeMap<String, BTreeSet<Shape>>,
}

/// What is stored of repos whose DID begins like this, but for what was there before.
async fn stored(side: &Side, owner: &str, before: &BTreeSet<String>) -> Stored {
    let mut found = Stored { keys: BTreeSet::new(), shapes: BTreeMap::new() };
    for kind in ["AtpRepo", "AtpBlock", "AtpSequence"] {
        let results = side.client.query(Select::from(kind).into(), Reads::Strong).await.unwrap().results;
        for entity in results.into_iter().filter_map(|result| result.entity) {
            let name = name(&entity);
            let ours = match kind {
                "AtpRepo" => name.starts_with(owner),
                "AtpBlock" => !before.contains(&name),
                _ => true,
            };
            if ours {
                let what = format!("{kind} {}", content(&entity));
                found.shapes.entry(what).or_default().insert(shape(&entity));
                found.keys.insert(name);
            }
        }
    }
    found
}

fn name(entity: &Entity) -> String {
    use arroba::store::datastore::api::key::path_element::IdType;
    let path = &entity.key.as_ref().unwrap().path;
    assert_eq!(path.len(), 1, "{path:?}");
    match path[0].id_type.as_ref().unwrap() {
        IdType::Name(name) => name.clone(),
        IdType::Id(id) => panic!("a number as the name: {id}"),
    }
}

/// What a block is, with the names and types of its fields; records and nodes are those of the test, whoever wrote them.
fn content(entity: &Entity) -> String {
    let Some(ValueType::BlobValue(encoded)) =
        entity.properties.get("encoded").and_then(|value| value.value_type.clone())
    else {
        return String::new();
    };
    let Data::Map(map) = cbor::decode(&encoded).unwrap() else { panic!("no map") };
    let fields: Vec<String> =
        map.iter().map(|(name, value)| format!("{name}: {}", data_type(value))).collect();
    let kind = match map.get("$type") {
        Some(Data::Text(kind)) => kind.to_string(),
        _ => String::new(),
    };
    let ops = if entity.properties.contains_key("ops.action") { " with operations" } else { "" };
    format!("{kind} {{{}}}{ops}", fields.join(", "))
}

fn data_type(value: &Data<'_>) -> &'static str {
    match value {
        Data::Null => "null",
        Data::Bool(_) => "bool",
        Data::Int(_) => "integer",
        Data::Text(_) => "text",
        Data::Bytes(_) => "bytes",
        Data::Link(_) => "link",
        Data::List(_) => "list",
        Data::Map(_) => "map",
    }
}

pub(super) fn shape(entity: &Entity) -> Shape {
    entity.properties.iter().map(|(name, value)| (name.clone(), value_shape(value))).collect()
}

fn value_shape(value: &Value) -> String {
    let index = if value.exclude_from_indexes { "without index" } else { "with index" };
    let kind = match value.value_type.as_ref() {
        None => "nothing".to_owned(),
        Some(ValueType::NullValue(_)) => "null".to_owned(),
        Some(ValueType::BooleanValue(_)) => "boolean".to_owned(),
        Some(ValueType::IntegerValue(_)) => "integer".to_owned(),
        Some(ValueType::DoubleValue(_)) => "double".to_owned(),
        Some(ValueType::TimestampValue(time)) => {
            assert_eq!(time.nanos % 1_000, 0, "not whole microseconds");
            "timestamp".to_owned()
        }
        Some(ValueType::KeyValue(key)) => {
            format!("key of {:?}", key.path.iter().map(|part| &part.kind).collect::<Vec<_>>())
        }
        Some(ValueType::StringValue(_)) => "string".to_owned(),
        Some(ValueType::BlobValue(_)) => "blob".to_owned(),
        Some(ValueType::GeoPointValue(_)) => "place".to_owned(),
        Some(ValueType::EntityValue(_)) => "entity".to_owned(),
        Some(ValueType::ArrayValue(array)) => {
            let elements: Vec<String> = array.values.iter().map(value_shape).collect();
            format!("array of {elements:?}")
        }
    };
    format!("{kind} {index}, meaning {}", value.meaning)
}
