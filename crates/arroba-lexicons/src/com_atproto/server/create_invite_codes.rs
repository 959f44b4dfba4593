//! `com.atproto.server.createInviteCodes`

use arroba_core::syntax::Did;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoParams, endpoint, json_body},
    json::present,
};

endpoint! {
    /// Makes several invite codes.
    Procedure CreateInviteCodes = "com.atproto.server.createInviteCodes" {
        params: NoParams, input: Input, output: Output,
        errors: []
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// How many codes for each account; 1 unless given.
    #[serde(default = "one")]
    pub code_count: i64,
    /// How many accounts each is good for.
    pub use_count: i64,
    /// The accounts that hand them out; the server itself if absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub for_accounts: Option<Vec<Did>>,
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The codes by account.
    pub codes: Vec<AccountCodes>,
}

/// The codes of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCodes {
    /// The account's DID, or `admin`.
    pub account: String,
    /// Its codes.
    pub codes: Vec<String>,
}

const fn one() -> i64 {
    1
}
