//! Changing identities in a directory: by the owner, by others, in time and too late.

use super::support::{Hands, key, serve, state};
use arroba_core::{
    crypto::{PrivateKey, Signer as _},
    data::{Map, Value, cbor},
    handle,
    syntax::{Datetime, Did, Handle},
};
use arroba_identity::plc::{
    self, ChangeError, Directory, DirectoryClient, LimitError, LogEntry, LogError, Operation, PlcDirectory,
    PlcError, RECOVERY_WINDOW, State, did_from_genesis,
};
use async_trait::async_trait;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

struct World {
    hands: Hands,
    directory: Directory,
    did: Did,
}

impl World {
    /// An identity with the rotation keys 1 and 2.
    async fn new() -> Self {
        let hands = Hands::new();
        let directory = Directory::without_rate_limits(hands.clock());
        let did = plc::create(&directory, state(&[1, 2]), &key(2)).await.unwrap().did;
        hands.advance(Duration::from_secs(60));
        Self { hands, directory, did }
    }

    async fn update(&self, signer: u8, change: impl FnOnce(State) -> State + Send) -> Operation {
        let operation = plc::update(&self.directory, &self.did, &key(signer), change).await.unwrap();
        self.hands.advance(Duration::from_secs(60));
        operation
    }

    async fn roll_back(&self, operations: usize, signer: u8) -> Result<Operation, ChangeError> {
        plc::roll_back(&self.directory, &self.did, operations, &key(signer)).await
    }

    async fn recover(&self, operations: usize, signer: u8) -> Result<plc::Recovered, ChangeError> {
        plc::recover(&self.directory, &self.did, operations, &key(signer), &self.hands.clock()).await
    }

    async fn state(&self) -> State {
        self.directory.state(&self.did).await.unwrap()
    }

    fn log(&self) -> Vec<LogEntry> {
        self.directory.log(&self.did).unwrap().entries().to_vec()
    }
}

fn keys(bytes: &[u8]) -> Vec<arroba_core::crypto::PublicKey> {
    bytes.iter().map(|byte| key(*byte).public_key()).collect()
}

const BOB: Handle = handle!("bob.test");
const CAROL: Handle = handle!("carol.test");

#[tokio::test]
async fn created_changed_rolled_back_and_ended() {
    let world = World::new().await;
    let renamed = world.update(1, |state| state.with_handle(&BOB)).await;
    assert_eq!(renamed.state().unwrap().also_known_as, ["at://bob.test"]);
    world.update(2, |state| state.with_pds("https://other.test")).await;
    world.update(2, |state| state.with_signing_key(&key(7).public_key())).await;

    world.roll_back(1, 2).await.unwrap();
    assert_eq!(world.state().await.signing_key(), Some(key(9).public_key()));
    assert_eq!(world.state().await.services["atproto_pds"].endpoint, "https://other.test");
    // Past the roll-back itself, which is an operation like any other.
    let rolled = world.roll_back(4, 1).await.unwrap();
    assert_eq!(world.state().await, state(&[1, 2]));
    assert_eq!(rolled.prev(), Some(world.log()[4].cid));
    let log = world.log();
    assert_eq!((log.len(), log.iter().filter(|entry| entry.nullified).count()), (6, 0));

    // No time limit for the one who holds the keys.
    world.hands.advance(RECOVERY_WINDOW * 10);
    world.roll_back(4, 2).await.unwrap();
    assert_eq!(world.state().await.also_known_as, ["at://bob.test"]);

    plc::tombstone(&world.directory, &world.did, &key(1)).await.unwrap();
    assert!(matches!(world.directory.state(&world.did).await, Err(PlcError::Tombstoned)));
    for error in [
        plc::update(&world.directory, &world.did, &key(1), |state| state.with_handle(&CAROL))
            .await
            .unwrap_err(),
        plc::tombstone(&world.directory, &world.did, &key(1)).await.unwrap_err(),
        world.roll_back(1, 1).await.unwrap_err(),
    ] {
        assert!(matches!(error, ChangeError::Directory(PlcError::Tombstoned)), "{error:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_rolled_back() {
    let world = World::new().await;
    for (asked, most) in [(0, 0), (1, 0)] {
        let error = world.roll_back(asked, 1).await.unwrap_err();
        assert!(
            matches!(error, ChangeError::Operations { asked: a, most: m } if (a, m) == (asked, most)),
            "{error:?}"
        );
    }
    world.update(1, |state| state.with_handle(&BOB)).await;
    for asked in [0, 2, usize::MAX] {
        let error = world.roll_back(asked, 1).await.unwrap_err();
        assert!(matches!(error, ChangeError::Operations { most: 1, .. }), "{error:?}");
        let error = world.recover(asked, 1).await.unwrap_err();
        assert!(matches!(error, ChangeError::Operations { most: 1, .. }), "{error:?}");
    }
    let error = world.roll_back(1, 5).await.unwrap_err();
    assert!(
        matches!(&error, ChangeError::NotRotationKey { key: k } if *k == key(5).public_key().to_did_key()),
        "{error:?}"
    );
    assert_eq!(world.log().len(), 2);
    let unknown = arroba_core::did!("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    let error = plc::roll_back(&world.directory, &unknown, 1, &key(1)).await.unwrap_err();
    assert!(matches!(error, ChangeError::Directory(PlcError::NotFound)), "{error:?}");
}

#[tokio::test]
async fn rotation_keys_are_replaced_and_come_back() {
    let world = World::new().await;
    world.update(2, |state| state.with_rotation_keys(keys(&[3]))).await;
    assert!(matches!(world.roll_back(1, 1).await, Err(ChangeError::NotRotationKey { .. })));
    world.update(3, |state| state.with_handle(&BOB)).await;
    world.roll_back(2, 3).await.unwrap();
    assert_eq!(world.state().await, state(&[1, 2]));
    assert!(matches!(world.roll_back(1, 3).await, Err(ChangeError::NotRotationKey { .. })));
}

#[tokio::test]
async fn nothing_is_submitted_where_nothing_changes() {
    let world = World::new().await;
    let same = world.update(1, |state| state.with_handle(&handle!("alice.test"))).await;
    assert_eq!((world.log().len(), same.prev()), (1, None));
}

#[tokio::test]
async fn identities_that_nobody_could_change_are_not_made() {
    let directory = Directory::new(Hands::new().clock());
    let error = plc::create(&directory, state(&[1]), &key(2)).await.unwrap_err();
    assert!(matches!(error, ChangeError::NotRotationKey { .. }), "{error:?}");
    let error = plc::create(&directory, state(&[1, 2, 3, 4, 5, 6]), &key(1)).await.unwrap_err();
    assert!(matches!(error, ChangeError::Limit(LimitError::Entries("rotationKeys"))), "{error:?}");
    assert_eq!(*directory.newest().borrow(), 0);
}

/// Key 2 was stolen: its thief has taken the rotation keys and the handle.
async fn stolen() -> World {
    let world = World::new().await;
    world.update(2, |state| state.with_rotation_keys(keys(&[3]))).await;
    world.update(3, |state| state.with_handle(&CAROL)).await;
    world
}

#[tokio::test]
async fn a_mightier_key_takes_the_identity_back() {
    let world = stolen().await;
    assert!(matches!(world.roll_back(2, 1).await, Err(ChangeError::NotRotationKey { .. })));
    // The thief has only the key that signed it all, and the one that came with it.
    assert!(matches!(world.recover(2, 2).await, Err(ChangeError::NotMightier { .. })));
    assert!(matches!(world.recover(2, 3).await, Err(ChangeError::NotRotationKey { .. })));
    // Half of it is not the owner's to undo.
    assert!(matches!(world.recover(1, 1).await, Err(ChangeError::NotRotationKey { .. })));
    let log = world.log();
    let recovered = world.recover(2, 1).await.unwrap();
    assert_eq!(recovered.nullified, [log[1].cid, log[2].cid]);
    assert_eq!(recovered.operation.prev(), Some(log[0].cid));
    assert_eq!(world.state().await, state(&[1, 2]));
    let marks: Vec<bool> = world.log().iter().map(|entry| entry.nullified).collect();
    assert_eq!(marks, [false, true, true, false]);
    // What is nullified is not counted: the only operation to undo now is the recovery.
    assert!(matches!(world.roll_back(2, 1).await, Err(ChangeError::Operations { most: 1, .. })));
}

#[tokio::test]
async fn a_recovery_is_in_time_for_72_hours_to_the_millisecond() {
    for (late, in_time) in [(Duration::ZERO, true), (Duration::from_millis(1), false)] {
        let world = stolen().await;
        let theft = world.log()[1].created_at.clone();
        // Two minutes have gone since, one after each operation.
        world.hands.advance(RECOVERY_WINDOW - Duration::from_secs(120) + late);
        match world.recover(2, 1).await {
            Ok(recovered) => assert!(in_time && recovered.nullified.len() == 2),
            Err(ChangeError::LateRecovery { of }) => {
                assert!(!in_time);
                assert_eq!(of, theft);
                assert_eq!(world.state().await.also_known_as, ["at://carol.test"]);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_tombstone_is_recovered_from() {
    let world = World::new().await;
    plc::tombstone(&world.directory, &world.did, &key(2)).await.unwrap();
    assert!(matches!(world.recover(1, 2).await, Err(ChangeError::NotMightier { .. })));
    world.recover(1, 1).await.unwrap();
    assert_eq!(world.state().await, state(&[1, 2]));
}

#[tokio::test]
async fn the_same_over_http() {
    let hands = Hands::new();
    let directory = Directory::without_rate_limits(hands.clock());
    let url = format!("http://{}", serve(directory.router()).await);
    let client = DirectoryClient::new(&url).unwrap();
    let created = plc::create(&client, state(&[1, 2]), &key(1)).await.unwrap();
    plc::update(&client, &created.did, &key(2), |state| state.with_handle(&BOB)).await.unwrap();
    plc::roll_back(&client, &created.did, 1, &key(2)).await.unwrap();
    assert_eq!(directory.state(&created.did).await.unwrap(), state(&[1, 2]));
    let clock = hands.clock();
    let recovered = plc::recover(&client, &created.did, 2, &key(1), &clock).await.unwrap();
    assert_eq!(recovered.nullified.len(), 2);
    plc::tombstone(&client, &created.did, &key(1)).await.unwrap();
    assert_eq!(directory.log(&created.did).unwrap().entries().len(), 5);
}

/// A directory with one log, that says nothing useful to a submission.
#[derive(Debug)]
struct Fixed {
    log: Mutex<Vec<LogEntry>>,
    keeps: AtomicBool,
}

impl Fixed {
    fn new(log: Vec<LogEntry>) -> Self {
        Self { log: Mutex::new(log), keeps: AtomicBool::new(true) }
    }
}

#[async_trait]
impl PlcDirectory for Fixed {
    async fn document(&self, _: &Did) -> Result<serde_json::Value, PlcError> {
        Err(PlcError::NotFound)
    }

    async fn state(&self, _: &Did) -> Result<State, PlcError> {
        Err(PlcError::NotFound)
    }

    async fn audit_log(&self, _: &Did) -> Result<Vec<LogEntry>, PlcError> {
        Ok(self.log.lock().unwrap().clone())
    }

    async fn last_operation(&self, _: &Did) -> Result<Operation, PlcError> {
        self.log.lock().unwrap().last().map(|entry| entry.operation.clone()).ok_or(PlcError::NotFound)
    }

    async fn submit(&self, did: &Did, operation: &Operation) -> Result<(), PlcError> {
        if self.keeps.load(Ordering::SeqCst) {
            let mut log = self.log.lock().unwrap();
            let created_at = Datetime::from_unix_millis(log.len() as u64);
            log.push(entry(did, operation.clone(), created_at));
        }
        Err(PlcError::Unavailable("the answer is lost".into()))
    }
}

fn entry(did: &Did, operation: Operation, created_at: Datetime) -> LogEntry {
    LogEntry { did: did.clone(), cid: operation.cid(), operation, nullified: false, created_at }
}

#[tokio::test]
async fn a_lost_answer_is_no_failure() {
    let directory = Fixed::new(Vec::new());
    let created = plc::create(&directory, state(&[1]), &key(1)).await.unwrap();
    plc::update(&directory, &created.did, &key(1), |state| state.with_handle(&BOB)).await.unwrap();
    plc::roll_back(&directory, &created.did, 1, &key(1)).await.unwrap();
    directory.keeps.store(false, Ordering::SeqCst);
    let error = plc::roll_back(&directory, &created.did, 1, &key(1)).await.unwrap_err();
    assert!(matches!(error, ChangeError::Directory(PlcError::Unavailable(_))), "{error:?}");
    assert_eq!(directory.log.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_directory_is_not_believed() {
    let world = World::new().await;
    world.update(1, |state| state.with_handle(&BOB)).await;
    let mut log = world.log();
    log[0].operation = log[1].operation.clone();
    let directory = Fixed::new(log);
    let error = plc::roll_back(&directory, &world.did, 1, &key(1)).await.unwrap_err();
    assert!(matches!(error, ChangeError::Log(LogError::WrongCid(_))), "{error:?}");
    assert_eq!(directory.log.lock().unwrap().len(), 2);
    let directory = Fixed::new(Vec::new());
    let error = plc::roll_back(&directory, &world.did, 1, &key(1)).await.unwrap_err();
    assert!(matches!(error, ChangeError::Log(LogError::Empty)), "{error:?}");
}

/// Back to an operation in the form of the first years: its meaning comes back, in the form of today.
#[tokio::test]
async fn back_to_the_first_years() {
    let genesis = legacy(&key(1), &key(9));
    let did = did_from_genesis(&genesis);
    let directory = Fixed::new(vec![entry(&did, genesis.clone(), Datetime::from_unix_millis(0))]);
    plc::update(&directory, &did, &key(1), |state| state.with_handle(&BOB)).await.unwrap();
    let back = plc::roll_back(&directory, &did, 1, &key(1)).await.unwrap();
    assert_eq!(back.state(), genesis.state());
    assert_eq!(back.to_json()["type"], "plc_operation");
}

fn legacy(recovery: &PrivateKey, signing: &PrivateKey) -> Operation {
    let mut fields = Map::new();
    for (name, value) in [
        ("type", "create".to_owned()),
        ("signingKey", signing.public_key().to_did_key()),
        ("recoveryKey", recovery.public_key().to_did_key()),
        ("handle", "alice.test".to_owned()),
        ("service", "https://pds.test".to_owned()),
    ] {
        fields.insert(name, value);
    }
    fields.insert("prev", Value::Null);
    let signature = signing.sign(&cbor::encode(&Value::Map(fields.clone()))).to_base64url();
    fields.insert("sig", signature);
    Operation::from_value(Value::Map(fields)).unwrap()
}
