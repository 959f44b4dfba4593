//! Collecting what others wrote, and publishing it in order.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use arroba_core::{data::Cid, event::EventDraft};
use tokio::time::Instant;

use super::{
    Follower,
    chain::{Fate, Heads},
    holes::Hole,
    read::{self, Read},
    rebuild::rebuild,
    stored,
};
use crate::{error::StoreError, log::StoredEvent};

/// What was found behind a number that is still to come.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub(super) pending: BTreeMap<u64, Pending>,
    /// Numbers whose reservation was seen to be gone; a block of theirs that is not there when it is read after that will never be.
    pub(super) unreserved: BTreeMap<u64, u32>,
    /// How many reads there were.
    pub(super) reads: u32,
    /// A failure that was told.
    failing: bool,
}

#[derive(Debug)]
pub(super) struct Pending {
    /// Nothing if the number has blocks and no event.
    event: Option<StoredEvent>,
    /// When it was made, in microseconds since 1970.
    pub(super) created: u64,
    pub(super) noticed: Instant,
}

/// How a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collected {
    /// Everything was published; whether there was something.
    All(bool),
    /// A number is missing.
    Waiting,
}

type Made = (Vec<(u64, Option<StoredEvent>)>, HashSet<u64>);

impl Follower {
    /// Collects whenever there may be something, until the log is closed.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut closed = self.closed.subscribe();
        let mut pause = self.options.poll;
        while !*closed.borrow() {
            tokio::select! {
                _ = closed.changed() => continue,
                () = self.wake.notified() => {}
                () = self.sequences.settled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            // A collection is not broken off: it holds nothing that closing would wait for long.
            let mut collector = self.turn.lock().await;
            let collected = self.collect(&mut collector).await;
            let failed = collected.is_err();
            pause = match collected {
                Ok(Collected::All(true) | Collected::Waiting) => self.options.poll,
                Ok(Collected::All(false)) => (pause * 2).min(self.options.idle_poll),
                Err(error) if !collector.failing => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the log of events cannot be read; trying again");
                    self.options.idle_poll
                }
                Err(_) => self.options.idle_poll,
            };
            collector.failing = failed;
        }
    }

    /// Reads what is new and publishes what nothing is missing before.
    pub(super) async fn collect(&self, collector: &mut Collector) -> Result<Collected, StoreError> {
        let seen = self.pokes.load(Ordering::Acquire);
        let mut any = false;
        let collected = loop {
            let through = self.resume(collector);
            let to = collector.pending.first_key_value().map(|(first, _)| first - 1);
            let mut bound = u64::MAX;
            let mut more = false;
            if to != Some(through) {
                let read = read::read(&self.client, None, through, to, NUMBERS).await?;
                more = read.more;
                if more {
                    bound = read.through;
                }
                let noticed = Instant::now();
                for (seq, event) in self.made(read, true).await?.0 {
                    let created = event.as_ref().map_or(0, |event| event.time);
                    collector.pending.entry(seq).or_insert(Pending { event, created, noticed });
                }
            }
            collector.reads = collector.reads.wrapping_add(1);
            match self.publish(collector, bound).await? {
                Published::Some => any = true,
                // Commits that the heads have not reached, as many as one read gives.
                Published::None if more && self.ring().through() == through => break Collected::Waiting,
                Published::None => {}
                Published::Waiting => break Collected::Waiting,
                Published::ReadAgain => continue,
            }
            // What was read for a gap alone ended where the pending numbers begin.
            if !more && to.is_none() && collector.pending.is_empty() {
                break Collected::All(any);
            }
        };
        self.seen.fetch_max(seen, Ordering::AcqRel);
        Ok(collected)
    }

    /// Forgets what was published meanwhile and takes in own events that wait; gives how far the log goes.
    fn resume(&self, collector: &mut Collector) -> u64 {
        let ring = self.ring();
        let through = ring.through();
        collector.pending = collector.pending.split_off(&(through + 1));
        collector.unreserved = collector.unreserved.split_off(&(through + 1));
        let noticed = Instant::now();
        for event in ring.own() {
            let pending = || Pending { event: Some(event.clone()), created: event.time, noticed };
            collector.pending.entry(event.seq).or_insert_with(pending);
        }
        through
    }

    /// Publishes pending events up to `bound`, as far as no number is missing.
    async fn publish(&self, collector: &mut Collector, bound: u64) -> Result<Published, StoreError> {
        let mut published = Published::None;
        loop {
            let through = self.ring().through();
            let Some((&seq, _)) = collector.pending.first_key_value() else { return Ok(published) };
            if seq > bound {
                return Ok(published);
            }
            if seq <= through {
                collector.pending.pop_first();
                continue;
            }
            if seq > through + 1 {
                match self.hole(collector, through + 1..seq).await? {
                    Hole::Final(end) => self.pass(through + 1..end),
                    Hole::Wait => return Ok(Published::Waiting),
                    Hole::ReadAgain => return Ok(Published::ReadAgain),
                }
                continue;
            }
            let event = collector.pending.pop_first().and_then(|(_, pending)| pending.event);
            let mut ring = self.ring();
            ring.settle(seq, event, false);
            // Own events that waited for it.
            ring.offer([]);
            self.tell(&ring);
            published = Published::Some;
        }
    }

    /// Gives up numbers that nobody will use.
    fn pass(&self, seqs: std::ops::Range<u64>) {
        tracing::info!(?seqs, "sequence numbers without an event are passed");
        for seq in seqs {
            self.sequences.passed(seq);
            self.ring().settle(seq, None, true);
        }
    }

    /// What was stored under numbers, as events; and, if that is asked, which numbers have a commit that the head has not reached.
    pub(super) async fn made(&self, read: Read, live: bool) -> Result<Made, StoreError> {
        let Read { numbers, known, .. } = read;
        // With our own programs alone, a commit and its head are written together.
        let doubt = live && !self.sequences.is_exclusive();
        let doubtful = |number: &&read::Numbered| number.commits.len() > usize::from(!doubt);
        let own: HashSet<u64> =
            if live { self.ring().own().map(|event| event.seq).collect() } else { HashSet::new() };
        let dids = numbers.iter().filter(doubtful).filter(|number| !own.contains(&number.seq));
        let dids = dids.flat_map(|number| number.commits.iter().map(|commit| commit.commit.did.clone()));
        let heads = Heads::read(&self.blocks, &known, dids.collect()).await?;
        let (mut events, mut commits, mut open) = (BTreeMap::new(), Vec::new(), HashSet::new());
        for number in numbers {
            let seq = number.seq;
            if own.contains(&seq) {
                continue;
            }
            events.insert(seq, number.event.map(|(draft, time)| stored(seq, time, &draft)));
            let fate = match number.commits {
                one if one.is_empty() => continue,
                mut one if one.len() == 1 && !doubt => {
                    one.pop().map_or(Fate::Nothing, |one| Fate::Commit(Box::new(one)))
                }
                several => heads.fate(several, live).await?,
            };
            match fate {
                Fate::Commit(commit) => commits.push(*commit),
                Fate::Nothing => {}
                Fate::Open => {
                    events.remove(&seq);
                    open.insert(seq);
                }
            }
        }
        let drafts = self.rebuilt(&known, &commits).await?;
        for (commit, draft) in commits.iter().zip(drafts) {
            events.insert(commit.seq, Some(stored(commit.seq, commit.created, &draft)));
        }
        Ok((events.into_iter().collect(), open))
    }

    async fn rebuilt(
        &self,
        known: &HashMap<Cid, bytes::Bytes>,
        commits: &[super::rebuild::StoredCommit],
    ) -> Result<Vec<EventDraft>, StoreError> {
        let mut drafts = Vec::with_capacity(commits.len());
        for portion in commits.chunks(AT_ONCE) {
            drafts.extend(rebuild(&self.blocks, known, portion).await?);
        }
        Ok(drafts)
    }
}

/// What a round of publishing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Published {
    Some,
    None,
    Waiting,
    ReadAgain,
}

/// Numbers of one read.
const NUMBERS: usize = 500;

/// Commits whose events are made together: what they need is in memory at once.
const AT_ONCE: usize = 100;
