//! Who calls, and what that allows.
//!
//! The types here are proofs: only the extractors make them, and what writes demands one by value.

use arroba_core::syntax::Did;

/// Proof that the caller may write records of an account.
#[derive(Debug)]
pub struct WriteAuth {
    did: Did,
}

impl WriteAuth {
    /// Whose records.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }
}

/// Proof that the caller may upload blobs for an account, active or not.
#[derive(Debug)]
pub struct UploadAuth {
    did: Did,
}

impl UploadAuth {
    /// Whose blobs.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }
}

/// Proof that the caller may replace the whole repo of an account, active or not.
#[derive(Debug)]
pub struct ImportAuth {
    did: Did,
}

impl ImportAuth {
    /// Whose repo.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }
}

/// Proof that the caller is an account, active or not.
#[derive(Debug)]
pub struct AccountAuth {
    did: Did,
}

impl AccountAuth {
    /// Which account.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }
}

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
