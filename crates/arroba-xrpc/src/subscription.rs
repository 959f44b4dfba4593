//! Subscriptions: frames from a source, over a WebSocket, to a client that is not trusted to read, answer or leave.

mod socket;
mod source;
mod upgrade;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use source::{Batch, FrameSource};
pub use upgrade::Upgrade;

/// Limits of a subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscriptionOptions {
    /// Open connections from one address.
    pub per_ip: usize,
    /// Open connections in all.
    pub total: usize,
    /// Greatest message a client may send, in bytes; a longer one closes the connection with code 1009.
    pub max_client_message_bytes: usize,
    /// How often the server pings.
    pub ping_every: Duration,
    /// Silence of the client, pongs included, after which it is taken for gone.
    pub idle: Duration,
    /// How long a client may take none of the pending bytes before it is told `ConsumerTooSlow` and closed.
    pub stall: Duration,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self {
            per_ip: 64,
            total: 10_000,
            max_client_message_bytes: 4 * 1024,
            ping_every: Duration::from_secs(30),
            idle: Duration::from_secs(100),
            stall: Duration::from_secs(60),
        }
    }
}

/// All open subscriptions of one server: counts them, and ends them when it shuts down. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: SubscriptionOptions,
    closing: CancellationToken,
    tasks: TaskTracker,
    open: AtomicUsize,
    by_ip: Mutex<HashMap<IpAddr, usize>>,
}

impl Subscriptions {
    /// No connections yet, under these limits.
    pub fn new(options: SubscriptionOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                options,
                closing: CancellationToken::new(),
                tasks: TaskTracker::new(),
                open: AtomicUsize::new(0),
                by_ip: Mutex::default(),
            }),
        }
    }

    /// Open connections now.
    pub fn open(&self) -> usize {
        self.inner.open.load(Ordering::Relaxed)
    }

    /// Tells every client that the server is going away (close code 1001), refuses new ones, and waits until all
    /// connections are closed. The caller sets the deadline by dropping the future.
    pub async fn drain(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Takes a place for a connection from `ip`, or `None` when the address or the server has no more.
    fn admit(&self, ip: IpAddr) -> Option<Place> {
        let inner = &self.inner;
        if inner.closing.is_cancelled() {
            return None;
        }
        let mut by_ip = inner.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_ip.get(&ip).copied().unwrap_or(0);
        if count >= inner.options.per_ip || inner.open.load(Ordering::Relaxed) >= inner.options.total {
            return None;
        }
        by_ip.insert(ip, count + 1);
        inner.open.fetch_add(1, Ordering::Relaxed);
        Some(Place { subscriptions: self.clone(), ip })
    }
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self::new(SubscriptionOptions::default())
    }
}

/// A connection's place in the counts, given back when dropped.
#[derive(Debug)]
struct Place {
    subscriptions: Subscriptions,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let inner = &self.subscriptions.inner;
        inner.open.fetch_sub(1, Ordering::Relaxed);
        let mut by_ip = inner.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_address_and_given_back() {
        let options = SubscriptionOptions { per_ip: 2, total: 3, ..Default::default() };
        let all = Subscriptions::new(options);
        let (a, b) = ("1.1.1.1".parse().unwrap(), "2.2.2.2".parse().unwrap());
        let first = all.admit(a).unwrap();
        let _second = all.admit(a).unwrap();
        assert!(all.admit(a).is_none(), "the address has no more");
        let _third = all.admit(b).unwrap();
        assert!(all.admit(b).is_none(), "the server has no more");
        drop(first);
        assert_eq!(all.open(), 2);
        assert!(all.admit(b).is_some());
    }

    #[tokio::test]
    async fn draining_refuses_new_connections() {
        let all = Subscriptions::default();
        all.drain().await;
        assert!(all.admit("1.1.1.1".parse().unwrap()).is_none());
    }
}
