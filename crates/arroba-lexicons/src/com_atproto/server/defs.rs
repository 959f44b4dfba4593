//! Shapes that methods of this group share.

use arroba_core::syntax::{Datetime, Did};
use serde::{Deserialize, Serialize};

/// An invite code and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteCode {
    /// The code.
    pub code: String,
    /// How many accounts it was good for when made.
    pub available: i64,
    /// Whether it was disabled.
    pub disabled: bool,
    /// The DID of the account that hands it out, or `admin`.
    pub for_account: String,
    /// Who made it: a DID or `admin`.
    pub created_by: String,
    /// When it was made.
    pub created_at: Datetime,
    /// The accounts created with it.
    pub uses: Vec<InviteCodeUse>,
}

/// One use of an invite code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteCodeUse {
    /// The account created.
    pub used_by: Did,
    /// When.
    pub used_at: Datetime,
}
