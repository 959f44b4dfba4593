//! Servers and names for the tests.

use arroba_net::{Dns, DnsError, Guard, GuardedClient, Url};
use async_trait::async_trait;
use axum::Router;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Answers from a table; each lookup of a name gives its next answer, the last one again and again.
#[derive(Debug, Default)]
pub(crate) struct FakeDns {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) lookups: AtomicUsize,
}

impl FakeDns {
    pub(crate) fn answer(self, host: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.lock().unwrap().entry(host.to_owned()).or_default().push(addresses);
        self
    }
}

#[async_trait]
impl Dns for FakeDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answers = answers.get_mut(host).ok_or(DnsError::NotFound)?;
        if answers.len() > 1 { Ok(answers.remove(0)) } else { Ok(answers[0].clone()) }
    }

    async fn txt(&self, _: &str) -> Result<Vec<String>, DnsError> {
        Err(DnsError::NotFound)
    }
}

/// A client that knows `*.test` names for loopback addresses.
pub(crate) fn client(guard: Guard) -> GuardedClient {
    let dns = FakeDns::default().answer("one.test", &["127.0.0.1"]).answer("two.test", &["127.0.0.1"]);
    GuardedClient::new(guard, Arc::new(dns)).unwrap()
}

/// Serves a router on a free port of the loopback address.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Answers every connection with these bytes, then closes it.
pub(crate) async fn serve_bytes(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}
