//! The schema and its versions.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::error::StoreError;

/// One step per released schema version, in order; a step is never edited after release, only followed by another.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_start.sql"),
    include_str!("migrations/002_accounts.sql"),
    include_str!("migrations/003_backlinks.sql"),
    include_str!("migrations/004_rotation_key.sql"),
    include_str!("migrations/005_remote_blobs.sql"),
    include_str!("migrations/006_creating.sql"),
];

/// "arba": tells our files from other SQLite databases.
const APPLICATION_ID: i32 = 0x6172_6261;

/// Settings of every connection that may write.
const WRITER_PRAGMAS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = OFF;
    PRAGMA trusted_schema = OFF;
";

pub(super) fn configure_writer(connection: &Connection, page_cache: usize) -> Result<(), StoreError> {
    connection.execute_batch(WRITER_PRAGMAS)?;
    // Negative: in KiB, not in pages.
    connection.execute_batch(&format!("PRAGMA cache_size = -{};", (page_cache >> 10).max(64)))?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

/// Refuses a file that is not ours before anything touches it.
pub(super) fn check_ours(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let application: i32 = match connection.query_row("PRAGMA application_id", [], |row| row.get(0)) {
        Ok(application) => application,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(foreign()),
        Err(error) => return Err(error.into()),
    };
    let tables: u64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == APPLICATION_ID || (application == 0 && tables == 0) { Ok(()) } else { Err(foreign()) }
}

/// Brings the file to the newest schema, each step in its own transaction; `start_seq` counts for a new file only.
/// Returns whether the file was new.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    start_seq: impl FnOnce() -> u64,
) -> Result<bool, StoreError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    check_ours(connection, path)?;
    let mut start_seq = Some(start_seq);
    for (version, step) in (1u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        if let (1, Some(start_seq)) = (version, start_seq.take()) {
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            let start = i64::try_from(start_seq()).map_err(StoreError::backend)?;
            transaction.execute(
                "INSERT INTO log (id, start_seq, first_seq, next_seq, bytes) VALUES (1, ?1, ?1, ?1, 0)",
                [start],
            )?;
        }
        transaction.commit()?;
    }
    Ok(found == 0)
}

pub(super) fn configure_checkpointer(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(WRITER_PRAGMAS)?;
    connection.execute_batch("PRAGMA cache_size = -512;")?;
    Ok(())
}
