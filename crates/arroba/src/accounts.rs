//! Accounts that people log in to, on top of a [`RepoHost`].

mod create;
mod handles;
mod invites;
mod keys;
mod local;
mod logins;
mod moderation;
mod preferences;
mod recovery;
mod reserved;
mod sessions;
mod standing;

use std::fmt;
use std::sync::Arc;

use arroba_core::syntax::Did;
use arroba_identity::Resolver;
use arroba_identity::plc::PlcDirectory;
use arroba_store::accounts::{AccountError, Accounts, Passwords};
use arroba_xrpc::{ServiceAuth, XrpcError};

pub(crate) use self::keys::ResolverKeys;
pub(crate) use self::local::HostedHandles;

use crate::auth::SecretDigest;
use crate::environment::{Clock, Randomness};
use crate::host::RepoHost;
use crate::secrets::Secrets;
use crate::service::store_failed;
use crate::session::SessionTokens;

/// What a server offers to those who want an account.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The server's own DID.
    pub(crate) service_did: Did,
    /// Domains under which handles are given out, each with its leading dot.
    pub(crate) handle_domains: Vec<String>,
    /// Whether a new account needs an invite.
    pub(crate) invite_required: bool,
    /// Whether repositories may be imported.
    pub(crate) imports: bool,
}

/// Everything that [`Logins`] are made of.
pub(crate) struct LoginParts {
    pub(crate) host: RepoHost,
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: SessionTokens,
    pub(crate) services: ServiceAuth,
    pub(crate) resolver: Resolver,
    pub(crate) directory: Arc<dyn PlcDirectory>,
    pub(crate) secrets: Secrets,
    pub(crate) admin_password: Option<SecretDigest>,
    pub(crate) offer: Offer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

/// The accounts of a server: creation, logins, handles, moderation. Clones share them.
#[derive(Clone)]
pub(crate) struct Logins(Arc<LoginParts>);

impl Logins {
    pub(crate) fn new(parts: LoginParts) -> Self {
        Self(Arc::new(parts))
    }

    /// What the server offers.
    pub(crate) fn offer(&self) -> &Offer {
        &self.0.offer
    }

    /// The host of the repositories.
    pub(crate) fn host(&self) -> &RepoHost {
        &self.0.host
    }

    /// The stored accounts.
    pub(crate) fn stored(&self) -> &Accounts {
        &self.0.accounts
    }

    fn now_micros(&self) -> u64 {
        self.0.clock.now_micros()
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Logins").field("offer", &self.0.offer).finish_non_exhaustive()
    }
}

/// How a failure of the account store looks from outside.
pub(crate) fn account_failed(error: AccountError) -> XrpcError {
    match error {
        AccountError::Store(error) => store_failed(error),
        AccountError::NotFound => {
            XrpcError::new(http::StatusCode::FORBIDDEN, "AccountNotFound", "Account not found")
        }
        AccountError::InviteUnavailable => {
            XrpcError::named("InvalidInviteCode", "Provided invite code not available")
        }
        error => XrpcError::invalid_request(error.to_string()),
    }
}
