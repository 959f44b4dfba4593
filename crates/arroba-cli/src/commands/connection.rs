//! The server that an account command speaks to: the one that runs, or one of our own on the same store.

use crate::{api::Api, cli::Admin, configuration, listener, output};
use anyhow::{Context, bail};
use arroba::{Pds, config::Config};
use tokio::{sync::oneshot, task::JoinHandle};
use url::Url;

pub(crate) struct Connection {
    api: Api,
    own: Option<Own>,
}

/// A server for the time of one command, on loopback.
struct Own {
    stop: oneshot::Sender<()>,
    served: JoinHandle<arroba::Result>,
}

impl Connection {
    pub(crate) async fn open(admin: &Admin) -> anyhow::Result<Self> {
        if let Some(server) = &admin.server {
            let password =
                admin.admin_password.clone().context("give the admin password (PDS_ADMIN_PASSWORD)")?;
            let base = Url::parse(server).with_context(|| format!("`{server}` is no address of a server"))?;
            let api = Api::new(base, password)?;
            if !api.is_up().await? {
                bail!("no server answers at {server}");
            }
            return Ok(Self { api, own: None });
        }
        let config = configuration::load(admin.config.as_deref())?.config;
        let configured = || config.admin_password.as_ref().map(|password| password.expose().to_owned());
        let password = admin.admin_password.clone().or_else(configured);
        let password = password.context("give the admin password (PDS_ADMIN_PASSWORD)")?;
        let running = Api::new(Url::parse(&format!("http://localhost:{}", config.port))?, password.clone())?;
        if running.is_up().await? {
            return Ok(Self { api: running, own: None });
        }
        output::notice("no server runs; opening its store");
        let (own, port) = start(&config).await?;
        let api = Api::new(Url::parse(&format!("http://127.0.0.1:{port}"))?, password)?;
        Ok(Self { api, own: Some(own) })
    }

    pub(crate) const fn api(&self) -> &Api {
        &self.api
    }

    /// Ends a server of our own, which closes its store.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let Some(own) = self.own else { return Ok(()) };
        // It is gone already if the receiver is; the result says why.
        let _ = own.stop.send(());
        Ok(own.served.await??)
    }
}

async fn start(config: &Config) -> anyhow::Result<(Own, u16)> {
    let pds = Pds::from_config(config).await?.build().await.context("starting on the store")?;
    let listener = listener::loopback(0).await?;
    let port = listener.local_addr()?.port();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(pds.serve_on(listener, async {
        // Stopped or dropped: either way it is time to end.
        let _ = stopped.await;
    }));
    Ok((Own { stop, served }, port))
}
