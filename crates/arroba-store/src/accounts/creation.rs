//! Creating an account in two durable steps, with a list of what a crash left between them.

use arroba_core::syntax::Did;
use rusqlite::{Connection, params};

use super::account::{changed_one, parse_did, remove};
use super::{AccountError, Accounts, PasswordHash};

/// What an account starts with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its DID.
    pub did: Did,
    /// Its e-mail address, in any letter case.
    pub email: Option<String>,
    /// Its password.
    pub password: Option<PasswordHash>,
    /// The invite code to spend.
    pub invite: Option<String>,
    /// Now, in microseconds since 1970.
    pub now: u64,
}

impl Accounts {
    /// Takes DID, e-mail address and one use of the invite, all or nothing, durably.
    ///
    /// # Errors
    /// What is taken or unavailable. Of two calls at once for the same thing, one fails.
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

    /// The accounts whose creation was interrupted: to be finished if their repository exists, reverted otherwise.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn unfinished(&self) -> Result<Vec<Did>, AccountError> {
        self.store
            .read(|db| {
                let mut statement =
                    db.prepare_cached("SELECT did FROM account WHERE state = 0 ORDER BY did")?;
                let dids = statement.query_map([], |row| row.get::<_, String>(0))?;
                dids.map(|did| parse_did(&did?)).collect()
            })
            .await
    }

    /// The accounts whose repository is deleted or was never there: a crash interrupted their deletion.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn without_repo(&self) -> Result<Vec<Did>, AccountError> {
        self.store
            .read(|db| {
                let mut statement = db.prepare_cached(
                    "SELECT did FROM account WHERE state = 1 AND NOT EXISTS
                     (SELECT 1 FROM repo r JOIN head h ON h.repo = r.id WHERE r.did = account.did) ORDER BY did",
                )?;
                let dids = statement.query_map([], |row| row.get::<_, String>(0))?;
                dids.map(|did| parse_did(&did?)).collect()
            })
            .await
    }
}

fn reserve(db: &Connection, new: &NewAccount) -> Result<(), AccountError> {
    let did = new.did.as_str();
    let email = new.email.as_deref().map(str::to_lowercase);
    let exists = |sql: &str, value: &str| -> Result<bool, AccountError> {
        Ok(db.prepare_cached(sql)?.exists([value])?)
    };
    if exists("SELECT 1 FROM account WHERE did = ?1", did)? {
        return Err(AccountError::DidTaken);
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
    Ok(())
}
