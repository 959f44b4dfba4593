//! Where a repository comes from, as a stream of CAR bytes.

use crate::{cli, output};
use anyhow::{Context, bail};
use arroba_core::{
    car::{Limits, Reader, Writer},
    crypto::PublicKey,
    repo::{
        Commit,
        verify::{CarLimits, CarVerifier, Found, VerifiedCar},
    },
    syntax::Did,
};
use arroba_store::{BlockQuery, BlockStream, RepoStore, Sqlite};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use tokio::{fs::File, io::AsyncReadExt};
use url::Url;

const PIECE_BYTES: usize = 256 << 10;

/// An opened source.
pub(super) struct Opened {
    /// Whose repository it is.
    pub(super) owner: Did,
    /// The CAR file, in pieces.
    pub(super) pieces: BoxStream<'static, anyhow::Result<Bytes>>,
    /// How far reading is.
    pub(super) bar: ProgressBar,
}

impl Opened {
    pub(super) async fn open(source: &cli::Source) -> anyhow::Result<Self> {
        match (&source.data, &source.server) {
            (Some(data), _) => from_store(data, &source.source).await,
            (None, Some(server)) => from_server(server, &source.source).await,
            (None, None) => from_file(Path::new(&source.source)).await,
        }
    }

    /// Verifies the whole and hands over what is found on the way.
    pub(super) async fn each(
        mut self,
        key: Option<PublicKey>,
        hold_records: bool,
        mut visit: impl FnMut(Found) -> anyhow::Result<()>,
    ) -> anyhow::Result<VerifiedCar> {
        let mut verifier =
            CarVerifier::new(self.owner, key, CarLimits { hold_records, ..CarLimits::default() });
        while let Some(piece) = self.pieces.next().await {
            let piece = piece?;
            verifier.push(&piece);
            self.bar.inc(piece.len() as u64);
            for found in verifier.by_ref() {
                visit(found?)?;
            }
        }
        let whole = verifier.finish()?;
        self.bar.finish_and_clear();
        Ok(whole)
    }
}

async fn from_file(path: &Path) -> anyhow::Result<Opened> {
    let name = || path.display().to_string();
    let file = File::open(path).await.with_context(|| format!("opening {}", name()))?;
    let length = file.metadata().await?.len();
    let owner = owner_of(path).await.with_context(|| format!("reading {}", name()))?;
    Ok(Opened { owner, pieces: pieces(file), bar: output::bytes_bar(length, "reading") })
}

fn pieces(file: File) -> BoxStream<'static, anyhow::Result<Bytes>> {
    futures::stream::try_unfold(file, async |mut file| {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await?;
        Ok(if piece.is_empty() { None } else { Some((Bytes::from(piece), file)) })
    })
    .boxed()
}

/// The DID that the commit of a CAR file names. The commit is nearly always the first block.
async fn owner_of(path: &Path) -> anyhow::Result<Did> {
    let mut pieces = pieces(File::open(path).await?);
    let mut reader = Reader::new(Limits::REPOSITORY);
    while let Some(piece) = pieces.next().await {
        reader.push(&piece?);
        while let Some(block) = reader.next() {
            let block = block?;
            if reader.roots().and_then(<[_]>::first) == Some(&block.cid) {
                return Ok(Commit::decode(&block.data).context("its root is no commit")?.did);
            }
        }
    }
    reader.finish()?;
    bail!("it does not hold the commit that it names as its root")
}

async fn from_store(data: &Path, did: &str) -> anyhow::Result<Opened> {
    let owner = Did::parse(did).context("with --data a DID is needed")?;
    let file: PathBuf = data.join("pds.sqlite");
    if !file.exists() {
        bail!("{} holds no pds.sqlite", data.display());
    }
    let store = Sqlite::open(&file)
        .await
        .context("opening the store; while its server runs, read through the server with --server")?;
    let blocks = store.blocks(&owner, BlockQuery::All).await?;
    let blocks = blocks.with_context(|| format!("{owner} has no repository here"))?;
    let writer = Writer::new(&[blocks.head.cid]);
    // The store stays open as long as its blocks are read.
    let pieces = futures::stream::try_unfold(Some((store, writer, blocks)), next_piece).boxed();
    Ok(Opened { owner, pieces, bar: output::counter("bytes") })
}

type StoreState = Option<(Sqlite, Writer, BlockStream)>;

async fn next_piece(state: StoreState) -> anyhow::Result<Option<(Bytes, StoreState)>> {
    let Some((store, mut writer, mut blocks)) = state else { return Ok(None) };
    while writer.len() < PIECE_BYTES {
        let Some(batch) = blocks.next_batch().await else { return Ok(Some((writer.finish(), None))) };
        for block in batch? {
            writer.block(&block.cid, &block.data);
        }
    }
    Ok(Some((writer.take(), Some((store, writer, blocks)))))
}

async fn from_server(server: &str, did: &str) -> anyhow::Result<Opened> {
    let owner = Did::parse(did).context("with --server a DID is needed")?;
    let mut url = Url::parse(server).with_context(|| format!("`{server}` is no address of a server"))?;
    url.set_path("/xrpc/com.atproto.sync.getRepo");
    url.query_pairs_mut().clear().append_pair("did", did);
    let response = reqwest::get(url).await.context("asking for the repository")?;
    if !response.status().is_success() {
        bail!("the server answered {} {}", response.status(), response.text().await.unwrap_or_default());
    }
    let pieces = response.bytes_stream().map_err(anyhow::Error::from).boxed();
    Ok(Opened { owner, pieces, bar: output::counter("bytes") })
}
