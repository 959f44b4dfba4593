//! The routes of a host that is part of somebody else's server.

use std::fmt;
use std::sync::Arc;

use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::com_atproto::identity::resolve_handle::{self, ResolveHandle};
use arroba_lexicons::com_atproto::server::describe_server::{self, DescribeServer};
use arroba_xrpc::{BehindProxy, Layers, Output, Query, RateLimits, RouterExt, Subscriptions, XrpcError};
use axum::Router;
use axum::extract::{FromRef, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};

use super::well_known::requested_handle;
use crate::auth::{Authenticator, Authority};
use crate::config::Config;
use crate::host::{HostError, RepoHost};
use crate::methods::{MethodError, MethodHandler, Methods, Unreplaced};
use crate::proxy::{self, Proxy};
use crate::service::Service;

#[derive(Clone)]
struct HostState {
    host: RepoHost,
    service: Service,
    authority: Authority,
    subscriptions: Subscriptions,
}

impl FromRef<HostState> for RepoHost {
    fn from_ref(state: &HostState) -> Self {
        state.host.clone()
    }
}

impl FromRef<HostState> for Service {
    fn from_ref(state: &HostState) -> Self {
        state.service.clone()
    }
}

impl FromRef<HostState> for Authority {
    fn from_ref(state: &HostState) -> Self {
        state.authority.clone()
    }
}

impl FromRef<HostState> for Subscriptions {
    fn from_ref(state: &HostState) -> Self {
        state.subscriptions.clone()
    }
}

/// The routes of a host in somebody else's server, before they are put together; made by [`RepoHost::routes`].
///
/// ```no_run
/// # async fn run(host: arroba::RepoHost) -> Result<(), Box<dyn std::error::Error>> {
/// use arroba::auth::StaticToken;
/// use arroba::core::nsid;
/// use arroba::methods::Call;
/// use serde_json::json;
///
/// let app = host
///     .routes()
///     .authenticator(StaticToken::from_env()?)
///     .method(nsid!("com.example.hello"), async |call: Call| Ok(json!({ "hello": call.json()["name"] })))
///     .router()?;
/// # let _ = app; Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HostRoutes {
    host: RepoHost,
    authenticator: Option<Arc<dyn Authenticator>>,
    methods: Methods,
    proxy: Option<Proxy>,
}

impl RepoHost {
    /// What the network asks of a host: its repos, its firehose, its handles, and who it is. Nobody writes through these routes:
    /// writing is for whoever holds the host, or for those whom an authenticator knows; see [`RepoHost::routes`].
    ///
    /// The router has its own layers and state and no fallback, so it merges with routes of your own. Connections should
    /// bring their peer's address as [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), or all clients count as
    /// one. [`RepoHost::close`] tells the subscribers of all its routers to go.
    pub fn router(&self) -> Router {
        self.routes().merged()
    }

    /// The routes of the host, to be added to before they are put together.
    pub fn routes(&self) -> HostRoutes {
        HostRoutes { host: self.clone(), authenticator: None, methods: Methods::new(), proxy: None }
    }
}

impl HostRoutes {
    /// Serves the methods that write records too, for those whom `authenticator` knows.
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Serves a method of your own at `/xrpc/` and its name; see [`methods`](crate::methods). A method that the library serves is served
    /// by this handler alone. Two handlers for one name are refused by [`router`](Self::router).
    pub fn method(mut self, nsid: Nsid, handler: impl MethodHandler) -> Self {
        self.methods = self.methods.with(nsid, handler);
        self
    }

    /// Forwards the methods that nobody serves here, in the name of those whom the authenticator knows; see
    /// [`proxy`](crate::proxy). It takes every path under `/xrpc/` that has no route of its own.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Lets in and forwards what a configuration says: whoever shows `REPO_TOKEN` may write to every repo (501 without one), and methods
    /// of the services that it names go to them.
    ///
    /// # Errors
    /// [`HostError::Network`] if services are named and there are no name servers or no TLS.
    pub fn configured(self, config: &Config) -> Result<Self, HostError> {
        let routes = self.authenticator(config.static_token());
        if config.services().is_empty() {
            return Ok(routes);
        }
        let proxy = config.proxy().build(&routes.host)?;
        Ok(routes.proxy(proxy))
    }

    /// The router: no fallback, its own layers and state, so that it merges with routes of your own.
    ///
    /// # Errors
    /// [`MethodError`] with the method that cannot be served as it was given.
    pub fn router(self) -> Result<Router, MethodError> {
        self.methods.check(self.host.catalog())?;
        Ok(self.merged())
    }

    fn merged(self) -> Router {
        let Self { host, authenticator, methods, proxy } = self;
        let ours = || Unreplaced::<HostState>::new(&methods);
        let read = super::add_read(ours()).router();
        let read = match &proxy {
            Some(proxy) => read.layer(from_fn_with_state(proxy.clone(), proxy::records_elsewhere)),
            None => read,
        };
        let about = ours().endpoint::<DescribeServer, _>(describe_server);
        let about = about.endpoint::<ResolveHandle, _>(resolve_handle).router();
        let mut router = read
            .merge(about)
            .route("/.well-known/atproto-did", get(atproto_did))
            .merge(methods.router(host.catalog()));
        if authenticator.is_some() {
            router = router.merge(super::add_write(ours(), host.limits()).router());
        }
        if let Some(proxy) = proxy {
            router = router.merge(proxy::router::<HostState>(proxy));
        }
        let state = HostState {
            service: Service::new(host.clone()),
            authority: Authority::new(host.clone(), authenticator),
            subscriptions: host.subscriptions().clone(),
            host,
        };
        Layers::new(RateLimits::off()).wrap(router).with_state(state)
    }
}

impl fmt::Debug for HostRoutes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HostRoutes")
            .field("host", &self.host)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

async fn describe_server(State(host): State<RepoHost>) -> arroba_xrpc::Result<Output<DescribeServer>> {
    let did = Did::parse(&format!("did:web:{}", host.hostname().replace(':', "%3A")));
    Ok(Output(describe_server::Output {
        invite_code_required: Some(true),
        phone_verification_required: None,
        blob_upload_limit: None,
        available_user_domains: Vec::new(),
        links: None,
        contact: None,
        did: did.map_err(XrpcError::internal)?,
    }))
}

async fn resolve_handle(
    State(service): State<Service>,
    Query(params): Query<ResolveHandle>,
) -> arroba_xrpc::Result<Output<ResolveHandle>> {
    match service.active_handle(&params.handle).await? {
        Some(did) => Ok(Output(resolve_handle::Output { did })),
        None => Err(XrpcError::named("HandleNotFound", "Unable to resolve handle")),
    }
}

async fn atproto_did(
    State(service): State<Service>,
    proxy: BehindProxy,
    headers: HeaderMap,
) -> arroba_xrpc::Result<Response> {
    let did = match requested_handle(&headers, proxy.0) {
        Some(handle) => service.active_handle(&handle).await?,
        None => None,
    };
    Ok(match did {
        Some(did) => did.to_string().into_response(),
        None => (StatusCode::NOT_FOUND, "User not found").into_response(),
    })
}
