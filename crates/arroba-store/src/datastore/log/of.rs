//! What one repository has in the log, without reading what others have.

use std::collections::HashSet;

use arroba_core::{data::Cid, syntax::Did};

use super::{
    Follower,
    chain::{Fate, Heads},
    read::{self, Numbered, Read},
};
use crate::error::StoreError;

impl Follower {
    /// Numbers of one repository behind `after` and up to `to`, about `limit`, with the commits that became part of it: one query for
    /// 500 of its own blocks.
    ///
    /// Whoever makes a commit names the head of that moment as the one before. So a commit that another one names was a head, and
    /// a few more numbers than asked for show that of all but the newest commit, and of one that was stored and came to nothing; about
    /// those the head decides.
    pub(super) async fn read_of(
        &self,
        did: &Did,
        after: u64,
        to: u64,
        limit: usize,
    ) -> Result<Read, StoreError> {
        let limit = limit.max(1);
        let ahead = limit.saturating_add(AHEAD);
        let mut read = read::read(&self.client, Some(did), after, Some(to), ahead).await?;
        let commits = read.numbers.iter().flat_map(|number| &number.commits);
        let followed: HashSet<Cid> = commits.filter_map(|commit| commit.commit.prev).collect();
        read.cut(limit);
        let is_followed = |number: &Numbered| number.commits.iter().any(|c| followed.contains(&c.cid));
        let Read { numbers, known, .. } = &mut read;
        let doubtful = |number: &&mut Numbered| !number.commits.is_empty() && !is_followed(number);
        let mut open: Vec<&mut Numbered> = numbers.iter_mut().filter(doubtful).collect();
        if !open.is_empty() {
            let heads = Heads::read(&self.blocks, known, HashSet::from([did.clone()])).await?;
            for number in &mut open {
                let fate = heads.fate(std::mem::take(&mut number.commits), false).await?;
                if let Fate::Commit(commit) = fate {
                    number.commits.push(*commit);
                }
            }
        }
        for number in numbers.iter_mut().filter(|number| number.commits.len() > 1) {
            number.commits.retain(|commit| followed.contains(&commit.cid));
        }
        Ok(read)
    }
}

impl Read {
    /// Leaves out what is behind the first `limit` numbers, or was read only for what it shows of those before it.
    fn cut(&mut self, limit: usize) {
        let count = self.numbers.len();
        let most = if self.more { limit.min(count.saturating_sub(AHEAD).max(1)) } else { limit };
        if count > most {
            self.numbers.truncate(most);
            self.through = self.numbers.last().map_or(self.through, |last| last.seq);
            self.more = true;
        }
    }
}

/// Numbers that are read beyond those asked for: as many writers at one repository at once do not come after each other.
const AHEAD: usize = 8;
