//! Logins: accounts, their sessions, invites and preferences.
//!
//! They live in the same SQLite file as the repositories, so that one transaction can change both. A host without
//! logins (a bridge) needs none of this.
//!
//! An account is created in steps that no transaction can span, because one of them is an operation in the PLC
//! directory: [`Accounts::reserve`] takes DID, e-mail address and invite, durably; [`Accounts::finish`] makes the
//! account usable once its repository exists; [`Accounts::revert`] gives everything back. Handle and signing key
//! are reserved with the repository. After a crash
//! [`Accounts::unfinished`] lists what is in between.

mod account;
mod cache;
mod creation;
mod error;
mod invites;
mod password;
mod preferences;
mod sessions;

pub use account::Account;
pub use creation::NewAccount;
pub use error::AccountError;
pub use invites::{Invite, InviteUse, NewInvite};
pub use password::{PasswordHash, Passwords};
pub use preferences::Preference;
pub use sessions::{Rotated, Session};

pub(crate) use cache::AccountCache;

use crate::sqlite::Sqlite;

/// The accounts in a [`Sqlite`] store. Clones share it.
#[derive(Clone, Debug)]
pub struct Accounts {
    store: Sqlite,
}

impl Accounts {
    /// The accounts of `store`.
    pub fn new(store: Sqlite) -> Self {
        Self { store }
    }
}

#[cfg(test)]
mod tests {
    use arroba_core::syntax::Did;

    use super::*;
    use crate::SqliteOptions;

    async fn accounts() -> Accounts {
        Accounts::new(Sqlite::in_memory(SqliteOptions::default()).await.unwrap())
    }

    fn did(name: &str) -> Did {
        Did::parse(&format!("did:web:{name}.test")).unwrap()
    }

    fn new(name: &str) -> NewAccount {
        NewAccount {
            did: did(name),
            email: Some(format!("{name}@Mail.test")),
            password: None,
            invite: None,
            now: 5,
        }
    }

    fn session(id: &str, expires: u64) -> Session {
        Session { id: id.into(), did: did("a"), expires }
    }

    #[tokio::test]
    async fn an_account_is_usable_once_finished() {
        let accounts = accounts().await;
        accounts.reserve(new("a")).await.unwrap();
        assert!(accounts.account(&did("a")).await.unwrap().is_none());
        assert_eq!(accounts.unfinished().await.unwrap(), [did("a")]);
        accounts.finish(&did("a")).await.unwrap();
        assert!(accounts.unfinished().await.unwrap().is_empty());
        assert_eq!(accounts.account_by_email("A@mail.TEST").await.unwrap().unwrap().did, did("a"));
        accounts.revert(&did("a")).await.unwrap();
        assert!(accounts.account(&did("a")).await.unwrap().is_some(), "a finished account is not reverted");
        assert!(matches!(accounts.finish(&did("b")).await, Err(AccountError::NotFound)));
    }

    #[tokio::test]
    async fn what_is_taken_is_named() {
        let accounts = accounts().await;
        accounts.reserve(new("a")).await.unwrap();
        assert!(matches!(accounts.reserve(new("a")).await, Err(AccountError::DidTaken)));
        let same_email = NewAccount { email: Some("A@MAIL.test".into()), ..new("b") };
        assert!(matches!(accounts.reserve(same_email).await, Err(AccountError::EmailTaken)));
        let no_invite = NewAccount { invite: Some("none".into()), ..new("b") };
        assert!(matches!(accounts.reserve(no_invite).await, Err(AccountError::InviteUnavailable)));
        accounts.reserve(new("b")).await.unwrap();
        accounts.revert(&did("a")).await.unwrap();
        accounts.reserve(new("a")).await.unwrap();
    }

    #[tokio::test]
    async fn an_invite_is_spent_once_however_many_ask_at_once() {
        let accounts = accounts().await;
        let invite = NewInvite { code: "code".into(), uses: 2, account: None };
        accounts.create_invites(vec![invite], 1).await.unwrap();
        let tries = ["a", "b", "c", "d", "e"]
            .map(|name| accounts.reserve(NewAccount { invite: Some("code".into()), ..new(name) }));
        let results = futures::future::join_all(tries).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 2);
        assert!(!accounts.invite_is_available("code").await.unwrap());
        let spent = accounts.invite("code").await.unwrap().unwrap();
        assert_eq!((spent.available, spent.uses.len(), spent.account.as_str()), (2, 2, "admin"));
        accounts.revert(&spent.uses[0].did).await.unwrap();
        assert!(accounts.invite_is_available("code").await.unwrap(), "a reverted account gives its use back");
    }

    #[tokio::test]
    async fn a_token_used_twice_in_its_grace_yields_the_same_successor() {
        let accounts = accounts().await;
        accounts.start_session(session("one", 1000)).await.unwrap();
        let first = accounts.rotate_session("one", session("two", 1100), 100, 50).await.unwrap().unwrap();
        let again = accounts.rotate_session("one", session("other", 1110), 110, 50).await.unwrap().unwrap();
        assert_eq!((first.next.as_str(), first.expires), ("two", 1100));
        assert_eq!(first, again);
        assert_eq!(accounts.rotate_session("one", session("late", 9), 151, 50).await.unwrap(), None);
        assert_eq!(accounts.rotate_session("other", session("x", 9), 120, 50).await.unwrap(), None);
        assert!(accounts.rotate_session("two", session("three", 1200), 200, 50).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_token_belongs_to_one_account() {
        let accounts = accounts().await;
        accounts.start_session(session("one", 1000)).await.unwrap();
        let other = Session { did: did("b"), ..session("two", 1100) };
        assert_eq!(accounts.rotate_session("one", other, 100, 50).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_ended_session_stays_ended_for_the_token_before_it() {
        let accounts = accounts().await;
        accounts.start_session(session("one", 1000)).await.unwrap();
        accounts.rotate_session("one", session("two", 1100), 100, 50).await.unwrap().unwrap();
        accounts.end_session("two").await.unwrap();
        assert_eq!(accounts.rotate_session("one", session("x", 1), 110, 50).await.unwrap(), None);
        assert_eq!(accounts.rotate_session("two", session("x", 1), 110, 50).await.unwrap(), None);
    }

    #[tokio::test]
    async fn all_sessions_can_be_ended_and_access_tokens_voided() {
        let accounts = accounts().await;
        accounts.reserve(new("a")).await.unwrap();
        accounts.finish(&did("a")).await.unwrap();
        accounts.start_session(session("one", 1000)).await.unwrap();
        accounts.end_sessions(&did("a")).await.unwrap();
        accounts.void_tokens(&did("a"), 70).await.unwrap();
        assert_eq!(accounts.rotate_session("one", session("x", 1), 80, 50).await.unwrap(), None);
        assert_eq!(accounts.account(&did("a")).await.unwrap().unwrap().tokens_after, 70);
    }

    #[tokio::test]
    async fn preferences_keep_their_order_and_go_with_the_account() {
        let accounts = accounts().await;
        accounts.reserve(new("a")).await.unwrap();
        let pref =
            |n: &str| Preference { r#type: format!("app.bsky.{n}"), json: format!("{{\"n\":\"{n}\"}}") };
        accounts.put_preferences(&did("a"), vec![pref("z"), pref("y")]).await.unwrap();
        accounts.put_preferences(&did("a"), vec![pref("y"), pref("b")]).await.unwrap();
        assert_eq!(accounts.preferences(&did("a")).await.unwrap(), [pref("y"), pref("b")]);
        accounts.delete(&did("a")).await.unwrap();
        assert!(accounts.preferences(&did("a")).await.unwrap().is_empty());
        accounts.reserve(new("a")).await.unwrap();
    }
}
