use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

use crate::car::{Block, Limits, Reader};
use crate::crypto::PublicKey;
use crate::data::{Cid, Link};
use crate::mst::{Expect, Key, NodeData, Position};
use crate::repo::Commit;
use crate::syntax::{Did, RecordPath};

use super::error::VerifyError;
use super::{is_record, signed_commit};

/// What a [`CarVerifier`] puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarLimits {
    /// The limits on the file.
    pub file: Limits,
    /// The most records.
    pub max_records: u64,
    /// The most bytes that are held because of the order of the file: blocks that came before what names them, and
    /// (at some 200 bytes each) the names of blocks that have not come.
    pub max_held_bytes: usize,
    /// Whether records that come before the node that names them are held until then, so that
    /// [`Found::Record`] always has their bytes unless the same block was there before. Otherwise they are only
    /// hashed and checked, and take no memory but their CID.
    pub hold_records: bool,
    /// Whether every record must be a map in strict DAG-CBOR of at most 1 MiB.
    pub check_records: bool,
}

impl Default for CarLimits {
    /// Five million records, 512 MiB held, records checked but not held.
    fn default() -> Self {
        Self {
            file: Limits::REPOSITORY,
            max_records: 5_000_000,
            max_held_bytes: 512 << 20,
            hold_records: false,
            check_records: true,
        }
    }
}

/// Something of a repository that has been verified, in the order of the file as far as that allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The commit: always first.
    Commit {
        /// Its CID.
        cid: Cid,
        /// The commit.
        commit: Commit,
        /// Its block.
        block: Bytes,
    },
    /// A tree node; its parent came before.
    Node {
        /// Where it stands.
        position: Position,
        /// Its CID.
        cid: Cid,
        /// Its block.
        block: Bytes,
    },
    /// A record; its node came before.
    Record {
        /// Its path.
        path: RecordPath,
        /// Its CID.
        cid: Cid,
        /// Its block; `None` if that came earlier in the file and was not held: see [`CarLimits::hold_records`].
        block: Option<Bytes>,
    },
}

/// What a whole repository turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCar {
    /// The CID of the commit.
    pub commit_cid: Cid,
    /// The commit.
    pub commit: Commit,
    /// The number of tree nodes.
    pub nodes: u64,
    /// The number of records.
    pub records: u64,
}

/// Verifies a whole repository in memory: the commit is signed by `key` for `owner`, the tree is the only valid one
/// of its keys, and every record is there. Blocks may come in any order; unrelated ones are ignored.
///
/// # Errors
/// The first thing that is wrong.
pub fn car(file: &[u8], owner: &Did, key: &PublicKey, limits: CarLimits) -> Result<VerifiedCar, VerifyError> {
    let mut verifier = CarVerifier::new(owner.clone(), Some(key.clone()), limits);
    for piece in file.chunks(64 << 10) {
        verifier.push(piece);
        for found in verifier.by_ref() {
            found?;
        }
    }
    verifier.finish()
}

/// Verifies a whole repository as it arrives: [`push`](Self::push) bytes, take what is [`Found`] by iterating until
/// `None`, and [`finish`](Self::finish) at the end of the input.
///
/// Nothing that was found counts until `finish` has succeeded. After an error nothing more is found.
///
/// In the streamable order (each node followed by what it names) only the way down the tree is held. Nodes in any
/// other order are held until named, under a limit; records need not be: see [`CarLimits::hold_records`].
#[derive(Debug)]
pub struct CarVerifier {
    owner: Did,
    key: Option<PublicKey>,
    limits: CarLimits,
    reader: Reader,
    /// What is named but has not been there.
    wanted: HashMap<Cid, Wants>,
    /// What has been there but is not named yet.
    held: HashMap<Cid, Bytes>,
    held_bytes: usize,
    /// The blocks that have been there and are not held any more.
    gone: HashSet<Digest>,
    /// Those among them that are no records.
    malformed: HashSet<Digest>,
    ready: Vec<(Want, Cid, Option<Bytes>)>,
    found: VecDeque<Found>,
    commit: Option<(Cid, Commit)>,
    nodes: u64,
    records: u64,
    failed: Option<VerifyError>,
}

/// As much of a digest as nobody can find two blocks for.
type Digest = [u8; 20];

fn short(cid: &Cid) -> Digest {
    *cid.digest().first_chunk().expect("32 bytes begin with 20")
}

/// As what something is named.
#[derive(Clone, Debug)]
enum Want {
    Commit,
    Root,
    Child { position: Position, before: Option<Key> },
    Record(RecordPath),
}

/// All that one block is named as: as a rule one thing.
#[derive(Clone, Debug)]
enum Wants {
    One(Want),
    Many(Vec<Want>),
}

impl Wants {
    fn push(&mut self, want: Want) {
        match self {
            Self::Many(wants) => wants.push(want),
            Self::One(_) => {
                let Self::One(first) = std::mem::replace(self, Self::Many(Vec::new())) else { return };
                *self = Self::Many(vec![first, want]);
            }
        }
    }

    fn into_vec(self) -> Vec<Want> {
        match self {
            Self::One(want) => vec![want],
            Self::Many(wants) => wants,
        }
    }
}

impl CarVerifier {
    /// A verifier. Without a key the signature is not checked, which is for importers of a repository that another
    /// host has signed with a key that has been replaced since.
    pub fn new(owner: Did, key: Option<PublicKey>, limits: CarLimits) -> Self {
        Self {
            owner,
            key,
            limits,
            reader: Reader::new(limits.file),
            wanted: HashMap::new(),
            held: HashMap::new(),
            held_bytes: 0,
            gone: HashSet::new(),
            malformed: HashSet::new(),
            ready: Vec::new(),
            found: VecDeque::new(),
            commit: None,
            nodes: 0,
            records: 0,
            failed: None,
        }
    }

    /// Hands over the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// Demands that the file ends here and everything has been there.
    ///
    /// # Errors
    /// What is missing, or the error that iterating has given before.
    pub fn finish(mut self) -> Result<VerifiedCar, VerifyError> {
        for found in self.by_ref() {
            found?;
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.reader.finish()?;
        if let Some(cid) = self.wanted.into_keys().min() {
            return Err(VerifyError::MissingBlock(cid));
        }
        let (commit_cid, commit) = self.commit.ok_or(VerifyError::Root)?;
        Ok(VerifiedCar { commit_cid, commit, nodes: self.nodes, records: self.records })
    }

    fn step(&mut self) -> Result<Option<Found>, VerifyError> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            if let Some((want, cid, block)) = self.ready.pop() {
                self.satisfy(want, cid, block)?;
                continue;
            }
            let Some(block) = self.reader.next().transpose()? else { return Ok(None) };
            self.arrive(block)?;
        }
    }

    /// Takes in a block of the file.
    fn arrive(&mut self, Block { cid, data }: Block) -> Result<(), VerifyError> {
        if self.commit.is_none() && self.wanted.is_empty() {
            let root = self.reader.roots().and_then(|roots| roots.first()).ok_or(VerifyError::Root)?;
            self.wanted.insert(*root, Wants::One(Want::Commit));
        }
        if let Some(wants) = self.wanted.remove(&cid).map(Wants::into_vec) {
            self.release(wants.len() * WANT_BYTES);
            if wants.iter().any(|want| matches!(want, Want::Record(_))) {
                self.leave(&cid, &data);
            } else {
                self.gone.insert(short(&cid));
            }
            // All at once, in case one block is several records. The last one ready is the first to be satisfied.
            self.ready.extend(wants.into_iter().rev().map(|want| (want, cid, Some(data.clone()))));
            return Ok(());
        }
        let complete = self.commit.is_some() && self.wanted.is_empty();
        if complete || self.held.contains_key(&cid) || self.gone.contains(&short(&cid)) {
            return Ok(());
        }
        if !self.limits.hold_records && !may_be_node(&data) {
            self.leave(&cid, &data);
            return Ok(());
        }
        self.hold(data.len() + HELD_OVERHEAD)?;
        // A copy, because a slice would keep the whole input around it.
        self.held.insert(cid, Bytes::copy_from_slice(&data));
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), VerifyError> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes > self.limits.max_held_bytes {
            return Err(VerifyError::Scattered(self.limits.max_held_bytes));
        }
        Ok(())
    }

    fn release(&mut self, bytes: usize) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }

    /// Notes that a block has been there and is not held.
    fn leave(&mut self, cid: &Cid, data: &[u8]) {
        self.gone.insert(short(cid));
        if self.limits.check_records && !is_record(data) {
            self.malformed.insert(short(cid));
        }
    }

    /// Notes that a block is named.
    fn want(&mut self, cid: Cid, want: Want) -> Result<(), VerifyError> {
        if let Some(data) = self.held.remove(&cid) {
            self.release(data.len() + HELD_OVERHEAD);
            self.leave(&cid, &data);
            self.ready.push((want, cid, Some(data)));
        } else if self.gone.contains(&short(&cid)) {
            self.ready.push((want, cid, None));
        } else {
            self.hold(WANT_BYTES)?;
            match self.wanted.entry(cid) {
                Entry::Occupied(mut wants) => wants.get_mut().push(want),
                Entry::Vacant(wants) => drop(wants.insert(Wants::One(want))),
            }
        }
        Ok(())
    }

    /// Checks a block as what it was named.
    fn satisfy(&mut self, want: Want, cid: Cid, block: Option<Bytes>) -> Result<(), VerifyError> {
        match want {
            Want::Record(path) => self.record(path, cid, block),
            // Its bytes are gone: it has been a node elsewhere, or is a record besides. No valid tree is like that.
            _ if block.is_none() => Err(VerifyError::Repeated(cid)),
            Want::Commit => self.root(cid, block.unwrap_or_default()),
            Want::Root => self.node(cid, block.unwrap_or_default(), None),
            Want::Child { position, before } => {
                self.node(cid, block.unwrap_or_default(), Some((position, before)))
            }
        }
    }

    fn root(&mut self, cid: Cid, block: Bytes) -> Result<(), VerifyError> {
        let commit = match &self.key {
            Some(key) => signed_commit(&block, &self.owner, key)?,
            None => Commit::decode(&block)?,
        };
        if commit.did != self.owner {
            return Err(VerifyError::Owner(commit.did));
        }
        if commit.version != Commit::VERSION {
            return Err(VerifyError::CommitVersion(commit.version));
        }
        self.want(commit.data, Want::Root)?;
        self.commit = Some((cid, commit.clone()));
        self.found.push_back(Found::Commit { cid, commit, block });
        Ok(())
    }

    fn node(
        &mut self,
        cid: Cid,
        block: Bytes,
        place: Option<(Position, Option<Key>)>,
    ) -> Result<(), VerifyError> {
        let expect = match &place {
            None => Expect::root(None),
            Some((position, before)) => {
                Expect::child(position.height, position.after.as_bytes(), before.as_ref().map(Key::as_bytes))
            }
        };
        let NodeData { height, left, entries } = NodeData::decode(&block, expect)?;
        let (after, before) = match place {
            None => (Key::start(), None),
            Some((position, before)) => (position.after, before),
        };
        self.records = self.records.saturating_add(entries.len() as u64);
        if self.records > self.limits.max_records {
            return Err(VerifyError::TooManyRecords(self.limits.max_records));
        }
        self.nodes += 1;
        let mut named = Vec::with_capacity(2 * entries.len() + 1);
        let mut child = |after: &Key, before: Option<&Key>, cid: Option<Cid>| {
            let Some((cid, height)) = cid.zip(height.checked_sub(1)) else { return };
            let position = Position { after: after.clone(), height };
            named.push((cid, Want::Child { position, before: before.cloned() }));
        };
        child(&after, entries.first().map(|entry| &entry.key).or(before.as_ref()), left);
        let mut records = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let Link::Cid(value) = entry.value else { return Err(VerifyError::Value(entry.key.clone())) };
            records.push((value, Want::Record(record_path(&entry.key)?)));
            child(&entry.key, entries.get(i + 1).map(|entry| &entry.key).or(before.as_ref()), entry.right);
        }
        // What is ready is satisfied from the last to the first; the order of children and records is free.
        for (cid, want) in named.into_iter().chain(records).rev() {
            self.want(cid, want)?;
        }
        self.found.push_back(Found::Node { position: Position { after, height }, cid, block });
        Ok(())
    }

    fn record(&mut self, path: RecordPath, cid: Cid, block: Option<Bytes>) -> Result<(), VerifyError> {
        if self.limits.check_records && self.malformed.contains(&short(&cid)) {
            return Err(VerifyError::Record(Key::new(&path.to_bytes())?));
        }
        self.found.push_back(Found::Record { path, cid, block });
        Ok(())
    }
}

/// `None` means that more bytes are needed: iterating goes on after the next [`push`](CarVerifier::push).
impl Iterator for CarVerifier {
    type Item = Result<Found, VerifyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed.is_some() {
            return None;
        }
        let result = self.step();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            (self.wanted, self.held) = (HashMap::new(), HashMap::new());
            (self.gone, self.malformed, self.ready) = (HashSet::new(), HashSet::new(), Vec::new());
        }
        result.transpose()
    }
}

/// What the name of a block that has not come takes, about.
const WANT_BYTES: usize = 200;

/// What a held block takes besides its bytes.
const HELD_OVERHEAD: usize = 100;

/// Whether a block looks like a tree node, whose bytes are needed when it is named. Nothing else can be one,
/// because a node has but one encoding.
fn may_be_node(data: &[u8]) -> bool {
    data.starts_with(&[0xa2, 0x61, b'e'])
}

fn record_path(key: &Key) -> Result<RecordPath, VerifyError> {
    let error = |source| VerifyError::Path { key: key.clone(), source };
    let text = std::str::from_utf8(key.as_bytes()).map_err(|_| error(None))?;
    let path = RecordPath::parse(text).map_err(|e| error(Some(e)))?;
    if path.collection.is_normalized() { Ok(path) } else { Err(error(None)) }
}
