//! A store with many repositories, made fast: each is imported as a CAR file built in memory.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use arroba::core::car;
use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::data::{Cid, Link, cbor, json};
use arroba::core::mst::{Builder, Key};
use arroba::core::repo::Commit;
use arroba::core::syntax::{Did, Handle, Tid};
use arroba::store::Sqlite;
use arroba::store::accounts::{Accounts, NewAccount};
use arroba::store::seal::MasterKey;
use arroba::{HostKeys, NewRepo, RepoHost};
use futures::{StreamExt, TryStreamExt, stream};

/// Where records begin: long before anything that the benchmarks write.
const FIRST_RKEY_MICROS: u64 = 1_600_000_000_000_000;

/// A data directory as `arroba serve` expects it.
pub(crate) struct Data {
    pub(crate) directory: PathBuf,
    /// `repos` accounts of `records` posts each.
    pub(crate) accounts: Vec<Did>,
    pub(crate) records: usize,
    /// One more, with more posts.
    pub(crate) large: Did,
}

impl Data {
    pub(crate) fn new(directory: &Path, repos: usize, records: usize) -> Self {
        let accounts = (0..repos).map(did).collect();
        Self { directory: directory.to_owned(), accounts, records, large: did(usize::MAX) }
    }

    /// The key of the record with this number in every repository.
    pub(crate) fn rkey(index: usize) -> Tid {
        Tid::from_micros(FIRST_RKEY_MICROS + 61_000_007 * index as u64, 7)
    }

    /// Makes what is missing.
    pub(crate) async fn prepare(&self, large_records: usize) -> anyhow::Result<()> {
        let store = Sqlite::open(self.directory.join("pds.sqlite")).await?;
        let host = self.host(store.clone()).await?;
        let accounts = Accounts::new(store.clone());
        let all = self.accounts.iter().map(|did| (did, self.records)).chain([(&self.large, large_records)]);
        stream::iter(all.enumerate())
            .map(Ok)
            .try_for_each_concurrent(8, |(number, (did, records))| {
                let (host, accounts) = (&host, &accounts);
                async move {
                    if host.repo(did).row().await?.is_none() {
                        account(host, accounts, number, did, records).await?;
                    }
                    anyhow::Ok(())
                }
            })
            .await?;
        host.close().await;
        store.close().await?;
        Ok(())
    }

    pub(crate) async fn host(&self, store: Sqlite) -> anyhow::Result<RepoHost> {
        let master = MasterKey::load_or_create(self.directory.join("master.key"))?;
        let rotation = PrivateKey::from_bytes(Curve::K256, &[9; 32])?;
        Ok(RepoHost::builder("localhost", HostKeys::new(master, rotation), store).build().await?)
    }
}

/// A well-formed DID that no directory knows.
fn did(number: usize) -> Did {
    let digest = Cid::for_raw(&number.to_be_bytes()).to_string();
    let tail: String = digest.chars().rev().take(24).collect();
    Did::parse(&format!("did:plc:{tail}")).expect("the base32 of a CID suits did:plc")
}

async fn account(
    host: &RepoHost,
    accounts: &Accounts,
    number: usize,
    did: &Did,
    records: usize,
) -> anyhow::Result<()> {
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    let new = NewAccount { did: did.clone(), email: None, password: None, invite: None, now };
    accounts.reserve(new).await?;
    accounts.finish(did).await?;
    let key = PrivateKey::from_bytes(Curve::K256, &signing_key(number))?;
    let file = car(number, did, records, &key)?;
    let handle = Handle::parse(&format!("user{number}.test"))?;
    let repo =
        host.create_repo(NewRepo::existing(did.clone(), Some(handle)).active().signing_key(key)).await?;
    let pieces = stream::iter([Ok::<_, std::io::Error>(file)]);
    repo.import(pieces).await?.context("the repository was there already")?;
    Ok(())
}

fn signing_key(number: usize) -> [u8; 32] {
    *Cid::for_raw(&[b"key", &number.to_be_bytes()[..]].concat()).digest()
}

fn car(number: usize, did: &Did, records: usize, key: &PrivateKey) -> anyhow::Result<bytes::Bytes> {
    let mut blocks = Vec::with_capacity(records);
    let mut tree = Builder::new();
    for index in 0..records {
        let record = cbor::encode(&json::from_str(&post(number, index))?);
        let cid = Cid::for_cbor(&record);
        let path = format!("app.bsky.feed.post/{}", Data::rkey(index));
        tree.push(Key::try_from(path.as_str())?, Link::Cid(cid))?;
        blocks.push((cid, record));
    }
    let nodes = tree.finish();
    let root = nodes.last().context("a tree has a root")?.cid;
    let rev = Data::rkey(records);
    let commit = Commit::sign(did.clone(), root, rev, None, key).encode();
    let head = Cid::for_cbor(&commit);
    let mut file = car::Writer::new(&[head]);
    file.block(&head, &commit);
    nodes.iter().for_each(|node| file.block(&node.cid, &node.bytes));
    blocks.iter().for_each(|(cid, record)| file.block(cid, record));
    Ok(file.finish())
}

/// A post that takes about 300 bytes as CBOR.
pub(crate) fn post(author: usize, index: usize) -> String {
    format!(
        r#"{{"$type":"app.bsky.feed.post","text":"Post {index:07} of author {author:07}: boats at low tide, trains that are late, and the weather of yesterday, because that is what people write about when nothing happens and they write all the same, day after day.","langs":["en"],"createdAt":"2024-05-01T12:34:56.789Z"}}"#
    )
}
