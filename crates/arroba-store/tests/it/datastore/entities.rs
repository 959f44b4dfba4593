//! What the Python library stored is read, and written back as it was.

use arroba_core::{data::Cid, event::Action, syntax::Did};
use arroba_store::datastore::{
    Database, Timestamp,
    api::{ArrayValue, Entity, Key, Value, value::ValueType},
    entity::{AtpBlock, AtpRemoteBlob, AtpRepo, AtpSequence, EntityError, EntityProblem, StoredStatus},
    testing::entity_from_json,
};

/// The entities of the shared fixture; nothing, loudly, where it is not there.
pub(crate) fn samples() -> Vec<Entity> {
    let root = std::env::var_os("ARROBA_FIXTURES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        std::path::PathBuf::from,
    );
    let path = root.join("arroba/datastore-entities.json");
    let Ok(text) = std::fs::read(&path) else {
        assert!(std::env::var_os("CI").is_none(), "no {}", path.display());
        eprintln!("SKIPPED: no {}", path.display());
        return Vec::new();
    };
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    json["entities"].as_array().unwrap().iter().map(|json| entity_from_json(json).unwrap()).collect()
}

fn database() -> Database {
    Database::new("app", "").unwrap()
}

fn sample(kind: &str, with: &str) -> Option<Entity> {
    let fits = |entity: &Entity| {
        kind_of(entity) == kind && (with.is_empty() || entity.properties.contains_key(with))
    };
    samples().into_iter().find(fits)
}

fn kind_of(entity: &Entity) -> &str {
    &entity.key.as_ref().unwrap().path[0].kind
}

/// Reads an entity of any kind and writes it again.
fn again(entity: Entity) -> Result<Entity, EntityError> {
    let database = database();
    match kind_of(&entity) {
        "AtpRepo" => AtpRepo::from_entity(entity)?.to_entity(&database),
        "AtpBlock" => AtpBlock::from_entity(entity)?.to_entity(&database),
        "AtpSequence" => AtpSequence::from_entity(entity)?.to_entity(&database),
        "AtpRemoteBlob" => AtpRemoteBlob::from_entity(entity)?.to_entity(&database),
        other => panic!("kind {other}"),
    }
}

fn value(value: ValueType) -> Value {
    Value { value_type: Some(value), ..Value::default() }
}

fn string(text: &str) -> Value {
    value(ValueType::StringValue(text.to_owned()))
}

fn array(values: Vec<Value>) -> Value {
    value(ValueType::ArrayValue(ArrayValue { values }))
}

fn null() -> Value {
    value(ValueType::NullValue(0))
}

#[test]
fn every_sample_is_written_back_as_it_was() {
    let samples = samples();
    let mut kinds = std::collections::BTreeMap::new();
    for entity in samples {
        *kinds.entry(kind_of(&entity).to_owned()).or_insert(0) += 1;
        assert_eq!(again(entity.clone()).unwrap(), entity);
    }
    if !kinds.is_empty() {
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
        assert_eq!(kinds, [("AtpBlock", 32), ("AtpRemoteBlob", 2), ("AtpRepo", 2), ("AtpSequence", 1)]);
    }
}

#[test]
fn samples_mean_what_they_say() {
    let Some(entity) = sample("AtpBlock", "ops.action") else { return };
    let commit = AtpBlock::from_entity(entity).unwrap();
    assert!(commit.is_intact());
    assert_eq!(commit.repo.as_ref().map(Did::as_str), Some("did:web:bench.example"));
    assert_eq!(commit.ops.len(), 10);
    assert!(commit.ops.iter().all(|op| op.action == Action::Create && op.cid.is_some() && op.prev.is_none()));
    assert_eq!(commit.created, Some(1_795_398_152_641_788));
    let repo = samples().into_iter().find(|entity| {
        entity.key == Some(AtpRepo::key(&database(), &"did:web:two.example".parse().unwrap()))
    });
    let repo = AtpRepo::from_entity(repo.unwrap()).unwrap();
    assert_eq!((repo.status, repo.handles.len()), (Some(StoredStatus::Deactivated), 0));
    assert_eq!(repo.encrypted_signing_key.len(), 265);
    let sequence = AtpSequence::from_entity(sample("AtpSequence", "").unwrap()).unwrap();
    assert_eq!((sequence.nsid.as_str(), sequence.next), (AtpSequence::SUBSCRIBE_REPOS, 12));
    for entity in samples().into_iter().filter(|entity| kind_of(entity) == "AtpBlock") {
        assert!(AtpBlock::from_entity(entity).unwrap().is_intact());
    }
}

#[test]
fn what_is_missing_is_read_as_the_python_library_reads_it() {
    let Some(mut repo) = sample("AtpRepo", "") else { return };
    for property in ["status", "updated", "created", "handles", "encrypted_rotation_key"] {
        repo.properties.remove(property);
    }
    repo.properties.insert("signing_key_pem".to_owned(), value(ValueType::BlobValue(b"old".to_vec())));
    repo.properties.insert("of_a_later_version".to_owned(), value(ValueType::BooleanValue(true)));
    let repo = AtpRepo::from_entity(repo).unwrap();
    assert_eq!(
        (repo.status, repo.updated, repo.created, repo.encrypted_rotation_key),
        (None, None, None, None)
    );
    assert!(repo.handles.is_empty());

    let mut block = sample("AtpBlock", "").unwrap();
    block.properties.remove("created");
    block.properties.remove("repo");
    let block = AtpBlock::from_entity(block).unwrap();
    assert_eq!((block.created, block.repo), (None, None));

    let key = AtpRemoteBlob::key(&database(), "http://a.example/");
    let bare = Entity { key: Some(key), properties: [("url".to_owned(), null())].into() };
    let blob = AtpRemoteBlob::from_entity(bare).unwrap();
    assert_eq!((blob.url(), blob.mime_type.as_str()), ("http://a.example/", "application/octet-stream"));
    assert_eq!((blob.cid, blob.repos.len(), blob.inactive, blob.remote_id), (None, 0, false, None));
    assert_eq!(AtpRemoteBlob::new("http://a.example/").name, "http://a.example/");
}

#[test]
fn operations_are_read_in_each_form() {
    let Some(commit) = sample("AtpBlock", "ops.action") else { return };
    let dotted = AtpBlock::from_entity(commit.clone()).unwrap().ops;

    // Without the property that came last.
    let mut older = commit.clone();
    older.properties.remove("ops.prev_cid");
    assert_eq!(AtpBlock::from_entity(older).unwrap().ops, dotted);

    // An array of entities, with properties left out instead of null.
    let mut embedded = commit.clone();
    embedded.properties.retain(|name, _| !name.starts_with("ops."));
    let entities = dotted.iter().map(|op| {
        let properties = [
            ("action", op.action.as_str().to_owned()),
            ("path", op.path.to_string()),
            ("cid", op.cid.unwrap().to_string()),
        ];
        let properties = properties.map(|(name, text)| (name.to_owned(), string(&text)));
        value(ValueType::EntityValue(Entity { key: None, properties: properties.into() }))
    });
    embedded.properties.insert("ops".to_owned(), array(entities.collect()));
    assert_eq!(AtpBlock::from_entity(embedded.clone()).unwrap().ops, dotted);

    // Both at once contradict each other; an empty array beside them does not.
    let mut both = commit.clone();
    both.properties.insert("ops".to_owned(), embedded.properties["ops"].clone());
    let error = AtpBlock::from_entity(both).unwrap_err();
    assert_eq!((error.property, error.problem), ("ops", EntityProblem::BothForms));
    for (name, empty) in [("ops", array(vec![])), ("ops", null())] {
        let mut beside = commit.clone();
        beside.properties.insert(name.to_owned(), empty);
        assert_eq!(AtpBlock::from_entity(beside).unwrap().ops, dotted);
    }

    // Empty arrays of either form, and none at all.
    for names in [&["ops"][..], &["ops.action", "ops.path", "ops.cid", "ops.prev_cid"], &[]] {
        let mut empty = commit.clone();
        empty.properties.retain(|name, _| !name.starts_with("ops."));
        empty.properties.extend(names.iter().map(|name| ((*name).to_owned(), array(vec![]))));
        assert_eq!(AtpBlock::from_entity(empty).unwrap().ops, []);
    }
}

#[test]
fn updates_and_deletions_are_written_with_nulls() {
    let Some(entity) = sample("AtpBlock", "ops.action") else { return };
    let mut commit = AtpBlock::from_entity(entity).unwrap();
    commit.ops.truncate(3);
    let cid = Cid::for_cbor(b"before");
    commit.ops[1].action = Action::Update;
    commit.ops[1].prev = Some(cid);
    commit.ops[2].action = Action::Delete;
    commit.ops[2].prev = Some(cid);
    commit.ops[2].cid = None;
    let entity = commit.to_entity(&database()).unwrap();
    let nulls = |name: &str| {
        let Some(ValueType::ArrayValue(array)) = &entity.properties[name].value_type else {
            panic!("{name}")
        };
        let null = |value: &Value| matches!(value.value_type, Some(ValueType::NullValue(_)));
        array.values.iter().map(null).collect::<Vec<_>>()
    };
    assert_eq!(nulls("ops.cid"), [false, false, true]);
    assert_eq!(nulls("ops.prev_cid"), [true, false, false]);
    assert_eq!(AtpBlock::from_entity(entity).unwrap(), commit);
}

/// Changes one property of a sample, and expects an error that names it.
#[track_caller]
fn refused(
    kind: &'static str,
    with: &str,
    property: &'static str,
    to: Option<Value>,
    problem: EntityProblem,
) {
    let Some(mut entity) = sample(kind, with) else { return };
    match to {
        Some(value) => entity.properties.insert(property.to_owned(), value),
        None => entity.properties.remove(property),
    };
    let error = again(entity).unwrap_err();
    assert_eq!((error.kind, error.property, error.problem), (kind, property, problem));
    assert!(!error.key.is_empty());
}

#[test]
fn everything_else_is_refused_by_name() {
    use EntityProblem::{Codec, Missing, Operation, Range, Time, Type, Unknown};
    let integer = |number| Some(value(ValueType::IntegerValue(number)));
    let time = |seconds, nanos| Some(value(ValueType::TimestampValue(Timestamp { seconds, nanos })));
    let typed = |expected, found| Type { expected, found };
    let raw = Cid::for_raw(b"").to_string();

    refused("AtpRepo", "", "head", None, Missing);
    refused("AtpRepo", "", "head", Some(null()), Missing);
    refused("AtpRepo", "", "head", Some(string(&raw)), Codec);
    refused("AtpRepo", "", "encrypted_signing_key", None, Missing);
    refused("AtpRepo", "", "encrypted_signing_key", Some(string("x")), typed("blob", "string"));
    refused("AtpRepo", "", "status", Some(string("asleep")), Unknown("asleep".to_owned()));
    refused("AtpRepo", "", "handles", Some(array(vec![null()])), typed("string", "null"));
    refused("AtpRepo", "", "created", integer(1), typed("timestamp", "integer"));
    refused("AtpRepo", "", "created", time(-1, 0), Time);
    refused("AtpRepo", "", "created", time(0, 1_000_000_000), Time);
    refused("AtpRepo", "", "created", time(0, -1), Time);
    refused("AtpRepo", "", "updated", time(i64::MAX, 0), Time);

    refused("AtpBlock", "", "encoded", None, Missing);
    refused("AtpBlock", "", "seq", None, Missing);
    refused("AtpBlock", "", "seq", integer(-1), Range);
    refused("AtpBlock", "", "repo", Some(string("did:web:a.example")), typed("key", "string"));
    let other = value(ValueType::KeyValue(database().key("Other", "did:web:a.example")));
    refused("AtpBlock", "", "repo", Some(other), EntityProblem::Key);
    refused("AtpBlock", "ops.action", "ops.action", None, Missing);
    refused("AtpBlock", "ops.action", "ops.path", None, Missing);
    refused("AtpBlock", "ops.action", "ops.action", Some(string("move")), Unknown("move".to_owned()));
    refused("AtpBlock", "ops.action", "ops.cid", None, Operation(0));

    refused("AtpSequence", "", "next", None, Missing);
    refused("AtpSequence", "", "next", Some(string("1")), typed("integer", "string"));

    refused("AtpRemoteBlob", "", "status", Some(string("gone")), Unknown("gone".to_owned()));
    refused("AtpRemoteBlob", "", "size", integer(-1), Range);
    refused("AtpRemoteBlob", "", "cid", Some(string(&Cid::for_cbor(b"").to_string())), Codec);
    refused("AtpRemoteBlob", "", "repos", Some(array(vec![string("x")])), typed("key", "string"));
}

#[test]
fn texts_that_are_no_identifiers_are_refused() {
    let Some(entity) = sample("AtpBlock", "ops.action") else { return };
    let with = |property: &str, to: Value| {
        let mut entity = entity.clone();
        entity.properties.insert(property.to_owned(), to);
        AtpBlock::from_entity(entity).unwrap_err()
    };
    assert!(matches!(with("ops.path", string("no path")).problem, EntityProblem::Syntax(_)));
    assert!(matches!(with("ops.cid", string("bafy")).problem, EntityProblem::Cid(_)));
    let key = value(ValueType::KeyValue(database().key("AtpRepo", "alice")));
    assert!(matches!(with("repo", key).problem, EntityProblem::Syntax(_)));
}

#[test]
fn keys_have_to_fit_the_kind() {
    let Some(repo) = sample("AtpRepo", "") else { return };
    let with = |key: Option<Key>| {
        let error = AtpRepo::from_entity(Entity { key, ..repo.clone() }).unwrap_err();
        assert_eq!((error.kind, error.property), ("AtpRepo", "__key__"));
        error.problem
    };
    assert_eq!(with(None), EntityProblem::Key);
    assert_eq!(with(Some(database().key("AtpBlock", "did:web:a.example"))), EntityProblem::Key);
    let mut below = database().key("AtpRepo", "did:web:a.example");
    below.path.push(below.path[0].clone());
    assert_eq!(with(Some(below)), EntityProblem::Key);
    assert!(matches!(with(Some(database().key("AtpRepo", "alice"))), EntityProblem::Syntax(_)));
}

#[test]
fn long_urls_are_cut_by_characters() {
    let url = format!("https://a.example/{}", "ä".repeat(2_000));
    let blob = AtpRemoteBlob::new(&url);
    assert_eq!((blob.name.chars().count(), blob.url()), (1_500, url.as_str()));
    let entity = blob.to_entity(&database()).unwrap();
    assert!(entity.properties["url"].exclude_from_indexes);
    assert_eq!(entity.key, Some(AtpRemoteBlob::key(&database(), &url)));
    assert_eq!(AtpRemoteBlob::from_entity(entity).unwrap(), blob);
}

#[test]
fn encrypted_keys_do_not_show() {
    let Some(entity) = sample("AtpRepo", "") else { return };
    assert!(!format!("{:?}", AtpRepo::from_entity(entity).unwrap()).contains("encrypted"));
}
