use super::{ScopeError, ScopeText};
use std::fmt;

/// Something of the account beside its records: `account:email?action=manage`.
///
/// Spec: <https://atproto.com/specs/permission#account>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountScope {
    /// What of it.
    pub attribute: AccountAttribute,
    /// What may be done with it.
    pub action: AccountAction,
}

/// What an account has beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountAttribute {
    /// The email address.
    Email,
    /// The repository as a whole: to manage it is to import one.
    Repo,
}

/// What may be done with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountAction {
    /// To see it.
    Read,
    /// To see and to change it.
    Manage,
}

impl AccountScope {
    pub(super) const RESOURCE: &str = "account";

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["attr", "action"])?;
        let attribute = match text.main_value("attr")? {
            "email" => AccountAttribute::Email,
            "repo" => AccountAttribute::Repo,
            other => return Err(ScopeError::Value { name: "attr", value: other.to_owned() }),
        };
        let action = match text.value("action")? {
            None | Some("read") => AccountAction::Read,
            Some("manage") => AccountAction::Manage,
            Some(other) => return Err(ScopeError::Value { name: "action", value: other.to_owned() }),
        };
        Ok(Self { attribute, action })
    }

    /// Whether it allows this.
    pub fn allows(&self, attribute: AccountAttribute, action: AccountAction) -> bool {
        self.attribute == attribute && action <= self.action
    }
}

impl fmt::Display for AccountScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = match self.attribute {
            AccountAttribute::Email => "email",
            AccountAttribute::Repo => "repo",
        };
        let text = ScopeText::of(Self::RESOURCE).main("attr", [attribute]);
        match self.action {
            AccountAction::Read => text.fmt(out),
            AccountAction::Manage => text.param("action", "manage").fmt(out),
        }
    }
}

/// The account's identity on the network: `identity:handle`.
///
/// Spec: <https://atproto.com/specs/permission#identity>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityScope {
    /// The handle may be changed.
    Handle,
    /// Everything of it may be changed: keys and services too, by operations of did:plc.
    All,
}

impl IdentityScope {
    pub(super) const RESOURCE: &str = "identity";

    pub(super) fn from_text(text: &ScopeText) -> Result<Self, ScopeError> {
        text.only(&["attr"])?;
        match text.main_value("attr")? {
            "handle" => Ok(Self::Handle),
            "*" => Ok(Self::All),
            other => Err(ScopeError::Value { name: "attr", value: other.to_owned() }),
        }
    }

    /// Whether it allows what needs the other.
    pub fn allows(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

impl fmt::Display for IdentityScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = match self {
            Self::Handle => "handle",
            Self::All => "*",
        };
        ScopeText::of(Self::RESOURCE).main("attr", [attribute]).fmt(out)
    }
}
