//! One account's row.

use arroba_core::syntax::Did;
use rusqlite::{Connection, Row, params};

use super::{AccountError, Accounts, PasswordHash};
use crate::StoreError;

/// An account whose creation is finished. Handle, status and keys are with its repository.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// Its DID.
    pub did: Did,
    /// Its e-mail address, lower case.
    pub email: Option<String>,
    /// When the address was confirmed, in microseconds since 1970.
    pub email_confirmed: Option<u64>,
    /// Its password; without one it cannot log in.
    pub password: Option<PasswordHash>,
    /// When it was created here, in microseconds since 1970.
    pub created: u64,
    /// The invite code it was created with.
    pub invite: Option<String>,
    /// When it was deactivated, in microseconds since 1970.
    pub deactivated: Option<u64>,
    /// Access tokens issued before this time (seconds since 1970) are void.
    pub tokens_after: u64,
}

const COLUMNS: &str = "did, email, email_confirmed, password, created, invite, deactivated, tokens_after_s";

impl Accounts {
    /// The account of a DID.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn account(&self, did: &Did) -> Result<Option<Account>, AccountError> {
        let cache = self.store.account_cache();
        if let Some(account) = cache.find(did) {
            return Ok(Some(account));
        }
        let (did, epoch) = (did.clone(), cache.epoch());
        let account = self.store.read(move |db| one(db, "did", did.as_str())).await?;
        if let (Some(epoch), Some(account)) = (epoch, &account) {
            cache.put(epoch, account);
        }
        Ok(account)
    }

    /// The account with an e-mail address, in any letter case.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn account_by_email(&self, email: &str) -> Result<Option<Account>, AccountError> {
        let email = email.to_lowercase();
        self.store.read(move |db| one(db, "email", &email)).await
    }

    /// The accounts after `after`, in order of their DIDs.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn list(&self, after: Option<&Did>, limit: u32) -> Result<Vec<Account>, AccountError> {
        let after = after.map(|did| did.as_str().to_owned()).unwrap_or_default();
        self.store
            .read(move |db| {
                let mut statement = db.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM account WHERE state = 1 AND did > ?1 ORDER BY did LIMIT ?2"
                ))?;
                let mut rows = statement.query(params![after, limit])?;
                let mut accounts = Vec::new();
                while let Some(row) = rows.next()? {
                    accounts.push(read(row)?);
                }
                Ok(accounts)
            })
            .await
    }

    /// Sets the password.
    ///
    /// # Errors
    /// [`AccountError::NotFound`].
    pub async fn set_password(&self, did: &Did, password: PasswordHash) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                let sql = "UPDATE account SET password = ?2 WHERE did = ?1 AND state = 1";
                changed_one(db.prepare_cached(sql)?.execute(params![did.as_str(), password.as_str()])?)
            })
            .await
    }

    /// Notes when the account was deactivated, and when its owner would have it deleted; `None` for an active one.
    ///
    /// # Errors
    /// [`AccountError::NotFound`].
    pub async fn set_deactivated(
        &self,
        did: &Did,
        since: Option<u64>,
        delete_after: Option<u64>,
    ) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                let sql =
                    "UPDATE account SET deactivated = ?2, delete_after = ?3 WHERE did = ?1 AND state = 1";
                changed_one(db.prepare_cached(sql)?.execute(params![did.as_str(), since, delete_after])?)
            })
            .await
    }

    /// Removes the account with its sessions and preferences; its uses of invites stay spent.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn delete(&self, did: &Did) -> Result<(), AccountError> {
        let did = did.clone();
        self.store.write(move |db| remove(db, did.as_str())).await
    }
}

pub(super) fn remove(db: &Connection, did: &str) -> Result<(), AccountError> {
    for sql in [
        "DELETE FROM account WHERE did = ?1",
        "DELETE FROM refresh_token WHERE did = ?1",
        "DELETE FROM preference WHERE did = ?1",
    ] {
        db.prepare_cached(sql)?.execute([did])?;
    }
    Ok(())
}

fn one(db: &Connection, column: &str, value: &str) -> Result<Option<Account>, AccountError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE {column} = ?1 AND state = 1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Account, AccountError> {
    Ok(Account {
        did: parse_did(&row.get::<_, String>(0)?)?,
        email: row.get(1)?,
        email_confirmed: row.get(2)?,
        password: row.get::<_, Option<String>>(3)?.map(PasswordHash::from_stored),
        created: row.get(4)?,
        invite: row.get(5)?,
        deactivated: row.get(6)?,
        tokens_after: row.get(7)?,
    })
}

pub(super) fn parse_did(did: &str) -> Result<Did, AccountError> {
    Ok(Did::parse(did).map_err(|e| StoreError::corrupt_by("the DID of an account", e))?)
}

pub(super) fn changed_one(rows: usize) -> Result<(), AccountError> {
    if rows == 0 { Err(AccountError::NotFound) } else { Ok(()) }
}
