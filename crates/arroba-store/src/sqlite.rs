//! The embedded store: one SQLite file.
//!
//! One thread writes, many changes in one transaction with one sync (group commit, a savepoint for each change); readers work on
//! snapshots beside it. The file is in WAL mode with `synchronous=FULL`: an answer means that the data is on the disk. Opening
//! takes an exclusive lock, because numbering events densely and in order needs one writer.

mod apply;
mod backlinks;
mod blobs;
mod cache;
mod checkpoint;
mod events;
mod export;
#[cfg(test)]
mod faults;
mod figures;
mod hot;
mod lock;
mod log;
mod read;
mod readers;
mod recent;
mod refs;
mod remote_blobs;
mod rows;
mod schema;
mod spool;
mod stage;
mod store;
mod sweep;
mod writer;

pub use figures::WriterFigures;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::Connection;
use tokio::sync::watch;

use self::{
    cache::NodeCache,
    checkpoint::Checkpoints,
    hot::HotRepos,
    lock::FileLock,
    log::Log,
    readers::Readers,
    recent::Recent,
    spool::SpoolSpace,
    store::change_weight,
    writer::{Known, Scope, Writer},
};
use crate::{accounts::AccountCache, error::StoreError};

/// How a [`Sqlite`] store is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// Snapshots open at once for reads of single rows and pages; later ones wait.
    pub readers: usize,
    /// Snapshots open at once for exports and counts of whole repositories.
    pub bulk_readers: usize,
    /// The first sequence number of a new file. Without one it is the time in microseconds: above 2^32 and below 2^53, and
    /// above whatever an earlier installation under the same name had reached, so that no consumer mistakes new events for old.
    pub start_seq: Option<u64>,
    /// Bytes of database pages that the writer keeps in memory, once it has used so many.
    pub page_cache: usize,
    /// Bytes of tree nodes kept in memory.
    pub node_cache: usize,
    /// Bytes of the newest events kept in memory, for subscribers that are up to date.
    pub recent_events: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 8,
            bulk_readers: 3,
            start_seq: None,
            page_cache: 8 << 20,
            node_cache: 12 << 20,
            recent_events: 2 << 20,
        }
    }
}

/// A store in one SQLite file, or in memory. Clones share it.
///
/// The file stays locked until [`Sqlite::close`] or until the last clone is dropped and the queued writes are done.
#[derive(Clone, Debug)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    /// Absent for a database in memory, whose reads run on the writer's connection.
    readers: Option<Pools>,
    tail: watch::Receiver<u64>,
    recent: Arc<Recent>,
    hot: Arc<HotRepos>,
    accounts: Arc<AccountCache>,
    nodes: Arc<NodeCache>,
    spool: Arc<SpoolSpace>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Long reads have a pool of their own, so that they never keep short ones waiting.
#[derive(Debug)]
struct Pools {
    short: Readers,
    bulk: Readers,
}

impl Sqlite {
    /// Opens the store at `path`, or creates it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, [`StoreError::Newer`] or [`StoreError::Foreign`] if the file is not ours
    /// to open.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// [`Sqlite::open`] with options.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        blocking(move || Self::open_file(path, &options, |_| Ok(()))).await
    }

    /// A store that lives as long as this value and its clones. It behaves as the file does, but one reader or writer at a
    /// time; for tests and examples.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if SQLite fails.
    pub async fn in_memory(options: SqliteOptions) -> Result<Self, StoreError> {
        blocking(move || {
            let mut connection = Connection::open_in_memory()?;
            schema::configure_writer(&connection, options.page_cache)?;
            schema::migrate(&mut connection, Path::new(":memory:"), || start_seq(&options))?;
            Self::start(connection, None, None, &options, std::env::temp_dir(), ())
        })
        .await
    }

    fn open_file(
        path: PathBuf,
        options: &SqliteOptions,
        prepare: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let lock = FileLock::acquire(&path)?;
        make_private(&path)?;
        let mut connection = Connection::open(&path)?;
        schema::check_ours(&connection, &path)?;
        schema::configure_writer(&connection, options.page_cache)?;
        if schema::migrate(&mut connection, &path, || start_seq(options))? {
            sync_directory(&path)?;
        }
        sweep::after_crash(&connection)?;
        prepare(&mut connection)?;
        let checkpoints = Checkpoints::start(path.clone())?;
        let directory = directory(&path).to_owned();
        let readers = Pools {
            short: Readers::new(path.clone(), options.readers.max(1)),
            bulk: Readers::new(path, options.bulk_readers.max(1)),
        };
        Self::start(connection, Some(readers), Some(checkpoints), options, directory, lock)
    }

    fn start(
        connection: Connection,
        readers: Option<Pools>,
        checkpoints: Option<Checkpoints>,
        options: &SqliteOptions,
        directory: PathBuf,
        lock: impl Send + 'static,
    ) -> Result<Self, StoreError> {
        let log = Log::load(&connection)?;
        let (newest, tail) = watch::channel(log.newest());
        let recent = Arc::new(Recent::new(log, options.recent_events));
        let hot = Arc::<HotRepos>::default();
        let accounts = Arc::<AccountCache>::default();
        let (writer, thread) = {
            let known =
                Known { recent: Arc::clone(&recent), hot: Arc::clone(&hot), accounts: Arc::clone(&accounts) };
            Writer::start(connection, log, checkpoints, known, newest, lock)?
        };
        let inner = Inner {
            writer,
            readers,
            tail,
            recent,
            hot,
            accounts,
            nodes: Arc::new(NodeCache::new(options.node_cache)),
            spool: Arc::new(SpoolSpace::new(directory)),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs `work` inside the writer's current transaction, in a savepoint of its own, and answers when it is durable. An error
    /// from `work` undoes what `work` did. It runs to its end even if the caller stops waiting.
    ///
    /// `work` holds every other writer up: no waiting, no hashing of passwords, and no transaction statements. Nor may it change the
    /// rows of repositories: what they say is kept in memory too.
    ///
    /// # Errors
    /// What `work` returns; [`StoreError::Unavailable`] when the queue or the disk is full; [`StoreError::Stopped`] after a failed
    /// sync or after [`Sqlite::close`].
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.weighed(SMALL, move |scope| {
            scope.fresh.accounts = true;
            work(scope.connection)
        })
        .await
    }

    /// What the writer has done since the store was opened.
    #[must_use]
    pub fn writer_figures(&self) -> WriterFigures {
        self.inner.writer.figures()
    }

    pub(crate) fn account_cache(&self) -> &AccountCache {
        &self.inner.accounts
    }

    async fn weighed<T, E, F>(&self, weight: usize, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Scope<'_>) -> Result<T, E> + Send + 'static,
    {
        self.inner.writer.write(weight, work).await
    }

    /// Runs `work` on one snapshot, on a blocking thread. The snapshot must be short: while it is open, the write-ahead log cannot
    /// be reused.
    ///
    /// # Errors
    /// What `work` returns; [`StoreError::Backend`] if the database cannot be read.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        match &self.inner.readers {
            Some(readers) => readers.short.read(work).await,
            None => self.inner.writer.read(work).await,
        }
    }

    /// [`Sqlite::read`] for work as long as a repository.
    async fn read_bulk<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        match &self.inner.readers {
            Some(readers) => readers.bulk.read(work).await,
            None => self.inner.writer.read(work).await,
        }
    }

    /// Leaves out all sequence numbers below `at_least`: for a restored backup, whose newest events consumers have seen and
    /// the store has not. Returns the number of the next event.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be stored, or if it is no number for events.
    pub async fn advance_seq(&self, at_least: u64) -> Result<u64, StoreError> {
        self.weighed(SMALL, move |scope| scope.log.advance(at_least)).await
    }

    /// Finishes what is queued, closes the file and releases its lock. Later calls, on any clone, fail.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if the writer did not end in order.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.writer.stop().await;
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        blocking(move || {
            thread
                .join()
                .map_err(|_| StoreError::backend(std::io::Error::other("the writer thread panicked")))
        })
        .await
    }
}

/// The weight of a small write in the queue, in bytes.
const SMALL: usize = 512;

fn start_seq(options: &SqliteOptions) -> u64 {
    options.start_seq.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_micros()).unwrap_or(1 << 33).clamp((1 << 32) + 1, 1 << 52)
    })
}

/// The file holds password hashes and sealed keys; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StoreError::backend(error)),
        _ => Ok(()),
    }
}

/// A new file is durable only when its directory entry is.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(directory(path)).and_then(|directory| directory.sync_all()).map_err(StoreError::backend)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(StoreError::backend)?
}
