//! Entities of Google Cloud Datastore, as the service sends them.

use std::fmt::Debug;

use arroba_core::{
    data::Cid,
    event::Frame,
    syntax::{Did, RecordPath, Tid},
};
use arroba_store::RemoteAttempt;
use arroba_store::datastore::{
    Database,
    api::Entity,
    entity::{
        ArrobaBlob, ArrobaBlobEpoch, ArrobaBlobRef, ArrobaImport, ArrobaObject, ArrobaReservation, AtpBlock,
        AtpRemoteBlob, AtpRepo, AtpSequence, EntityError, PendingImport, Upload,
    },
    stored_event,
    testing::{entity_from_json, entity_from_protobuf, entity_to_protobuf},
};

use crate::fixtures;

/// One entity, in protobuf, read as each kind; and one event, as it is stored in a block.
pub fn target(data: &[u8]) {
    event(data);
    let Some(entity) = entity_from_protobuf(data) else { return };
    let database = Database::new("app", "").expect("a name of letters");
    both_ways(&entity, AtpRepo::from_entity, |repo| repo.to_entity(&database));
    both_ways(&entity, AtpBlock::from_entity, |block| block.to_entity(&database));
    both_ways(&entity, AtpSequence::from_entity, |sequence| sequence.to_entity(&database));
    both_ways(&entity, ArrobaReservation::from_entity, |reservation| reservation.to_entity(&database));
    both_ways(&entity, AtpRemoteBlob::from_entity, |blob| blob.to_entity(&database));
    remote_blob(&database, &entity);
    both_ways(&entity, ArrobaBlob::from_entity, |blob| blob.to_entity(&database));
    both_ways(&entity, ArrobaBlobEpoch::from_entity, |epoch| epoch.to_entity(&database));
    both_ways(&entity, ArrobaBlobRef::from_entity, |reference| reference.to_entity(&database));
    both_ways(&entity, ArrobaObject::from_entity, |object| object.to_entity(&database));
    both_ways(&entity, ArrobaImport::from_entity, |import| import.to_entity(&database));
}

/// Changed, an entity says what was set, and keeps what nobody knows.
fn remote_blob(database: &Database, entity: &Entity) {
    let Ok(mut stored) = AtpRemoteBlob::from_entity(entity.clone()) else { return };
    let Ok(mut blob) = stored.to_remote_blob() else { return };
    blob.attempted(7, RemoteAttempt::Gone);
    stored.set(&blob);
    let written = stored.onto(database, entity.clone()).expect("what was read is in range");
    assert!(entity.properties.keys().all(|name| written.properties.contains_key(name)));
    let again = AtpRemoteBlob::from_entity(written).expect("our own entity");
    assert_eq!((again.repos.as_slice(), again.inactive), (stored.repos.as_slice(), true));
}

/// What is stored as an event makes a frame, or is refused.
fn event(data: &[u8]) {
    if let Ok(Some((_, draft))) = stored_event(data) {
        Frame::decode(&draft.fill(1)).expect("an event makes a frame");
    }
}

/// What can be read can be written, and reads as the same then.
fn both_ways<T: PartialEq + Debug>(
    entity: &Entity,
    read: fn(Entity) -> Result<T, EntityError>,
    write: impl Fn(&T) -> Result<Entity, EntityError>,
) {
    let Ok(value) = read(entity.clone()) else { return };
    let written = write(&value).expect("what was read is in range");
    let again = read(written.clone()).expect("our own entity");
    assert_eq!(again, value);
    let bytes = entity_to_protobuf(&written);
    assert_eq!(entity_from_protobuf(&bytes).as_ref(), Some(&written));
    assert_eq!(write(&again).expect("the same again"), written);
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let database = Database::new("app", "").expect("a name of letters");
    let blob = AtpRemoteBlob::new("https://a.example/picture.png").to_entity(&database);
    let mut seeds = vec![entity_to_protobuf(&blob.expect("nothing is out of range"))];
    seeds.extend(of_blobs(&database).map(|entity| entity_to_protobuf(&entity.expect("small numbers"))));
    let samples = fixtures::read("arroba/datastore-entities.json");
    let samples = samples.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let samples = samples.as_ref().and_then(|json| json.get("entities")?.as_array());
    for json in samples.into_iter().flatten() {
        let entity = entity_from_json(json).expect("a sample is an entity");
        seeds.push(entity_to_protobuf(&entity));
        if let Ok(block) = AtpBlock::from_entity(entity) {
            seeds.push(block.encoded.to_vec());
        }
    }
    seeds
}

/// One of each kind that is about blobs.
fn of_blobs(database: &Database) -> [Result<Entity, EntityError>; 5] {
    let did: Did = "did:web:a.example".parse().expect("a DID");
    let path: RecordPath = "com.example.note/self".parse().expect("a path");
    let cid = Cid::for_raw(b"bytes");
    let upload = Upload { object: "object".into(), mime_type: "text/plain".into(), size: 5, uploaded: 1 };
    let blob = ArrobaBlob { did: did.clone(), cid, epoch: 1, refs: 0, upload: Some(upload) };
    let rev = Tid::from_micros(7, 0);
    let records = [(path.clone(), [cid].into())].into();
    let reference = ArrobaBlobRef { did: did.clone(), path, epoch: 1, rev, blobs: [cid].into() };
    let part = ArrobaImport { did: did.clone(), import: "7f".into(), part: 0, since: 1, records };
    let import = Some(PendingImport { import: "7f".into(), parts: 1, rev });
    let epoch = ArrobaBlobEpoch { unswept: true, import, ..ArrobaBlobEpoch::new(did, 1) };
    let object = ArrobaObject { object: "object".into(), pending_since: Some(1) };
    [
        blob.to_entity(database),
        reference.to_entity(database),
        epoch.to_entity(database),
        object.to_entity(database),
        part.to_entity(database),
    ]
}
