//! `com.atproto.server.createInviteCode`

use arroba_core::syntax::Did;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoParams, endpoint, json_body},
    json::present,
};

endpoint! {
    /// Makes an invite code.
    Procedure CreateInviteCode = "com.atproto.server.createInviteCode" {
        params: NoParams, input: Input, output: Output,
        errors: []
    }
}

json_body!(Input, Output);

/// The request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// How many accounts it is good for.
    pub use_count: i64,
    /// The account that hands it out.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub for_account: Option<Did>,
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The code.
    pub code: String,
}
