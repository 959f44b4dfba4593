//! The server, in a process of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use arroba::core::crypto::jwt::hs256;
use arroba::core::crypto::{Curve, PrivateKey};
use arroba::core::syntax::Did;
use arroba::store::blobs::Blobs;
use arroba::store::seal::MasterKey;
use arroba::store::{Sqlite, SqliteOptions};
use arroba::xrpc::SubscriptionOptions;
use arroba::{Pds, Secrets};
use serde_json::json;

use crate::http::Connection;

const SERVICE: &str = "did:web:localhost";
const SESSION_SECRET: &str = "a secret that only the benchmark knows";

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(
        arroba: Option<&Path>,
        data: &Path,
        page_cache: Option<usize>,
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = match arroba {
            Some(arroba) => Command::new(arroba),
            None => Command::new(std::env::current_exe()?),
        };
        match arroba {
            Some(_) => command.arg("serve"),
            None => command.arg("--serve").arg(port.to_string()).arg("--data").arg(data),
        };
        if let (None, Some(mib)) = (arroba, page_cache) {
            command.arg("--page-cache").arg(mib.to_string());
        }
        let child = command
            .env_clear()
            .env("PDS_HOSTNAME", "localhost")
            .env("PDS_PORT", port.to_string())
            .env("PDS_SERVICE_DID", SERVICE)
            .env("PDS_DATA_DIRECTORY", data)
            .env("PDS_BLOBSTORE_DISK_LOCATION", data.join("blobs"))
            .env("PDS_DID_PLC_URL", "http://127.0.0.1:1")
            .env("PDS_JWT_SECRET", SESSION_SECRET)
            .env("PDS_ADMIN_PASSWORD", "admin")
            .env("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "09".repeat(32))
            .env("PDS_DEV_MODE", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("failed to start {command:?}"))?;
        let mut server = Self { child, address };
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended: {status}");
            }
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.ask(&get("_health", "")).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the server does not answer")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Opens the store, with as many MiB of page cache if that is given.
pub(crate) async fn open(data: &Path, page_cache: Option<usize>) -> anyhow::Result<Sqlite> {
    let mut options = SqliteOptions::default();
    if let Some(mib) = page_cache {
        options.page_cache = mib << 20;
    }
    Ok(Sqlite::open_with(data.join("pds.sqlite"), options).await?)
}

/// What `arroba serve` does with the settings of [`Server::start`].
pub(crate) async fn serve(data: &Path, port: u16, page_cache: Option<usize>) -> anyhow::Result<()> {
    let secrets = Secrets::new(
        MasterKey::load_or_create(data.join("master.key"))?,
        PrivateKey::from_bytes(Curve::K256, &[9; 32])?,
        SESSION_SECRET,
    )?;
    let store = open(data, page_cache).await?;
    let mut subscriptions = SubscriptionOptions::default();
    subscriptions.per_ip = subscriptions.total;
    Pds::builder("localhost", secrets, store)
        .public_url(format!("http://localhost:{port}"))
        .service_did(Did::parse(SERVICE)?)
        .blobs(Blobs::dir(data.join("blobs"))?)
        .allow_loopback()
        .subscriptions(subscriptions)
        .serve((Ipv4Addr::LOCALHOST, port))
        .await?;
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever it did is durable; its files are not needed in order.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

/// What an account shows to write.
pub(crate) fn access_token(did: &Did) -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "scope": "com.atproto.access", "aud": SERVICE, "sub": did, "iat": now, "exp": now + 7200
    });
    let key = hs256::Key::new(SESSION_SECRET.as_bytes()).context("the secret is too short")?;
    Ok(hs256::sign(hs256::Typ::Access, &claims, &key)?)
}

/// The bytes of a query.
pub(crate) fn get(method: &str, query: &str) -> Vec<u8> {
    format!("GET /xrpc/{method}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// The bytes of a procedure with a JSON body.
pub(crate) fn post(method: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /xrpc/{method} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
