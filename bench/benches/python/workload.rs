//! What both sides write: everything follows from the seed.

use std::path::Path;

use anyhow::Context as _;
use arroba::core::car;
use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::data::{Cid, Link, cbor, json};
use arroba::core::mst::{Builder, Key};
use arroba::core::repo::Commit;
use arroba::core::syntax::{Did, RecordKey, Tid};

pub(crate) const COLLECTION: &str = "app.bsky.feed.post";

/// Where record keys begin.
const FIRST_RKEY_MICROS: u64 = 1_500_000_000_000_000;

/// The private key of all repos, as a number.
const KEY: u64 = 1_000_000;

/// The records of one repo, and whose it is.
pub(crate) struct Workload {
    pub(crate) seed: u64,
    pub(crate) did: Did,
    pub(crate) handle: String,
    pub(crate) records: Vec<Record>,
}

/// A record and where it goes.
pub(crate) struct Record {
    pub(crate) rkey: RecordKey,
    pub(crate) json: String,
    pub(crate) cid: Cid,
    bytes: Vec<u8>,
}

impl Workload {
    /// So many records in an order without pattern.
    pub(crate) fn new(seed: u64, count: usize) -> anyhow::Result<Self> {
        Ok(Self {
            seed,
            did: did(seed, 0)?,
            handle: "user.test".to_owned(),
            records: records(seed, 0, count)?,
        })
    }

    pub(crate) fn key_hex() -> String {
        format!("{KEY:064x}")
    }

    pub(crate) fn key() -> anyhow::Result<PrivateKey> {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&KEY.to_be_bytes());
        Ok(PrivateKey::from_bytes(Curve::K256, &bytes)?)
    }

    /// Writes a CAR file of another repo with so many records; its number tells it from others. Its rev is the least that there is:
    /// where revs count commits, one that tells the time would be ahead of all that follow.
    pub(crate) fn write_car(&self, number: u64, count: usize, file: &Path) -> anyhow::Result<Did> {
        let did = did(self.seed, number)?;
        let mut records = records(self.seed, number, count)?;
        records.sort_by(|one, other| one.rkey.cmp(&other.rkey));
        let mut tree = Builder::new();
        for record in &records {
            tree.push(record.key()?, Link::Cid(record.cid))?;
        }
        let nodes = tree.finish();
        let root = nodes.last().context("a tree has a root")?.cid;
        let commit = Commit::sign(did.clone(), root, Tid::from_micros(1, 0), None, &Self::key()?).encode();
        let head = Cid::for_cbor(&commit);
        let mut car = car::Writer::new(&[head]);
        car.block(&head, &commit);
        nodes.iter().for_each(|node| car.block(&node.cid, &node.bytes));
        records.iter().for_each(|record| car.block(&record.cid, &record.bytes));
        std::fs::write(file, car.finish()).with_context(|| format!("failed to write {}", file.display()))?;
        Ok(did)
    }
}

impl Record {
    pub(crate) fn path(&self) -> String {
        format!("{COLLECTION}/{}", self.rkey)
    }

    pub(crate) fn key(&self) -> anyhow::Result<Key> {
        Ok(Key::try_from(self.path().as_str())?)
    }
}

fn records(seed: u64, repo: u64, count: usize) -> anyhow::Result<Vec<Record>> {
    (0..count)
        .map(|index| {
            let [a, b, c, d, e, f, ..] = *Cid::for_raw(format!("{seed}/{repo}/{index}").as_bytes()).digest();
            let micros = FIRST_RKEY_MICROS + u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            let json = post(repo, index);
            let bytes = cbor::encode(&json::from_str(&json)?);
            let rkey = RecordKey::parse(&Tid::from_micros(micros, 7).to_string())?;
            Ok(Record { rkey, json, cid: Cid::for_cbor(&bytes), bytes })
        })
        .collect()
}

/// A well-formed DID that no directory knows.
fn did(seed: u64, number: u64) -> anyhow::Result<Did> {
    let digest = Cid::for_raw(format!("did/{seed}/{number}").as_bytes()).to_string();
    let tail: String = digest.chars().rev().take(24).collect();
    Ok(Did::parse(&format!("did:plc:{tail}"))?)
}

/// A post that takes about 300 bytes as CBOR.
fn post(repo: u64, index: usize) -> String {
    format!(
        r#"{{"$type":"{COLLECTION}","text":"Post {index:07} of author {repo:07}: boats at low tide, trains that are late, and the weather of yesterday, because that is what people write about when nothing happens and they write all the same, day after day.","langs":["en"],"createdAt":"2024-05-01T12:34:56.789Z"}}"#
    )
}

/// SHA-256 of lines, in hexadecimal.
pub(crate) fn digest(lines: &[String]) -> String {
    Cid::for_raw(lines.join("\n").as_bytes()).digest().iter().map(|byte| format!("{byte:02x}")).collect()
}
