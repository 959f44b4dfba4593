//! Our side: a host on a store in memory or on Datastore, used as an embedder uses it.

mod outcome;

use std::ops::Range;

use anyhow::{Context as _, ensure};
use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::data::Link;
use arroba::core::mst::{Editor, Key, Loader, Tree};
use arroba::core::syntax::{Did, Handle, Nsid};
use arroba::firehose::Delivery;
use arroba::store::Memory;
use arroba::store::seal::MasterKey;
use arroba::{HostKeys, NewRepo, Repo, RepoHost, Write};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::clock::Stopwatch;
use crate::database::Database;
use crate::op::{Calls, Measured, Op, Outcome};
use crate::workload::{COLLECTION, Record, Workload};

/// The host, and what it stands on.
pub(crate) struct Ours<'a> {
    workload: &'a Workload,
    base: Base,
    host: RepoHost,
}

enum Base {
    Memory(Memory),
    Datastore(Database),
}

impl Base {
    /// A host on the store, with nothing in memory that is not the store's own.
    async fn open(&mut self) -> anyhow::Result<RepoHost> {
        match self {
            Self::Memory(store) => {
                let rotation = PrivateKey::from_bytes(Curve::K256, &[8; 32])?;
                let keys = HostKeys::new(MasterKey::from_bytes([7; 32]), rotation);
                Ok(RepoHost::builder("pds.test", keys, store.clone()).build().await?)
            }
            Self::Datastore(database) => database.open().await,
        }
    }

    fn calls(&self) -> Calls {
        match self {
            Self::Memory(_) => Calls::default(),
            Self::Datastore(database) => database.calls(),
        }
    }
}

impl<'a> Ours<'a> {
    /// Makes the store and the repo.
    pub(crate) async fn start(workload: &'a Workload, database: Option<Database>) -> anyhow::Result<Self> {
        // Numbers begin at 1, as the Python library's do.
        let mut base = database.map_or_else(|| Base::Memory(Memory::with_start_seq(1)), Base::Datastore);
        let host = base.open().await?;
        let handle = Handle::parse(&workload.handle)?;
        let new = NewRepo::existing(workload.did.clone(), Some(handle)).active();
        host.create_repo(new.signing_key(Workload::key()?).own_rotation_key(Workload::key()?)).await?;
        Ok(Self { workload, base, host })
    }

    pub(crate) async fn run(&mut self, op: &Op) -> anyhow::Result<Measured> {
        match op {
            Op::Insert { records } => self.insert(records).await,
            Op::InsertStored { records } => self.insert_stored(records).await,
            Op::Commit { records, batch, cold } => self.commit(records, *batch, *cold).await,
            Op::Export => self.export().await,
            Op::Events { after, count } => self.events(*after, *count).await,
            Op::ImportRepo { did, handle, file } => {
                self.import(did.parse()?, handle.parse()?, std::fs::read(file)?.into()).await
            }
            Op::State => {
                let outcome = outcome::state(&self.repo()).await?;
                Ok(Watch::default().measured(1, outcome))
            }
        }
    }

    pub(crate) async fn close(mut self) {
        self.host.close().await;
        if let Base::Datastore(database) = &mut self.base {
            database.close().await;
        }
    }

    fn repo(&self) -> Repo {
        self.host.repo(&self.workload.did)
    }

    fn records(&self, range: &Range<usize>) -> anyhow::Result<&'a [Record]> {
        self.workload.records.get(range.clone()).context("there are not so many records")
    }

    async fn reopen(&mut self) -> anyhow::Result<()> {
        self.host.close().await;
        self.host = self.base.open().await?;
        Ok(())
    }

    /// What the work takes, and its calls.
    async fn time<T>(&self, watch: &mut Watch, work: impl Future<Output = T>) -> T {
        let before = self.base.calls();
        let done = watch.clock.time(work).await;
        watch.calls = watch.calls + (self.base.calls() - before);
        done
    }

    async fn insert(&self, range: &Range<usize>) -> anyhow::Result<Measured> {
        let entries = entries(self.records(range)?)?;
        let mut watch = Watch::default();
        let tree = self.time(&mut watch, async { insert(&Tree::empty(), &entries) }).await?;
        Ok(watch.measured(entries.len(), Outcome::of_root(tree.root_cid())))
    }

    async fn insert_stored(&mut self, range: &Range<usize>) -> anyhow::Result<Measured> {
        self.reopen().await?;
        let entries = entries(self.records(range)?)?;
        let mut watch = Watch::default();
        let work = async {
            let loader = Loader::for_edit(entries.iter().map(|(key, _)| key.clone()));
            let loaded = self.host.store().load(&self.workload.did, loader).await?;
            insert(&loaded.context("there is no repo")?.tree, &entries)
        };
        let tree = self.time(&mut watch, work).await?;
        Ok(watch.measured(entries.len(), Outcome::of_root(tree.root_cid())))
    }

    async fn commit(&mut self, range: &Range<usize>, batch: usize, cold: bool) -> anyhow::Result<Measured> {
        let collection: Nsid = COLLECTION.parse()?;
        let mut watch = Watch::default();
        let (mut commits, mut newest) = (0, None);
        for records in self.records(range)?.chunks(batch) {
            let writes = records.iter().map(|record| {
                let content: serde_json::Value = serde_json::from_str(&record.json)?;
                Ok(Write::create_at(collection.clone(), record.rkey.clone(), content))
            });
            let writes: Vec<_> = writes.collect::<anyhow::Result<_>>()?;
            if cold {
                self.reopen().await?;
            }
            let repo = self.repo();
            newest = self.time(&mut watch, repo.commit(writes)).await?.commit;
            commits += 1;
        }
        let newest = newest.context("nothing was committed")?;
        let mut outcome = Outcome::of_root(self.repo().tree().await?.root());
        outcome.seq = newest.seq;
        outcome.rev = matches!(self.base, Base::Datastore(_)).then(|| newest.rev.to_string());
        Ok(watch.measured(commits, outcome))
    }

    async fn export(&mut self) -> anyhow::Result<Measured> {
        self.reopen().await?;
        let repo = self.repo();
        let mut watch = Watch::default();
        let work = async { anyhow::Ok(repo.export(None).await?.try_collect::<Vec<Bytes>>().await?) };
        let pieces = self.time(&mut watch, work).await?;
        Ok(watch.measured(1, outcome::exported(&pieces.concat())?))
    }

    async fn events(&mut self, after: u64, count: usize) -> anyhow::Result<Measured> {
        self.reopen().await?;
        let mut watch = Watch::default();
        let work = async {
            let mut frames = Vec::with_capacity(count);
            let mut subscription = self.host.subscribe(Some(after));
            while frames.len() < count {
                match subscription.next().await.context("the log ended")?? {
                    Delivery::Event(event) => frames.push(event.frame),
                    other => anyhow::bail!("not an event: {other:?}"),
                }
            }
            Ok(frames)
        };
        let frames = self.time(&mut watch, work).await?;
        ensure!(frames.len() == count, "{} events instead of {count}", frames.len());
        Ok(watch.measured(count, outcome::written(&frames)?))
    }

    /// Makes the repo, which the Python library's import does by itself, and takes the file over.
    async fn import(&self, did: Did, handle: Handle, file: Bytes) -> anyhow::Result<Measured> {
        let key = Workload::key()?;
        let mut watch = Watch::default();
        let work = async {
            let repo = self.host.create_repo(NewRepo::existing(did, Some(handle)).signing_key(key)).await?;
            repo.import(stream::iter([Ok::<_, std::io::Error>(file)]))
                .await?
                .context("it was there already")?;
            anyhow::Ok(repo)
        };
        let repo = self.time(&mut watch, work).await?;
        Ok(watch.measured(1, outcome::state(&repo).await?))
    }
}

/// What was measured so far.
#[derive(Debug, Default)]
struct Watch {
    clock: Stopwatch,
    calls: Calls,
}

impl Watch {
    fn measured(self, operations: usize, outcome: Outcome) -> Measured {
        Measured {
            cpu: self.clock.cpu.as_secs_f64(),
            wall: self.clock.wall.as_secs_f64(),
            operations,
            calls: self.calls,
            outcome,
        }
    }
}

fn entries(records: &[Record]) -> anyhow::Result<Vec<(Key, Link)>> {
    records.iter().map(|record| Ok((record.key()?, Link::Cid(record.cid)))).collect()
}

/// One by one, then all nodes encoded and hashed.
fn insert(tree: &Tree, entries: &[(Key, Link)]) -> anyhow::Result<Tree> {
    let mut editor = Editor::new(tree);
    for (key, value) in entries {
        editor.put(key, value)?;
    }
    Ok(editor.finish()?)
}
