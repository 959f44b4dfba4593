//! The one thread that writes: many changes in one transaction, a savepoint each, one sync for all of them.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    checkpoint::Checkpoints,
    figures::{Figures, WriterFigures},
    hot::HotRepos,
    log::Log,
    recent::{Fresh, Recent},
};
use crate::{
    accounts::AccountCache,
    error::{Cause, StoreError},
};

/// Changes that wait before callers are sent away.
const QUEUE_JOBS: usize = 1024;
/// Bytes of waiting changes before callers are sent away.
const QUEUE_BYTES: usize = 64 << 20;
/// Changes in one transaction at most: the group's sync is shared, but its first caller waits for the last.
const GROUP_JOBS: usize = 256;
/// Bytes in one transaction at most, by the weights that the callers gave.
const GROUP_BYTES: usize = 16 << 20;

/// What a job sees: the connection inside its own savepoint, and the sequence counter.
pub(super) struct Scope<'a> {
    pub(super) connection: &'a Connection,
    pub(super) log: &'a mut Log,
    pub(super) fresh: &'a mut Fresh,
    pub(super) hot: &'a HotRepos,
}

/// Without a scope the work is not done, and the reply says why.
type Run = dyn FnOnce(Option<&mut Scope<'_>>) -> (bool, Reply) + Send;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Message {
    Write {
        run: Box<Run>,
        weight: usize,
    },
    /// A read between two groups, for a database that has no second connection.
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Finish what is queued before this, then end.
    Stop,
}

/// The sending side; the thread ends when the last one is gone and the queue is empty.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    sender: mpsc::Sender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    figures: Arc<Figures>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        log: Log,
        checkpoints: Option<Checkpoints>,
        known: Known,
        tail: watch::Sender<u64>,
        guard: impl Send + 'static,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (sender, receiver) = mpsc::channel(QUEUE_JOBS);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let figures = Arc::<Figures>::default();
        let thread = Thread {
            connection,
            log,
            checkpoints,
            known,
            tail,
            receiver,
            queued_bytes: Arc::clone(&queued_bytes),
            figures: Arc::clone(&figures),
            stopped: false,
        };
        let handle = std::thread::Builder::new()
            .name("arroba-writer".into())
            .spawn(move || {
                thread.work();
                // The lock goes last, when no connection of ours writes any more.
                drop(guard);
            })
            .map_err(StoreError::backend)?;
        Ok((Self { sender, queued_bytes, figures }, handle))
    }

    pub(super) fn figures(&self) -> WriterFigures {
        self.figures.read()
    }

    /// Queues `work`; the answer comes after the group's COMMIT, that is, when it is durable. An error of `work` undoes what
    /// it did and nothing else. The work runs even if the caller stops waiting.
    pub(super) async fn write<T, E, F>(&self, weight: usize, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Scope<'_>) -> Result<T, E> + Send + 'static,
    {
        self.enqueue(weight, work)?.await.unwrap_or_else(|_| Err(StoreError::Stopped { source: None }.into()))
    }

    /// The first half of [`Writer::write`]: the place in the queue is taken when this returns.
    pub(super) fn enqueue<T, E, F>(
        &self,
        weight: usize,
        work: F,
    ) -> Result<oneshot::Receiver<Result<T, E>>, StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Scope<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel::<Result<T, E>>();
        let run = Box::new(move |scope: Option<&mut Scope<'_>>| {
            let result = scope.map(work);
            let keep = matches!(result, Some(Ok(_)));
            let reply = Box::new(move |outcome: Result<(), StoreError>| {
                // A refusal is true whatever becomes of the group. A caller that went away is no error.
                let _ = answer.send(match (result, outcome) {
                    (Some(Err(error)), _) => Err(error),
                    (_, Err(error)) => Err(error.into()),
                    (Some(Ok(value)), Ok(())) => Ok(value),
                    (None, Ok(())) => Err(StoreError::Stopped { source: None }.into()),
                });
            }) as Reply;
            (keep, reply)
        });
        let before = self.queued_bytes.fetch_add(weight, Ordering::Relaxed);
        if before != 0 && before.saturating_add(weight) > QUEUE_BYTES {
            self.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            return Err(StoreError::unavailable("the write queue is full"));
        }
        self.sender.try_send(Message::Write { run, weight }).map_err(|error| {
            self.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(_) => StoreError::unavailable("the write queue is full"),
                mpsc::error::TrySendError::Closed(_) => StoreError::Stopped { source: None },
            }
        })?;
        Ok(receiver)
    }

    /// Tells the thread to end once it has done what is queued.
    pub(super) async fn stop(&self) {
        // A thread that is gone has stopped already.
        let _ = self.sender.send(Message::Stop).await;
    }

    /// Runs `work` on the writer's own connection between two groups.
    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let read = Box::new(move |connection: &Connection| {
            let _ = answer.send(super::readers::snapshot(connection, work));
        });
        self.sender.send(Message::Read(read)).await.map_err(|_| StoreError::Stopped { source: None })?;
        receiver.await.unwrap_or_else(|_| Err(StoreError::Stopped { source: None }.into()))
    }
}

/// What is known without the database, for its readers; the writer keeps it true.
pub(super) struct Known {
    pub(super) recent: Arc<Recent>,
    pub(super) hot: Arc<HotRepos>,
    pub(super) accounts: Arc<AccountCache>,
}

impl Known {
    /// Before a transaction commits: of what it changes nothing is known.
    fn forget(&self, fresh: &Fresh) {
        self.hot.forget(&fresh.repos);
        if fresh.accounts {
            self.accounts.end_epoch();
        }
    }
}

struct Thread {
    connection: Connection,
    log: Log,
    checkpoints: Option<Checkpoints>,
    known: Known,
    tail: watch::Sender<u64>,
    receiver: mpsc::Receiver<Message>,
    queued_bytes: Arc<AtomicUsize>,
    figures: Arc<Figures>,
    stopped: bool,
}

impl Thread {
    fn work(mut self) {
        while let Some(message) = self.receiver.blocking_recv() {
            let mut next = Some(message);
            while let Some(message) = next.take() {
                next = match message {
                    Message::Read(read) => {
                        shielded(|| read(&self.connection));
                        None
                    }
                    Message::Stop => {
                        self.stopped = true;
                        None
                    }
                    Message::Write { run, weight } => self.group(run, weight),
                };
            }
            if self.stopped {
                // Closing drops what waits; its callers learn that the store has stopped.
                self.receiver.close();
                while self.receiver.try_recv().is_ok() {}
                break;
            }
            if let Some(checkpoints) = &mut self.checkpoints
                && let Err(error) = checkpoints.after_group(&self.connection)
            {
                tracing::error!(%error, "checkpoint failed, the store takes no more writes until it is reopened");
                self.stopped = true;
            }
        }
        if let Some(checkpoints) = self.checkpoints.take() {
            checkpoints.finish();
        }
    }

    /// One transaction: `first` and whatever waits behind it. Returns a message that came in between and is no write.
    fn group(&mut self, first: Box<Run>, weight: usize) -> Option<Message> {
        if self.stopped {
            self.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            return None;
        }
        let mut replies = Vec::new();
        let mut other = None;
        let before = self.log;
        let mut fresh = Fresh::default();
        let mut outcome = execute(&self.connection, "BEGIN IMMEDIATE");
        let mut next = Some((first, weight));
        let mut bytes = 0_usize;
        while let Some((run, weight)) = next.take() {
            self.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            bytes = bytes.saturating_add(weight);
            match &outcome {
                Ok(()) => outcome = self.change(run, &mut fresh, &mut replies),
                Err(_) => replies.push(run(None).1),
            }
            if outcome.is_err() || replies.len() >= GROUP_JOBS || bytes >= GROUP_BYTES {
                break;
            }
            match self.receiver.try_recv() {
                Ok(Message::Write { run, weight }) => next = Some((run, weight)),
                Ok(message) => other = Some(message),
                Err(_) => {}
            }
        }
        let outcome =
            outcome.and_then(|()| self.log.save(&self.connection, &before)).map_err(Failure::Undone);
        self.known.forget(&fresh);
        let committing = Instant::now();
        let outcome = outcome.and_then(|()| execute(&self.connection, "COMMIT").map_err(Failure::of_commit));
        if fresh.accounts {
            self.known.accounts.begin_epoch();
        }
        let outcome = match outcome {
            Ok(()) => {
                self.figures.committed(replies.len(), committing.elapsed());
                self.known.hot.publish(mem::take(&mut fresh.repos));
                if self.log != before || fresh.hides {
                    self.known.recent.publish(self.log, fresh);
                }
                self.log.publish(&before, &self.tail);
                Ok(())
            }
            Err(failure) => {
                self.log = before;
                if !self.connection.is_autocommit()
                    && let Err(error) = execute(&self.connection, "ROLLBACK")
                {
                    tracing::error!(%error, "rollback failed");
                    self.stopped = true;
                }
                Err(match failure {
                    Failure::Undone(error) => error,
                    Failure::Unknown(error) => {
                        tracing::error!(%error, "sync failed, the store takes no more writes until it is reopened");
                        self.stopped = true;
                        let source: Cause = Arc::new(error);
                        StoreError::Stopped { source: Some(source) }
                    }
                })
            }
        };
        for reply in replies {
            reply(outcome.clone());
        }
        other
    }

    /// One change in its own savepoint. An error here is one of the whole transaction, not of the change.
    fn change(
        &mut self,
        run: Box<Run>,
        fresh: &mut Fresh,
        replies: &mut Vec<Reply>,
    ) -> Result<(), StoreError> {
        if let Err(error) = execute(&self.connection, "SAVEPOINT change") {
            replies.push(run(None).1);
            return Err(error);
        }
        let before = (self.log, fresh.events.len(), fresh.hides, fresh.repos.len());
        let undo = |log: &mut Log, fresh: &mut Fresh| {
            *log = before.0;
            fresh.events.truncate(before.1);
            fresh.hides = before.2;
            fresh.repos.truncate(before.3);
        };
        let hot = &*self.known.hot;
        let mut scope = Scope { connection: &self.connection, log: &mut self.log, fresh, hot };
        let Some((keep, reply)) = shielded(|| run(Some(&mut scope))) else {
            undo(&mut self.log, fresh);
            execute(&self.connection, "ROLLBACK TO change")?;
            return execute(&self.connection, "RELEASE change");
        };
        replies.push(reply);
        if self.connection.is_autocommit() {
            // A full disk makes SQLite roll the whole transaction back by itself.
            return Err(StoreError::unavailable("the transaction was rolled back"));
        }
        if !keep {
            undo(&mut self.log, fresh);
            execute(&self.connection, "ROLLBACK TO change")?;
        }
        execute(&self.connection, "RELEASE change")
    }
}

/// Why a group failed, and what is known then.
enum Failure {
    /// Nothing of it is in the file.
    Undone(StoreError),
    /// The sync itself failed: it may be in the file or not.
    Unknown(StoreError),
}

impl Failure {
    fn of_commit(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Undone(error),
            _ => Self::Unknown(error),
        }
    }
}

/// A panic in one caller's work must not take the writer, and with it every other caller, down.
fn shielded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if result.is_err() {
        tracing::error!("a change panicked; it was undone");
    }
    result.ok()
}

pub(super) fn execute(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
