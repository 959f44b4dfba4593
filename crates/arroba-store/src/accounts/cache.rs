//! Accounts that call often, in memory: who shows a token need not wait for a reader.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arroba_core::syntax::Did;

use super::Account;

/// Accounts kept at most.
const ACCOUNTS: usize = 10_000;

/// Accounts as of an epoch. Each transaction that may change one ends the epoch before it commits and begins another when it is
/// durable, before it is answered; in between there is none. An entry of the current epoch is therefore what a snapshot taken
/// now would show.
#[derive(Debug, Default)]
pub(crate) struct AccountCache {
    /// Even: the current epoch. Odd: between two.
    epoch: AtomicU64,
    accounts: Mutex<HashMap<Did, (u64, Account)>>,
}

impl AccountCache {
    /// To be called before a transaction commits that may change accounts.
    pub(crate) fn end_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// To be called when it is known what became of it.
    pub(crate) fn begin_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// The epoch that a snapshot begun from now on belongs to, if there is one.
    pub(super) fn epoch(&self) -> Option<u64> {
        Some(self.epoch.load(Ordering::SeqCst)).filter(|epoch| epoch % 2 == 0)
    }

    pub(super) fn find(&self, did: &Did) -> Option<Account> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let (epoch, account) = accounts.get(did)?;
        (Some(*epoch) == self.epoch()).then(|| account.clone())
    }

    /// Keeps an account that was read from a snapshot begun in `epoch`.
    pub(super) fn put(&self, epoch: u64, account: &Account) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= ACCOUNTS && !accounts.contains_key(&account.did) {
            let current = self.epoch();
            accounts.retain(|_, (epoch, _)| Some(*epoch) == current);
            if accounts.len() >= ACCOUNTS {
                accounts.clear();
            }
        }
        accounts.insert(account.did.clone(), (epoch, account.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: usize, tokens_after: u64) -> Account {
        Account {
            did: Did::parse(&format!("did:web:a{number}.test")).unwrap(),
            email: None,
            email_confirmed: None,
            password: None,
            created: 0,
            invite: None,
            deactivated: None,
            tokens_after,
        }
    }

    #[test]
    fn an_entry_lives_as_long_as_its_epoch() {
        let cache = AccountCache::default();
        let known = account(1, 5);
        let epoch = cache.epoch().unwrap();
        cache.put(epoch, &known);
        assert_eq!(cache.find(&known.did).unwrap().tokens_after, 5);
        cache.end_epoch();
        assert!(cache.epoch().is_none());
        assert!(cache.find(&known.did).is_none());
        cache.begin_epoch();
        assert!(cache.find(&known.did).is_none());
        // A slow reader's snapshot may be older than the change.
        cache.put(epoch, &known);
        assert!(cache.find(&known.did).is_none());
        cache.put(cache.epoch().unwrap(), &account(1, 6));
        assert_eq!(cache.find(&known.did).unwrap().tokens_after, 6);
    }

    #[test]
    fn stays_bounded() {
        let cache = AccountCache::default();
        for number in 0..=ACCOUNTS {
            cache.put(0, &account(number, 0));
        }
        assert!(cache.accounts.lock().unwrap().len() <= ACCOUNTS);
        assert!(cache.find(&account(ACCOUNTS, 0).did).is_some());
    }
}
