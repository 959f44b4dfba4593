use super::{
    AccountAction, AccountAttribute, AccountScope, BlobScope, IdentityScope, MediaType, RepoScope,
    RpcAudience, RpcScope, Scope, Selection, Transition,
};
use crate::event::Action;
use crate::syntax::{Audience, Nsid};

/// What one request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// To write a record.
    Repo {
        /// Where.
        collection: Nsid,
        /// What happens to it.
        action: Action,
    },
    /// To have another service called, or a token for that.
    Rpc {
        /// Which method; `None` is a token that is good for all.
        method: Option<Nsid>,
        /// Whom.
        audience: Audience,
    },
    /// To upload a blob.
    Blob {
        /// Of this type.
        media_type: MediaType,
    },
    /// To see or change something of the account.
    Account {
        /// What of it.
        attribute: AccountAttribute,
        /// What to do with it.
        action: AccountAction,
    },
    /// To change the account's identity.
    Identity(IdentityScope),
}

impl Permission {
    /// To write a record.
    pub const fn repo(collection: Nsid, action: Action) -> Self {
        Self::Repo { collection, action }
    }

    /// To have a method of another service called.
    pub fn rpc(method: Nsid, audience: impl Into<Audience>) -> Self {
        Self::Rpc { method: Some(method), audience: audience.into() }
    }

    /// To upload a blob.
    pub const fn blob(media_type: MediaType) -> Self {
        Self::Blob { media_type }
    }

    /// To see or change something of the account.
    pub const fn account(attribute: AccountAttribute, action: AccountAction) -> Self {
        Self::Account { attribute, action }
    }

    /// The scope that allows this and nothing more; where no scope is so narrow (a token for every method of a
    /// DID without a service), [`Transition::Generic`].
    pub fn scope(&self) -> Scope {
        match self {
            Self::Repo { collection, action } => Scope::Repo(RepoScope {
                collections: Selection::one(collection.clone()),
                actions: Selection::one(*action),
            }),
            Self::Rpc { method, audience } => {
                let methods = method.clone().map_or(Selection::ALL, Selection::one);
                let audience = match audience {
                    Audience::Did(_) => RpcAudience::Any,
                    Audience::Service(service) => RpcAudience::Service(service.clone()),
                };
                let scope = RpcScope::new(methods, audience);
                scope.map_or(Scope::Transition(Transition::Generic), Scope::Rpc)
            }
            Self::Blob { media_type } => {
                let scope = BlobScope::new([media_type.clone().into()]);
                Scope::Blob(scope.expect("there is one range"))
            }
            Self::Account { attribute, action } => {
                Scope::Account(AccountScope { attribute: *attribute, action: *action })
            }
            Self::Identity(scope) => Scope::Identity(*scope),
        }
    }
}
