//! Creating an account in two durable steps, with a list of what a crash left between them.

use arroba_core::syntax::{Did, Handle};
use rusqlite::{Connection, params};

use super::account::{changed_one, parse_did, remove};
use super::{AccountError, Accounts, PasswordHash};
use crate::StoreError;

/// What an account starts with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its DID.
    pub did: Did,
    /// Its handle; the repository takes it over.
    pub handle: Handle,
    /// Its signing key under the master key; the repository takes it over.
    pub sealed_key: Vec<u8>,
    /// Whether this server registers the DID, rather than taking in an existing one.
    pub new_did: bool,
    /// Its e-mail address, in any letter case.
    pub email: Option<String>,
    /// Its password.
    pub password: Option<PasswordHash>,
    /// The invite code to spend.
    pub invite: Option<String>,
    /// Now, in microseconds since 1970.
    pub now: u64,
}

/// An account between [`Accounts::reserve`] and [`Accounts::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Its DID.
    pub did: Did,
    /// Its handle.
    pub handle: Handle,
    /// Its signing key under the master key.
    pub sealed_key: Vec<u8>,
    /// Whether this server registers the DID.
    pub new_did: bool,
    /// Whether its repository exists: then the account is to be finished, otherwise reverted.
    pub has_repo: bool,
}

impl Accounts {
    /// Takes DID, handle, e-mail address and one use of the invite, all or nothing, durably.
    ///
    /// # Errors
    /// What is taken or unavailable. Of two calls at once for the same handle, one fails.
    pub async fn reserve(&self, new: NewAccount) -> Result<(), AccountError> {
        self.store.write(move |db| reserve(db, &new)).await
    }

    /// Makes a reserved account usable; its repository exists.
    ///
    /// # Errors
    /// [`AccountError::NotFound`] when nothing is reserved for the DID.
    pub async fn finish(&self, did: &Did) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                db.prepare_cached("DELETE FROM creation WHERE did = ?1")?.execute([did.as_str()])?;
                let sql = "UPDATE account SET state = 1 WHERE did = ?1 AND state = 0";
                changed_one(db.prepare_cached(sql)?.execute([did.as_str()])?)
            })
            .await
    }

    /// Gives back what a reserved account holds, its use of the invite too. Nothing happens to a finished one.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn revert(&self, did: &Did) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                let sql = "SELECT 1 FROM account WHERE did = ?1 AND state = 0";
                if !db.prepare_cached(sql)?.exists([did.as_str()])? {
                    return Ok(());
                }
                let sql = "DELETE FROM invite_use WHERE did = ?1";
                db.prepare_cached(sql)?.execute([did.as_str()])?;
                remove(db, did.as_str())
            })
            .await
    }

    /// The accounts whose creation a crash interrupted.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>, AccountError> {
        self.store
            .read(|db| {
                let mut statement = db.prepare_cached(
                    "SELECT c.did, c.handle, c.sealed_key, c.new_did, h.repo IS NOT NULL
                     FROM creation c LEFT JOIN repo r ON r.did = c.did LEFT JOIN head h ON h.repo = r.id
                     ORDER BY c.did",
                )?;
                let mut rows = statement.query([])?;
                let mut unfinished = Vec::new();
                while let Some(row) = rows.next()? {
                    let handle = Handle::parse(&row.get::<_, String>(1)?)
                        .map_err(|e| StoreError::corrupt_by("the handle of an unfinished account", e))?;
                    unfinished.push(Unfinished {
                        did: parse_did(&row.get::<_, String>(0)?)?,
                        handle,
                        sealed_key: row.get(2)?,
                        new_did: row.get(3)?,
                        has_repo: row.get(4)?,
                    });
                }
                Ok(unfinished)
            })
            .await
    }
}

fn reserve(db: &Connection, new: &NewAccount) -> Result<(), AccountError> {
    let (did, handle) = (new.did.as_str(), new.handle.as_str());
    let email = new.email.as_deref().map(str::to_lowercase);
    let exists = |sql: &str, value: &str| -> Result<bool, AccountError> {
        Ok(db.prepare_cached(sql)?.exists([value])?)
    };
    if exists("SELECT 1 FROM account WHERE did = ?1", did)?
        || exists("SELECT 1 FROM repo r JOIN head h ON h.repo = r.id WHERE r.did = ?1", did)?
    {
        return Err(AccountError::DidTaken);
    }
    if exists("SELECT 1 FROM repo WHERE handle = ?1", handle)?
        || exists("SELECT 1 FROM creation WHERE handle = ?1", handle)?
    {
        return Err(AccountError::HandleTaken);
    }
    if let Some(email) = &email
        && exists("SELECT 1 FROM account WHERE email = ?1", email)?
    {
        return Err(AccountError::EmailTaken);
    }
    if let Some(code) = &new.invite {
        super::invites::spend(db, code, did, new.now)?;
    }
    let sql = "INSERT INTO account (did, state, email, password, created, invite, tokens_after_s)
               VALUES (?1, 0, ?2, ?3, ?4, ?5, 0)";
    let password = new.password.as_ref().map(PasswordHash::as_str);
    db.prepare_cached(sql)?.execute(params![did, email, password, new.now, new.invite])?;
    let sql = "INSERT INTO creation (did, handle, sealed_key, new_did) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![did, handle, new.sealed_key, new.new_did])?;
    Ok(())
}
