use super::repo::{main_names, names};
use super::{ScopeError, ScopeText, Selection, text::read};
use crate::syntax::{Audience, DidService, Nsid};
use std::fmt;

/// Calling methods of other services: `rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview`.
///
/// Either the methods or the service are named: every method everywhere is no scope.
///
/// Spec: <https://atproto.com/specs/permission#rpc>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcScope {
    methods: Selection<Nsid>,
    audience: RpcAudience,
}

/// At which service methods may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcAudience {
    /// At every one.
    Any,
    /// At this one.
    Service(DidService),
}

impl RpcScope {
    pub(super) const RESOURCE: &str = "rpc";

    /// These methods there; `None` for every method everywhere.
    pub fn new(methods: Selection<Nsid>, audience: RpcAudience) -> Option<Self> {
        (!methods.is_all() || audience != RpcAudience::Any).then_some(Self { methods, audience })
    }

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["lxm", "aud"])?;
        let methods = names("lxm", text.main_values("lxm"))?;
        let audience = match text.value("aud")?.ok_or(ScopeError::Missing("aud"))? {
            "*" => RpcAudience::Any,
            service => RpcAudience::Service(read("aud", service, DidService::parse)?),
        };
        Self::new(methods, audience).ok_or(ScopeError::EveryMethodEverywhere)
    }

    /// Which methods.
    pub const fn methods(&self) -> &Selection<Nsid> {
        &self.methods
    }

    /// At which service.
    pub const fn audience(&self) -> &RpcAudience {
        &self.audience
    }

    /// Whether it allows a call of this method there; `None` is a token for every method. A DID without a
    /// service is reached only by a scope for any audience.
    pub fn allows(&self, method: Option<&Nsid>, audience: &Audience) -> bool {
        let there = match (&self.audience, audience) {
            (RpcAudience::Any, _) => true,
            (RpcAudience::Service(own), Audience::Service(other)) => own == other,
            (RpcAudience::Service(_), Audience::Did(_)) => false,
        };
        there && method.map_or_else(|| self.methods.is_all(), |method| self.methods.contains(method))
    }
}

impl fmt::Display for RpcScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = main_names(ScopeText::of(Self::RESOURCE), "lxm", &self.methods);
        match &self.audience {
            RpcAudience::Any => text.param("aud", "*").fmt(out),
            RpcAudience::Service(service) => text.param("aud", service).fmt(out),
        }
    }
}
