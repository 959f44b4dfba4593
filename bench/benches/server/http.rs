//! A client that costs next to nothing: requests are prepared bytes, answers are measured and not understood.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer, which must have a length.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = self.head().await?;
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status = status(text)?;
        let length: usize = field(text, "content-length").context("an answer without a length")?.parse()?;
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        Ok(Answer { status, body: &self.buffer[head..] })
    }

    /// Sends a request that ends the connection, and counts the bytes of the answer.
    pub(crate) async fn download(mut self, request: &[u8]) -> anyhow::Result<usize> {
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        let status = status(std::str::from_utf8(&self.buffer[..head])?)?;
        if status != 200 {
            bail!("status {status}");
        }
        let mut bytes = self.buffer.len() - head;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(bytes),
                read => bytes += read,
            }
        }
    }

    /// Sends an upgrade to a WebSocket; gives the connection and what has come of its frames.
    pub(crate) async fn upgrade(mut self, request: &[u8]) -> anyhow::Result<(TcpStream, Vec<u8>)> {
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        let status = status(std::str::from_utf8(&self.buffer[..head])?)?;
        if status != 101 {
            bail!("status {status} instead of an upgrade");
        }
        let rest = self.buffer.split_off(head);
        Ok((self.stream, rest))
    }

    /// Reads up to the end of the head; returns where the body begins.
    async fn head(&mut self) -> anyhow::Result<usize> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(end + 4);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn status(head: &str) -> anyhow::Result<u16> {
    Ok(head.split_whitespace().nth(1).context("no status")?.parse()?)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
