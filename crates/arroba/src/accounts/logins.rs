//! Logins as the authority over who calls.

use arroba_core::syntax::{Did, Nsid};
use arroba_store::RepoStatus;
use arroba_xrpc::{Result, ServiceCaller, XrpcError};
use async_trait::async_trait;

use super::{Logins, account_failed};
use crate::auth::{Session, Sessions};
use crate::service::store_failed;
use crate::session::{Access, RefreshToken};

#[async_trait]
impl Sessions for Logins {
    async fn account(&self, token: &str) -> Result<Session> {
        let token = self.0.tokens.verify_access(token)?;
        let account =
            self.0.accounts.account(&token.did).await.map_err(account_failed)?.ok_or_else(not_found)?;
        if token.issued < account.tokens_after {
            return Err(XrpcError::named("ExpiredToken", "Token has been revoked"));
        }
        let status = self.status(&token.did).await?;
        Ok(Session { did: token.did, access: token.access, status })
    }

    async fn refresh(&self, token: &str, even_expired: bool) -> Result<RefreshToken> {
        self.0.tokens.verify_refresh(token, even_expired)
    }

    async fn service(&self, token: &str, method: &Nsid) -> Result<ServiceCaller> {
        self.0.services.verify_token(token, method).await
    }

    fn is_admin(&self, user: &str, password: &str) -> bool {
        let known = self.0.admin_password.as_ref().is_some_and(|expected| expected.matches(password));
        (user == "admin") & known
    }

    async fn hosted(&self, did: &Did) -> Result<Session> {
        self.0.accounts.account(did).await.map_err(account_failed)?.ok_or_else(not_found)?;
        Ok(Session { did: did.clone(), access: Access::AppPass, status: self.status(did).await? })
    }

    fn accepts_imports(&self) -> bool {
        self.0.offer.imports
    }
}

impl Logins {
    /// The status of an account's repository.
    pub(super) async fn status(&self, did: &Did) -> Result<RepoStatus> {
        let row = self.0.host.store().repo(did).await.map_err(store_failed)?;
        match row.map(|row| row.status) {
            None | Some(RepoStatus::Deleted | RepoStatus::Creating) => Err(not_found()),
            Some(status) => Ok(status),
        }
    }
}

pub(super) fn not_found() -> XrpcError {
    XrpcError::new(http::StatusCode::FORBIDDEN, "AccountNotFound", "Account not found")
}
