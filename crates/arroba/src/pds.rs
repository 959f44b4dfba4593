//! A Personal Data Server: a host of repositories, the accounts that log in to it, and HTTP.

mod builder;
mod connections;
mod serve;

use std::fmt;

use arroba_identity::Resolver;
use arroba_store::Sqlite;
use arroba_xrpc::{Layers, Subscriptions};
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;

pub use builder::PdsBuilder;
pub use serve::stop_signal;

use crate::accounts::Logins;
use crate::auth::Authority;
use crate::host::RepoHost;
use crate::methods::{Methods, Unreplaced};
use crate::metrics::Metrics;
use crate::proxy::{self, Proxy};
use crate::routes;
use crate::service::Service;

/// A server that is ready to be served: its store is open, and what a crash left has been put in order.
///
/// ```no_run
/// use arroba::{Pds, Secrets, blobs::Blobs, store::Sqlite};
///
/// #[tokio::main]
/// async fn main() -> arroba::Result {
///     let secrets = Secrets::load_or_create("data/secrets.toml")?;
///     let store = Sqlite::open("data/pds.sqlite").await?;
///     Pds::builder("pds.example.com", secrets, store)
///         .blobs(Blobs::dir("data/blobs")?)
///         .crawlers(["https://bsky.network"])
///         .serve("0.0.0.0:3000")
///         .await
/// }
/// ```
pub struct Pds {
    state: AppState,
    host: RepoHost,
    store: Sqlite,
    resolver: Resolver,
    layers: Layers,
    metrics: Metrics,
    subscriptions: Subscriptions,
    methods: Methods,
    proxy: Proxy,
}

/// Where the figures of a server come from.
#[derive(Clone)]
struct Figures {
    metrics: Metrics,
    subscriptions: Subscriptions,
    host: RepoHost,
    store: Sqlite,
}

impl Figures {
    fn render(&self) -> String {
        let lags = self.host.subscriber_lags();
        self.metrics.render(self.subscriptions.open(), &lags, &self.store.writer_figures())
    }
}

/// What the routes hold.
#[derive(Clone, Debug)]
struct AppState {
    service: Service,
    logins: Logins,
    authority: Authority,
    subscriptions: Subscriptions,
}

impl FromRef<AppState> for Service {
    fn from_ref(state: &AppState) -> Self {
        state.service.clone()
    }
}

impl FromRef<AppState> for Logins {
    fn from_ref(state: &AppState) -> Self {
        state.logins.clone()
    }
}

impl FromRef<AppState> for Authority {
    fn from_ref(state: &AppState) -> Self {
        state.authority.clone()
    }
}

impl FromRef<AppState> for Subscriptions {
    fn from_ref(state: &AppState) -> Self {
        state.subscriptions.clone()
    }
}

impl Pds {
    /// The host of the repositories: whoever holds it may write to all of them.
    #[must_use]
    pub const fn host(&self) -> &RepoHost {
        &self.host
    }

    /// The resolver of DIDs and handles.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// All routes with their layers, and no fallback: it merges with routes of your own.
    ///
    /// Connections must bring their peer's address as
    /// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), or all clients count as one.
    pub fn router(&self) -> Router {
        let elsewhere = from_fn_with_state(self.proxy.clone(), proxy::records_elsewhere);
        let ours = || Unreplaced::<AppState>::new(&self.methods);
        let router = routes::add_read(ours())
            .router()
            .layer(elsewhere)
            .merge(routes::add_write(ours(), self.host.limits()).router())
            .merge(routes::add_accounts(ours()).router())
            .merge(routes::pages::<AppState>())
            .merge(self.methods.router(self.host.catalog()))
            .merge(proxy::router::<AppState>(self.proxy.clone()));
        self.layers.wrap(router).with_state(self.state.clone())
    }

    /// The figures of the server in Prometheus's text form.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.figures().render()
    }

    fn figures(&self) -> Figures {
        Figures {
            metrics: self.metrics.clone(),
            subscriptions: self.subscriptions.clone(),
            host: self.host.clone(),
            store: self.store.clone(),
        }
    }
}

impl fmt::Debug for Pds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pds").field("host", &self.host).finish_non_exhaustive()
    }
}
