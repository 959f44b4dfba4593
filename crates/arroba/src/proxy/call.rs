//! One forwarded call, from the choice of the service to the answer.

use arroba_core::syntax::{Did, Nsid};
use arroba_lexicons::QueryPairs;
use arroba_net::Limits;
use arroba_xrpc::{Client, Destination, Result, XrpcError};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};

use super::choose::{Choice, PROXY, Target};
use super::{APP_VIEW, Inner, Proxy, TOKEN_SECONDS, feed, permit, push};
use crate::auth::ProxyAuth;
use crate::read_after_write::{self, Patch};

/// The answers of services to questions of our own: small, and soon.
const OWN_QUESTION_BYTES: u64 = 2 << 20;

/// A call that may be made, and where.
pub(crate) struct Call<'a> {
    inner: &'a Inner,
    pub(super) target: Target<'a>,
    pub(super) did: &'a Did,
    pub(super) method: &'a Nsid,
    /// The caller's wish about labels, which holds for questions of our own too.
    labelers: HeaderMap,
}

impl Proxy {
    /// Forwards a call of `method`.
    ///
    /// # Errors
    /// 501 if nobody is named for the method, 401 without a login, 400 if the call may not be made or the service cannot be
    /// found, and what [`Forwarder::forward`](arroba_xrpc::Forwarder::forward) says.
    pub(super) async fn call(
        &self,
        method: &Nsid,
        auth: Result<ProxyAuth>,
        request: Request,
    ) -> Result<Response> {
        let inner = &*self.0;
        let Some(choice) = inner.choose(method, request.headers())? else {
            return Err(XrpcError::method_not_implemented());
        };
        let auth = auth?;
        let (choice, request) = match choice {
            Choice::Configured(service, _)
                if push::is_push(method) && !request.headers().contains_key(PROXY) =>
            {
                push::choose(service, request).await?
            }
            choice => (choice, request),
        };
        permit::check(&auth, method, choice.service())?;
        let target = inner.locate(choice).await?;
        let mut labelers = HeaderMap::new();
        for value in request.headers().get_all(LABELERS) {
            labelers.append(LABELERS, value.clone());
        }
        let call = Call { inner, target, did: auth.did(), method, labelers };
        match call.patch().filter(|_| request.method() == Method::GET) {
            Some(patch) => call.read_after_write(&patch, request).await,
            None => call.pass(request).await,
        }
    }
}

const LABELERS: &str = "atproto-accept-labelers";

impl Call<'_> {
    fn patch(&self) -> Option<Patch> {
        match self.inner.patches.get(self.method) {
            Some(own) => Some(own.clone()),
            None => read_after_write::built_in(self.method),
        }
    }

    async fn pass(self, request: Request) -> Result<Response> {
        let (audience, method) = match feed::is_get_feed(self.method) && self.target.service.id() == APP_VIEW
        {
            true => feed::token_of(&self, &self.inner.feeds, request.uri().query()).await?,
            false => (self.target.did.clone(), self.method.clone()),
        };
        let token = self.token(&audience, &method).await?;
        let to = Destination {
            service: &self.target.url,
            method: self.method,
            token: Some(&token),
            read_here: false,
        };
        self.target.forwarder.forward(request, to).await?.finish().await
    }

    async fn read_after_write(self, patch: &Patch, request: Request) -> Result<Response> {
        let params = QueryPairs::parse(request.uri().query().unwrap_or_default()).unwrap_or_default();
        let token = self.token(&self.target.did, self.method).await?;
        let to = Destination {
            service: &self.target.url,
            method: self.method,
            token: Some(&token),
            read_here: true,
        };
        let answer = self.target.forwarder.forward(request, to).await?;
        match read_after_write::apply(&self, patch, params, answer).await? {
            answer if answer.status().is_success() => Ok(answer.into_response()),
            answer => answer.finish().await,
        }
    }

    /// A token of the caller's for one method of one service.
    async fn token(&self, audience: &Did, method: &Nsid) -> Result<String> {
        let host = &self.inner.host;
        let expires = host.now_seconds() + TOKEN_SECONDS;
        Ok(host.service_token(self.did, &audience.clone().into(), Some(method), expires).await?)
    }

    /// Asks the service something else in the caller's name.
    pub(crate) async fn ask(&self, method: &Nsid, params: &QueryPairs) -> Result<serde_json::Value> {
        let token = self.token(&self.target.did, method).await?;
        let limits = Limits::default().body_bytes(OWN_QUESTION_BYTES);
        let client = Client::new(self.target.forwarder.client().clone(), self.target.url.clone());
        let mut client = client.limits(limits).bearer(&token)?;
        if let Some(labelers) = self.labelers.get(LABELERS) {
            client = client.header(http::HeaderName::from_static(LABELERS), labelers.clone());
        }
        Ok(client.query_json(method.as_str(), params).await?)
    }

    /// A place among the answers that are looked into at once, if there is one.
    pub(crate) fn place_to_patch(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.inner.patching.try_acquire().ok()
    }

    pub(crate) fn host(&self) -> &crate::host::RepoHost {
        &self.inner.host
    }

    pub(crate) const fn did(&self) -> &Did {
        self.did
    }

    pub(crate) const fn method(&self) -> &Nsid {
        self.method
    }

    pub(crate) const fn service(&self) -> &Did {
        &self.target.did
    }

    pub(crate) const fn pictures(&self) -> Option<&str> {
        self.target.pictures
    }
}
