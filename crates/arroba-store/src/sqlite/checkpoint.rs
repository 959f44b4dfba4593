//! Moving the write-ahead log into the database file: the bulk beside the writer, the tail in it.
//!
//! A checkpoint that runs beside a busy writer never ends the log, because new frames arrive meanwhile; one inside the writer
//! holds everyone up for the whole copy. So a second thread copies most of it, and the writer only the rest.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode};

use crate::error::StoreError;

/// Frames (pages of 4 KiB) in the log before the second thread is woken.
const START_FRAMES: i64 = 4000;

/// The writer's side of checkpointing.
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    side: Arc<Side>,
    /// Frames in the log when the last attempt ended, so that a reader that holds it open is not met with an attempt a group.
    tried_at: i64,
    running: bool,
}

#[derive(Default)]
struct Side {
    done: AtomicBool,
    failed: AtomicBool,
}

impl Checkpoints {
    pub(super) fn start(path: PathBuf) -> Result<Self, StoreError> {
        let (wake, woken) = sync_channel(1);
        let side = Arc::new(Side::default());
        let connection = Connection::open(path)?;
        super::schema::configure_checkpointer(&connection)?;
        let thread = std::thread::Builder::new()
            .name("arroba-checkpoint".into())
            .spawn({
                let side = Arc::clone(&side);
                move || work(&connection, &woken, &side)
            })
            .map_err(StoreError::backend)?;
        Ok(Self { wake, thread, side, tried_at: 0, running: false })
    }

    /// To be called by the writer between two groups.
    pub(super) fn after_group(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.side.failed.load(Ordering::Acquire) {
            return Err(StoreError::Stopped { source: None });
        }
        if self.running {
            if !self.side.done.swap(false, Ordering::Acquire) {
                return Ok(());
            }
            self.running = false;
            let (frames, copied) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
            self.tried_at = if copied >= frames { 0 } else { frames };
            return Ok(());
        }
        let (frames, _) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        if frames < self.tried_at {
            self.tried_at = 0;
        }
        if frames.saturating_sub(self.tried_at) >= START_FRAMES {
            match self.wake.try_send(()) {
                Ok(()) => self.running = true,
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => return Err(StoreError::Stopped { source: None }),
            }
        }
        Ok(())
    }

    /// Ends the second thread and waits for it.
    pub(super) fn finish(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn work(connection: &Connection, woken: &Receiver<()>, side: &Side) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::error!(%error, "checkpoint failed");
            side.failed.store(true, Ordering::Release);
            return;
        }
        side.done.store(true, Ordering::Release);
    }
}

/// Frames in the log, and how many of them are in the database file. A full disk or a busy file is no failure: the log
/// keeps what it has.
fn checkpoint(connection: &Connection, pragma: &str) -> Result<(i64, i64), StoreError> {
    let mut statement = connection.prepare_cached(pragma)?;
    match statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?))) {
        Ok(counts) => Ok(counts),
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) =>
        {
            tracing::warn!(%error, "checkpoint postponed");
            Ok((0, 0))
        }
        Err(error) => Err(error.into()),
    }
}
