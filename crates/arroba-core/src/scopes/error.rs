use super::{Permission, Scope, ScopeText};
use crate::syntax::Nsid;
use thiserror::Error;

/// Why a text is no scope that means anything here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// Longer than [`ScopeText::MAX_LENGTH`].
    #[error("scope is longer than {} characters", ScopeText::MAX_LENGTH)]
    TooLong,
    /// Empty, or with a space, a control character or anything beyond ASCII.
    #[error("scope is not printable ASCII without spaces")]
    Characters,
    /// A `%` that is not followed by two hexadecimal digits, or decoded bytes that are no UTF-8.
    #[error("malformed percent-encoding in the scope")]
    Encoding,
    /// The word before `:` or `?` is no resource that is known. Resources are in lower case.
    #[error("unknown resource {0:?}")]
    Resource(String),
    /// A parameter that the resource does not have.
    #[error("unknown parameter {0:?}")]
    Parameter(String),
    /// A parameter without which the resource means nothing.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter that comes twice where one is allowed, or both behind `:` and by its name.
    #[error("parameter {0} is given more than once")]
    Repeated(&'static str),
    /// A value that the parameter cannot have.
    #[error("{value:?} is no {name}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// The value, decoded.
        value: String,
    },
    /// An `rpc` scope for every method of every service, which no scope may be.
    #[error("lxm and aud are both *")]
    EveryMethodEverywhere,
}

/// The scopes of a session do not allow a request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("missing scope {}", self.missing())]
pub struct InsufficientScope {
    permission: Permission,
}

impl InsufficientScope {
    /// The name of the error over HTTP, with status 403.
    pub const NAME: &str = "insufficient_scope";

    pub(super) const fn new(permission: Permission) -> Self {
        Self { permission }
    }

    /// What the request needs.
    pub const fn permission(&self) -> &Permission {
        &self.permission
    }

    /// The scope that would have allowed it, and nothing more.
    pub fn missing(&self) -> Scope {
        self.permission.scope()
    }

    /// The value of the header `WWW-Authenticate` (RFC 9449, RFC 6750).
    pub fn www_authenticate(&self) -> String {
        // The canonical form has neither quotation marks nor backslashes.
        format!(r#"DPoP error="{}", error_description="Missing scope {}""#, Self::NAME, self.missing())
    }
}

/// A permission set could not be had, so that nobody can say what a session with it may do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("permission set {0} is not resolved")]
pub struct UnresolvedSet(pub Nsid);
