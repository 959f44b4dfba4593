//! What a server with logins knows about callers, beyond an [`Authenticator`](super::Authenticator).

use arroba_core::syntax::{Did, Nsid};
use arroba_store::RepoStatus;
use arroba_xrpc::{Result, ServiceCaller, XrpcError};
use async_trait::async_trait;

use crate::host::RepoHost;
use crate::service::store_failed;
use crate::session::{Access, RefreshToken};

/// Says whose login it is, by the token.
///
/// # Contract
/// 1. `Ok` means proven. What is missing, malformed, expired or forged is an error with the name that clients know.
/// 2. The account of an `Ok` exists at that moment.
#[async_trait]
pub(crate) trait Sessions: Send + Sync {
    /// The account whose access token this is.
    async fn account(&self, token: &str) -> Result<Session>;

    /// The session whose refresh token this is; an expired one passes with `even_expired`.
    async fn refresh(&self, token: &str, even_expired: bool) -> Result<RefreshToken>;

    /// The account in whose name a service calls `method`.
    async fn service(&self, token: &str, method: &Nsid) -> Result<ServiceCaller>;

    /// Whether this is the operator.
    fn is_admin(&self, user: &str, password: &str) -> bool;

    /// The account of a DID that a service speaks for, if it is one of ours.
    async fn hosted(&self, did: &Did) -> Result<Session>;

    /// Whether anybody can log in at all. Where nobody can, readers may show what they like: it means nothing.
    fn exist(&self) -> bool {
        true
    }

    /// Whether repositories may be imported now.
    fn accepts_imports(&self) -> bool {
        true
    }
}

/// An account that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// Which account.
    pub(crate) did: Did,
    /// What its token allows.
    pub(crate) access: Access,
    /// Its status now.
    pub(crate) status: RepoStatus,
}

/// Nobody has a login.
pub(super) struct NoSessions(pub(super) RepoHost);

fn nobody<T>() -> Result<T> {
    Err(XrpcError::authentication_required("These credentials are not known here"))
}

#[async_trait]
impl Sessions for NoSessions {
    fn exist(&self) -> bool {
        false
    }

    async fn account(&self, _: &str) -> Result<Session> {
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

    async fn hosted(&self, did: &Did) -> Result<Session> {
        let row = self.0.store().repo(did).await.map_err(store_failed)?;
        match row.map(|row| row.status) {
            None | Some(RepoStatus::Creating | RepoStatus::Deleted) => {
                Err(XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {did}")))
            }
            Some(status) => Ok(Session { did: did.clone(), access: Access::Full, status }),
        }
    }
}
