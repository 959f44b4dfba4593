//! An account that publishes lexicons, its server, and a resolver that finds it.

use super::support::{ALICE, FakeDns, Hands, key, serve};
use arroba_core::{
    car::Writer,
    crypto::{PrivateKey, Signer as _},
    data::{Cid, json},
    repo::{self, CommitParams, SignedCommit, Write},
    syntax::{Datetime, Did, Nsid, RecordPath, Tid},
};
use arroba_identity::{
    LexiconResolver, Resolver,
    lexicon::LexiconResolverBuilder,
    plc::{Directory, PlcDirectory as _, State, Unsigned, did_from_genesis},
};
use arroba_net::{Guard, GuardedClient};
use axum::{
    Router,
    body::Body,
    extract::State as Shared,
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Redirect, Response},
};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The domain that speaks for `com.example.*`.
pub(crate) const DOMAIN: &str = "_lexicon.example.com";

/// What the account's server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The proof of the record that is asked for, or of its absence.
    Proof,
    /// This, whatever is asked for.
    Bytes(Bytes),
    Status(StatusCode),
    Redirect(&'static str),
    Endless,
}

/// A repo of records, as its owner signs it.
pub(crate) struct Repo {
    records: BTreeMap<String, Bytes>,
    commit: SignedCommit,
}

impl Repo {
    pub(crate) fn new(did: &Did, key: &PrivateKey, records: &[Value]) -> Self {
        let records: BTreeMap<_, _> = records
            .iter()
            .map(|record| {
                let name = record["id"].as_str().unwrap_or("com.example.other").to_owned();
                let value = json::from_json_value(record).unwrap();
                (name, Bytes::from(arroba_core::data::cbor::encode(&value)))
            })
            .collect();
        let writes = records.iter().map(|(name, record)| Write::create(path(name), record.clone())).collect();
        let params = CommitParams {
            did: did.clone(),
            rev: Tid::from_micros(1_767_225_600_000_000, 0),
            since: None,
            prev_data: None,
            prev_commit: None,
            time: Datetime::from_unix_millis(1_767_225_600_000),
        };
        let commit = repo::create(writes).unwrap().sign(params, key).unwrap();
        Self { records, commit }
    }

    /// The proof that a record is there, or that it is not.
    pub(crate) fn proof(&self, name: &str) -> Vec<u8> {
        let mut car = Writer::new(&[self.commit.commit_cid]);
        car.block(&self.commit.commit_cid, &self.commit.commit_bytes);
        for (cid, node) in self.commit.tree.proof(&repo::key(&path(name))).unwrap() {
            car.block(&cid, &node);
        }
        if let Some(record) = self.records.get(name) {
            car.block(&Cid::for_cbor(record), record);
        }
        car.finish().to_vec()
    }
}

fn path(name: &str) -> RecordPath {
    RecordPath::parse(&format!("com.atproto.lexicon.schema/{name}")).unwrap()
}

/// A lexicon as a record.
pub(crate) fn schema(name: &str, defs: &Value) -> Value {
    json!({"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": name, "defs": defs})
}

/// A lexicon of a record type with one field.
pub(crate) fn note(name: &str, field: &str) -> Value {
    schema(
        name,
        &json!({"main": {"type": "record", "key": "any", "record": {"type": "object", "properties": {
            field: {"type": "string"}}}}}),
    )
}

pub(crate) fn nsid(name: &str) -> Nsid {
    Nsid::parse(name).unwrap()
}

pub(crate) struct Served {
    pub(crate) answer: Mutex<Answer>,
    pub(crate) repo: Mutex<Repo>,
    pub(crate) requests: AtomicUsize,
}

async fn answer(Shared(served): Shared<Arc<Served>>, uri: Uri) -> Response {
    served.requests.fetch_add(1, Ordering::SeqCst);
    assert_eq!(uri.path(), "/xrpc/com.atproto.sync.getRecord");
    let answer = served.answer.lock().unwrap().clone();
    match answer {
        Answer::Proof => {
            let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
            let params: BTreeMap<_, _> = query.into_owned().collect();
            assert_eq!(params["collection"], "com.atproto.lexicon.schema");
            served.repo.lock().unwrap().proof(&params["rkey"]).into_response()
        }
        Answer::Bytes(bytes) => bytes.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Redirect(target) => Redirect::temporary(target).into_response(),
        Answer::Endless => {
            let chunk = Bytes::from(vec![0; 64 * 1024]);
            Body::from_stream(stream::repeat(Ok::<_, Infallible>(chunk))).into_response()
        }
    }
}

/// The account, its server and a resolver.
pub(crate) struct World {
    pub(crate) hands: Hands,
    pub(crate) dns: Arc<FakeDns>,
    pub(crate) served: Arc<Served>,
    pub(crate) lexicons: LexiconResolver,
    pub(crate) did: Did,
    directory: Arc<Directory>,
}

impl World {
    /// An account with these lexicons.
    pub(crate) async fn new(records: &[Value]) -> Self {
        Self::with(records, None, |builder| builder).await
    }

    /// The same, with the server that the DID's document names, and a resolver that is built in another way.
    pub(crate) async fn with(
        records: &[Value],
        host: Option<String>,
        build: impl FnOnce(LexiconResolverBuilder) -> LexiconResolverBuilder,
    ) -> Self {
        let hands = Hands::new();
        let directory = Arc::new(Directory::new(hands.clock()));
        // The DID depends on the server's address, and the repo on the DID.
        let nobody = Did::parse("did:web:nobody.test").unwrap();
        let served = Arc::new(Served {
            answer: Mutex::new(Answer::Proof),
            repo: Mutex::new(Repo::new(&nobody, &key(9), &[])),
            requests: AtomicUsize::new(0),
        });
        let address = serve(Router::new().fallback(answer).with_state(Arc::clone(&served))).await;
        let host = host.unwrap_or_else(|| format!("http://{address}"));
        let state = State::account([key(1).public_key()], &key(9).public_key(), &ALICE, &host);
        let genesis = Unsigned::genesis(state).sign(&key(1)).unwrap();
        let did = did_from_genesis(&genesis);
        directory.accept(&did, genesis).unwrap();
        *served.repo.lock().unwrap() = Repo::new(&did, &key(9), records);
        let dns = Arc::new(FakeDns::default());
        dns.txt.lock().unwrap().insert(DOMAIN.to_owned(), vec!["v=spf1".to_owned(), format!("did={did}")]);
        let client = GuardedClient::new(Guard::AllowLoopback, Arc::clone(&dns) as _).unwrap();
        let resolver = Resolver::builder(Arc::clone(&directory) as _, client.clone(), Arc::clone(&dns) as _)
            .clock(hands.clock())
            .build();
        let builder = LexiconResolver::builder(resolver, client, Arc::clone(&dns) as _).clock(hands.clock());
        let lexicons = build(builder).build();
        Self { hands, dns, served, lexicons, did, directory }
    }

    pub(crate) fn requests(&self) -> usize {
        self.served.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.served.answer.lock().unwrap() = answer;
    }

    /// Puts another repo in the place of the account's.
    pub(crate) fn publish(&self, key: &PrivateKey, records: &[Value]) {
        *self.served.repo.lock().unwrap() = Repo::new(&self.did, key, records);
    }

    /// Changes the account's operation in the directory.
    pub(crate) async fn update(&self, change: impl FnOnce(State) -> State) {
        let last = self.directory.log(&self.did).unwrap().last().unwrap().cid;
        let state = self.directory.state(&self.did).await.unwrap();
        let operation = Unsigned::update(last, change(state)).sign(&key(1)).unwrap();
        self.directory.accept(&self.did, operation).unwrap();
    }
}
