use super::{
    AccountAction, AccountAttribute, AccountScope, BlobScope, IdentityScope, IncludeScope, Permission,
    RepoScope, RpcScope, ScopeError, ScopeText,
};
use crate::syntax::Nsid;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// One scope.
///
/// Its text form (`Display`, `FromStr`, serde) is canonical: the main value behind the `:` if there is one,
/// several in order, nothing that is so anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// `atproto`: to know whose account it is. Every session must have it, and it allows nothing else.
    Atproto,
    /// One of the scopes from before there were permissions.
    Transition(Transition),
    /// Writing records.
    Repo(RepoScope),
    /// Calling methods of other services.
    Rpc(RpcScope),
    /// Uploading blobs.
    Blob(BlobScope),
    /// Something of the account.
    Account(AccountScope),
    /// The account's identity.
    Identity(IdentityScope),
    /// A permission set, not yet expanded.
    Include(IncludeScope),
}

/// A scope from before there were permissions, about as wide as an app password.
///
/// Spec: <https://atproto.com/specs/oauth#authorization-scopes>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// `transition:generic`: all records, all blobs, all methods but those of direct messages.
    Generic,
    /// `transition:chat.bsky`: direct messages (`chat.bsky.*`), beside [`Generic`](Self::Generic) and not
    /// without it.
    ChatBsky,
    /// `transition:email`: to see the email address.
    Email,
}

impl Transition {
    /// The text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "transition:generic",
            Self::ChatBsky => "transition:chat.bsky",
            Self::Email => "transition:email",
        }
    }
}

pub(super) const ATPROTO: &str = "atproto";

impl Scope {
    /// Reads one scope string.
    ///
    /// # Errors
    /// [`ScopeError`] if it is malformed, or means nothing here.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        // These are words, not parameters: no other spelling of them is the same scope.
        match text {
            ATPROTO => return Ok(Self::Atproto),
            "transition:generic" => return Ok(Self::Transition(Transition::Generic)),
            "transition:chat.bsky" => return Ok(Self::Transition(Transition::ChatBsky)),
            "transition:email" => return Ok(Self::Transition(Transition::Email)),
            _ => {}
        }
        let text = ScopeText::parse(text)?;
        match text.resource() {
            RepoScope::RESOURCE => RepoScope::from_text(&text).map(Self::Repo),
            RpcScope::RESOURCE => RpcScope::from_text(&text).map(Self::Rpc),
            BlobScope::RESOURCE => BlobScope::from_text(&text).map(Self::Blob),
            AccountScope::RESOURCE => AccountScope::from_text(&text).map(Self::Account),
            IdentityScope::RESOURCE => IdentityScope::from_text(&text).map(Self::Identity),
            IncludeScope::RESOURCE => IncludeScope::from_text(&text).map(Self::Include),
            other => Err(ScopeError::Resource(other.to_owned())),
        }
    }

    /// Whether it allows this by itself: `transition:chat.bsky` does not, and a permission set does not before it
    /// is [expanded](IncludeScope::expand).
    pub fn allows(&self, permission: &Permission) -> bool {
        match (self, permission) {
            (Self::Transition(transition), permission) => transition.allows(permission),
            (Self::Repo(scope), Permission::Repo { collection, action }) => scope.allows(collection, *action),
            (Self::Rpc(scope), Permission::Rpc { method, audience }) => {
                scope.allows(method.as_ref(), audience)
            }
            (Self::Blob(scope), Permission::Blob { media_type }) => scope.allows(media_type),
            (Self::Account(scope), Permission::Account { attribute, action }) => {
                scope.allows(*attribute, *action)
            }
            (Self::Identity(scope), Permission::Identity(other)) => scope.allows(*other),
            _ => false,
        }
    }
}

impl Transition {
    fn allows(self, permission: &Permission) -> bool {
        match (self, permission) {
            (Self::Generic, Permission::Repo { .. } | Permission::Blob { .. }) => true,
            (Self::Generic, Permission::Rpc { method, .. }) => !method.as_ref().is_some_and(is_chat),
            (Self::Email, Permission::Account { attribute, action }) => {
                *attribute == AccountAttribute::Email && *action == AccountAction::Read
            }
            _ => false,
        }
    }
}

/// Whether a method belongs to the direct messages.
pub(super) fn is_chat(method: &Nsid) -> bool {
    method.normalized().as_str().starts_with("chat.bsky.")
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atproto => out.write_str(ATPROTO),
            Self::Transition(transition) => out.write_str(transition.as_str()),
            Self::Repo(scope) => scope.fmt(out),
            Self::Rpc(scope) => scope.fmt(out),
            Self::Blob(scope) => scope.fmt(out),
            Self::Account(scope) => scope.fmt(out),
            Self::Identity(scope) => scope.fmt(out),
            Self::Include(scope) => scope.fmt(out),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&<Cow<'de, str>>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
