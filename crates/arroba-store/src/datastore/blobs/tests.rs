//! Compared with the index in memory, which looks at everything: the same steps on both.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arroba_core::{
    data::{BlobRef, Cid, Value, cbor},
    repo::Write,
    syntax::{Did, RecordPath, Tid},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    super::{
        Begin, Client, ClientOptions, Lookup, Reads, RpcCounts, Select,
        entity::{ArrobaBlobEpoch, ArrobaHidden, ArrobaImport},
        testing::{Emulator, Strict, StrictOptions},
        upsert,
    },
    *,
};
use crate::{
    ApplyError, BlobIndex, BlobRow, Change, ChangeKind, Memory, NewBlob, RepoStatus, RepoStore, Retention,
    StoreError, Subject, conformance::Author,
};

/// One account in memory and in the emulator.
struct Twin {
    memory: Memory,
    author: Author,
    client: Client,
    status: Option<RepoStatus>,
    clock: u64,
    revs: Vec<Tid>,
}

impl Twin {
    async fn new(emulator: &Emulator) -> Self {
        let (memory, author) = (Memory::new(), Author::new(1));
        author.create(&memory, Vec::new()).await;
        let connection = emulator.connection(emulator.database()).await;
        // No index of our own, and answers in part.
        let options = StrictOptions { deferred: 0.2, indexes: Some(Vec::new()), ..StrictOptions::default() };
        let (strict, backoff) = (Strict::new(connection, options), Duration::from_millis(1));
        let options = ClientOptions { seed: 1, backoff, attempts: 20, ..ClientOptions::default() };
        let client = Client::new(Arc::new(strict), options);
        Self { memory, author, client, status: Some(RepoStatus::Active), clock: 1_000, revs: Vec::new() }
    }

    fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    async fn put(&self, new: NewBlob) -> Result<BlobRow, ApplyError> {
        let status = self.status;
        put_temporary(&self.client, &self.author.did, new, Vec::new(), |_| Ok(status)).await
    }

    async fn upload(&mut self, blob: &BlobRef, object: &str) -> BlobRow {
        let uploaded = self.now();
        begin_upload(&self.client, object, uploaded).await.unwrap();
        self.memory.begin_upload(object, uploaded).await.unwrap();
        let BlobRef { cid, mime_type, size } = blob.clone();
        let new = NewBlob { cid, object: object.to_owned(), mime_type, size, uploaded };
        let row = self.put(new.clone()).await;
        let expected = self.memory.put_temporary(&self.author.did, new).await;
        assert_eq!(format!("{row:?}"), format!("{expected:?}"));
        row.unwrap()
    }

    /// A commit with these blobs in its records, on both.
    async fn commit(
        &mut self,
        writes: Vec<Write>,
        blobs: Vec<(RecordPath, BlobRef)>,
    ) -> Result<(), ApplyError> {
        let change = self.author.commit_change(&self.memory, writes, blobs).await;
        let answer = self.change(&change).await;
        let expected = self.memory.apply(vec![change]).await.pop().unwrap().map(|_| ());
        assert_eq!(format!("{answer:?}"), format!("{expected:?}"));
        self.revs.extend(self.memory.repo(&self.author.did).await.unwrap().and_then(|row| row.rev));
        answer
    }

    async fn change(&self, change: &Change) -> Result<(), ApplyError> {
        let (ChangeKind::Commit(commit) | ChangeKind::Create { commit, .. }) = &change.kind else {
            panic!("{:?}", change.kind)
        };
        let Some(mut blobs) = BlobChange::of(&self.client, &self.author.did, commit) else { return Ok(()) };
        let begun = self.client.begin(blobs.keys(), Begin::ReadWrite).await;
        let (transaction, mut lookup) = begun.map_err(StoreError::from)?;
        let more = blobs.take(&mut lookup).await?;
        let more = match more.is_empty() {
            true => Lookup::default(),
            false => self.client.lookup(more, Reads::In(&transaction)).await.map_err(StoreError::from)?,
        };
        let mutations = blobs.mutations(more)?;
        self.client.commit(mutations, &transaction).await.map_err(StoreError::from)?;
        Ok(())
    }

    async fn delete(&mut self) {
        let key = ArrobaBlobEpoch::key(self.client.database(), &self.author.did);
        let (transaction, mut lookup) = self.client.begin(vec![key], Begin::ReadWrite).await.unwrap();
        let mutation = forget(&self.client, &self.author.did, &mut lookup).unwrap();
        self.client.commit(mutation, &transaction).await.unwrap();
        let delete = self.author.change(ChangeKind::Delete, Vec::new());
        self.memory.apply(vec![delete]).await.pop().unwrap().unwrap();
        self.status = Some(RepoStatus::Deleted);
    }

    async fn create_again(&mut self) {
        use arroba_core::mst::Loader;
        let loaded = self.memory.load(&self.author.did, Loader::for_read([])).await.unwrap();
        let change = self.author.creation(&self.memory, Vec::new(), loaded.as_ref()).await;
        self.change(&change).await.unwrap();
        self.memory.apply(vec![change]).await.pop().unwrap().unwrap();
        self.status = Some(RepoStatus::Active);
    }

    async fn hide(&self, cid: Cid, reference: Option<&str>) {
        let subject = Subject::Blob(cid);
        let did = self.author.did.clone();
        let mutation = match reference {
            Some(reference) => {
                let hidden = ArrobaHidden::new(did, &subject, reference.to_owned());
                upsert(hidden.to_entity(self.client.database()))
            }
            None => super::super::delete(ArrobaHidden::key(self.client.database(), &did, &subject)),
        };
        self.client.put(vec![mutation]).await.unwrap();
        let reference = reference.map(str::to_owned);
        let hide = self.author.change(ChangeKind::Hide { subject, reference }, Vec::new());
        self.memory.apply(vec![hide]).await.pop().unwrap().unwrap();
    }

    async fn sweep(&self, retention: Retention) -> u64 {
        let mut blobs = 0;
        loop {
            let swept = sweep(&self.client, retention).await.unwrap();
            blobs += swept.blobs;
            if !swept.more {
                break;
            }
        }
        assert_eq!(self.memory.sweep(retention).await.unwrap().blobs, blobs);
        blobs
    }

    /// Every read gives what the twin gives.
    async fn agrees(&self, all: &[BlobRef]) {
        let (client, memory, did) = (&self.client, &self.memory, &self.author.did);
        for BlobRef { cid, .. } in all {
            assert_eq!(blob(client, did, cid).await.unwrap(), memory.blob(did, cid).await.unwrap());
            for limit in [0, 1, 100] {
                let paths = references(client, did, cid, limit).await.unwrap();
                assert_eq!(paths, memory.references(did, cid, limit).await.unwrap());
            }
        }
        for after in [None, Some(all[3].cid)] {
            for limit in [2, 100] {
                for since in [None, self.revs.last().copied(), self.revs.iter().rev().nth(3).copied()] {
                    let found = list(client, did, since, after, limit).await.unwrap();
                    assert_eq!(found, memory.list(did, since, after, limit).await.unwrap());
                }
                let found = missing(client, did, after, limit).await.unwrap();
                assert_eq!(found, memory.missing(did, after, limit).await.unwrap());
            }
        }
        for did in [None, Some(did)] {
            let bytes = temporary_bytes(client, did).await.unwrap();
            assert_eq!(bytes, memory.temporary_bytes(did).await.unwrap());
        }
        assert_eq!(garbage(client, 1_000).await.unwrap(), memory.garbage(1_000).await.unwrap());
        assert_eq!(garbage(client, 1).await.unwrap(), memory.garbage(1).await.unwrap());
        let expected = memory.counts(did).await.unwrap().unwrap_or_default();
        let counted = counts(client, did).await.unwrap();
        assert_eq!(counted, (expected.blobs_expected, expected.blobs_stored));
    }
}

fn some_blob(number: usize) -> BlobRef {
    let text = format!("blob {number}");
    let mime_type = "text/plain".to_owned();
    BlobRef { cid: Cid::for_raw(text.as_bytes()), mime_type, size: text.len() as u64 }
}

fn path(number: usize) -> RecordPath {
    format!("a.b.c/{number}").parse().unwrap()
}

fn record(number: u64) -> bytes::Bytes {
    let map = [("$type", Value::Text("a.b.c".into())), ("n", Value::Text(number.to_string().into()))];
    cbor::encode(&Value::Map(map.into_iter().collect())).into()
}

#[tokio::test]
async fn random_steps_agree_with_the_twin() {
    let Some(emulator) = Emulator::shared().await else { return };
    for seed in 0..3 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut twin = Twin::new(&emulator).await;
        let all: Vec<BlobRef> = (0..8).map(some_blob).collect();
        let mut records: BTreeSet<usize> = BTreeSet::new();
        let mut hidden: BTreeSet<usize> = BTreeSet::new();
        for step in 0..60_usize {
            let number = random.random_range(0..all.len());
            match random.random_range(0..20) {
                0..7 => drop(twin.upload(&all[number], &format!("object/{seed}-{step:03}")).await),
                7..16 => {
                    let mut writes = Vec::new();
                    let mut blobs = Vec::new();
                    let mut after = records.clone();
                    for at in 0..5 {
                        let value = record(twin.now());
                        match (random.random_range(0..3), records.contains(&at)) {
                            (0, false) => writes.push(Write::create(path(at), value)),
                            (0, true) => writes.push(Write::update(path(at), value)),
                            (1, true) => {
                                writes.push(Write::delete(path(at)));
                                after.remove(&at);
                                continue;
                            }
                            _ => continue,
                        }
                        after.insert(at);
                        for _ in 0..random.random_range(0..3) {
                            let mut blob = all[random.random_range(0..all.len())].clone();
                            blob.size += u64::from(random.random_bool(0.05));
                            if !blobs
                                .iter()
                                .any(|(of, other): &(_, BlobRef)| *of == path(at) && other.cid == blob.cid)
                            {
                                blobs.push((path(at), blob));
                            }
                        }
                    }
                    if !writes.is_empty() && twin.commit(writes, blobs).await.is_ok() {
                        records = after;
                    }
                }
                16 => {
                    let reference = hidden.insert(number).then_some("case");
                    if reference.is_none() {
                        hidden.remove(&number);
                    }
                    twin.hide(all[number].cid, reference).await;
                }
                17 => {
                    let before = twin.clock.saturating_sub(5);
                    let retention =
                        Retention::default().temporary_blobs_before(before).pending_uploads_before(before);
                    twin.sweep(retention).await;
                }
                18 => {
                    let objects = twin.memory.garbage(3).await.unwrap();
                    collected(&twin.client, objects.clone()).await.unwrap();
                    twin.memory.collected(objects).await.unwrap();
                }
                _ => {
                    twin.delete().await;
                    for blob in &all {
                        assert!(
                            super::blob(&twin.client, &twin.author.did, &blob.cid).await.unwrap().is_none()
                        );
                        // Memory forgets takedowns with the repository; the store does that in the same transaction.
                        let subject = Subject::Blob(blob.cid);
                        let key = ArrobaHidden::key(twin.client.database(), &twin.author.did, &subject);
                        twin.client.put(vec![super::super::delete(key)]).await.unwrap();
                    }
                    hidden.clear();
                    if random.random_bool(0.5) {
                        twin.sweep(Retention::default()).await;
                        twin.create_again().await;
                    } else {
                        // What is left of the life before does not count in the next one.
                        twin.create_again().await;
                        twin.upload(&all[number], &format!("object/{seed}-{step:03}")).await;
                        twin.sweep(Retention::default()).await;
                    }
                    records.clear();
                }
            }
            twin.agrees(&all).await;
        }
    }
}

#[tokio::test]
async fn uploads_are_announced_and_reported_once() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator).await;
    let client = twin.client.clone();
    let blob = some_blob(1);
    let new = |object: &str| NewBlob {
        cid: blob.cid,
        object: object.to_owned(),
        mime_type: blob.mime_type.clone(),
        size: blob.size,
        uploaded: 5,
    };
    assert!(matches!(twin.put(new("never")).await, Err(ApplyError::Malformed(_))));
    begin_upload(&client, "given-up", 1).await.unwrap();
    abandon_upload(&client, "given-up").await.unwrap();
    abandon_upload(&client, "unknown").await.unwrap();
    assert!(matches!(twin.put(new("given-up")).await, Err(ApplyError::Malformed(_))));
    begin_upload(&client, "coming", 1).await.unwrap();
    assert_eq!(garbage(&client, 10).await.unwrap(), ["given-up"]);
    collected(&client, vec!["given-up".to_owned(), "coming".to_owned(), "unknown".to_owned()]).await.unwrap();
    let row = twin.put(new("coming")).await.unwrap();
    assert_eq!(twin.put(new("coming")).await.unwrap(), row, "a report that is repeated changes nothing");
    assert!(garbage(&client, 10).await.unwrap().is_empty());
    twin.status = None;
    assert!(matches!(twin.put(new("coming")).await, Err(ApplyError::NotFound)));
    twin.status = Some(RepoStatus::Deleted);
    assert!(matches!(twin.put(new("coming")).await, Err(ApplyError::Inactive(RepoStatus::Deleted))));
}

#[tokio::test]
async fn of_two_uploads_at_once_one_object_is_kept() {
    let Some(emulator) = Emulator::shared().await else { return };
    let twin = Twin::new(&emulator).await;
    let blob = some_blob(1);
    let put = |number: u32| {
        let object = format!("object/{number}");
        let new = NewBlob {
            cid: blob.cid,
            object: object.clone(),
            mime_type: blob.mime_type.clone(),
            size: blob.size,
            uploaded: number.into(),
        };
        let twin = &twin;
        async move {
            begin_upload(&twin.client, &object, 1).await.unwrap();
            twin.put(new).await.unwrap().object
        }
    };
    let rows = futures::future::join_all((0..6).map(put)).await;
    let kept: BTreeSet<&String> = rows.iter().collect();
    assert_eq!(kept.len(), 1);
    let garbage = garbage(&twin.client, 10).await.unwrap();
    assert_eq!(garbage.len(), 5);
    assert!(!garbage.contains(&rows[0]));
}

/// What a commit's transaction reads besides.
#[tokio::test]
async fn a_commit_looks_up_no_more_than_it_must() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator).await;
    twin.client = emulator.client().await;
    let blob = some_blob(1);
    twin.upload(&blob, "object/1").await;
    let counts = async |twin: &mut Twin, write: Write, blobs: Vec<BlobRef>| {
        let before = twin.client.counts();
        let blobs = blobs.into_iter().map(|blob| (write.path().clone(), blob)).collect();
        twin.commit(vec![write], blobs).await.unwrap();
        let RpcCounts { lookups, commits, .. } = twin.client.counts() - before;
        (lookups, commits)
    };
    assert_eq!(counts(&mut twin, Write::create(path(1), record(1)), vec![]).await, (0, 0), "no blob, new");
    assert_eq!(counts(&mut twin, Write::update(path(1), record(2)), vec![blob.clone()]).await, (1, 1));
    assert_eq!(counts(&mut twin, Write::update(path(1), record(3)), vec![blob.clone()]).await, (1, 1));
    assert_eq!(counts(&mut twin, Write::delete(path(1)), vec![]).await, (2, 1), "it had one");
    assert!(super::blob(&twin.client, &twin.author.did, &blob.cid).await.unwrap().is_none());
    assert_eq!(garbage(&twin.client, 9).await.unwrap(), ["object/1"]);
}

#[tokio::test]
async fn an_import_replaces_all_references() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator).await;
    let (lost, kept, later, never) = (some_blob(1), some_blob(2), some_blob(3), some_blob(4));
    twin.upload(&lost, "object/lost").await;
    twin.upload(&kept, "object/kept").await;
    let free = some_blob(5);
    twin.upload(&free, "object/free").await;
    twin.commit(vec![Write::create(path(1), record(1))], vec![(path(1), lost.clone())]).await.unwrap();
    let client = twin.client.clone();
    let did = twin.author.did.clone();
    let rev = Tid::from_micros(1 << 52, 0);
    let refs: BTreeMap<_, BTreeSet<_>> =
        [(path(2), [kept.cid, later.cid].into()), (path(3), [never.cid, later.cid].into())].into();
    end_import(&client, &did, rev, &refs).await;
    assert!(blob(&client, &did, &lost.cid).await.unwrap().is_none());
    assert!(!blob(&client, &did, &kept.cid).await.unwrap().unwrap().temporary);
    assert!(blob(&client, &did, &free.cid).await.unwrap().unwrap().temporary, "an upload may wait");
    assert_eq!(garbage(&client, 9).await.unwrap(), ["object/lost"]);
    let waiting = missing(&client, &did, None, 9).await.unwrap();
    let waiting: BTreeMap<Cid, RecordPath> =
        waiting.into_iter().map(|missing| (missing.cid, missing.path)).collect();
    assert_eq!(waiting, [(later.cid, path(2)), (never.cid, path(3))].into());
    assert_eq!(counts(&client, &did).await.unwrap(), (3, 1));
    assert!(list(&client, &did, Some(rev), None, 9).await.unwrap().is_empty());
    assert_eq!(list(&client, &did, None, None, 9).await.unwrap().len(), 3);
    begin_upload(&client, "object/later", 1).await.unwrap();
    let new = NewBlob {
        cid: later.cid,
        object: "object/later".to_owned(),
        mime_type: later.mime_type.clone(),
        size: later.size,
        uploaded: 9,
    };
    assert!(!twin.put(new).await.unwrap().temporary, "it was waited for");
    assert_eq!(missing(&client, &did, None, 9).await.unwrap().len(), 1);
}

/// What an import does until its transaction is made: nothing is where it belongs yet.
async fn end_import(client: &Client, did: &Did, rev: Tid, refs: &BTreeMap<RecordPath, BTreeSet<Cid>>) {
    let staged = stage(client, did, 1, refs).await.unwrap();
    let key = ArrobaBlobEpoch::key(client.database(), did);
    let (transaction, mut lookup) = client.begin(vec![key], Begin::ReadWrite).await.unwrap();
    assert!(!is_pending(client, did, &lookup).unwrap());
    let mutation = announce(client, did, rev, &staged, &mut lookup).unwrap();
    client.commit(mutation.into_iter().collect(), &transaction).await.unwrap();
}

async fn parts_left(client: &Client) -> usize {
    client.query(Select::from(ArrobaImport::KIND).into(), Reads::Strong).await.unwrap().results.len()
}

/// Within the limits of the service, and of an old database; whoever comes first after a crash goes on.
#[tokio::test]
async fn an_import_of_fifty_thousand_references() {
    let Some(emulator) = Emulator::shared().await else { return };
    let connection = emulator.connection(emulator.database()).await;
    let options =
        StrictOptions { deferred: 0.05, mutations: Some(500), batch: 5_000, ..StrictOptions::default() };
    let options = StrictOptions { indexes: Some(Vec::new()), ..options };
    let limits = crate::datastore::Limits::LEGACY;
    let client = Client::new(
        Arc::new(Strict::new(connection, options)),
        ClientOptions { seed: 1, attempts: 20, limits, ..ClientOptions::default() },
    );
    let did: Did = "did:web:large.test".parse().unwrap();
    let cids: Vec<Cid> = (0..1_000_u32).map(|number| Cid::for_raw(&number.to_be_bytes())).collect();
    let first: BTreeMap<_, BTreeSet<_>> =
        (0..300).map(|number| (path(number), [cids[number]].into())).collect();
    end_import(&client, &did, Tid::from_micros(1 << 50, 0), &first).await;
    assert_eq!(list(&client, &did, None, None, 2_000).await.unwrap().len(), 300);

    // Two for each of these, but not those from before.
    let many: BTreeMap<_, BTreeSet<_>> = (300..25_300)
        .map(|number: usize| {
            (path(number), [cids[300 + number % 700], cids[300 + (number + 1) % 700]].into())
        })
        .collect();
    assert_eq!(many.values().map(BTreeSet::len).sum::<usize>(), 50_000);
    end_import(&client, &did, Tid::from_micros(1 << 51, 0), &many).await;
    assert!(parts_left(&client).await > 4, "more than one transaction writes");
    // Cut off on the way.
    let commits = client.counts().commits;
    let some = async {
        while client.counts().commits < commits + 40 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = some => {}
        done = carry_out(&client, &did) => panic!("{done:?}"),
    }
    assert!(parts_left(&client).await > 0);
    assert_eq!(counts(&client, &did).await.unwrap(), (700, 0), "all of it, or nothing");
    assert_eq!(parts_left(&client).await, 0);
    let listed = list(&client, &did, None, None, 2_000).await.unwrap();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), cids[300..].iter().copied().collect());
    let paths = references(&client, &did, &cids[300], 1_000).await.unwrap();
    assert_eq!(paths.len(), many.values().filter(|blobs| blobs.contains(&cids[300])).count());
    assert!(references(&client, &did, &cids[0], 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_import_that_was_left_halfway_is_swept_and_one_that_never_ended_too() {
    let Some(emulator) = Emulator::shared().await else { return };
    let mut twin = Twin::new(&emulator).await;
    let (client, did) = (twin.client.clone(), twin.author.did.clone());
    let waiting = some_blob(1);
    twin.upload(&waiting, "object/1").await;
    let refs: BTreeMap<_, BTreeSet<_>> = [(path(1), [waiting.cid].into())].into();
    end_import(&client, &did, Tid::from_micros(9, 0), &refs).await;
    // The upload is old, but not without a record any more.
    let old = Retention::default().temporary_blobs_before(u64::MAX >> 1);
    while sweep(&client, old).await.unwrap().more {}
    assert_eq!(parts_left(&client).await, 0);
    assert!(!blob(&client, &did, &waiting.cid).await.unwrap().unwrap().temporary);

    let staged = stage(&client, &did, 5, &refs).await.unwrap();
    sweep(&client, Retention::default().pending_uploads_before(5)).await.unwrap();
    assert_eq!(parts_left(&client).await, 1, "it may be on its way");
    sweep(&client, Retention::default().pending_uploads_before(6)).await.unwrap();
    assert_eq!(parts_left(&client).await, 0);
    unstage(&client, &did, &staged).await;
}
