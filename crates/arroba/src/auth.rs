//! Who calls, and what that allows.
//!
//! An [`Authenticator`] says whose request it is: which repos it may write to, and which permissions it has. A
//! [`Pds`](crate::Pds) knows its own accounts besides. The proofs here are made by the extractors alone, and what writes demands
//! one by value.

mod authenticator;
mod caller;
mod credentials;
pub(crate) mod delegated;
mod extract;
mod secret;
mod sessions;
mod static_token;

use arroba_core::scopes::{Permission, Scopes};
use arroba_core::syntax::{AtIdentifier, Did};
use arroba_store::RepoStatus;
use arroba_xrpc::{Result, ServiceCaller};

pub use self::authenticator::{Authenticator, Authority};
pub use self::caller::{Caller, Repos};
pub(crate) use self::extract::not_taken_down;
pub(crate) use self::secret::SecretDigest;
pub(crate) use self::sessions::{Session, Sessions};
pub use self::static_token::StaticToken;

use crate::session::{Access, RefreshToken};

/// Proof that the caller may write records: in which repos and with which permissions is for
/// [`Service::commit`](crate::Service::commit) to check, which knows the writes.
#[derive(Debug)]
pub struct WriteAuth {
    caller: Caller,
}

/// Proof that the caller may upload blobs: for its own account, active or not, or for any.
///
/// The protocol's `uploadBlob` says nothing of a repo, since it knows callers with one account only; a blob belongs to one repo all
/// the same, which alone may refer to it. A caller who may write to every repo therefore names one by the parameter `repo`, a DID or
/// a handle: `/xrpc/com.atproto.repo.uploadBlob?repo=did:web:alice.example`. Without it there is nobody to keep the blob for.
#[derive(Debug)]
pub struct UploadAuth {
    caller: Caller,
    repo: Option<AtIdentifier>,
}

/// Proof that the caller may replace whole repos: its own, active or not, or any. Whose repo a file holds says its commit.
#[derive(Debug)]
pub struct ImportAuth {
    repos: Repos,
}

/// Proof that the caller is an account, active or not, with any kind of login but that of a taken-down account.
#[derive(Debug)]
pub struct AccountAuth {
    did: Did,
    access: Access,
    status: RepoStatus,
}

/// Proof that the caller is an account, taken down or not, with any kind of login.
#[derive(Debug)]
pub struct AnyAccountAuth {
    did: Did,
    access: Access,
    status: RepoStatus,
}

/// Proof that the caller is one account, taken down or not: the one in whose name other services are called. What it may call
/// is still to be asked.
#[derive(Debug)]
pub struct ProxyAuth {
    did: Did,
    access: Access,
    status: RepoStatus,
    scopes: Scopes,
}

/// Proof that the caller logged in to an account with its own password.
#[derive(Debug)]
pub struct FullAuth {
    did: Did,
    status: RepoStatus,
}

/// Proof of a refresh token. Whether it was revoked is still to be asked.
#[derive(Debug)]
pub struct RefreshAuth {
    token: RefreshToken,
}

/// Proof of a refresh token, expired or not: enough to end its session.
#[derive(Debug)]
pub struct EndSessionAuth {
    token: RefreshToken,
}

/// Proof that the caller is the operator.
#[derive(Debug)]
pub struct AdminAuth(());

/// A service that speaks for an account of any host, if the caller showed a token at all.
#[derive(Debug)]
pub struct MaybeService(Option<ServiceCaller>);

/// Who reads, where reading needs no authorization and some may see more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Anybody.
    Anyone,
    /// An account, which may read its own content whatever its status.
    Account(Did),
    /// The operator, who may read everything.
    Admin,
}

macro_rules! of_account {
    ($($proof:ident: $whose:literal;)+) => {$(
        impl $proof {
            #[doc = $whose]
            #[must_use]
            pub const fn did(&self) -> &Did {
                &self.did
            }
        }
    )+};
}

of_account! {
    AccountAuth: "Which account.";
    AnyAccountAuth: "Which account.";
    ProxyAuth: "Which account.";
    FullAuth: "Which account.";
}

macro_rules! with_status {
    ($($proof:ident)+) => {$(
        impl $proof {
            /// The account's status when it was asked for.
            #[must_use]
            pub const fn status(&self) -> RepoStatus {
                self.status
            }
        }
    )+};
}

with_status! { AccountAuth AnyAccountAuth FullAuth ProxyAuth }

impl WriteAuth {
    /// Whose request it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl UploadAuth {
    /// Whose request it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Which repo the request names.
    #[must_use]
    pub const fn repo(&self) -> Option<&AtIdentifier> {
        self.repo.as_ref()
    }
}

impl ImportAuth {
    /// Whose repos.
    #[must_use]
    pub const fn repos(&self) -> &Repos {
        &self.repos
    }
}

impl AccountAuth {
    /// What the login allows.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

impl AnyAccountAuth {
    /// What the login allows.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

impl ProxyAuth {
    /// What the login allows.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Demands that the caller's scopes allow this.
    ///
    /// # Errors
    /// 403 `insufficient_scope`, with the scope that is missing.
    pub fn demand(&self, permission: &Permission) -> Result<()> {
        caller::demand(&self.scopes, permission)
    }
}

impl RefreshAuth {
    /// The token.
    #[must_use]
    pub const fn token(&self) -> &RefreshToken {
        &self.token
    }
}

impl EndSessionAuth {
    /// The token.
    #[must_use]
    pub const fn token(&self) -> &RefreshToken {
        &self.token
    }
}

impl MaybeService {
    /// The account in whose name the service calls.
    #[must_use]
    pub fn issuer(&self) -> Option<&Did> {
        self.0.as_ref().map(ServiceCaller::issuer)
    }
}

impl Viewer {
    /// Whether the repo of `did` is shown whatever its status.
    #[must_use]
    pub fn sees_inactive(&self, did: &Did) -> bool {
        match self {
            Self::Anyone => false,
            Self::Account(own) => own == did,
            Self::Admin => true,
        }
    }
}
