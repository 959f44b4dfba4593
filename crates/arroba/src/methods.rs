//! Methods of your own, beside those that the library serves or in their place.
//!
//! A method is a name and a function from a [`Call`] to a [`Reply`]. Where the host's catalog, or else the bundled one, has the lexicon
//! of that name, verb, parameters, input and output are checked by it, so that the function sees well-formed calls only; a name without
//! a lexicon is served as it is, under both verbs.
//!
//! A name that the library serves too is served by your function alone, with the same checks: `com.atproto.server.describeServer` with
//! more links, say, or an `app.bsky` method that would be forwarded. What the library's own handler demands of callers and their scopes is
//! then for yours to demand; [`Call::write_auth`] proves who writes. The input is read into memory, up to
//! [`BodyLimit::DEFAULT_BYTES`](arroba_xrpc::BodyLimit::DEFAULT_BYTES).
//!
//! Methods whose lexicon is a Rust type are better served by [`RouterExt::endpoint`](arroba_xrpc::RouterExt::endpoint), in a router
//! that is merged with the host's.

mod call;
mod check;
mod reply;
mod unreplaced;

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use arroba_core::lexicon::{Catalog, Def};
use arroba_core::syntax::Nsid;
use arroba_lexicons::com_atproto::sync::SubscribeRepos;
use arroba_lexicons::{Endpoint as _, QueryPairs};
use arroba_xrpc::{RawBody, Result, XrpcError};
use axum::Router;
use axum::extract::{FromRef, FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;

pub use self::call::Call;
pub use self::reply::Reply;
pub(crate) use self::unreplaced::Unreplaced;

use crate::auth::Authority;

/// What answers a method: an async function from [`Call`] to something that becomes a [`Reply`].
pub trait MethodHandler: Send + Sync + 'static {
    /// Answers one call.
    fn answer(&self, call: Call) -> BoxFuture<'static, Result<Reply>>;
}

impl<F, Answer, R> MethodHandler for F
where
    F: Fn(Call) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<R>> + Send + 'static,
    R: Into<Reply>,
{
    fn answer(&self, call: Call) -> BoxFuture<'static, Result<Reply>> {
        let answer = self(call);
        async move { answer.await.map(Into::into) }.boxed()
    }
}

/// Why methods cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// Two handlers were given for one name.
    #[error("two handlers for the method {0}")]
    Twice(Nsid),
    /// The name is that of an event stream, which a function from a call to a reply cannot serve.
    #[error("{0} is an event stream, not a method")]
    Stream(Nsid),
}

/// Methods by name.
#[derive(Clone, Default)]
pub(crate) struct Methods {
    handlers: Vec<(Nsid, Arc<dyn MethodHandler>)>,
    twice: Option<Nsid>,
}

impl Methods {
    pub(crate) const fn new() -> Self {
        Self { handlers: Vec::new(), twice: None }
    }

    /// The same and one more.
    pub(crate) fn with(mut self, nsid: Nsid, handler: impl MethodHandler) -> Self {
        if self.has(nsid.as_str()) {
            self.twice.get_or_insert(nsid);
        } else {
            self.handlers.push((nsid, Arc::new(handler)));
        }
        self
    }

    /// Whether a method of this name is among them.
    pub(crate) fn has(&self, nsid: &str) -> bool {
        self.handlers.iter().any(|(name, _)| name.as_str() == nsid)
    }

    /// Whether they can be served.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<(), MethodError> {
        if let Some(nsid) = &self.twice {
            return Err(MethodError::Twice(nsid.clone()));
        }
        let is_stream = |nsid: &Nsid| {
            nsid.as_str() == SubscribeRepos::NSID || matches!(catalog.main(nsid), Some(Def::Subscription(_)))
        };
        match self.handlers.iter().find(|(nsid, _)| is_stream(nsid)) {
            Some((nsid, _)) => Err(MethodError::Stream(nsid.clone())),
            None => Ok(()),
        }
    }

    /// Their routes.
    pub(crate) fn router<S>(&self, catalog: &Arc<Catalog>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
        Authority: FromRef<S>,
    {
        let bundled = OnceCell::new();
        self.handlers.iter().fold(Router::new(), |router, (nsid, handler)| {
            // The catalog may have been given without the library's own lexicons, whose names these may be.
            let catalog = match catalog.main(nsid) {
                Some(_) => catalog,
                None => bundled.get_or_init(arroba_lexicons::catalog),
            };
            let served =
                Served { nsid: nsid.clone(), handler: Arc::clone(handler), catalog: Arc::clone(catalog) };
            router.route(&format!("/xrpc/{nsid}"), served.route())
        })
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.handlers.iter().map(|(nsid, _)| nsid)).finish()
    }
}

/// One method as it is served.
#[derive(Clone)]
struct Served {
    nsid: Nsid,
    handler: Arc<dyn MethodHandler>,
    catalog: Arc<Catalog>,
}

impl Served {
    fn route<S>(self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
        Authority: FromRef<S>,
    {
        let verb = match self.catalog.main(&self.nsid) {
            Some(Def::Query(_)) => Some(Method::GET),
            Some(Def::Procedure(_)) => Some(Method::POST),
            _ => None,
        };
        let serve = async move |State(authority): State<Authority>, request: Request| {
            self.clone().serve(authority, request).await
        };
        match verb {
            Some(Method::GET) => get(serve).fallback(async |request: Request| wrong_verb(&request, "GET")),
            Some(_) => post(serve).fallback(async |request: Request| wrong_verb(&request, "POST")),
            None => any(serve),
        }
    }

    async fn serve(self, authority: Authority, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
            return Err(XrpcError::invalid_request("XRPC methods are called with GET or POST"));
        }
        let params = QueryPairs::parse(parts.uri.query().unwrap_or_default())
            .map_err(|error| XrpcError::invalid_request(error.to_string()))?;
        check::params(&self.catalog, &self.nsid, &params)?;
        let raw = RawBody::from_request(Request::from_parts(parts.clone(), body), &()).await?;
        let body = raw.bytes().await?;
        let json = check::input(&self.catalog, &self.nsid, &parts.headers, &body)?;
        let call = Call { method: self.nsid.clone(), parts, params, body, json, authority };
        let reply = self.handler.answer(call).await?;
        check::output(&self.catalog, &self.nsid, &reply)?;
        Ok(reply.into_response())
    }
}

/// A wrong verb is a 400 in the reference server, not a 405, and clients expect that.
fn wrong_verb(request: &Request, expected: &str) -> XrpcError {
    let verb = request.method();
    XrpcError::invalid_request(format!("Incorrect HTTP method ({verb}) expected {expected}"))
}
