//! Taking content in: its CID, its size, and what it shows, without ever holding it in memory.

use std::io::{self, Cursor, Write};
use std::path::PathBuf;

use arroba_core::data::{Cid, Codec};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::media::{Kind, MediaMetadata, probe};

/// How much of a blob is kept in memory before a temporary file takes it.
const MEMORY_BYTES: usize = 1 << 20;

/// How many pieces may wait for the disk.
const PIECES_WAITING: usize = 4;

/// What was taken in.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) cid: Cid,
    pub(super) size: u64,
    pub(super) kind: Option<Kind>,
    pub(super) media: MediaMetadata,
}

impl Taken {
    /// All of it is in memory already.
    pub(super) async fn whole(content: Bytes) -> io::Result<Self> {
        let work = tokio::task::spawn_blocking(move || {
            let (kind, media) = probe(Cursor::new(&content));
            let media = media.unwrap_or_default();
            Self { cid: Cid::for_raw(&content), size: content.len() as u64, kind, media }
        });
        work.await.map_err(io::Error::other)
    }
}

enum Piece {
    Bytes(Bytes),
    End,
}

/// Content on its way in. Dropping it leaves nothing behind.
pub(super) struct Intake {
    pieces: mpsc::Sender<Piece>,
    work: JoinHandle<io::Result<Option<Taken>>>,
}

impl Intake {
    /// Content that waits in `directory` if it is large.
    pub(super) fn start(directory: PathBuf) -> Self {
        let (pieces, received) = mpsc::channel(PIECES_WAITING);
        let work = tokio::task::spawn_blocking(move || take(received, directory));
        Self { pieces, work }
    }

    /// The next bytes. That they cannot be kept is what [`Intake::finish`] says.
    ///
    /// Returns whether more are of use.
    pub(super) async fn push(&self, bytes: Bytes) -> bool {
        self.pieces.send(Piece::Bytes(bytes)).await.is_ok()
    }

    /// It is complete.
    pub(super) async fn finish(self) -> io::Result<Taken> {
        // A work that is over has an error to tell.
        let _ = self.pieces.send(Piece::End).await;
        let taken = self.work.await.map_err(io::Error::other)??;
        taken.ok_or_else(|| io::Error::other("the end of the content was lost"))
    }
}

/// Takes pieces until their end; nothing if they end without one.
fn take(mut pieces: mpsc::Receiver<Piece>, directory: PathBuf) -> io::Result<Option<Taken>> {
    let mut file = tempfile::spooled_tempfile_in(MEMORY_BYTES, directory);
    let mut digest = Sha256::new();
    let mut size = 0_u64;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => {
                digest.update(&bytes);
                size = size.saturating_add(bytes.len() as u64);
                file.write_all(&bytes)?;
            }
            Some(Piece::End) => break,
            None => return Ok(None),
        }
    }
    let (kind, media) = probe(file);
    let cid = Cid::new(Codec::Raw, digest.finalize().into());
    Ok(Some(Taken { cid, size, kind, media: media.unwrap_or_default() }))
}
