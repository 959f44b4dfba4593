//! Private preferences: a list of typed JSON objects that the server keeps and does not interpret.

use arroba_core::syntax::Did;
use rusqlite::params;

use super::{AccountError, Accounts};

/// One preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Its `$type`.
    pub r#type: String,
    /// The whole object as JSON, as the client wrote it.
    pub json: String,
}

impl Accounts {
    /// The preferences of an account, in the order they were put.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn preferences(&self, did: &Did) -> Result<Vec<Preference>, AccountError> {
        let did = did.clone();
        self.store
            .read(move |db| {
                let sql = "SELECT type, value FROM preference WHERE did = ?1 ORDER BY position";
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([did.as_str()], |row| {
                    Ok(Preference { r#type: row.get(0)?, json: row.get(1)? })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Replaces all preferences of an account.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn put_preferences(&self, did: &Did, preferences: Vec<Preference>) -> Result<(), AccountError> {
        let did = did.clone();
        self.store
            .write(move |db| {
                db.prepare_cached("DELETE FROM preference WHERE did = ?1")?.execute([did.as_str()])?;
                let sql = "INSERT INTO preference (did, position, type, value) VALUES (?1, ?2, ?3, ?4)";
                let mut statement = db.prepare_cached(sql)?;
                for (position, preference) in (0u32..).zip(&preferences) {
                    statement.execute(params![did.as_str(), position, preference.r#type, preference.json])?;
                }
                Ok(())
            })
            .await
    }
}
