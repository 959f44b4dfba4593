//! Accounts come, change and go.

use arroba::core::crypto::{Curve, PrivateKey, Signer};
use arroba::core::event::{AccountStatus, Frame};
use arroba::core::syntax::{Did, Handle};
use arroba::core::{nsid, record_key};
use arroba::identity::plc::{self, PlcDirectory};
use arroba::store::seal::SealedKeys;
use arroba::store::{RepoStatus, RepoStore as _, StoredEvent};
use arroba::{Announcement, HostError, NewRepo, Write};
use serde_json::json;

use super::fixture::{START_SEQ, World, kinds};

fn account(event: &StoredEvent) -> (bool, Option<AccountStatus>) {
    match Frame::decode(&event.frame).unwrap() {
        Frame::Account(_, account) => (account.active, account.status),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn creation_is_announced_in_one_step_and_in_order() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let events = world.events().await;
    assert_eq!(kinds(&events), ["#identity", "#account", "#commit", "#sync"]);
    assert_eq!(events[0].seq, START_SEQ);
    assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert_eq!(account(&events[1]), (true, None));
    let Frame::Commit(_, commit) = Frame::decode(&events[2].frame).unwrap() else { panic!() };
    let Frame::Sync(_, sync) = Frame::decode(&events[3].frame).unwrap() else { panic!() };
    assert_eq!((commit.since, commit.prev_data, commit.ops.len()), (None, None, 0));
    assert_eq!(commit.rev, sync.rev);
    assert_eq!(alice.head().await.unwrap(), (commit.commit, commit.rev));
    assert_eq!(world.verify(&events).await, 1);

    let state = world.directory.state(alice.did()).await.unwrap();
    assert_eq!(state.also_known_as, ["at://alice.pds.test"]);
    assert_eq!(state.services["atproto_pds"].endpoint, "https://pds.test");
}

#[tokio::test]
async fn a_handle_is_given_once() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let again = world.host.create_repo(NewRepo::plc("alice.pds.test".parse().unwrap())).await;
    assert!(matches!(again, Err(HostError::HandleTaken(_))), "{again:?}");
    assert_eq!(world.events().await.len(), 4);
    alice.delete().await.unwrap();
    world.account("alice").await;
}

#[tokio::test]
async fn an_identity_from_elsewhere_starts_silent_and_deactivated() {
    let world = World::new().await;
    let did: Did = "did:web:carol.test".parse().unwrap();
    let handle: Handle = "carol.test".parse().unwrap();
    let carol = world.host.create_repo(NewRepo::existing(did.clone(), Some(handle))).await.unwrap();
    assert!(world.events().await.is_empty());
    assert_eq!(carol.row().await.unwrap().unwrap().status, RepoStatus::Deactivated);
    let write = carol.commit([Write::create(nsid!("com.example.note"), json!({}))]).await;
    assert!(matches!(write, Err(HostError::RepoInactive { status: RepoStatus::Deactivated, .. })));
    let again = world.host.create_repo(NewRepo::existing(did, None)).await;
    assert!(matches!(again, Err(HostError::RepoExists(_))), "{again:?}");

    carol.set_status(RepoStatus::Active).await.unwrap();
    assert_eq!(kinds(&world.events().await), ["#account", "#identity", "#sync"]);
    carol.commit([Write::create(nsid!("com.example.note"), json!({}))]).await.unwrap();
}

#[tokio::test]
async fn deactivation_and_reactivation() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let start = world.host.newest_seq();
    alice.set_status(RepoStatus::Active).await.unwrap();
    assert_eq!(world.host.newest_seq(), start, "nothing changed, so nothing is said");
    alice.set_status(RepoStatus::Deactivated).await.unwrap();
    alice.set_status(RepoStatus::Active).await.unwrap();
    let events = world.events_after(start).await;
    assert_eq!(kinds(&events), ["#account", "#account", "#identity", "#sync"]);
    assert_eq!(account(&events[0]), (false, Some(AccountStatus::Deactivated)));
    assert_eq!(account(&events[1]), (true, None));
    world.verify(&events).await;
    for status in [RepoStatus::Creating, RepoStatus::Takendown, RepoStatus::Deleted] {
        assert!(alice.set_status(status).await.is_err());
    }
}

#[tokio::test]
async fn takedown_hides_history_until_it_is_lifted() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let bob = world.account("bob").await;
    let before = world.events().await;
    assert_eq!(before.len(), 8);

    world.host.take_down(alice.did(), Some("case 1".to_owned())).await.unwrap();
    let events = world.events().await;
    assert_eq!(kinds(&events), ["#identity", "#account", "#commit", "#sync", "#account"]);
    assert!(events[..4].iter().all(|event| event.did == *bob.did()));
    assert_eq!(account(&events[4]), (false, Some(AccountStatus::Takendown)));
    let write = alice.commit([Write::create(nsid!("com.example.note"), json!({}))]).await;
    assert!(matches!(write, Err(HostError::RepoInactive { status: RepoStatus::Takendown, .. })));

    // The owner's own decision waits.
    let seq = world.host.newest_seq();
    alice.set_status(RepoStatus::Deactivated).await.unwrap();
    assert_eq!(world.host.newest_seq(), seq);
    world.host.take_down(alice.did(), None).await.unwrap();
    let events = world.events().await;
    assert_eq!(events[..8], before[..]);
    assert_eq!(account(events.last().unwrap()), (false, Some(AccountStatus::Deactivated)));
}

#[tokio::test]
async fn deletion_leaves_only_the_news_of_it() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let path = (nsid!("com.example.note"), record_key!("one"));
    alice.commit([Write::put(path.0, path.1, json!({"text": "hi"}))]).await.unwrap();
    let rev = alice.head().await.unwrap().1;
    alice.delete().await.unwrap();
    let events = world.events().await;
    assert_eq!(kinds(&events), ["#account"]);
    assert_eq!(account(&events[0]), (false, Some(AccountStatus::Deleted)));
    assert!(matches!(alice.head().await, Err(HostError::RepoNotFound(_))));
    assert!(matches!(alice.delete().await, Err(HostError::RepoNotFound(_))));
    assert!(matches!(alice.export(None).await.err(), Some(HostError::RepoNotFound(_))));

    // If it comes back, its revisions go on growing, whatever the clock says.
    world.clock.set(super::fixture::START_MICROS - 1_000_000);
    let again = world.host.create_repo(NewRepo::existing(alice.did().clone(), None).active()).await.unwrap();
    assert!(again.head().await.unwrap().1 > rev);
}

#[tokio::test]
async fn handles_change_in_the_directory_first() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    world.account("bob").await;
    let start = world.host.newest_seq();
    let operations = *world.directory.newest().borrow();
    alice.update_handle(&"alice.example.com".parse().unwrap()).await.unwrap();
    let state = world.directory.state(alice.did()).await.unwrap();
    assert_eq!(state.also_known_as, ["at://alice.example.com"]);
    // Once more: the directory knows already, and readers are told again.
    alice.update_handle(&"alice.example.com".parse().unwrap()).await.unwrap();
    assert_eq!(*world.directory.newest().borrow(), operations + 1);
    let events = world.events_after(start).await;
    assert_eq!(kinds(&events), ["#identity", "#identity"]);
    let Frame::Identity(_, identity) = Frame::decode(&events[0].frame).unwrap() else { panic!() };
    assert_eq!(identity.handle.unwrap(), "alice.example.com");

    let taken = alice.update_handle(&"bob.pds.test".parse().unwrap()).await;
    assert!(matches!(taken, Err(HostError::HandleTaken(_))));
    assert_eq!(*world.directory.newest().borrow(), operations + 1);
}

#[tokio::test]
async fn an_account_can_bring_its_own_rotation_key() {
    let world = World::new().await;
    let own = PrivateKey::from_bytes(Curve::K256, &[9; 32]).unwrap();
    let public = own.public_key().to_did_key();
    let new = NewRepo::plc("dana.pds.test".parse().unwrap()).own_rotation_key(own);
    let dana = world.host.create_repo(new).await.unwrap();
    let state = world.directory.state(dana.did()).await.unwrap();
    assert_eq!(state.rotation_keys, std::slice::from_ref(&public), "the host's key has no power over it");
    // A later operation is signed with the key that the store keeps; the host's own would be refused.
    dana.update_handle(&"dana.example.com".parse().unwrap()).await.unwrap();
    let state = world.directory.state(dana.did()).await.unwrap();
    assert_eq!(
        (state.also_known_as, state.rotation_keys),
        (vec!["at://dana.example.com".to_owned()], vec![public])
    );
    dana.delete().await.unwrap();
    assert_eq!(dana.row().await.unwrap().unwrap().keys, SealedKeys::none(), "keys go with the account");
}

#[tokio::test]
async fn announcements_say_what_holds() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let start = world.host.newest_seq();
    let all = [Announcement::Identity, Announcement::Account, Announcement::Sync];
    world.host.announce(alice.did(), all).await.unwrap();
    alice.set_status(RepoStatus::Deactivated).await.unwrap();
    world.host.announce(alice.did(), all).await.unwrap();
    let events = world.events_after(start).await;
    assert_eq!(kinds(&events), ["#identity", "#account", "#sync", "#account", "#identity", "#account"]);
    assert_eq!(account(&events[5]), (false, Some(AccountStatus::Deactivated)));
    world.verify(&events).await;
}

#[tokio::test]
async fn two_hosts_live_side_by_side() {
    let (one, two) = (World::new().await, World::new().await);
    one.account("alice").await;
    assert_eq!(one.events().await.len(), 4);
    assert_eq!(two.events().await.len(), 0);
    two.account("alice").await;
    assert_eq!(one.events().await, two.events().await);
}

#[tokio::test]
async fn a_sweep_clears_what_nobody_needs() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let upload = |text: &'static [u8]| {
        let bytes = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(text))]);
        alice.upload_blob(Some("text/plain"), bytes)
    };
    let (kept, unused) = (upload(b"kept").await.unwrap(), upload(b"unused").await.unwrap());
    let image = json!({"$type": "blob", "ref": {"$link": kept.cid}, "mimeType": "text/plain", "size": 4});
    let write = Write::put(nsid!("com.example.note"), record_key!("one"), json!({"image": image}));
    alice.commit([write]).await.unwrap();
    let index = world.host.blob_index();
    let object = |blob: Option<arroba::store::BlobRow>| blob.unwrap().object;
    let kept_object = object(index.blob(alice.did(), &kept.cid).await.unwrap());
    let unused_object = object(index.blob(alice.did(), &unused.cid).await.unwrap());

    world.host.sweep().await.unwrap();
    assert_eq!(world.events().await.len(), 5, "everything is fresh");
    assert!(world.host.blobs().get(&unused_object, None).await.is_ok());

    world.clock.advance(26 * 60 * 60 * 1_000_000);
    alice.update_handle(&"alice.example.com".parse().unwrap()).await.unwrap();
    world.host.sweep().await.unwrap();
    assert_eq!(kinds(&world.events_after(world.host.newest_seq() - 1).await), ["#identity"]);
    assert_eq!(world.store.events(0, 100).await.unwrap().events.len(), 1);
    assert_eq!(index.blob(alice.did(), &unused.cid).await.unwrap(), None);
    assert!(world.host.blobs().get(&unused_object, None).await.is_err());
    assert!(world.host.blobs().get(&kept_object, None).await.is_ok());

    alice.delete().await.unwrap();
    world.host.sweep().await.unwrap();
    assert!(world.host.blobs().get(&kept_object, None).await.is_err());
}

/// Owners who keep their identity's keys to themselves change the directory themselves.
#[tokio::test]
async fn a_handle_that_the_directory_has_needs_no_key_of_ours() {
    let world = World::new().await;
    let own = PrivateKey::from_bytes(Curve::K256, &[9; 32]).unwrap();
    let handle: Handle = "erin.example.com".parse().unwrap();
    let state = plc::State::account([own.public_key()], &own.public_key(), &handle, "https://pds.test");
    let genesis = plc::Unsigned::genesis(state).sign(&own).unwrap();
    let did = plc::did_from_genesis(&genesis);
    world.directory.accept(&did, genesis).unwrap();
    let erin = world.host.create_repo(NewRepo::existing(did, None).active()).await.unwrap();
    let operations = *world.directory.newest().borrow();
    let refused = erin.update_handle(&"other.example.com".parse().unwrap()).await;
    assert!(matches!(refused, Err(HostError::Directory { .. })), "{refused:?}");
    assert_eq!(erin.row().await.unwrap().unwrap().handle, None);
    erin.update_handle(&handle).await.unwrap();
    assert_eq!(erin.row().await.unwrap().unwrap().handle, Some(handle));
    assert_eq!(*world.directory.newest().borrow(), operations, "the directory is told nothing");
}

#[tokio::test]
async fn every_account_has_a_key_of_its_own_and_none_is_stored_open() {
    let world = World::new().await;
    let (alice, bob) = (world.account("alice").await, world.account("bob").await);
    let given = PrivateKey::from_bytes(Curve::K256, &[3; 32]).unwrap();
    let new = NewRepo::plc("carol.pds.test".parse().unwrap()).signing_key(given);
    let carol = world.host.create_repo(new).await.unwrap();
    let mut seen = Vec::new();
    for repo in [&alice, &bob, &carol] {
        let key = world.key(repo.did()).await;
        assert!(!seen.contains(&key), "two accounts have one key");
        let state = world.directory.state(repo.did()).await.unwrap();
        assert!(
            !state.rotation_keys.contains(&key.to_did_key()),
            "who writes posts must not move the identity"
        );
        seen.push(key);
    }
    let sealed = carol.row().await.unwrap().unwrap().keys;
    assert!(!sealed.signing.as_bytes().windows(32).any(|part| part == [3; 32]));
}
