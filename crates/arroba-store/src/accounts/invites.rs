//! Invite codes, spent atomically with the account that spends them.

use arroba_core::syntax::Did;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::account::parse_did;
use super::{AccountError, Accounts};

/// An invite to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvite {
    /// The code itself.
    pub code: String,
    /// How many accounts it is good for.
    pub uses: u32,
    /// The DID of the account that hands it out; `None` for the server's operator.
    pub account: Option<Did>,
}

/// An invite and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invite {
    /// The code itself.
    pub code: String,
    /// How many accounts it was good for when made.
    pub available: u32,
    /// Whether it was disabled.
    pub disabled: bool,
    /// Who hands it out: a DID or `admin`.
    pub account: String,
    /// Who made it.
    pub created_by: String,
    /// When, in microseconds since 1970.
    pub created: u64,
    /// The accounts created with it.
    pub uses: Vec<InviteUse>,
}

/// One use of an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InviteUse {
    /// The account created.
    pub did: Did,
    /// When, in microseconds since 1970.
    pub used: u64,
}

const ADMIN: &str = "admin";

impl Accounts {
    /// Makes invites, all or none.
    ///
    /// # Errors
    /// [`AccountError::Store`], also for a code that exists.
    pub async fn create_invites(&self, invites: Vec<NewInvite>, now: u64) -> Result<(), AccountError> {
        self.store
            .write(move |db| {
                let mut statement = db.prepare_cached(
                    "INSERT INTO invite (code, available, disabled, account, created_by, created)
                     VALUES (?1, ?2, 0, ?3, ?4, ?5)",
                )?;
                for invite in &invites {
                    let account = invite.account.as_ref().map_or(ADMIN, Did::as_str);
                    statement.execute(params![invite.code, invite.uses, account, ADMIN, now])?;
                }
                Ok(())
            })
            .await
    }

    /// Whether a code can be spent now. Only [`Accounts::reserve`] decides; this saves work before it.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn invite_is_available(&self, code: &str) -> Result<bool, AccountError> {
        let code = code.to_owned();
        self.store.read(move |db| Ok(left(db, &code)? > 0)).await
    }

    /// One invite.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn invite(&self, code: &str) -> Result<Option<Invite>, AccountError> {
        let code = code.to_owned();
        self.store.read(move |db| Ok(select(db, "code", &code)?.pop())).await
    }

    /// The invites that an account hands out.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn invites_of(&self, did: &Did) -> Result<Vec<Invite>, AccountError> {
        let did = did.clone();
        self.store.read(move |db| select(db, "account", did.as_str())).await
    }
}

/// Spends one use inside the caller's transaction.
pub(super) fn spend(db: &Connection, code: &str, did: &str, now: u64) -> Result<(), AccountError> {
    if left(db, code)? <= 0 {
        return Err(AccountError::InviteUnavailable);
    }
    let sql = "INSERT INTO invite_use (code, did, used) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![code, did, now])?;
    Ok(())
}

fn left(db: &Connection, code: &str) -> Result<i64, AccountError> {
    let sql = "SELECT available - (SELECT count(*) FROM invite_use u WHERE u.code = invite.code)
               FROM invite WHERE code = ?1 AND disabled = 0";
    Ok(db.prepare_cached(sql)?.query_row([code], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn select(db: &Connection, column: &str, value: &str) -> Result<Vec<Invite>, AccountError> {
    let sql = format!(
        "SELECT code, available, disabled, account, created_by, created FROM invite WHERE {column} = ?1 ORDER BY code"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([value])?;
    let mut invites = Vec::new();
    while let Some(row) = rows.next()? {
        let mut invite = read(row)?;
        let mut uses =
            db.prepare_cached("SELECT did, used FROM invite_use WHERE code = ?1 ORDER BY used, did")?;
        let mut used = uses.query([&invite.code])?;
        while let Some(row) = used.next()? {
            let did = parse_did(&row.get::<_, String>(0)?)?;
            invite.uses.push(InviteUse { did, used: row.get(1)? });
        }
        invites.push(invite);
    }
    Ok(invites)
}

fn read(row: &Row<'_>) -> Result<Invite, rusqlite::Error> {
    Ok(Invite {
        code: row.get(0)?,
        available: row.get(1)?,
        disabled: row.get(2)?,
        account: row.get(3)?,
        created_by: row.get(4)?,
        created: row.get(5)?,
        uses: Vec::new(),
    })
}
