//! Subscribers that count frames and look at nothing in them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::http::Connection;

/// An open subscription.
pub(crate) struct Subscriber {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Subscriber {
    pub(crate) async fn open(address: SocketAddr, cursor: Option<u64>) -> anyhow::Result<Self> {
        let query = cursor.map_or_else(String::new, |cursor| format!("?cursor={cursor}"));
        let request = format!(
            "GET /xrpc/com.atproto.sync.subscribeRepos{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let (stream, buffer) = Connection::open(address).await?.upgrade(request.as_bytes()).await?;
        Ok(Self { stream, buffer })
    }

    /// Reads until `frames` messages have come.
    pub(crate) async fn read(&mut self, frames: u64) -> anyhow::Result<()> {
        let mut seen = 0;
        while seen < frames {
            let mut at = 0;
            while seen < frames
                && let Some((opcode, length)) = frame(&self.buffer[at..])
            {
                if opcode == 8 {
                    bail!("the server closed the subscription after {seen} frames");
                }
                at += length;
                seen += u64::from(opcode == 2);
            }
            self.buffer.drain(..at);
            if seen < frames {
                self.more().await?;
            }
        }
        Ok(())
    }

    /// Reads until nothing has come for a while; returns how many messages there were.
    pub(crate) async fn read_all(&mut self, silence: Duration) -> anyhow::Result<u64> {
        let mut seen = 0;
        while let Ok(frame) = tokio::time::timeout(silence, self.read(1)).await {
            frame?;
            seen += 1;
        }
        Ok(seen)
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(256 << 10);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Opcode and whole length of the first frame, if all of it is there. A server's frames are not masked.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (head, body) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let length = head + body;
    (bytes.len() >= length).then_some((first & 0x0f, length))
}
