//! Refresh tokens: rotated at each use, with a grace for clients that use one twice.

use arroba_core::syntax::Did;
use rusqlite::{OptionalExtension, params};

use super::account::changed_one;
use super::{AccountError, Accounts};

/// A refresh token to be stored: its id and when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The token's `jti`.
    pub id: String,
    /// The account.
    pub did: Did,
    /// Seconds since 1970.
    pub expires: u64,
}

/// The token that follows a rotated one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// The `jti` of the next token: of several uses within the grace, always the same.
    pub next: String,
    /// When it expires, in seconds since 1970.
    pub expires: u64,
}

impl Accounts {
    /// Stores the first token of a session.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn start_session(&self, session: Session) -> Result<(), AccountError> {
        self.store
            .write(move |db| {
                let sql = "INSERT INTO refresh_token (id, did, expires_s) VALUES (?1, ?2, ?3)";
                db.prepare_cached(sql)?.execute(params![
                    session.id,
                    session.did.as_str(),
                    session.expires
                ])?;
                Ok(())
            })
            .await
    }

    /// Trades the token `id` for the next one, whose id is `proposed.id` unless an earlier use fixed another.
    ///
    /// The old token stays good for `grace` seconds from its first use, so that a client that loses the answer,
    /// or asks twice at once, is not logged out. `None` when the token is unknown, revoked, expired, or its
    /// successor was revoked.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn rotate_session(
        &self,
        id: &str,
        proposed: Session,
        now: u64,
        grace: u64,
    ) -> Result<Option<Rotated>, AccountError> {
        let id = id.to_owned();
        self.store
            .write(move |db| {
                let did = proposed.did.as_str();
                let sql = "DELETE FROM refresh_token WHERE did = ?1 AND expires_s <= ?2";
                db.prepare_cached(sql)?.execute(params![did, now])?;
                let sql = "SELECT next, expires_s FROM refresh_token WHERE id = ?1 AND did = ?2";
                let row = db
                    .prepare_cached(sql)?
                    .query_row(params![id, did], |row| {
                        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, u64>(1)?))
                    })
                    .optional()?;
                let Some((next, expires)) = row else { return Ok(None) };
                if let Some(next) = next {
                    let sql = "SELECT expires_s FROM refresh_token WHERE id = ?1 AND did = ?2";
                    let expires =
                        db.prepare_cached(sql)?.query_row(params![next, did], |row| row.get(0)).optional()?;
                    return Ok(expires.map(|expires| Rotated { next, expires }));
                }
                let sql = "UPDATE refresh_token SET next = ?2, expires_s = ?3 WHERE id = ?1";
                let ends = expires.min(now.saturating_add(grace));
                db.prepare_cached(sql)?.execute(params![id, proposed.id, ends])?;
                let sql = "INSERT INTO refresh_token (id, did, expires_s) VALUES (?1, ?2, ?3)";
                db.prepare_cached(sql)?.execute(params![proposed.id, did, proposed.expires])?;
                Ok(Some(Rotated { next: proposed.id, expires: proposed.expires }))
            })
            .await
    }

    /// Ends the session of a token: the token, and the one that it followed while that is still in its grace.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn end_session(&self, id: &str) -> Result<(), AccountError> {
        let id = id.to_owned();
        self.store
            .write(move |db| {
                let sql = "DELETE FROM refresh_token WHERE id = ?1 OR next = ?1
                           OR id = (SELECT next FROM refresh_token WHERE id = ?1)";
                db.prepare_cached(sql)?.execute([&id])?;
                Ok(())
            })
            .await
    }

    /// Ends all sessions of an account. Access tokens live on until they expire; see [`Accounts::void_tokens`].
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn end_sessions(&self, did: &Did) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                let sql = "DELETE FROM refresh_token WHERE did = ?1";
                db.prepare_cached(sql)?.execute([did.as_str()])?;
                Ok(())
            })
            .await
    }

    /// Voids the access tokens of an account that were issued before `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`AccountError::NotFound`].
    pub async fn void_tokens(&self, did: &Did, now: u64) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                let sql = "UPDATE account SET tokens_after_s = ?2 WHERE did = ?1";
                changed_one(db.prepare_cached(sql)?.execute(params![did.as_str(), now])?)
            })
            .await
    }
}
