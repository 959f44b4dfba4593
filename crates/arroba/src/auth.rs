//! Who calls, and what that allows.
//!
//! The types here are proofs: only the extractors make them, and what writes demands one by value. What the extractors ask
//! is an [`Authenticator`], so that a builder can bring other accounts than those of [`Pds`](crate::Pds).

mod credentials;
pub(crate) mod delegated;
mod extract;

pub(crate) use extract::not_taken_down;

use std::fmt;
use std::sync::Arc;

use arroba_core::syntax::{Did, Nsid};
use arroba_store::RepoStatus;
use arroba_xrpc::{Result, ServiceCaller};
use async_trait::async_trait;

use crate::session::{Access, RefreshToken};

/// Says who calls, by what the caller shows.
///
/// # Contract
/// 1. `Ok` means proven. What is missing, malformed, expired or forged is an error with the name that clients know.
/// 2. The account of an `Ok` exists at that moment.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The account whose access token this is.
    async fn account(&self, token: &str) -> Result<Caller>;

    /// The session whose refresh token this is; an expired one passes with `even_expired`.
    async fn refresh(&self, token: &str, even_expired: bool) -> Result<RefreshToken>;

    /// The account in whose name a service calls `method`.
    async fn service(&self, token: &str, method: &Nsid) -> Result<ServiceCaller>;

    /// Whether this is the operator.
    fn is_admin(&self, user: &str, password: &str) -> bool;

    /// The account of a DID that a service speaks for, if it is one of ours.
    async fn hosted(&self, did: &Did) -> Result<Caller>;

    /// Whether repositories may be imported now.
    fn accepts_imports(&self) -> bool {
        true
    }
}

/// An account that calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which account.
    pub did: Did,
    /// What its token allows.
    pub access: Access,
    /// Its status now.
    pub status: RepoStatus,
}

/// What the extractors need of the state: who decides.
#[derive(Clone)]
pub struct Authority(Arc<dyn Authenticator>);

impl Authority {
    /// Lets `authenticator` decide.
    pub fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self(authenticator)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Authority")
    }
}

/// Proof that the caller may write records of an account, which is active.
#[derive(Debug)]
pub struct WriteAuth {
    did: Did,
}

/// Proof that the caller may upload blobs for an account, active or not.
#[derive(Debug)]
pub struct UploadAuth {
    did: Did,
}

/// Proof that the caller may replace the whole repo of an account, active or not.
#[derive(Debug)]
pub struct ImportAuth {
    did: Did,
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
    WriteAuth: "Whose records.";
    UploadAuth: "Whose blobs.";
    ImportAuth: "Whose repo.";
    AccountAuth: "Which account.";
    AnyAccountAuth: "Which account.";
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

with_status! { AccountAuth AnyAccountAuth FullAuth }

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
