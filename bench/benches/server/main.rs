//! What a user's operation costs: CPU time of the server's process over the number of operations, the median of several
//! rounds. The server runs in a process of its own, so the load generator costs it nothing.
//!
//! The defaults are small enough to try it out; `README.md` has the command of the figures.

mod cpu;
mod firehose;
mod http;
mod prepare;
mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::id as own_id;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use arroba::core::nsid;
use clap::Parser;
use futures::future::try_join_all;
use serde_json::value::RawValue;

use crate::firehose::Subscriber;
use crate::http::Connection;
use crate::prepare::Data;
use crate::process::{Server, access_token, get, post};

/// Sizes; the defaults are for trying it out.
#[derive(Debug, Parser)]
struct Options {
    /// Where the store is, or is to be made; a temporary directory without it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Repositories.
    #[arg(long, default_value_t = 20)]
    repos: usize,
    /// Records in each of them.
    #[arg(long, default_value_t = 100)]
    records: usize,
    /// Records in the repository that is exported.
    #[arg(long, default_value_t = 1000)]
    large: usize,
    /// Operations in one round.
    #[arg(long, default_value_t = 640)]
    requests: usize,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections that write or read at once.
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Subscribers of the fan-out.
    #[arg(long, default_value_t = 20)]
    subscribers: usize,
    /// Only these: commit, create, get, list, export, fan-out, backfill.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Whether some accounts are busier than others, as they are in life (Zipf's law, exponent 1), instead of all alike.
    #[arg(long)]
    zipf: bool,
    /// Pages of the database that the writer keeps in memory, in MiB; only without `--arroba`.
    #[arg(long)]
    page_cache: Option<usize>,
    /// The `arroba` binary to measure; without it, the same server built into this one, in a process of its own.
    #[arg(long)]
    arroba: Option<PathBuf>,
    /// To be that server, on this port.
    #[arg(long, hide = true)]
    serve: Option<u16>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let temporary = tempfile::tempdir()?;
    let directory = options.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&directory)?;
    if let Some(port) = options.serve {
        return process::serve(&directory, port, options.page_cache).await;
    }
    let data = Data::new(&directory, options.repos, options.records);
    let started = Instant::now();
    data.prepare(options.large).await?;
    println!(
        "{} repositories of {} records, one of {}: ready after {:.1} s",
        options.repos,
        options.records,
        options.large,
        started.elapsed().as_secs_f64()
    );
    let bench = Bench { options, data, next: AtomicUsize::new(0) };
    if bench.options.wants("commit") {
        bench.commit().await?;
    }
    bench.server().await
}

struct Bench {
    options: Options,
    data: Data,
    /// The number of the next write: no two write the same.
    next: AtomicUsize,
}

impl Bench {
    /// The host alone, in this process: everything about a write but HTTP.
    async fn commit(&self) -> anyhow::Result<()> {
        let store = process::open(&self.data.directory, self.options.page_cache).await?;
        let host = self.data.host(store.clone()).await?;
        let mut figures = Figures::new("commit by the host in process", own_id());
        for _ in 0..self.options.rounds {
            let round = figures.round()?;
            let writer = async |lane: usize| {
                for _ in self.share(lane) {
                    let (number, account) = self.turn();
                    let record = RawValue::from_string(prepare::post(account, number))?;
                    let repo = host.repo(&self.data.accounts[account]);
                    repo.commit([arroba::Write::create(nsid!("app.bsky.feed.post"), record)]).await?;
                }
                anyhow::Ok(())
            };
            try_join_all((0..self.options.writers).map(writer)).await?;
            figures.end(round, self.options.requests)?;
        }
        figures.print();
        host.close().await;
        store.close().await?;
        Ok(())
    }

    async fn server(&self) -> anyhow::Result<()> {
        let server =
            Server::start(self.options.arroba.as_deref(), &self.data.directory, self.options.page_cache)
                .await?;
        let id = server.id();
        let tokens = self.data.accounts.iter().map(access_token).collect::<anyhow::Result<Vec<_>>>()?;
        let write = |number: usize, account: usize| {
            let (did, record) = (&self.data.accounts[account], prepare::post(account, number));
            let body = format!(r#"{{"repo":"{did}","collection":"app.bsky.feed.post","record":{record}}}"#);
            post("com.atproto.repo.createRecord", &tokens[account], &body)
        };
        let mut written = None;
        if self.options.wants("create") || self.options.wants("fan-out") {
            written = Some(self.ask("createRecord", &server, write).await?);
        }
        if self.options.wants("get") {
            let read = |number: usize, account: usize| {
                let (did, rkey) = (&self.data.accounts[account], Data::rkey(number % self.data.records));
                get(
                    "com.atproto.repo.getRecord",
                    &format!("repo={did}&collection=app.bsky.feed.post&rkey={rkey}"),
                )
            };
            self.ask("getRecord", &server, read).await?;
        }
        if self.options.wants("list") {
            let read = |_: usize, account: usize| {
                let did = &self.data.accounts[account];
                let query = format!("repo={did}&collection=app.bsky.feed.post&limit=100&reverse=true");
                get("com.atproto.repo.listRecords", &query)
            };
            self.ask("listRecords of 100", &server, read).await?;
        }
        if self.options.wants("export") {
            self.export(&server).await?;
        }
        if self.options.wants("fan-out") {
            self.fan_out(&server, written.unwrap_or_default(), &write).await?;
        }
        if self.options.wants("backfill") {
            self.backfill(&server).await?;
        }
        println!("{:<32} {:>9} MiB", "most memory of the server", cpu::peak_mib(id));
        Ok(())
    }

    /// Rounds of the same request with other arguments, over connections that are kept.
    async fn ask(
        &self,
        name: &'static str,
        server: &Server,
        request: impl Fn(usize, usize) -> Vec<u8> + Sync,
    ) -> anyhow::Result<Duration> {
        let mut figures = Figures::new(name, server.id());
        for _ in 0..self.options.rounds {
            let mut connections = connect(server.address, self.options.writers).await?;
            let round = figures.round()?;
            self.ask_once(&mut connections, &request).await?;
            figures.end(round, self.options.requests)?;
        }
        Ok(figures.print())
    }

    async fn ask_once(
        &self,
        connections: &mut [Connection],
        request: &(impl Fn(usize, usize) -> Vec<u8> + Sync),
    ) -> anyhow::Result<()> {
        let lanes = connections.iter_mut().enumerate().map(async |(lane, connection)| {
            for _ in self.share(lane) {
                let (number, account) = self.turn();
                let answer = connection.ask(&request(number, account)).await?;
                let text = String::from_utf8_lossy(answer.body);
                ensure!(answer.status == 200, "status {}: {text}", answer.status);
            }
            Ok(())
        });
        try_join_all(lanes).await?;
        Ok(())
    }

    async fn export(&self, server: &Server) -> anyhow::Result<()> {
        const TIMES: usize = 10;
        let mut figures = Figures::new("getRepo of the large one", server.id());
        let request = format!(
            "GET /xrpc/com.atproto.sync.getRepo?did={} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            self.data.large
        );
        let mut bytes = 0;
        for _ in 0..self.options.rounds {
            let round = figures.round()?;
            for _ in 0..TIMES {
                bytes = Connection::open(server.address).await?.download(request.as_bytes()).await?;
            }
            figures.end(round, TIMES)?;
        }
        figures.print();
        println!("{:<32} {:>9.2} MB", "  its size", bytes as f64 / 1e6);
        Ok(())
    }

    /// Writes while subscribers listen. What writing costs by itself is taken off.
    async fn fan_out(
        &self,
        server: &Server,
        written: Duration,
        write: &(impl Fn(usize, usize) -> Vec<u8> + Sync),
    ) -> anyhow::Result<()> {
        let requests = self.options.requests;
        let open = (0..self.options.subscribers).map(|_| Subscriber::open(server.address, None));
        let mut subscribers = try_join_all(open).await?;
        let mut figures = Figures::new("delivery of a live event", server.id());
        figures.less = written.as_secs_f64() * requests as f64;
        for _ in 0..self.options.rounds {
            let mut connections = connect(server.address, self.options.writers).await?;
            let round = figures.round()?;
            let reading = try_join_all(subscribers.iter_mut().map(|one| one.read(requests as u64)));
            tokio::try_join!(self.ask_once(&mut connections, write), reading)?;
            figures.end(round, requests * self.options.subscribers)?;
        }
        figures.print();
        Ok(())
    }

    async fn backfill(&self, server: &Server) -> anyhow::Result<()> {
        let mut figures = Figures::new("delivery of a past event", server.id());
        let events =
            Subscriber::open(server.address, Some(0)).await?.read_all(Duration::from_secs(1)).await?;
        for _ in 0..self.options.rounds {
            let round = figures.round()?;
            Subscriber::open(server.address, Some(0)).await?.read(events).await?;
            figures.end(round, usize::try_from(events)?)?;
        }
        figures.print();
        println!("{:<32} {:>9}", "  events", events);
        Ok(())
    }

    /// The operations of one lane in one round.
    fn share(&self, lane: usize) -> impl Iterator<Item = usize> + use<> {
        (lane..self.options.requests).step_by(self.options.writers)
    }

    /// The number of the next operation, and whose it is, in an order without pattern.
    fn turn(&self) -> (usize, usize) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let accounts = self.data.accounts.len();
        let account = if self.options.zipf {
            // Multiples of the golden ratio fill the unit interval evenly.
            let place = (number as f64 * 0.618_033_988_749_895).fract();
            (accounts as f64).powf(place) as usize - 1
        } else {
            number.wrapping_mul(7919)
        };
        (number, account % accounts)
    }
}

async fn connect(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Connection>> {
    try_join_all((0..count).map(|_| Connection::open(address))).await.context("failed to connect")
}

/// The rounds of one measurement.
struct Figures {
    name: &'static str,
    process: u32,
    /// CPU seconds in a round that are not for what is measured.
    less: f64,
    /// CPU and wall seconds of one operation, round by round.
    rounds: Vec<(f64, f64)>,
}

impl Figures {
    fn new(name: &'static str, process: u32) -> Self {
        Self { name, process, less: 0.0, rounds: Vec::new() }
    }

    fn round(&self) -> anyhow::Result<(Duration, Instant)> {
        Ok((cpu::of(self.process)?, Instant::now()))
    }

    fn end(&mut self, (cpu, clock): (Duration, Instant), operations: usize) -> anyhow::Result<()> {
        let cpu = (cpu::of(self.process)? - cpu).as_secs_f64() - self.less;
        let operations = operations as f64;
        self.rounds.push((cpu / operations, clock.elapsed().as_secs_f64() / operations));
        Ok(())
    }

    /// Prints the median with the least and the most, and returns it.
    fn print(&self) -> Duration {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let micros = |index: usize| sorted.get(index).map_or(0.0, |round| round.0 * 1e6);
        let (least, median, most) =
            (micros(0), micros(sorted.len() / 2), micros(sorted.len().saturating_sub(1)));
        let rate = sorted.get(sorted.len() / 2).map_or(0.0, |round| 1.0 / round.1);
        println!("{:<32} {median:>9.1} us CPU ({least:.1} to {most:.1}), {rate:.0} a second", self.name);
        Duration::from_secs_f64(median.max(0.0) / 1e6)
    }
}
