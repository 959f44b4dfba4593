//! The routes of a host that is part of somebody else's server.

use std::sync::Arc;

use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::com_atproto::identity::resolve_handle::{self, ResolveHandle};
use arroba_lexicons::com_atproto::server::describe_server::{self, DescribeServer};
use arroba_xrpc::{
    BehindProxy, Layers, Output, Query, RateLimits, Result, RouterExt, ServiceCaller, SubscriptionOptions,
    Subscriptions, XrpcError,
};
use async_trait::async_trait;
use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};

use super::well_known::requested_handle;
use crate::auth::{Authenticator, Authority, Caller};
use crate::host::RepoHost;
use crate::service::Service;
use crate::session::RefreshToken;

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

impl RepoHost {
    /// What the network asks of a host: its repos, its firehose, its handles, and who it is. Nobody writes or logs in
    /// through these routes: writing is for whoever holds the host.
    ///
    /// The router has its own layers and state and no fallback, so it merges with routes of your own. Connections should
    /// bring their peer's address as [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), or all clients count as
    /// one.
    pub fn router(&self) -> Router {
        let state = HostState {
            host: self.clone(),
            service: Service::new(self.clone()),
            authority: Authority::new(Arc::new(NoAccounts)),
            subscriptions: Subscriptions::new(SubscriptionOptions::default()),
        };
        let router = super::read::<HostState>()
            .endpoint::<DescribeServer, _>(describe_server)
            .endpoint::<ResolveHandle, _>(resolve_handle)
            .route("/.well-known/atproto-did", get(atproto_did));
        Layers::new(RateLimits::off()).wrap(router).with_state(state)
    }
}

async fn describe_server(State(host): State<RepoHost>) -> Result<Output<DescribeServer>> {
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
) -> Result<Output<ResolveHandle>> {
    match service.active_handle(&params.handle).await? {
        Some(did) => Ok(Output(resolve_handle::Output { did })),
        None => Err(XrpcError::named("HandleNotFound", "Unable to resolve handle")),
    }
}

async fn atproto_did(
    State(service): State<Service>,
    proxy: BehindProxy,
    headers: HeaderMap,
) -> Result<Response> {
    let did = match requested_handle(&headers, proxy.0) {
        Some(handle) => service.active_handle(&handle).await?,
        None => None,
    };
    Ok(match did {
        Some(did) => did.to_string().into_response(),
        None => (StatusCode::NOT_FOUND, "User not found").into_response(),
    })
}

/// Nobody has an account.
struct NoAccounts;

fn nobody<T>() -> Result<T> {
    Err(XrpcError::authentication_required("this server has no accounts"))
}

#[async_trait]
impl Authenticator for NoAccounts {
    async fn account(&self, _: &str) -> Result<Caller> {
        nobody()
    }

    async fn refresh(&self, _: &str, _: bool) -> Result<RefreshToken> {
        nobody()
    }

    async fn service(&self, _: &str, _: &Nsid) -> Result<ServiceCaller> {
        nobody()
    }

    fn is_admin(&self, _: &str, _: &str) -> bool {
        false
    }

    async fn hosted(&self, _: &Did) -> Result<Caller> {
        nobody()
    }
}
