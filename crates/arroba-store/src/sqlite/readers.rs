//! Connections that read snapshots, off the async threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::error::StoreError;

/// A reader's cache is small: the system caches the file, and an export passes every page once.
const READER_PRAGMAS: &str = "
    PRAGMA query_only = ON;
    PRAGMA cache_size = -2048;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
";

/// A bounded pool: at most `limit` snapshots are open at once, later callers wait in order.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, limit: usize) -> Self {
        Self { path, permits: Arc::new(Semaphore::new(limit)), idle: Arc::default() }
    }

    /// Runs `work` on one snapshot. The work goes on if the caller stops waiting; it holds its own permit.
    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(StoreError::backend)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => open(&path)?,
            };
            let result = snapshot(&connection, work);
            if connection.is_autocommit() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
            result
        });
        match task.await {
            Ok(result) => result,
            Err(error) => Err(StoreError::backend(error).into()),
        }
    }
}

fn open(path: &std::path::Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch(READER_PRAGMAS)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Runs `work` between BEGIN and COMMIT, so that all its statements see one state.
pub(super) fn snapshot<T, E, F>(connection: &Connection, work: F) -> Result<T, E>
where
    E: From<StoreError>,
    F: FnOnce(&Connection) -> Result<T, E>,
{
    run(connection, "BEGIN DEFERRED")?;
    let result = work(connection);
    run(connection, "COMMIT")?;
    result
}

fn run(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
