//! `com.atproto.server.deactivateAccount`

use arroba_core::syntax::Datetime;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{NoBody, NoParams, endpoint, json_body},
    json::present,
};

endpoint! {
    /// Deactivates the caller's account.
    Procedure DeactivateAccount = "com.atproto.server.deactivateAccount" {
        params: NoParams, input: Input, output: NoBody,
        errors: []
    }
}

json_body!(Input);

/// The request.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// When the server may delete the account; a hint.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Datetime>,
}
