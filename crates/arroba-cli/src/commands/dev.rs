//! `arroba dev`: everything on this machine, ready to be tried.

mod demo;
mod remembered;

use crate::{api::Api, cli::Dev, listener, logging, output};
use anyhow::Context;
use arroba::{Pds, Secrets, store::Sqlite, store::blobs::Blobs};
use arroba_identity::{Clock, plc::Directory};
use remembered::Remembered;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

/// The password of the user `admin` of a development server, which listens on loopback alone.
const ADMIN_PASSWORD: &str = "admin";

pub(crate) async fn run(options: &Dev) -> anyhow::Result<ExitCode> {
    let folder = Folder::open(options.data.as_deref())?;
    if std::env::var_os("RUST_LOG").is_some() {
        logging::start();
    }
    let remembered = Remembered::load(&folder.path)?;
    let listener = listen(options.port, remembered.as_ref().map(|r| r.port)).await?;
    let plc_listener = listen(options.plc_port, remembered.as_ref().map(|r| r.plc_port)).await?;
    let (port, plc_port) = (listener.local_addr()?.port(), plc_listener.local_addr()?.port());
    let url = format!("http://localhost:{port}");

    let stop = CancellationToken::new();
    let directory = Directory::open(folder.path.join("plc.jsonl"), Clock::system())?;
    let pds = server(&folder.path, &url, &directory).await?;
    let plc = tokio::spawn(serve_directory(plc_listener, directory, stop.clone()));
    let served: JoinHandle<arroba::Result> =
        tokio::spawn(pds.serve_on(listener, stop.clone().cancelled_owned()));

    let api = Api::new(Url::parse(&format!("http://127.0.0.1:{port}"))?, ADMIN_PASSWORD.into())?;
    let ready = demo::account(&api, remembered.map(|r| r.account)).await;
    if let Ok(account) = &ready {
        Remembered { port, plc_port, account: account.clone() }.save(&folder.path)?;
        demo::greet(&url, &format!("http://localhost:{plc_port}"), &folder.describe(), account)?;
        arroba::stop_signal().await;
        output::notice("stopping");
    }
    stop.cancel();
    served.await??;
    plc.await??;
    ready.context("making the demo account")?;
    Ok(ExitCode::SUCCESS)
}

/// Where the data is; a temporary folder goes with this.
struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    fn open(data: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = data {
            std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
            return Ok(Self { path: path.to_owned(), temporary: None });
        }
        let temporary = TempDir::with_prefix("arroba-dev-")?;
        Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) })
    }

    fn describe(&self) -> String {
        let fate =
            if self.temporary.is_some() { "gone when this stops; keep it with --data" } else { "kept" };
        format!("{} ({fate})", self.path.display())
    }
}

/// Port 0 is the one from the last time if it is free, since identities name it, else any.
async fn listen(port: u16, last: Option<u16>) -> anyhow::Result<TcpListener> {
    if let (0, Some(last)) = (port, last)
        && let Ok(listener) = listener::loopback(last).await
    {
        return Ok(listener);
    }
    listener::loopback(port).await
}

async fn server(folder: &Path, url: &str, directory: &Directory) -> anyhow::Result<Pds> {
    let secrets = Secrets::load_or_create(folder.join("secrets.toml"))?;
    let store = Sqlite::open(folder.join("pds.sqlite")).await?;
    let pds = Pds::builder("localhost", secrets, store)
        .public_url(url)
        .handle_domains([".test"])
        .invite_required(false)
        .admin_password(ADMIN_PASSWORD)
        .blobs(Blobs::dir(folder.join("blobs"))?)
        .directory(Arc::new(directory.clone()))
        .allow_loopback();
    pds.build().await.context("starting the server")
}

async fn serve_directory(
    listener: TcpListener,
    directory: Directory,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = directory.router();
    let serving = async move { axum::serve(listener, router).await };
    // Followers of its export stream never finish by themselves, and nothing of it is lost: every operation is in the file.
    stop.run_until_cancelled(serving).await.transpose()?;
    Ok(())
}
