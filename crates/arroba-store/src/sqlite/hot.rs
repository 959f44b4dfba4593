//! The repositories that were written to last, in memory: the next write to one of them reads no row of it.
//!
//! Only the writer changes entries: it takes them out before a transaction commits, and puts the new ones in when they are
//! durable, before the change is answered. So an entry is what a snapshot taken now would show, and no reader can put back
//! what it saw before.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use arroba_core::syntax::Did;

use super::rows::Found;

/// Entries of one generation; one entry takes about a kilobyte.
const GENERATION: usize = 8192;

/// Two generations: when the young one is full it becomes the old one, and what was old and not used since is forgotten.
#[derive(Debug, Default)]
pub(super) struct HotRepos(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Did, Found>,
    old: HashMap<Did, Found>,
}

impl HotRepos {
    pub(super) fn find(&self, did: &Did) -> Option<Found> {
        let mut repos = self.lock();
        if let Some(found) = repos.young.get(did) {
            return Some(found.clone());
        }
        let found = repos.old.remove(did)?;
        repos.add(did.clone(), found.clone());
        Some(found)
    }

    /// Takes out the repositories that a transaction is about to change: until it is known what became of them, the rows have
    /// to be asked.
    pub(super) fn forget(&self, changed: &[(Did, Option<Found>)]) {
        let mut repos = self.lock();
        for (did, _) in changed {
            repos.old.remove(did);
            repos.young.remove(did);
        }
    }

    /// Takes in what a transaction made of the repositories that were forgotten for it, in its order.
    pub(super) fn publish(&self, changed: Vec<(Did, Option<Found>)>) {
        let mut repos = self.lock();
        for (did, found) in changed {
            match found {
                Some(found) => repos.add(did, found),
                None => drop(repos.young.remove(&did)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn add(&mut self, did: Did, found: Found) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&did) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(did, found);
    }
}

#[cfg(test)]
mod tests {
    use arroba_core::syntax::Did;

    use super::*;
    use crate::{
        repo::{RepoRow, RepoStatus},
        seal::SealedKeys,
    };

    fn repo(number: usize, status: RepoStatus) -> (Did, Option<Found>) {
        let did = Did::parse(&format!("did:web:r{number}.test")).unwrap();
        let repo = RepoRow {
            did: did.clone(),
            handle: None,
            status,
            underlying: status,
            takedown: None,
            keys: SealedKeys::none(),
            created: 0,
            rev: None,
        };
        (did, Some(Found { id: 1, repo, live: None }))
    }

    fn change(hot: &HotRepos, changed: Vec<(Did, Option<Found>)>) {
        hot.forget(&changed);
        hot.publish(changed);
    }

    fn status(hot: &HotRepos, number: usize) -> Option<RepoStatus> {
        hot.find(&repo(number, RepoStatus::Active).0).map(|found| found.repo.status)
    }

    #[test]
    fn the_newest_entry_counts_also_from_the_old_generation() {
        let hot = HotRepos::default();
        change(&hot, vec![repo(0, RepoStatus::Active), repo(1, RepoStatus::Active)]);
        change(&hot, (2..=GENERATION).map(|number| repo(number, RepoStatus::Active)).collect());
        change(&hot, vec![repo(0, RepoStatus::Suspended), (repo(1, RepoStatus::Active).0, None)]);
        assert_eq!(status(&hot, 0), Some(RepoStatus::Suspended));
        assert_eq!(status(&hot, 1), None);
        assert_eq!(status(&hot, 2), Some(RepoStatus::Active));
    }

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let hot = HotRepos::default();
        for number in 0..4 * GENERATION {
            change(&hot, vec![repo(number, RepoStatus::Active)]);
            assert!(status(&hot, 0).is_some());
        }
        let repos = hot.lock();
        assert!(repos.young.len() + repos.old.len() <= 2 * GENERATION);
        drop(repos);
        assert!(status(&hot, 1).is_none());
    }

    #[test]
    fn of_one_repo_the_last_change_counts() {
        let hot = HotRepos::default();
        let gone = (repo(0, RepoStatus::Active).0, None);
        change(&hot, vec![repo(0, RepoStatus::Active), gone.clone()]);
        assert_eq!(status(&hot, 0), None);
        change(&hot, vec![gone, repo(0, RepoStatus::Suspended)]);
        assert_eq!(status(&hot, 0), Some(RepoStatus::Suspended));
        hot.forget(&[repo(0, RepoStatus::Active)]);
        assert_eq!(status(&hot, 0), None);
    }
}
