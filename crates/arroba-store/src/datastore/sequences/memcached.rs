//! The counter in memcached, exactly as the Python library uses it, so that both may count at once.

use std::{sync::Arc, time::Duration};

use async_memcached::{AsciiProtocol, Client, Error, Status};

use super::{super::entity::AtpSequence, MemcachedOptions, counter::Counter};
use crate::error::{Cause, StoreError};

/// A failure of memcached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemcachedError {
    /// No answer in time.
    #[error("memcached did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The connection or the command failed.
    #[error("memcached failed")]
    Failed(#[source] Error),
    /// The counter is no number.
    #[error("memcached holds something else than a number in {0}")]
    NoNumber(String),
    /// The counter is gone as soon as it is made.
    #[error("memcached does not keep {0}")]
    NotKept(String),
}

/// The last number given is under the key; the stored counter is always above it, so that a memcached that forgets is made anew from
/// there.
pub(super) struct Memcached {
    options: MemcachedOptions,
    key: String,
    connection: Option<Client>,
    /// The stored counter is at least this.
    stored: u64,
}

#[derive(Clone, Copy)]
enum Command {
    Read,
    Increment(u64),
    Add(u64),
}

impl Memcached {
    pub(super) fn new(options: MemcachedOptions) -> Self {
        let key = format!("{}-last-seq", AtpSequence::SUBSCRIBE_REPOS);
        Self { options, key, connection: None, stored: 0 }
    }

    /// Gives out `count` numbers; the answer is the last of them.
    pub(super) async fn advance(&mut self, count: u64, counter: &Counter) -> Result<u64, StoreError> {
        let last = match self.increment(count).await? {
            Some(last) => last,
            None => {
                self.stored = counter.stored().await?;
                self.add(self.stored.saturating_sub(1)).await?;
                let again = self.increment(count).await?;
                again.ok_or_else(|| unavailable(MemcachedError::NotKept(self.key.clone())))?
            }
        };
        let MemcachedOptions { batch, buffer, .. } = self.options;
        if self.stored.saturating_sub(last) < buffer {
            self.stored = counter.keep_above(last, buffer, batch.max(buffer)).await?;
        }
        Ok(last)
    }

    /// The last number given, if memcached knows it.
    pub(super) async fn last(&mut self) -> Result<Option<u64>, StoreError> {
        self.call(Command::Read).await
    }

    async fn increment(&mut self, count: u64) -> Result<Option<u64>, StoreError> {
        self.call(Command::Increment(count)).await
    }

    /// Sets the counter unless somebody else was faster.
    async fn add(&mut self, last: u64) -> Result<(), StoreError> {
        self.call(Command::Add(last)).await.map(drop)
    }

    /// Makes a call, and once more on a new connection if it fails: the server may have closed an idle one. An increment that was made
    /// and whose answer was lost loses its numbers, as a crash does.
    async fn call(&mut self, command: Command) -> Result<Option<u64>, StoreError> {
        let limit = self.options.call_limit;
        let mut failed = MemcachedError::Late(limit);
        for _ in 0..2 {
            let mut client = match self.connection.take() {
                Some(client) => client,
                None => match tokio::time::timeout(limit, Client::new(self.address())).await {
                    Ok(Ok(client)) => client,
                    Ok(Err(error)) => return Err(unavailable(MemcachedError::Failed(error))),
                    Err(_) => return Err(unavailable(MemcachedError::Late(limit))),
                },
            };
            // A connection with an answer still to come is never used again.
            failed = match tokio::time::timeout(limit, command.run(&mut client, &self.key)).await {
                Ok(Ok(answer)) => {
                    self.connection = Some(client);
                    return Ok(answer);
                }
                Ok(Err(error @ MemcachedError::NoNumber(_))) => return Err(unavailable(error)),
                Ok(Err(error)) => error,
                Err(_) => MemcachedError::Late(limit),
            };
        }
        Err(unavailable(failed))
    }

    fn address(&self) -> String {
        if self.options.server.contains("://") {
            return self.options.server.clone();
        }
        format!("tcp://{}", self.options.server)
    }
}

impl Command {
    /// The counter as the server says; nothing if there is none, or if it was only set.
    async fn run(self, client: &mut Client, key: &str) -> Result<Option<u64>, MemcachedError> {
        let answer = match self {
            Self::Read => {
                let value = client.get(key).await.map_err(MemcachedError::Failed)?;
                let Some(bytes) = value.and_then(|value| value.data) else { return Ok(None) };
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
                return number.map(Some).ok_or_else(|| MemcachedError::NoNumber(key.to_owned()));
            }
            Self::Increment(count) => client.increment(key, count).await.map(Some),
            Self::Add(last) => client.add(key, last, None, None).await.map(|()| None),
        };
        match answer {
            Err(Error::Protocol(Status::NotFound | Status::NotStored)) => Ok(None),
            answer => answer.map_err(MemcachedError::Failed),
        }
    }
}

fn unavailable(error: MemcachedError) -> StoreError {
    let source = Some(Arc::new(error) as Cause);
    StoreError::Unavailable { reason: "memcached", retry_after: Duration::from_secs(1), source }
}
