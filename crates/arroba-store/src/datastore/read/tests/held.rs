//! How much of a large export is in memory at once, beside a reader who takes slowly.
//!
//! Each block is asked for once and given to the reader once. So what the service has handed out and the reader has not got is what
//! the export holds.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use arroba_core::{
    crypto::{Curve, PrivateKey},
    mst::{Builder, Key},
    repo::Commit,
    syntax::Did,
};
use async_trait::async_trait;
use futures::StreamExt;

use super::{
    super::super::{
        Database, Rpc, Status,
        api::{
            BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, EntityResult,
            LookupRequest, LookupResponse, RollbackRequest, RollbackResponse, RunQueryRequest,
            RunQueryResponse,
        },
        key_name,
    },
    super::window::HELD_AT_MOST,
    *,
};

/// A repository that is made as it is read: 80 MB of records are in no memory.
#[derive(Debug)]
struct Vault {
    database: Database,
    did: Did,
    nodes: HashMap<Cid, Bytes>,
    records: HashMap<Cid, usize>,
    lookups: AtomicUsize,
    /// Bytes that were handed out.
    served: AtomicUsize,
}

impl Vault {
    fn block(&self, cid: Cid) -> Option<Bytes> {
        self.nodes.get(&cid).cloned().or_else(|| self.records.get(&cid).map(|number| sized(*number)))
    }
}

#[async_trait]
impl Rpc for Vault {
    fn database(&self) -> &Database {
        &self.database
    }

    async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut answer = LookupResponse::default();
        for key in &request.keys {
            let cid = Cid::parse(key_name(key, AtpBlock::KIND).unwrap()).unwrap();
            let encoded = self.block(cid).unwrap();
            self.served.fetch_add(encoded.len(), Ordering::Relaxed);
            let repo = Some(self.did.clone());
            let block = AtpBlock { cid, repo, encoded, seq: 1, ops: Vec::new(), created: None };
            let entity = Some(block.to_entity(&self.database).unwrap());
            answer.found.push(EntityResult { entity, ..EntityResult::default() });
        }
        Ok(answer)
    }

    async fn run_query(&self, _: RunQueryRequest) -> Result<RunQueryResponse, Status> {
        Err(Status::unimplemented("an export asks for keys"))
    }

    async fn begin_transaction(
        &self,
        _: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status> {
        Err(Status::unimplemented("an export has no transaction"))
    }

    async fn commit(&self, _: CommitRequest) -> Result<CommitResponse, Status> {
        Err(Status::unimplemented("an export writes nothing"))
    }

    async fn rollback(&self, _: RollbackRequest) -> Result<RollbackResponse, Status> {
        Err(Status::unimplemented("an export has no transaction"))
    }
}

/// A record of 8 KiB on average; few are far larger.
fn sized(number: usize) -> Bytes {
    let bytes = match number % 20 {
        0 => 64 << 10,
        few if few < 10 => 1 << 10,
        _ => 9 << 10,
    };
    record(&format!("{number}{}", "x".repeat(bytes)))
}

const RECORDS: usize = 10_000;

#[tokio::test]
async fn an_export_holds_a_bounded_part_whatever_the_reader_does() {
    let author = Author::new(1);
    let mut records = HashMap::new();
    let mut builder = Builder::new();
    for number in 0..RECORDS {
        let cid = Cid::for_cbor(&sized(number));
        let path = path(&format!("a.b.c/{number:05}"));
        builder.push(Key::new(&path.to_bytes()).unwrap(), cid.into()).unwrap();
        records.insert(cid, number);
    }
    let nodes = builder.finish();
    let root = nodes.iter().max_by_key(|node| node.position.height).unwrap().cid;
    let key = PrivateKey::from_bytes(Curve::K256, &[7; 32]).unwrap();
    let rev = Tid::from_micros(1, 0);
    let block = Bytes::from(Commit::sign(author.did.clone(), root, rev, None, &key).encode());
    let head = Head { rev, cid: Cid::for_cbor(&block), data: root, block };
    let nodes: HashMap<Cid, Bytes> = nodes.into_iter().map(|node| (node.cid, node.bytes)).collect();
    let blocks_of_it = nodes.len() + records.len();
    let vault = Arc::new(Vault {
        database: Database::new("vault", "").unwrap(),
        did: author.did.clone(),
        nodes,
        records,
        lookups: AtomicUsize::new(0),
        served: AtomicUsize::new(0),
    });
    // Only its row is needed, which goes through.
    let memory = Memory::new();
    author.create(&memory, Vec::new()).await;
    let row = memory.repo(&author.did).await.unwrap().unwrap();
    for hurry in [false, true] {
        vault.served.store(0, Ordering::Relaxed);
        let client = Client::new(Arc::clone(&vault) as Arc<dyn Rpc>, ClientOptions::default());
        let commit = head.block.len();
        let cold = Blocks::new(client, 32 << 20);
        let mut stream = blocks(&cold, row.clone(), head.clone(), BlockQuery::All).await.unwrap();
        let (mut got, mut most, mut count) = (0, 0, 0);
        while let Some(block) = stream.next().await {
            // While the reader is busy, what is read ahead comes in.
            let turns = if hurry { 0 } else { 4 };
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            most = most.max((vault.served.load(Ordering::Relaxed) + commit).saturating_sub(got));
            let block = block.unwrap();
            assert!(block.cid.matches(&block.data));
            got += block.data.len();
            count += 1;
        }
        assert_eq!((count, got), (blocks_of_it + 1, vault.served.load(Ordering::Relaxed) + commit));
        assert!(got > 80_000_000, "{got}");
        let lookups = vault.lookups.swap(0, Ordering::Relaxed);
        println!("an export of {got} bytes in {lookups} lookups held {most} at most");
        assert!(most <= HELD_AT_MOST, "{most}");
    }
}
