//! The directory's rules.

use super::support::{Hands, key, state};
use arroba_core::{data::Cid, did, handle, syntax::Did};
use arroba_identity::plc::{
    Directory, JournalError, Operation, PlcDirectory as _, PlcError, RECOVERY_WINDOW, Unsigned,
    did_from_genesis, verify_log,
};
use proptest::prelude::*;
use std::time::Duration;

struct Identity {
    directory: Directory,
    did: Did,
    genesis: Cid,
    hands: Hands,
}

impl Identity {
    /// An identity with the rotation keys 1, 2 and 3, in this order.
    fn new() -> Self {
        let hands = Hands::new();
        let directory = Directory::new(hands.clock());
        let genesis = Unsigned::genesis(state(&[1, 2, 3])).sign(&key(3)).unwrap();
        let did = did_from_genesis(&genesis);
        let cid = genesis.cid();
        directory.accept(&did, genesis).unwrap();
        Self { directory, did, genesis: cid, hands }
    }

    fn submit(&self, operation: Operation) -> Result<Cid, String> {
        let cid = operation.cid();
        match self.directory.accept(&self.did, operation) {
            Ok(()) => Ok(cid),
            Err(PlcError::Rejected { status, message }) => {
                assert_eq!(status, 400);
                Err(message)
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn update(&self, prev: Cid, signer: u8) -> Result<Cid, String> {
        self.submit(Unsigned::update(prev, state(&[1, 2, 3])).sign(&key(signer)).unwrap())
    }

    fn nullified(&self) -> Vec<bool> {
        self.directory.log(&self.did).unwrap().entries().iter().map(|entry| entry.nullified).collect()
    }
}

#[tokio::test]
async fn updates_and_the_end() {
    let identity = Identity::new();
    let new = state(&[2]).with_handle(&handle!("bob.test"));
    let update =
        identity.submit(Unsigned::update(identity.genesis, new.clone()).sign(&key(1)).unwrap()).unwrap();
    assert_eq!(identity.directory.state(&identity.did).await.unwrap(), new);
    assert_eq!(identity.directory.last_operation(&identity.did).await.unwrap().cid(), update);
    // Key 1 has given itself up.
    assert_eq!(identity.update(update, 1), Err("invalid signature".to_owned()));
    let end = identity.submit(Unsigned::tombstone(update).sign(&key(2)).unwrap()).unwrap();
    assert!(matches!(identity.directory.state(&identity.did).await, Err(PlcError::Tombstoned)));
    assert!(matches!(identity.directory.document(&identity.did).await, Err(PlcError::Tombstoned)));
    assert_eq!(identity.directory.last_operation(&identity.did).await.unwrap().cid(), end);
    assert_eq!(identity.update(end, 2), Err("operation follows on a tombstone".to_owned()));
    let other = did!("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(matches!(identity.directory.state(&other).await, Err(PlcError::NotFound)));
    assert!(matches!(identity.directory.audit_log(&other).await, Err(PlcError::NotFound)));
}

#[test]
fn the_first_operation() {
    let directory = Directory::new(Hands::new().clock());
    let genesis = Unsigned::genesis(state(&[1])).sign(&key(1)).unwrap();
    let did = did_from_genesis(&genesis);
    assert!(directory.accept(&did!("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), genesis.clone()).is_err());
    let unauthorised = Unsigned::genesis(state(&[1])).sign(&key(2)).unwrap();
    assert!(directory.accept(&did_from_genesis(&unauthorised), unauthorised).is_err());
    let update = Unsigned::update(genesis.cid(), state(&[1])).sign(&key(1)).unwrap();
    assert!(directory.accept(&did, update).is_err());
    let tombstone = Unsigned::tombstone(genesis.cid()).sign(&key(1)).unwrap();
    assert!(directory.accept(&did, tombstone).is_err());
    assert!(matches!(directory.log(&did), Err(PlcError::NotFound)));
    directory.accept(&did, genesis.clone()).unwrap();
    assert!(directory.accept(&did, genesis).is_err());
    assert_eq!(directory.log(&did).unwrap().entries().len(), 1);
}

#[test]
fn mightier_keys_recover_within_72_hours() {
    let identity = Identity::new();
    let second = identity.update(identity.genesis, 2).unwrap();
    let third = identity.update(second, 3).unwrap();
    // Key 3 is weaker than key 2, who signed what would be nullified; so is key 2 itself.
    for signer in [2, 3] {
        assert_eq!(identity.update(identity.genesis, signer), Err("invalid signature".to_owned()));
    }
    let recovery = identity.update(identity.genesis, 1).unwrap();
    assert_eq!(identity.nullified(), [false, true, true, false]);
    for nullified in [second, third] {
        assert_eq!(
            identity.update(nullified, 1),
            Err("operation does not follow on a valid operation".to_owned())
        );
    }
    let next = identity.update(recovery, 3).unwrap();
    identity.hands.advance(RECOVERY_WINDOW + Duration::from_secs(1));
    assert_eq!(identity.update(recovery, 1), Err("recovery is more than 72 hours late".to_owned()));
    identity.update(next, 3).unwrap();
    let log = identity.directory.log(&identity.did).unwrap();
    verify_log(&identity.did, log.entries().to_vec()).unwrap();
}

#[test]
fn the_window_is_inclusive_and_ends_are_recoverable() {
    let identity = Identity::new();
    identity.submit(Unsigned::tombstone(identity.genesis).sign(&key(2)).unwrap()).unwrap();
    // The directory's time went on by one millisecond with the second operation.
    identity.hands.advance(RECOVERY_WINDOW + Duration::from_millis(1));
    identity.update(identity.genesis, 1).unwrap();
    assert_eq!(identity.nullified(), [false, true, false]);
}

#[test]
fn floods_are_stopped_but_recoveries_are_not() {
    let identity = Identity::new();
    let mut last = identity.genesis;
    for _ in 1..10 {
        last = identity.update(last, 3).unwrap();
    }
    let refusal = identity.update(last, 3).unwrap_err();
    assert!(refusal.contains("too many operations"), "{refusal}");
    let recovery = identity.update(identity.genesis, 1).unwrap();
    identity.hands.advance(Duration::from_secs(3601));
    identity.update(recovery, 3).unwrap();
}

#[test]
fn numbers_have_no_gaps() {
    let identity = Identity::new();
    let mut last = identity.genesis;
    for _ in 0..4 {
        last = identity.update(last, 2).unwrap();
        identity.update(last, 7).unwrap_err();
    }
    let seqs = |after, count| -> Vec<u64> {
        identity.directory.export(after, count).iter().map(|operation| operation.seq).collect()
    };
    assert_eq!(seqs(0, 1000), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(2, 2), [3, 4]);
    assert_eq!(seqs(5, 1), [0; 0]);
    assert_eq!(seqs(u64::MAX, 1), [0; 0]);
    assert_eq!(*identity.directory.newest().borrow(), 5);
    let third = &identity.directory.export(2, 1)[0].entry;
    let since = identity.directory.export_since(&third.created_at, 1000);
    assert_eq!(since.len(), 2);
    assert_eq!(since[0].seq, 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is accepted gives a log that verifies, and whose valid operations are one chain.
    #[test]
    fn accepted_logs_verify(
        steps in prop::collection::vec((0..8_usize, 1..5_u8, 0..40_u64, any::<bool>()), 1..20)
    ) {
        let identity = Identity::new();
        let mut cids = vec![identity.genesis];
        for (back, signer, hours, end) in steps {
            identity.hands.advance(Duration::from_secs(hours * 3600));
            let prev = cids[cids.len().saturating_sub(back + 1)];
            let operation = if end && back == 0 { Unsigned::tombstone(prev) } else {
                Unsigned::update(prev, state(&[1, 2, 3]))
            };
            if let Ok(cid) = identity.submit(operation.sign(&key(signer)).unwrap()) {
                cids.push(cid);
            }
        }
        let log = identity.directory.log(&identity.did).unwrap();
        prop_assert_eq!(log.entries().len(), cids.len());
        let verified = verify_log(&identity.did, log.entries().to_vec()).unwrap();
        let chain: Vec<_> = verified.valid().collect();
        prop_assert_eq!(chain[0].operation.prev(), None);
        for pair in chain.windows(2) {
            prop_assert_eq!(pair[1].operation.prev(), Some(pair[0].cid));
        }
    }
}

#[tokio::test]
async fn a_directory_on_a_file_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plc.jsonl");
    let hands = Hands::new();
    let directory = Directory::open(&path, hands.clock()).unwrap();
    assert!(matches!(Directory::open(&path, hands.clock()), Err(JournalError::Locked)));
    let genesis = Unsigned::genesis(state(&[1, 2, 3])).sign(&key(3)).unwrap();
    let did = did_from_genesis(&genesis);
    let next = Unsigned::update(genesis.cid(), state(&[1])).sign(&key(1)).unwrap();
    let refused = Unsigned::update(genesis.cid(), state(&[1])).sign(&key(9)).unwrap();
    directory.accept(&did, genesis).unwrap();
    assert!(directory.accept(&did, refused).is_err());
    directory.accept(&did, next).unwrap();
    let before = directory.export(0, 10);
    drop(directory);

    // A crash may leave the beginning of a line that was never answered.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"did\":\"did:plc:")).unwrap();
    let directory = Directory::open(&path, hands.clock()).unwrap();
    assert_eq!(directory.export(0, 10), before);
    assert_eq!(*directory.newest().borrow(), 2);
    let last = directory.last_operation(&did).await.unwrap().cid();
    directory.accept(&did, Unsigned::update(last, state(&[1, 2])).sign(&key(1)).unwrap()).unwrap();
    drop(directory);
    assert_eq!(Directory::open(&path, hands.clock()).unwrap().export(0, 10).len(), 3);

    // Whatever else does not fit is a damage that somebody has to look at.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert!(matches!(Directory::open(&path, hands.clock()), Err(JournalError::Line { line: 1, .. })));
}
