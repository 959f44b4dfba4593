//! What can go wrong with accounts.

use crate::StoreError;

/// A change of accounts that was refused, or a failure of the store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Another account has the e-mail address.
    #[error("e-mail address is taken")]
    EmailTaken,
    /// The DID has an account already.
    #[error("DID has an account already")]
    DidTaken,
    /// The invite code is unknown, disabled or used up.
    #[error("invite code is not available")]
    InviteUnavailable,
    /// There is no such account.
    #[error("no such account")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for AccountError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
