//! Keys, clocks and servers for the tests.

use arroba_core::{
    crypto::{Curve, PrivateKey, Signer as _},
    handle,
    syntax::Handle,
};
use arroba_identity::{Clock, plc::State};
use arroba_net::{Dns, DnsError};
use async_trait::async_trait;
use axum::Router;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// 2026-01-01T00:00:00Z
pub(crate) const START_MILLIS: u64 = 1_767_225_600_000;

/// A clock that goes when it is told to.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START_MILLIS)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let millis = Arc::clone(&self.0);
        Clock::new(move || millis.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }
}

pub(crate) fn key(byte: u8) -> PrivateKey {
    let curve = if byte.is_multiple_of(2) { Curve::P256 } else { Curve::K256 };
    PrivateKey::from_bytes(curve, &[byte; 32]).unwrap()
}

pub(crate) const ALICE: Handle = handle!("alice.test");

/// An account with these rotation keys, and 9 for its signing key.
pub(crate) fn state(rotation_keys: &[u8]) -> State {
    State::account(
        rotation_keys.iter().map(|byte| key(*byte).public_key()),
        &key(9).public_key(),
        &ALICE,
        "https://pds.test",
    )
}

/// Serves a router on a free port of the loopback address.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Names and TXT records from tables; every host is the loopback address.
#[derive(Debug, Default)]
pub(crate) struct FakeDns {
    pub(crate) txt: Mutex<HashMap<String, Vec<String>>>,
    pub(crate) down: AtomicBool,
    pub(crate) lookups: AtomicUsize,
}

impl FakeDns {
    pub(crate) fn set(&self, handle: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.txt.lock().unwrap().insert(format!("_atproto.{handle}"), texts);
    }
}

#[async_trait]
impl Dns for FakeDns {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, DnsError> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(DnsError::Failed("no server".into()));
        }
        self.txt.lock().unwrap().get(name).cloned().ok_or(DnsError::NotFound)
    }
}
