//! Logging in and staying logged in.

use arroba_core::syntax::{AtIdentifier, Did, Handle};
use arroba_lexicons::json::{AccountStatus, Secret};
use arroba_store::accounts::{Account, Session};
use arroba_store::{RepoRow, RepoStatus};
use arroba_xrpc::{Result, XrpcError};

use super::logins::not_found;
use super::{Logins, account_failed};
use crate::auth::not_taken_down;
use crate::service::{store_failed, wire_status};
use crate::session::{Access, GRACE_SECONDS, REFRESH_SECONDS, RefreshToken};

/// The longest password that can be set, in characters.
pub(super) const LONGEST_PASSWORD: usize = 256;

/// The longest text that is compared with a password, in bytes.
const LONGEST_ATTEMPT: usize = 2048;

/// An account as its own session sees it.
#[derive(Clone, Debug)]
pub(crate) struct SessionView {
    pub(crate) did: Did,
    pub(crate) handle: Handle,
    pub(crate) email: Option<String>,
    pub(crate) email_confirmed: bool,
    pub(crate) active: bool,
    pub(crate) status: Option<AccountStatus>,
}

/// A session: who, and the two tokens.
#[derive(Clone, Debug)]
pub(crate) struct LoggedIn {
    pub(crate) view: SessionView,
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
}

impl Logins {
    /// Logs in by handle, DID or e-mail address, in any letter case.
    ///
    /// Whether the account is unknown or the password wrong, the answer is the same and takes as long.
    pub(crate) async fn authenticate(
        &self,
        identifier: &str,
        password: &str,
        even_takendown: bool,
    ) -> Result<LoggedIn> {
        let found = self.find(identifier).await?;
        let stored = found.as_ref().and_then(|(account, _)| account.password.as_ref());
        let attempt = if password.len() <= LONGEST_ATTEMPT { password } else { "" };
        let right = self.0.passwords.verify(stored, attempt).await.map_err(store_failed)?;
        let Some((account, repo)) = found.filter(|_| right && attempt.len() == password.len()) else {
            return Err(XrpcError::authentication_required("Invalid identifier or password"));
        };
        let access = match repo.status {
            RepoStatus::Takendown | RepoStatus::Suspended if even_takendown => Access::Takendown,
            status => {
                not_taken_down(status)?;
                Access::Full
            }
        };
        self.log_in(&account.did, access).await
    }

    /// Starts a session. One of a taken-down account cannot be refreshed.
    pub(super) async fn log_in(&self, did: &Did, access: Access) -> Result<LoggedIn> {
        let view = self.view(did).await?;
        let id = self.0.tokens.fresh_id();
        let expires = self.0.tokens.now() + REFRESH_SECONDS;
        let refresh = self.0.tokens.refresh(did, &id, expires)?;
        if access != Access::Takendown {
            let session = Session { id, did: did.clone(), expires };
            self.0.accounts.start_session(session).await.map_err(account_failed)?;
        }
        Ok(LoggedIn { view, access: self.0.tokens.access(did, access)?, refresh })
    }

    /// Trades a refresh token for new tokens.
    pub(crate) async fn refresh(&self, token: &RefreshToken) -> Result<LoggedIn> {
        let view = self.view(&token.did).await?;
        not_taken_down(self.status(&token.did).await?)?;
        let now = self.0.tokens.now();
        let proposed =
            Session { id: self.0.tokens.fresh_id(), did: token.did.clone(), expires: now + REFRESH_SECONDS };
        let rotated = self.0.accounts.rotate_session(&token.id, proposed, now, GRACE_SECONDS).await;
        let rotated = rotated
            .map_err(account_failed)?
            .ok_or_else(|| XrpcError::named("ExpiredToken", "Token has been revoked"))?;
        Ok(LoggedIn {
            access: self.0.tokens.access(&token.did, Access::Full)?,
            refresh: self.0.tokens.refresh(&token.did, &rotated.next, rotated.expires)?,
            view,
        })
    }

    /// Ends the session of a refresh token.
    pub(crate) async fn end_session(&self, token: &RefreshToken) -> Result<()> {
        self.0.accounts.end_session(&token.id).await.map_err(account_failed)
    }

    /// The account as its session sees it.
    pub(crate) async fn view(&self, did: &Did) -> Result<SessionView> {
        let (account, repo) = self.load(did).await?.ok_or_else(not_found)?;
        Ok(SessionView {
            did: account.did,
            handle: Self::shown_handle(repo.handle)?,
            email: account.email,
            email_confirmed: account.email_confirmed.is_some(),
            active: repo.status == RepoStatus::Active,
            status: wire_status(repo.status),
        })
    }

    async fn find(&self, identifier: &str) -> Result<Option<(Account, RepoRow)>> {
        let identifier = identifier.trim().to_lowercase();
        if identifier.contains('@') {
            let account = self.0.accounts.account_by_email(&identifier).await.map_err(account_failed)?;
            return match account {
                Some(account) => self.load(&account.did).await,
                None => Ok(None),
            };
        }
        match AtIdentifier::parse(&identifier) {
            Ok(AtIdentifier::Did(did)) => self.load(&did).await,
            Ok(AtIdentifier::Handle(handle)) => {
                match self.0.host.store().by_handle(&handle).await.map_err(store_failed)? {
                    Some(row) => self.load(&row.did).await,
                    None => Ok(None),
                }
            }
            Err(_) => Ok(None),
        }
    }

    /// The account and its repository, if both exist.
    pub(super) async fn load(&self, did: &Did) -> Result<Option<(Account, RepoRow)>> {
        let Some(account) = self.0.accounts.account(did).await.map_err(account_failed)? else {
            return Ok(None);
        };
        let repo = self.0.host.store().repo(did).await.map_err(store_failed)?;
        let living = repo.filter(|row| !matches!(row.status, RepoStatus::Deleted | RepoStatus::Creating));
        Ok(living.map(|repo| (account, repo)))
    }
}
